"""Every criterion of a trial at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import polars as pl

from graftline.assess import (
    chimerism,
    crs,
    ctcae,
    donor,
    dosing,
    eligibility,
    engraftment,
    gates,
    graft_failure,
    gvhd_acute,
    gvhd_chronic,
    hematotox,
    icaht,
    icans,
    iec_hs,
    infection,
    kinetics,
    lymphocytes,
    medication,
    mrd,
    pancytopenia,
    relapse,
    response,
)
from graftline.assess.adjudicated import disagreements, preferred
from graftline.assess.patient_codes import with_coded_patients, with_named_patients
from graftline.assess.results import Assessed, combine_results, empty_results
from graftline.rules import Rule
from graftline.trial import Trial

# criteria that read tables only, then those that read the answers of the others
_CRITERIA: tuple[ModuleType, ...] = (
    crs,
    icans,
    iec_hs,
    medication,
    gvhd_acute,
    gvhd_chronic,
    ctcae,
    pancytopenia,
    icaht,
    hematotox,
    engraftment,
    graft_failure,
    chimerism,
    kinetics,
    lymphocytes,
    infection,
    response,
    mrd,
    relapse,
    donor,
    dosing,
)
_DECISIONS: tuple[ModuleType, ...] = (eligibility, gates)


@dataclass(frozen=True, slots=True)
class Assessments:
    """All answers about a trial.

    ``results`` holds derived and adjudicated rows side by side; ``chosen`` the one per patient and
    rule that the protocol prefers; ``details`` the tables behind them; ``disagreements`` where the
    two sources differ.
    """

    results: pl.DataFrame
    details: Mapping[str, pl.DataFrame]
    chosen: pl.DataFrame
    disagreements: pl.DataFrame


def assess_trial(trial: Trial) -> Assessments:
    """Run every criterion over a trial.

    Returns
    -------
    Assessments
    """
    trial = with_coded_patients(trial)
    first = [module.assess(trial) for module in _CRITERIA]
    # a decision looks at the tables behind the answers, so that these are put in order only once
    known = Assessed(empty_results(), _details(first))
    decided = [module.assess(trial, known) for module in _DECISIONS]
    return _named(gather([*first, *decided], trial))


def assess_by(criteria: Sequence[ModuleType], trial: Trial) -> Assessments:
    """Run some criteria over a trial, none of which reads the answers of others."""
    trial = with_coded_patients(trial)
    return _named(gather([criterion.assess(trial) for criterion in criteria], trial))


def gather(assessed: list[Assessed], trial: Trial) -> Assessments:
    """Join the answers of several criteria and choose between sources as the protocol says."""
    results = combine_results([one.results for one in assessed])
    details = _details(assessed)
    source = trial.protocol.definitions.source_preferred
    return Assessments(results, details, preferred(results, source=source), disagreements(results))


def _details(assessed: list[Assessed]) -> dict[str, pl.DataFrame]:
    return {name: frame for one in assessed for name, frame in one.details.items()}


def _named(coded: Assessments) -> Assessments:
    return Assessments(
        with_named_patients(coded.results),
        {name: with_named_patients(frame) for name, frame in coded.details.items()},
        with_named_patients(coded.chosen),
        with_named_patients(coded.disagreements),
    )


@cache
def all_rules() -> dict[str, Rule]:
    """Every rule by its id."""
    return {rule.id: rule for module in (*_CRITERIA, *_DECISIONS) for rule in module.RULES}

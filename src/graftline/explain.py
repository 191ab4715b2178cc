"""One rule for one patient: the records, the rule in words, the source and the answer."""

import difflib
import textwrap
from dataclasses import dataclass

import polars as pl

from graftline.assess.assessment import Assessments, all_rules
from graftline.problems import InputError, Problem
from graftline.rules import Read, Rule, references
from graftline.trial import Trial, hsct_days


@dataclass(frozen=True, slots=True)
class Explanation:
    """A result with everything behind it.

    ``records`` are the patient's rows that the rule reads, by table, in the order the rule names
    them; ``missing`` the tables of the rule without any such row.
    """

    patient: str
    rule: Rule
    citation: str
    answers: pl.DataFrame
    records: tuple[tuple[str, pl.DataFrame], ...]
    missing: tuple[str, ...]
    conventions: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """The explanation as plain text."""
        lines = [
            f"{self.rule.title}, patient {self.patient}",
            "",
            *_wrapped("Rule", self.rule.words),
        ]
        lines += _wrapped("Source", self.citation)
        if self.conventions:
            lines += _wrapped("Set by", "; ".join(f"{k} = {v}" for k, v in self.conventions))
        lines += ["", *_answer_lines(self.answers, self.rule), ""]
        for name, frame in self.records:
            lines += [
                f"{name}, {frame.height} record{'s' * (frame.height != 1)}:",
                *_table_lines(frame),
                "",
            ]
        if self.missing:
            lines.append(f"No records in: {', '.join(self.missing)}.")
        return "\n".join(lines).rstrip()


def explain(trial: Trial, assessed: Assessments, patient: str, result: str) -> Explanation:
    """Explain one result of one patient.

    Parameters
    ----------
    trial : Trial
    assessed : Assessments
        Of the same trial.
    patient : str
        Study ID.
    result : str
        Rule id, such as ``neutrophil_engraftment``.

    Raises
    ------
    InputError
        The patient is not in the trial, or no rule has that id.
    """
    rules = all_rules()
    problems = []
    patients = trial.patients["patient"].to_list()
    if patient not in patients:
        problems.append(_unknown("patient", patient, patients))
    if result not in rules:
        problems.append(_unknown("result", result, sorted(rules)))
    if problems:
        raise InputError(problems)
    rule = rules[result]
    records = [(read.table, _records(trial, read, patient)) for read in rule.reads]
    definitions = trial.protocol.definitions.model_dump()
    return Explanation(
        patient=patient,
        rule=rule,
        citation=references()[rule.citation],
        answers=assessed.results.filter(
            (pl.col("patient") == patient) & (pl.col("rule") == result)
        ).sort("source"),
        records=tuple((name, frame) for name, frame in records if frame.height),
        missing=tuple(dict.fromkeys(name for name, frame in records if not frame.height)),
        conventions=tuple((k, str(definitions[k])) for k in rule.parameters if k in definitions),
    )


def _unknown(what: str, value: str, known: list[str]) -> Problem:
    close = difflib.get_close_matches(value, known, n=3, cutoff=0.4)
    some = ", ".join(close or known[:10])
    return Problem(
        "command line",
        f"a {what} of this trial, such as {some}",
        "correct the name",
        found=value,
        column=what,
    )


def _records(trial: Trial, read: Read, patient: str) -> pl.DataFrame:
    frame = trial[read.table].filter(pl.col("patient") == patient)
    if read.column is not None and read.values:
        frame = frame.filter(pl.col(read.column).is_in(list(read.values)))
    low, high = read.window
    day = "day" if "day" in frame.columns else "start_day"
    if day in frame.columns and (low is not None or high is not None):
        inside = pl.col(day).is_between(
            low if low is not None else -1e9, high if high is not None else 1e9
        )
        frame = frame.filter(inside | pl.col(day).is_null())
    sort = [c for c in (day, "row") if c in frame.columns]
    frame = frame.sort(sort)
    kept = [s.name for s in frame if s.name != "patient" and s.null_count() < frame.height]
    frame = frame.select(kept)
    hsct = hsct_days(trial).filter(pl.col("patient") == patient)
    if day in frame.columns and hsct.height and read.table != "infusions":
        frame = frame.with_columns(hsct_day=pl.col(day) - hsct["hsct_day"][0])
    return frame


def _answer_lines(answers: pl.DataFrame, rule: Rule) -> list[str]:
    if answers.height == 0:
        return ["Answer: none; the patient is not in the population of this rule."]
    since = "CAR-T" if rule.origin == "car_t" else "HSPC"
    lines = []
    for row in answers.iter_rows(named=True):
        parts = [row["state"].replace("_", " ")]
        if row["value"] is not None:
            bound = "at least " if row["lower_bound"] else ""
            parts.append(f"value {bound}{row['value']:g}")
        if row["label"] is not None:
            parts.append(row["label"])
        if row["day"] is not None:
            parts.append(f"day {row['day']:g} from {since}")
        if row["until"] is not None:
            parts.append(f"until day {row['until']:g}")
        if row["reason"] is not None:
            parts.append(f"reason: {row['reason'].replace('_', ' ')}")
        if row["flags"] is not None:
            parts.append(f"flags: {row['flags']}")
        lines += _wrapped(f"Answer ({row['source']})", ", ".join(parts))
    return lines


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(f"{head}: {text}", width=96, subsequent_indent="  ")


def _table_lines(frame: pl.DataFrame) -> list[str]:
    cells = [[_cell(v) for v in row] for row in frame.iter_rows()]
    widths = [max(len(n), *(len(r[i]) for r in cells)) for i, n in enumerate(frame.columns)]
    widths = [min(w, 40) for w in widths]
    rows = [frame.columns, *cells]
    return [
        "  " + "  ".join(c[:w].ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
        for r in rows
    ]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)

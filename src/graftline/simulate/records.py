"""From the ledger of a chunk to the tables of a trial folder: what a hospital would have recorded.

No adjudicated grade, response or relapse is written: only deaths with their cause, as a registry
has them; every grade must come out of ``assess``.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.model.parameters import column
from graftline.protocol import TrialSettings, protocol_text
from graftline.simulate.care import vital_frame
from graftline.simulate.lab_records import labs_of
from graftline.simulate.signs import VitalSigns
from graftline.simulate.strategy import Plan
from graftline.simulate.streams import uniforms
from graftline.simulate.ward import Case, Ledger, Ward
from graftline.trial import Trial, trial_from_tables

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]
Columns = Mapping[str, NDArray[np.generic]]

_VIRAL_LLOQ = 500.0
_DAYS_PER_MONTH = 30.4375
_ORGANISMS = (
    ("Escherichia coli", "bacteria", "blood"),
    ("Klebsiella pneumoniae", "bacteria", "blood"),
    ("Staphylococcus epidermidis", "bacteria", "blood"),
    ("Pseudomonas aeruginosa", "bacteria", "lung"),
    ("Candida albicans", "yeast", "blood"),
    ("Aspergillus fumigatus", "mould", "lung"),
)
_ORGANISM_SHARES = (0.25, 0.25, 0.20, 0.10, 0.10, 0.10)
_PATIENT_COLUMNS = (
    "age_years",
    "sex",
    "disease",
    "weight_kg",
    "height_cm",
    "ecog",
    "hct_ci",
    "marrow_blasts_percent",
    "cd7_percent_of_blasts",
    "extramedullary_disease",
    "prior_lines",
    "prior_allo_hsct",
    "cmv_serostatus",
    "abo",
)


def trial_of(
    case: Case,
    ward: Ward,
    ledger: Ledger,
    *,
    name: str,
    title: str = "",
    only: Collection[str] | None = None,
    analytes: Collection[str] | None = None,
) -> Trial:
    """Trial of the patients of a chunk; patients whose integration failed are left out.

    Parameters
    ----------
    name, title : str
        Of the trial.
    only, analytes : collections of str, optional
        Tables, and analytes of ``labs``, to write; default all.
    """
    writers: dict[str, Callable[[], pl.DataFrame]] = {
        "patients": lambda: _patients(case, ward),
        "donors": lambda: _donors(case, ward),
        "products": lambda: _products(case, ward),
        "infusions": lambda: _infusions(case, ward),
        "drugs": lambda: _drugs(case, ward, ledger),
        "labs": lambda: labs_of(ledger, analytes),
        "vitals": lambda: _vitals(ledger),
        "marrow": lambda: _marrow(ledger),
        "transfusions": lambda: _plain(ledger, "transfusions", ("day", "product", "units")),
        "gvhd": lambda: _gvhd(ledger),
        "chimerism": lambda: _chimerism(case, ledger),
        "infections": lambda: _infections(case, ward, ledger),
        "viral": lambda: _viral(ledger),
        "events": lambda: _deaths(ward),
        "followup": lambda: _followup(ward),
    }
    names = case.cohort.table["patient"]
    sound = ward.status == 0
    frames = {
        table: _named(write(), names, sound)
        for table, write in writers.items()
        if only is None or table in only
    }
    return trial_from_tables(
        case.plan.protocol,
        frames,
        settings=TrialSettings(name=name, title=title, simulated=True),
    )


def _named(frame: pl.DataFrame, names: pl.Series, sound: Booleans) -> pl.DataFrame:
    """Study IDs instead of rows, in the order of patients and days."""
    rows = frame["_row"].to_numpy()
    days = [frame[name].to_numpy() for name in ("day", "start_day") if name in frame.columns]
    order = _in_order(rows, days[0] if days else np.zeros(rows.size))
    if not sound.all():
        order = order[sound[rows[order]]]
    place = pl.Series(rows[order])
    columns = [column.gather(pl.Series(order)) for column in frame.drop("_row")]
    return pl.DataFrame([names.gather(place).alias("patient"), *columns])


def _in_order(rows: Integers, days: NDArray[np.generic]) -> Integers:
    """Order of rows by patient and day, those of one day as they are.

    Two stable sorts: NumPy sorts short integers by counting, a tenth of the time of comparing.
    """
    by_day = np.argsort(_short(days), kind="stable")
    order: Integers = by_day[np.argsort(_short(rows[by_day]), kind="stable")]
    return order


def _short(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same whole numbers as short integers, where they are whole and fit."""
    if values.size == 0:
        return values
    whole = values.astype(np.float64)
    fits = np.isfinite(whole).all() and (np.abs(whole) < 2**15).all()
    short = whole.astype(np.int16) if fits else whole
    return short if fits and (short == whole).all() else values


def _frame(columns: Columns, names: Sequence[str]) -> pl.DataFrame:
    """Columns of the ledger as a frame with ``_row``; no rows where nothing was written."""
    if not columns:
        return pl.DataFrame({"_row": pl.Series([], dtype=pl.Int64)})
    data = {"_row": columns["row"], **{name: columns[name] for name in names}}
    return pl.DataFrame({name: pl.Series(name, values) for name, values in data.items()})


def _plain(ledger: Ledger, kind: str, names: Sequence[str]) -> pl.DataFrame:
    return _frame(ledger.columns(kind), names)


def _everybody(ward: Ward) -> pl.Series:
    return pl.Series("_row", np.arange(len(ward.day)))


def _patients(case: Case, ward: Ward) -> pl.DataFrame:
    grafted = np.isfinite(ward.hsct_day)
    late = case.plan.protocol.selection == "reached_hsct"
    enrolled = np.where(grafted, ward.hsct_day, np.nan) if late else np.full(grafted.size, -6.0)
    months = case.cohort.table["diagnosis_months"].to_numpy()
    table = case.cohort.table
    return pl.DataFrame(
        {
            "_row": _everybody(ward),
            "status": np.where(grafted, "transplanted", "infused"),
            "stopped_reason": pl.Series(_why_stopped(ward)),
            "enrolled_day": pl.Series(enrolled).fill_nan(None),
            "diagnosis_day": -np.round(months * _DAYS_PER_MONTH),
            **{
                name: table[name].round(1) if table.schema[name] == pl.Float64 else table[name]
                for name in _PATIENT_COLUMNS
            },
        }
    )


def _why_stopped(ward: Ward) -> list[str | None]:
    died = np.isfinite(ward.death_day)
    words = np.select(
        [np.isfinite(ward.hsct_day), died],
        ["", "died before HSCT"],
        "gate to HSCT not met so far",
    )
    return [word or None for word in words.tolist()]


def _donor_ids(case: Case) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Study IDs of the CAR-T donor (empty for autologous) and of the graft donor."""
    names = case.cohort.table["patient"].to_numpy().astype(np.str_)
    types = np.array(case.plan.product_types)[case.cohort.product]
    graft = np.char.add(names, "-D1")
    car_t = np.select(
        [types == "universal", types == "autologous"], [np.char.add(names, "-TP"), ""], graft
    )
    return car_t.astype(np.str_), graft


def _donors(case: Case, ward: Ward) -> pl.DataFrame:
    car_t, graft = _donor_ids(case)
    table = case.cohort.table
    types = np.array(case.plan.product_types)[case.cohort.product]
    related = pl.DataFrame(
        {
            "_row": _everybody(ward),
            "donor": graft,
            "relation": table["donor_relation"],
            "age_years": table["donor_age_years"].round(1),
            "sex": table["donor_sex"],
            "hla_match_of_10": table["hla_match_of_10"],
            "abo": table["donor_abo"],
            "cmv_serostatus": table["donor_cmv_serostatus"],
            "donor_specific_antibodies": np.zeros(graft.size, dtype=np.bool_),
            "cleared": np.ones(graft.size, dtype=np.bool_),
        }
    )
    same = pl.Series(types == "donor_derived") | pl.Series(types == "prior_donor")
    third = related.filter(pl.Series(types == "universal")).select(
        "_row", donor=pl.Series(car_t[types == "universal"]), relation=pl.lit("third party")
    )
    rows = [
        related.with_columns(role=pl.lit("hspc")),
        related.filter(same).with_columns(role=pl.lit("car_t")),
        related.filter(pl.Series(types == "prior_donor")).with_columns(
            role=pl.lit("earlier_graft")
        ),
        third.with_columns(role=pl.lit("car_t")),
    ]
    return pl.concat(rows, how="diagonal")


def _products(case: Case, ward: Ward) -> pl.DataFrame:
    names = case.cohort.table["patient"].to_numpy().astype(np.str_)
    types = np.array(case.plan.product_types)[case.cohort.product]
    car_t, graft = _donor_ids(case)
    lots = pl.DataFrame(
        {
            "_row": _everybody(ward),
            "product": np.char.add(names, "-C"),
            "kind": "car_t",
            "type": types,
            "donor": pl.Series(car_t).replace("", None),
            "released": np.ones(names.size, dtype=np.bool_),
            "car_percent": np.round(100.0 * column(ward.parameters, "ptr"), 1),
            "car_parent": "cd3",
            "vcn_copies_per_cell": np.round(column(ward.parameters, "VCN"), 2),
        }
    )
    grafted = pl.Series(np.isfinite(ward.hsct_day))
    grafts = pl.DataFrame(
        {
            "_row": _everybody(ward),
            "product": np.char.add(names, "-G"),
            "kind": "hspc",
            "tissue": "PBSC",
            "donor": graft,
            "released": np.ones(names.size, dtype=np.bool_),
        }
    ).filter(grafted)
    return pl.concat([lots, grafts], how="diagonal")


def _infusions(case: Case, ward: Ward) -> pl.DataFrame:
    names = case.cohort.table["patient"].to_numpy().astype(np.str_)
    types = np.array(case.plan.product_types)[case.cohort.product]
    car_t, graft = _donor_ids(case)
    table = case.cohort.table
    doses = np.array(case.plan.doses_per_kg)[case.cohort.product] / 1e6
    cells = pl.DataFrame(
        {
            "_row": _everybody(ward),
            "day": np.zeros(names.size),
            "kind": "car_t",
            "type": types,
            "product": np.char.add(names, "-C"),
            "donor": pl.Series(car_t).replace("", None),
            "car_t_1e6_per_kg": doses,
        }
    )
    grafts = pl.DataFrame(
        {
            "_row": _everybody(ward),
            "day": ward.hsct_day,
            "kind": "hspc",
            "product": np.char.add(names, "-G"),
            "donor": graft,
            "purpose": np.where(ward.salvage, "salvage", "consolidation"),
            "cd34_1e6_per_kg": (table["cd34_1e6_per_kg"] * case.plan.cd34_factor).round(2),
            "cd3_1e8_per_kg": table["cd3_1e8_per_kg"].round(2),
            "mnc_1e8_per_kg": (table["cd3_1e8_per_kg"] * table["mnc_over_cd3"])
            .clip(upper_bound=30.0)
            .round(2),
        }
    ).filter(pl.col("day").is_not_nan())
    return pl.concat([cells, grafts], how="diagonal")


def _drugs(case: Case, ward: Ward, ledger: Ledger) -> pl.DataFrame:
    names = ("drug", "start_day", "end_day", "dose", "unit", "indication", "route")
    given = [_plain(ledger, "drugs", names)]
    everybody = _everybody(ward)
    silent = not case.plan.protocol.lymphodepletion or bool(case.plan.assumed)
    for drug in case.plan.lymphodepletion:
        given.append(
            pl.DataFrame(
                {
                    "_row": everybody,
                    "drug": drug.drug,
                    "start_day": float(min(drug.days)),
                    "end_day": float(max(drug.days)),
                    "dose": drug.dose,
                    "unit": drug.unit,
                    "route": "iv",
                    "indication": "lymphodepletion",
                    "assumed": "not stated in the protocol" if silent else None,
                },
                schema_overrides={"assumed": pl.String},
            )
        )
    grafted = everybody.filter(pl.Series(np.isfinite(ward.hsct_day)))
    day = ward.hsct_day[grafted.to_numpy()]
    for wanted, drug_name, indication, first, last in (
        (case.plan.conditioning, "conditioning, myeloablative", "conditioning", -6, -2),
        (case.plan.prophylaxis, "prophylaxis, not specified", "gvhd_prophylaxis", -1, 180),
    ):
        if wanted:
            given.append(
                pl.DataFrame(
                    {
                        "_row": grafted,
                        "drug": drug_name,
                        "start_day": day + first,
                        "end_day": np.maximum(np.minimum(day + last, _last_day(ward, grafted)), 0),
                        "indication": indication,
                        "assumed": "not stated in the protocol",
                    }
                )
            )
    ends = pl.DataFrame({"_row": everybody, "_end": _last_day(ward, everybody)})
    known = [frame for frame in given if frame.height]
    joined = pl.concat(known, how="diagonal").join(ends, on="_row", how="left", validate="m:1")
    return (
        joined.filter(pl.col("start_day") <= pl.col("_end"))
        .with_columns(end_day=pl.when(pl.col("end_day") <= pl.col("_end")).then("end_day"))
        .drop("_end")
    )


def _last_day(ward: Ward, rows: pl.Series) -> Floats:
    last = np.where(np.isnan(ward.death_day), ward.end_day, np.floor(ward.death_day))
    chosen: Floats = last[rows.to_numpy()]
    return chosen


def _vitals(ledger: Ledger) -> pl.DataFrame:
    columns = ledger.columns("vitals")
    if not columns:
        return pl.DataFrame({"_row": pl.Series([], dtype=pl.Int64)})
    rows = columns["row"].astype(np.int64)
    signs = VitalSigns(
        temperature_c=columns["temperature_c"].astype(np.float64),
        systolic_mmhg=columns["systolic_mmhg"].astype(np.float64),
        spo2_percent=columns["spo2_percent"].astype(np.float64),
        vasopressor=columns["vasopressor"].astype(np.bool_),
        device=columns["device"].astype(np.int64),
        flow_l_per_min=columns["flow"].astype(np.float64),
    )
    frame = vital_frame(rows, 0, signs).drop("patient", "day")
    return frame.with_columns(_row=pl.Series(rows), day=pl.Series(columns["day"]))


def _marrow(ledger: Ledger) -> pl.DataFrame:
    names = (
        "day",
        "blasts_percent",
        "cells_counted",
        "cellularity_percent",
        "mrd_fraction",
        "cd7_percent_of_blasts",
    )
    frame = _plain(ledger, "marrow", names)
    if frame.height == 0:
        return frame
    found = pl.col("mrd_fraction") >= 1e-4
    return frame.with_columns(
        specimen=pl.lit("marrow"),
        mrd=pl.when(found).then(pl.lit("positive")).otherwise(pl.lit("negative")),
        mrd_fraction=pl.when(found).then("mrd_fraction"),
        mrd_sensitivity=pl.lit(1e-4),
        mrd_events=pl.lit(1e6),
        mrd_method=pl.lit("flow"),
        cd7_percent_of_blasts=pl.col("cd7_percent_of_blasts").fill_nan(None),
    )


def _gvhd(ledger: Ledger) -> pl.DataFrame:
    names = ("skin_bsa_percent", "bilirubin_mg_per_dl", "stool_ml_per_day")
    more = ("nausea", "from_car_t", "chronic", "late")
    frame = _plain(ledger, "gvhd", ("day", *names, *more))
    if frame.height == 0:
        return frame
    return frame.select(
        "_row",
        "day",
        *names,
        upper_gi=pl.when("nausea").then(pl.lit("persistent")).otherwise(pl.lit("none")),
        cause=pl.when("from_car_t").then(pl.lit("car_t")),
        chronic_sign=pl.when("chronic")
        .then(pl.lit("diagnostic"))
        .when("late")
        .then(pl.lit("none")),
        chronic_mouth_score=pl.when("chronic").then(1).when("late").then(0),
        chronic_skin_bsa_percent=pl.when("chronic").then(10.0).when("late").then(0.0),
    )


def _chimerism(case: Case, ledger: Ledger) -> pl.DataFrame:
    frame = _plain(ledger, "chimerism", ("day", "lineage", "donor_percent"))
    if frame.height == 0:
        return frame
    graft = pl.Series(_donor_ids(case)[1])
    return frame.with_columns(
        donor=graft.gather(frame["_row"]), specimen=pl.lit("blood"), method=pl.lit("STR")
    )


def _infections(case: Case, ward: Ward, ledger: Ledger) -> pl.DataFrame:
    survived = _plain(ledger, "infections", ("start_day", "end_day", "order"))
    dead = np.flatnonzero(np.isfinite(ward.death_day) & ~ward.relapse_death)
    day = np.floor(ward.death_day[dead])
    # found the day before death: nobody would infuse a graft into a septic patient knowingly
    fatal = pl.DataFrame(
        {
            "_row": dead,
            "start_day": np.maximum(day - 1.0, 0.0),
            "end_day": day,
            "order": np.full(dead.size, 9, dtype=np.int64),
        }
    )
    found = [f for f in (survived, fatal) if f.height]
    if not found:
        return survived
    both = pl.concat(found, how="diagonal")
    rows, order = both["_row"].to_numpy(), both["order"].to_numpy()
    u = uniforms(case.streams, case.cohort.numbers[rows], "organism", day=order)[:, 0]
    kind = np.searchsorted(np.cumsum(_ORGANISM_SHARES)[:-1], u, side="right")
    named = [pl.Series([o[i] for o in _ORGANISMS]).gather(pl.Series(kind)) for i in range(3)]
    last = pl.Series(_last_day(ward, both["_row"]))
    return both.with_columns(
        organism=named[0],
        kind=named[1],
        site=named[2],
        evidence=pl.lit("culture"),
        ctcae_grade=pl.when(pl.col("order") == 9).then(5).otherwise(3),
        end_day=pl.min_horizontal(pl.col("end_day"), last),
    ).drop("order")


def _viral(ledger: Ledger) -> pl.DataFrame:
    frame = _plain(ledger, "viral", ("day", "virus", "value"))
    if frame.height == 0:
        return frame
    found = pl.col("value") >= _VIRAL_LLOQ
    return frame.with_columns(
        specimen=pl.lit("plasma"),
        unit=pl.lit("copies/mL"),
        quantification=pl.when(found).then(pl.lit("quantified")).otherwise(pl.lit("not_detected")),
        value=pl.when(found).then("value").otherwise(_VIRAL_LLOQ),
        lloq=pl.lit(_VIRAL_LLOQ),
    )


def _deaths(ward: Ward) -> pl.DataFrame:
    dead = np.flatnonzero(np.isfinite(ward.death_day))
    return pl.DataFrame(
        {
            "_row": dead,
            "event": np.full(dead.size, "death"),
            "occurred": np.ones(dead.size, dtype=np.bool_),
            "day": np.floor(ward.death_day[dead]),
            "cause": np.where(ward.relapse_death[dead], "relapse", "infection"),
        }
    )


def _followup(ward: Ward) -> pl.DataFrame:
    dead = np.isfinite(ward.death_day)
    return pl.DataFrame(
        {
            "_row": _everybody(ward),
            "last_contact_day": np.where(dead, np.floor(ward.death_day), ward.end_day),
            "last_response_day": pl.Series(ward.last_marrow).fill_nan(None),
            "status": np.where(dead, "dead", "alive"),
        }
    )


def protocol_file(plan: Plan, *, base: str, title: str) -> str:
    """Text of ``protocol.toml`` for a simulated trial of a protocol, shipped or of one's own."""
    said = "".join(f"# assumed: {line}\n" for line in plan.assumed)
    return (
        "# Virtual patients: nobody was treated. Uncalibrated model, see docs/simulate.md.\n"
        f"{said}\n{protocol_text(base, trial={'title': title, 'simulated': True})}"
    )

"""What no table can say alone: rules across rows and tables of a trial."""

import polars as pl

from graftline.problems import Problem, Severity
from graftline.schema import TABLES, table
from graftline.trial.findings import Findings
from graftline.trial.trial import Trial

# identical rows of measurements change no result; identical rows of these tables count twice
_COUNTED = (
    "patients",
    "donors",
    "products",
    "infusions",
    "drugs",
    "transfusions",
    "ae",
    "events",
    "infections",
    "followup",
    "gvhd",
    "marrow",
)
_GRADE_LIMITS = {"crs": 5, "icans": 5, "iec_hs": 5, "acute_gvhd": 4, "icaht": 4, "pancytopenia": 4}
_AFTER_CAR_T = ("crs", "icans", "iec_hs", "cd7_t_eradication", "icaht")
_AFTER_HSPC = (
    "neutrophil_engraftment",
    "platelet_engraftment",
    "graft_failure",
    "chimerism",
    "chronic_gvhd",
)
# 6.6 pg of DNA in a diploid cell: a microgram holds 151,500 genomes (Bionumbers 111206)
_GENOMES_PER_UG = 151_500.0
_MAX_VCN = 20.0


def check_trial(trial: Trial) -> list[Problem]:
    """Every cross-row and cross-table finding of a trial that could be read.

    Returns
    -------
    list of Problem
        Unsorted; file names as in ``trial.files``.
    """
    names = {f.table: f.name for f in trial.files}
    found: dict[str, Findings] = {n: Findings(names.get(n, f"{n}.csv")) for n in TABLES}
    _check_not_empty(trial, found)
    _check_patients_known(trial, found)
    _check_keys(trial, found)
    _check_repeated_rows(trial, found)
    _check_ranges(trial, found)
    _check_status(trial, found)
    _check_index_day(trial, found)
    _check_event_days(trial, found)
    _check_event_grades(trial, found)
    _check_undated(trial, found)
    _check_death(trial, found)
    _check_references(trial, found)
    _check_graft(trial, found)
    _check_doses(trial, found)
    _check_dna_bound(trial, found)
    return [problem for findings in found.values() for problem in findings.problems]


def _check_not_empty(trial: Trial, found: dict[str, Findings]) -> None:
    if trial.patients.height == 0:
        found["patients"].problems.append(
            Problem(found["patients"].file, "at least one patient", "fill in the table")
        )


def _bad(frame: pl.DataFrame, found: pl.Expr | str | None = None) -> pl.DataFrame:
    shown = pl.lit(None, pl.String) if found is None else found
    shown = pl.col(shown) if isinstance(shown, str) else shown
    return frame.select("row", "patient", found=shown.cast(pl.String)).sort("row")


def _number(name: str) -> pl.Expr:
    """A number as it would be written: 12 rather than 12.0."""
    return pl.col(name).cast(pl.String).str.replace(r"\.0$", "")


def _check_patients_known(trial: Trial, found: dict[str, Findings]) -> None:
    known = trial.patients.select("patient").drop_nulls().unique()
    for name, frame in trial.tables.items():
        if name in ("patients", "published"):
            continue
        strangers = frame.filter(pl.col("patient").is_not_null()).join(
            known, on="patient", how="anti"
        )
        found[name].rows(
            _bad(strangers, "patient"),
            "patient",
            "a patient of the table patients",
            "correct the study ID, or add the patient",
        )
    treated = trial.patients.filter(pl.col("status").is_in(["infused", "transplanted"]))
    lost = treated.join(trial["followup"], on="patient", how="anti")
    found["followup"].rows(
        _bad(lost).with_columns(row=pl.lit(None, pl.UInt32)),
        "patient",
        "one row for every patient who was treated",
        "add the last contact and the status then",
    )


def _check_keys(trial: Trial, found: dict[str, Findings]) -> None:
    for name, frame in trial.tables.items():
        key = list(table(name).key)
        if not key or frame.height == 0:
            continue
        complete = frame.filter(pl.all_horizontal(pl.col(key).is_not_null()))
        twice = complete.filter(pl.struct(key).is_duplicated())
        later = twice.filter(~pl.struct(key).is_first_distinct())
        what = ", ".join(key)
        found[name].rows(
            _bad(later, pl.concat_str(key, separator=", ")),
            key[-1],
            f"one row for each {what}",
            "keep the correct row; conflicting rows are not averaged",
        )


def _check_repeated_rows(trial: Trial, found: dict[str, Findings]) -> None:
    for name, frame in trial.tables.items():
        if name == "published" or frame.height < 2:
            continue
        repeated = _repeated(frame)
        counted = name in _COUNTED
        found[name].rows(
            _bad(repeated),
            "patient",
            "each record once",
            "delete the copy, or tell the two apart" if counted else "the copy changes no result",
            severity=Severity.ERROR if counted else Severity.WARNING,
        )


def _repeated(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows that say the same as an earlier row."""
    columns = [c for c in frame.columns if c != "row"]
    # equal rows have equal hashes: only rows that share one are compared in full
    alike = frame.filter(frame.select(columns).hash_rows(seed=0).is_duplicated())
    return alike.filter(~pl.struct(columns).is_first_distinct())


def _check_ranges(trial: Trial, found: dict[str, Findings]) -> None:
    for name, frame in trial.tables.items():
        names = set(frame.columns)
        pairs = [("start_day", "end_day"), ("day", "end_day")]
        pairs += [
            (c, f"{c.removesuffix('_low')}_high") for c in sorted(names) if c.endswith("_day_low")
        ]
        pairs += [("day_low", "day_high"), ("collected_day", "released_day")]
        for low, high in pairs:
            if {low, high} <= names:
                wrong = frame.filter(pl.col(high) < pl.col(low))
                found[name].rows(
                    _bad(wrong, _number(high)),
                    high,
                    f"a day not before {low}",
                    "correct one of the two",
                )


def _check_status(trial: Trial, found: dict[str, Findings]) -> None:
    index = trial.protocol.index_infusion
    kinds = trial["infusions"].group_by("patient").agg(kinds=pl.col("kind"))
    patients = trial.patients.join(kinds, on="patient", how="left", validate="m:1").with_columns(
        has_index=pl.col("kinds").list.contains(index).fill_null(value=False),
        has_hspc=pl.col("kinds").list.contains("hspc").fill_null(value=False),
    )
    treated = pl.col("status").is_in(["infused", "transplanted"])
    found["patients"].rows(
        _bad(patients.filter(treated & ~pl.col("has_index")), "status"),
        "status",
        f"a {index} infusion in infusions for a patient who was treated",
        "add it, or correct the status",
    )
    found["patients"].rows(
        _bad(patients.filter((pl.col("status") == "transplanted") & ~pl.col("has_hspc")), "status"),
        "status",
        "an hspc infusion for a patient who was transplanted",
        "add it, or correct the status",
    )
    found["patients"].rows(
        _bad(patients.filter((pl.col("status") != "transplanted") & pl.col("has_hspc")), "status"),
        "status",
        "transplanted, because infusions has HSPC for this patient",
        "correct the status or the infusion",
    )
    found["patients"].rows(
        _bad(patients.filter(~treated & pl.col("has_index")), "status"),
        "status",
        f"infused, because infusions has {index} for this patient",
        "correct the status or the infusion",
    )


def _check_index_day(trial: Trial, found: dict[str, Findings]) -> None:
    index = trial.protocol.index_infusion
    first = (
        trial["infusions"]
        .filter((pl.col("kind") == index) & pl.col("day").is_not_null())
        .sort("patient", "day")
        .unique("patient", keep="first", maintain_order=True)
    )
    found["infusions"].rows(
        _bad(first.filter(pl.col("day") != 0), _number("day")),
        "day",
        f"day 0 for the first {index} bag: days count from it",
        "correct the day, or shift all days of the patient",
    )
    if index == "car_t":
        early = trial["infusions"].filter(
            (pl.col("kind") == "hspc") & (pl.coalesce("day", "day_high") < 0)
        )
        found["infusions"].rows(
            _bad(early, _number("day")),
            "day",
            "HSPC after CAR-T (day 0)",
            "correct the day; an earlier transplant belongs in patients and donors",
        )
    unknown = trial["infusions"].filter(pl.col("day").is_null() & pl.col("day_low").is_null())
    found["infusions"].rows(
        _bad(unknown),
        "day",
        "a day, a date, or the range day_low to day_high",
        "fill in what is known",
    )


def _first_infusion(trial: Trial, kind: str) -> pl.DataFrame:
    return (
        trial["infusions"]
        .filter(pl.col("kind") == kind)
        .group_by("patient")
        .agg(infused=pl.coalesce("day", "day_low").min())
    )


def _check_event_days(trial: Trial, found: dict[str, Findings]) -> None:
    happened = trial["events"].filter(pl.col("occurred").fill_null(value=True))
    at = pl.coalesce("day", "day_high")
    for kind, events in (("car_t", _AFTER_CAR_T), ("hspc", _AFTER_HSPC)):
        if kind == "car_t" and trial.protocol.index_infusion != "car_t":
            continue
        rows = happened.filter(pl.col("event").is_in(list(events))).join(
            _first_infusion(trial, kind), on="patient", how="left", validate="m:1"
        )
        early = rows.filter(at < pl.col("infused"))
        found["events"].rows(
            _bad(early, _number("day")),
            "day",
            f"a day not before the {kind} infusion",
            "correct the day of the event or of the infusion",
        )
        never = rows.filter(pl.col("infused").is_null() & at.is_not_null())
        found["events"].rows(
            _bad(never, "event"),
            "event",
            f"a patient with a {kind} infusion",
            "correct the patient or the event, or add the infusion",
        )
    before = happened.filter(pl.col("event").is_in(["relapse", "progression", "death"]) & (at < 0))
    found["events"].rows(
        _bad(before, _number("day")),
        "day",
        "a day not before the index infusion (day 0)",
        "correct the day; days count from the index infusion",
    )


def _check_undated(trial: Trial, found: dict[str, Findings]) -> None:
    undated = trial["events"].filter(
        pl.col("event").is_in(["relapse", "progression"])
        & pl.col("occurred").fill_null(value=True)
        & pl.col("day").is_null()
        & pl.col("day_low").is_null()
    )
    found["events"].rows(
        _bad(undated, "event"),
        "day",
        "the day of a relapse or progression",
        "it counts as a proportion only; no time-to-event result can use it",
        severity=Severity.WARNING,
    )


def _check_event_grades(trial: Trial, found: dict[str, Findings]) -> None:
    limits = pl.col("event").replace_strict(_GRADE_LIMITS, default=None, return_dtype=pl.Int64)
    wrong = trial["events"].filter(pl.col("grade") > limits)
    found["events"].rows(
        _bad(wrong, "grade"),
        "grade",
        "a grade of the criterion (CRS and ICANS 0-5, acute GVHD and others 0-4)",
        "correct the grade",
    )
    fatal = trial["ae"].filter((pl.col("outcome") == "fatal") & (pl.col("grade") != 5))
    found["ae"].rows(
        _bad(fatal, "grade"),
        "grade",
        "grade 5 where the outcome is fatal",
        "correct grade or outcome",
        severity=Severity.WARNING,
    )


def _check_death(trial: Trial, found: dict[str, Findings]) -> None:
    deaths = (
        trial["events"]
        .filter((pl.col("event") == "death") & pl.col("occurred").fill_null(value=True))
        .group_by("patient")
        .agg(death_day=pl.col("day").min(), deaths=pl.len(), cause=pl.col("cause").first())
    )
    rows = trial["followup"].join(deaths, on="patient", how="left", validate="m:1")
    wrong = rows.filter((pl.col("status") == "alive") & pl.col("deaths").is_not_null())
    found["followup"].rows(
        _bad(wrong, "status"),
        "status",
        "dead, because events has a death",
        "correct the status or the event",
    )
    earlier = rows.filter(pl.col("death_day") < pl.col("last_contact_day"))
    found["followup"].rows(
        _bad(earlier, _number("last_contact_day")),
        "last_contact_day",
        "a last contact not after the death in events",
        "correct one of the two",
    )
    later = rows.filter(
        (pl.col("status") == "dead") & (pl.col("death_day") > pl.col("last_contact_day"))
    )
    found["followup"].rows(
        _bad(later, _number("last_contact_day")),
        "last_contact_day",
        "for a patient who died, the day of death as in events",
        "the day of death of events is used",
        severity=Severity.WARNING,
    )
    silent = rows.filter((pl.col("status") == "dead") & pl.col("deaths").is_null())
    found["followup"].rows(
        _bad(silent, "status"),
        "status",
        "a death with its cause in events",
        "the last contact is taken as the day of death, the cause as unknown",
        severity=Severity.WARNING,
    )
    _check_after_the_end(trial, deaths, found)


def _check_after_the_end(trial: Trial, deaths: pl.DataFrame, found: dict[str, Findings]) -> None:
    contact = (
        trial["followup"]
        .filter(pl.col("status") != "dead")
        .select("patient", contact=pl.coalesce("last_contact_day", "last_contact_day_high"))
        .unique("patient", keep="first", maintain_order=True)
    )
    for name in TABLES:
        frame = trial[name]
        day = "day" if "day" in frame.columns else "start_day"
        if day not in frame.columns or frame.height == 0:
            continue
        rows = frame.join(deaths, on="patient", how="left", validate="m:1").join(
            contact, on="patient", how="left", validate="m:1"
        )
        dead = rows.filter(pl.col(day) > pl.col("death_day").floor() + 1)
        found[name].rows(
            _bad(dead, _number(day)),
            day,
            "a day not after the patient's death",
            "correct this day or the death",
        )
        late = rows.filter(pl.col(day) > pl.col("contact").floor() + 1)
        found[name].rows(
            _bad(late, _number(day)),
            day,
            "a day not after the last contact in followup",
            "bring last_contact_day up to date; the later day counts as contact",
            severity=Severity.WARNING,
        )


def _check_references(trial: Trial, found: dict[str, Findings]) -> None:
    if trial["donors"].height:
        donors = trial["donors"].select("patient", "donor").unique()
        for name in ("infusions", "products", "chimerism"):
            lost = (
                trial[name]
                .filter(pl.col("donor").is_not_null())
                .join(donors, on=["patient", "donor"], how="anti")
            )
            found[name].rows(
                _bad(lost, "donor"),
                "donor",
                "a donor of this patient in donors",
                "correct the donor ID, or add the donor",
            )
    if trial["products"].height:
        products = trial["products"].select("patient", "product").unique()
        lost = (
            trial["infusions"]
            .filter(pl.col("product").is_not_null())
            .join(products, on=["patient", "product"], how="anti")
        )
        found["infusions"].rows(
            _bad(lost, "product"),
            "product",
            "a product of this patient in products",
            "correct the product ID, or add the product",
        )


def _check_graft(trial: Trial, found: dict[str, Findings]) -> None:
    grafts = trial["infusions"].filter(pl.col("kind") == "hspc")
    more = grafts.filter(pl.col("cd3_1e8_per_kg") > pl.col("mnc_1e8_per_kg"))
    found["infusions"].rows(
        _bad(more, "cd3_1e8_per_kg"),
        "cd3_1e8_per_kg",
        "CD3+ cells not above the mononuclear cells",
        "check both doses",
    )
    stem = grafts.filter(pl.col("cd34_1e6_per_kg") > 100 * pl.col("mnc_1e8_per_kg"))
    found["infusions"].rows(
        _bad(stem, "cd34_1e6_per_kg"),
        "cd34_1e6_per_kg",
        "CD34+ cells not above the mononuclear cells",
        "check both doses",
    )


def _check_doses(trial: Trial, found: dict[str, Findings]) -> None:
    flat = {d.drug for d in trial.protocol.lymphodepletion if d.unit == "mg"}
    wrong = trial["drugs"].filter(
        pl.col("drug").str.to_lowercase().is_in(sorted(flat))
        & (pl.col("unit") == "mg/m2")
        & (pl.col("indication") == "lymphodepletion")
    )
    found["drugs"].rows(
        _bad(wrong, "unit"),
        "unit",
        "a flat dose in mg, as the protocol gives it",
        "check whether the dose was per square metre",
        severity=Severity.WARNING,
    )
    targets = {p.type: p.dose_cells_per_kg for p in trial.protocol.products if p.dose_cells_per_kg}
    if not targets:
        return
    given = (
        trial["infusions"]
        .filter(pl.col("kind") == "car_t")
        .with_columns(
            target=pl.col("type").replace_strict(targets, default=None, return_dtype=pl.Float64)
            / 1e6
        )
    )
    off = given.filter((pl.col("car_t_1e6_per_kg") / pl.col("target") - 1).abs() > 0.2)
    found["infusions"].rows(
        _bad(off, _number("car_t_1e6_per_kg")),
        "car_t_1e6_per_kg",
        "within 20 % of the protocol's target dose",
        "check it; it is used as it stands",
        severity=Severity.WARNING,
    )


def _check_dna_bound(trial: Trial, found: dict[str, Findings]) -> None:
    vcn = (
        trial["products"]
        .filter(pl.col("kind") == "car_t")
        .group_by("patient")
        .agg(vcn=pl.col("vcn_copies_per_cell").max())
    )
    rows = (
        trial["labs"]
        .filter(pl.col("analyte") == "car_t_qpcr")
        .join(vcn, on="patient", how="left", validate="m:1")
    )
    over = rows.filter(pl.col("value") > _GENOMES_PER_UG * pl.col("vcn").fill_null(_MAX_VCN) * 2)
    found["labs"].rows(
        _bad(over, _number("value")),
        "value",
        "qPCR not far above 151,500 genomes per ug DNA x vector copies per cell",
        "check unit and dilution; it is used as it stands",
        severity=Severity.WARNING,
    )

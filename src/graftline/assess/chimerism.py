"""Donor chimerism after HSPC: class of each test and visit, months, autologous recovery."""

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.after_hspc import graft_followup, relapse_after_hspc
from graftline.assess.answers import answer_everybody
from graftline.assess.chimerism_classes import class_of_percent, classify_visits, nearest_visit
from graftline.assess.donor_share import graft_donor_tests
from graftline.assess.printed import printed_criteria
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial

_PRINTED = printed_criteria("chimerism")
_WINDOWS = tuple(
    (int(w["month"]), float(w["day"]), float(w["within_days"]))
    for w in _PRINTED["months"]["windows"]
)
_READ = (Read("chimerism", None, (), (None, None)),)
_CLASS_WORDS = "; ".join(
    f"{name}: {_PRINTED['classes'][name]['printed']}"
    for name in ("full", "mixed", "split", "autologous")
)

RULES: tuple[Rule, ...] = (
    *(
        Rule(
            id=f"chimerism_month_{month}",
            title=f"Full donor chimerism at month {month} after HSPC",
            words=(
                f"Test nearest to day {day:g} after HSPC, within {within:g} days. {_CLASS_WORDS}. "
                f"{_PRINTED['lineages']['reading']}"
            ),
            citation="kharfan2021",
            reads=_READ,
            origin="hspc",
            parameters=("chimerism", "full_percent", "windows"),
        )
        for month, day, within in _WINDOWS
    ),
    Rule(
        id="chimerism_ever_full",
        title="Full donor chimerism at any time after HSPC",
        words=f"Any test after HSPC with full donor chimerism. {_PRINTED['lineages']['reading']}",
        citation="kharfan2021",
        reads=_READ,
        origin="hspc",
        parameters=("chimerism", "full_percent"),
    ),
    Rule(
        id="autologous_recovery",
        title="Autologous recovery (loss of the graft)",
        words=(
            f"{_PRINTED['autologous_recovery']['printed']} "
            f"{_PRINTED['autologous_recovery']['reading']}"
        ),
        citation="kharfan2021",
        reads=(*_READ, Read("events", "event", ("relapse",))),
        origin="hspc",
        parameters=("below_percent", "earliest_day"),
    ),
)


def month_answers(
    visits: pl.DataFrame, grafts: pl.DataFrame, *, day: float, within_days: float
) -> pl.DataFrame:
    """Whether donor chimerism was full around one day after HSPC.

    Parameters
    ----------
    visits : DataFrame as from ``classify_visits``
    grafts : DataFrame [patient, end, dead, second_graft]; days from HSPC
    day, within_days : float

    Returns
    -------
    DataFrame [patient, state, value, label, day, flags, reason, until]
        One row per patient of ``grafts``. Without a test in the window: ``died_before``,
        ``second_graft_before``, ``no_records``, ``no_test_in_window``, or not yet evaluable.
    """
    found = nearest_visit(visits, day=day, within_days=within_days)
    seen = visits.select("patient").unique().with_columns(seen=pl.lit(value=True))
    closes = day + within_days
    rows = (
        grafts.select("patient", "end", "dead", "second_graft")
        .join(found, on="patient", how="left", validate="1:1")
        .join(seen, on="patient", how="left", validate="1:1")
        .sort("patient")
    )
    tested = pl.col("label").is_not_null()
    short = (pl.col("end") < closes).fill_null(value=False)
    reason = (
        pl.when(tested)
        .then(None)
        .when(short & pl.col("dead"))
        .then(pl.lit("died_before"))
        .when(pl.col("second_graft") <= closes)
        .then(pl.lit("second_graft_before"))
        .when(short)
        .then(pl.lit("window_open"))
        .when(pl.col("seen").is_null())
        .then(pl.lit("no_records"))
        .otherwise(pl.lit("no_test_in_window"))
    )
    return rows.select(
        "patient",
        "value",
        "label",
        "flags",
        day="hsct_day",
        state=pl.when(pl.col("label") == "full")
        .then(pl.lit("yes"))
        .when(tested)
        .then(pl.lit("no"))
        .when(reason == "window_open")
        .then(pl.lit("not_yet_evaluable"))
        .otherwise(pl.lit("not_evaluable")),
        reason=reason,
        until=pl.when(reason == "window_open").then(pl.lit(float(closes))),
    )


def ever_full_answers(visits: pl.DataFrame) -> pl.DataFrame:
    """First visit with full donor chimerism; without one, the visit with most donor cells.

    Returns
    -------
    DataFrame [patient, state, value, label, day, flags]; patients with a visit
    """
    full = pl.col("label") == "full"
    return (
        visits.with_columns(full=full, share=pl.when(full).then(0.0).otherwise(-pl.col("value")))
        .sort(
            ["patient", "full", "share", "hsct_day"],
            descending=[False, True, False, False],
            nulls_last=True,
        )
        .unique("patient", keep="first", maintain_order=True)
        .select(
            "patient",
            "value",
            "label",
            "flags",
            state=pl.when("full").then(pl.lit("yes")).otherwise(pl.lit("no")),
            day=pl.when("full").then("hsct_day"),
        )
    )


def autologous_answers(
    tests: pl.DataFrame,
    *,
    below_percent: float = 5,
    earliest_day: float = 14,
    lineages: tuple[str, ...] = ("unsorted", "cd3", "cd33", "cd15"),
) -> pl.DataFrame:
    """Loss of the graft: donor cells below 5 %, and not above again in the same cells.

    Parameters
    ----------
    tests : DataFrame [patient, hsct_day, lineage, donor_percent, assumed, relapse]
        After HSPC; ``relapse`` is the day of the first relapse from HSPC, null without. Leukaemic
        cells are the recipient's: tests from that day on are left out.
    below_percent : float
    earliest_day : float
        Earlier tests are too soon after HSPC to tell.
    lineages : tuple of str

    Returns
    -------
    DataFrame [patient, state, value, label, day, flags]; patients with a test that counts
    """
    lost = pl.col("donor_percent").round(9) < below_percent
    last_donor = pl.col("hsct_day").filter(~pl.col("lost")).max().over("patient", "lineage")
    counted = tests.filter(
        (pl.col("hsct_day") >= earliest_day)
        & pl.col("lineage").is_in(list(lineages))
        & (pl.col("hsct_day") < pl.col("relapse")).fill_null(value=True)
    ).with_columns(lost=lost)
    return (
        counted.with_columns(
            final=pl.col("lost") & (pl.col("hsct_day") > last_donor).fill_null(value=True)
        )
        .sort(
            ["patient", "final", "hsct_day", "donor_percent"],
            descending=[False, True, False, False],
        )
        .group_by("patient", maintain_order=True)
        .agg(
            final=pl.col("final").first(),
            first_day=pl.col("hsct_day").first(),
            first_percent=pl.col("donor_percent").first(),
            lowest=pl.col("donor_percent").min(),
            assumed=pl.col("assumed").first(),
        )
        .select(
            "patient",
            state=pl.when("final").then(pl.lit("yes")).otherwise(pl.lit("no")),
            value=pl.when("final").then("first_percent").otherwise("lowest"),
            label=pl.when("final").then(pl.lit("autologous")),
            day=pl.when("final").then("first_day"),
            flags=pl.when(pl.col("final") & pl.col("assumed")).then(pl.lit("assumed")),
        )
    )


def increasing_mixed(tests: pl.DataFrame, *, points: float = 5) -> pl.DataFrame:
    """Alerts: the recipient's share has risen on two tests running.

    Parameters
    ----------
    tests : DataFrame [patient, hsct_day, lineage, method, donor_percent]; after HSPC
    points : float
        Rise over the smallest recipient share seen before, in the same cells by the same method:
        different assays do not agree to a few points.

    Returns
    -------
    DataFrame [patient, hsct_day, lineage, donor_percent, fallen_points]
    """
    by = ["patient", "lineage", "method"]
    best = pl.col("donor_percent").cum_max().shift(1).over(by)
    return (
        tests.sort(*by, "hsct_day", "donor_percent", nulls_last=True)
        .with_columns(fallen_points=best - pl.col("donor_percent"))
        .with_columns(risen=(pl.col("fallen_points").round(9) >= points).fill_null(value=False))
        .filter(pl.col("risen") & pl.col("risen").shift(1).over(by))
        .select("patient", "hsct_day", "lineage", "donor_percent", "fallen_points")
        .sort("patient", "hsct_day", "lineage")
    )


def adjudicated_visits(trial: Trial, grafts: pl.DataFrame) -> pl.DataFrame:
    """The investigator's chimerism classes, with days from HSPC.

    Returns
    -------
    DataFrame [patient, hsct_day, low, high, label, value, flags, assumed]
        ``label`` full, mixed, split or autologous; null where the wording is none of these or the
        class was stated not to have been reached.
    """
    said = pl.col("label").str.to_lowercase().str.strip_chars()
    label = (
        pl.when(said.str.starts_with("full") | said.str.starts_with("complete"))
        .then(pl.lit("full"))
        .when(said.str.starts_with("mixed"))
        .then(pl.lit("mixed"))
        .when(said.str.starts_with("split"))
        .then(pl.lit("split"))
        .when(said.str.starts_with("autolog"))
        .then(pl.lit("autologous"))
    )
    return (
        adjudicated_events(trial, ["chimerism"])
        .join(grafts, on="patient", how="inner", validate="m:1")
        .with_columns(range=(pl.col("day_low") != pl.col("day_high")).fill_null(value=False))
        .select(
            "patient",
            hsct_day=pl.col("day") - pl.col("hsct_day"),
            low=pl.when("range")
            .then(pl.col("day_low") - pl.col("hsct_high"))
            .otherwise(pl.col("day") - pl.col("hsct_day")),
            high=pl.when("range")
            .then(pl.col("day_high") - pl.col("hsct_low"))
            .otherwise(pl.col("day") - pl.col("hsct_day")),
            label=pl.when("occurred").then(label),
            value=pl.lit(None, dtype=pl.Float64),
            flags=pl.when(pl.col("assumed").is_not_null()).then(pl.lit("assumed")),
            assumed="range",
        )
        .sort("patient", "hsct_day", "label", nulls_last=True)
    )


def assess(trial: Trial) -> Assessed:
    """Chimerism of a trial, derived and adjudicated.

    Details
    -------
    chimerism_tests [patient, day, hsct_day, lineage, donor, donor_percent, class, before_hspc]
        Every test of the graft's donor up to a later graft. Those before HSPC stand apart: the
        donor's CAR-T alone give a donor signal.
    chimerism_alerts [patient, hsct_day, lineage, donor_percent, fallen_points]
    """
    grafts = graft_followup(trial)
    tests = graft_donor_tests(trial, grafts).with_columns(
        class_of_percent(pl.col("donor_percent")).alias("class")
    )
    after = tests.filter(~pl.col("before_hspc"))
    visits = classify_visits(after, profile=trial.protocol.definitions.chimerism)
    recovery = autologous_answers(tests_with_relapse(trial, after, grafts))
    judged = adjudicated_visits(trial, grafts)
    frames = [
        *_month_results(visits, grafts, source="derived"),
        as_results(
            _everybody_followed(grafts, ever_full_answers(visits)), rule="chimerism_ever_full"
        ),
        as_results(_everybody_followed(grafts, recovery), rule="autologous_recovery"),
        *_adjudicated_results(judged, grafts),
    ]
    shown = tests.select(
        "patient",
        "day",
        "hsct_day",
        "lineage",
        "donor",
        "donor_percent",
        "class",
        "before_hspc",
    )
    return Assessed(
        combine_results(frames),
        {"chimerism_tests": shown, "chimerism_alerts": increasing_mixed(after)},
    )


def _month_results(
    visits: pl.DataFrame, grafts: pl.DataFrame, *, source: str
) -> list[pl.DataFrame]:
    answers = (
        (month, month_answers(visits, grafts, day=day, within_days=within))
        for month, day, within in _WINDOWS
    )
    return [
        as_results(rows, rule=f"chimerism_month_{month}", source=source) for month, rows in answers
    ]


def _adjudicated_results(judged: pl.DataFrame, grafts: pl.DataFrame) -> list[pl.DataFrame]:
    known = judged.filter(pl.col("label").is_not_null())
    months = [
        rows.filter(pl.col("label").is_not_null())
        for rows in _month_results(
            known.filter(pl.col("hsct_day").is_not_null()), grafts, source="adjudicated"
        )
    ]
    lost = known.filter(pl.col("label") == "autologous")
    recovery = (
        known.select("patient")
        .unique()
        .join(
            lost.sort("patient", "hsct_day", nulls_last=True)
            .unique("patient", keep="first", maintain_order=True)
            .select("patient", "label", "flags", day="hsct_day"),
            on="patient",
            how="left",
            validate="1:1",
        )
        .with_columns(
            state=pl.when(pl.col("label").is_not_null()).then(pl.lit("yes")).otherwise(pl.lit("no"))
        )
    )
    return [
        *months,
        as_results(ever_full_answers(known), rule="chimerism_ever_full", source="adjudicated"),
        as_results(recovery, rule="autologous_recovery", source="adjudicated"),
    ]


def tests_with_relapse(trial: Trial, tests: pl.DataFrame, grafts: pl.DataFrame) -> pl.DataFrame:
    """Tests with ``relapse``: day from HSPC of the first relapse after it, null without."""
    return tests.join(relapse_after_hspc(trial, grafts), on="patient", how="left", validate="m:1")


def _everybody_followed(grafts: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    everybody = answer_everybody(grafts, answers)
    early_death = grafts.filter(pl.col("dead") & (pl.col("end") < _WINDOWS[0][1] + _WINDOWS[0][2]))[
        "patient"
    ]
    unknown = pl.col("reason") == "no_records"
    return everybody.with_columns(
        reason=pl.when(unknown & pl.col("patient").is_in(early_death.implode()))
        .then(pl.lit("died_before"))
        .otherwise("reason")
    )

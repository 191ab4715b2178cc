"""One answer per patient of a rule's population: nobody disappears for want of records."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from graftline.assess.adjudicated import worst_adjudicated
from graftline.trial import Trial


def answer_everybody(
    population: pl.DataFrame, answers: pl.DataFrame, *, reason: str = "no_records"
) -> pl.DataFrame:
    """Answers of a rule for the whole population.

    Parameters
    ----------
    population : DataFrame with ``patient``, one row each
    answers : DataFrame with ``patient`` and ``state``, one row per patient answered
    reason : str
        Given to patients without an answer.

    Returns
    -------
    DataFrame
        Columns of ``answers``, with ``reason``; state ``not_evaluable`` where there was none.
    """
    if "reason" not in answers.columns:
        answers = answers.with_columns(reason=pl.lit(None, dtype=pl.String))
    joined = population.select("patient").join(
        answers, on="patient", how="left", validate="1:1", maintain_order="left"
    )
    missing = pl.col("state").is_null()
    return joined.with_columns(
        reason=pl.when(missing).then(pl.lit(reason)).otherwise("reason"),
        state=pl.col("state").fill_null("not_evaluable"),
    )


def join_flags(flags: Sequence[pl.Expr]) -> pl.Expr:
    """Several texts, null where they do not apply, as one text joined by ``"; "``; null if none."""
    text = pl.concat_str(list(flags), separator="; ", ignore_nulls=True)
    return pl.when(text != "").then(text)


def adjudicated_for(
    trial: Trial, population: pl.DataFrame, event: str, *, rule: str
) -> pl.DataFrame:
    """``worst_adjudicated`` for the patients of one population only."""
    events = trial["events"].join(population.select("patient"), on="patient", how="semi")
    inside = replace(trial, tables={**trial.tables, "events": events})
    return worst_adjudicated(inside, event, rule=rule)

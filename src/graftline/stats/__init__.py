"""Statistics of trials: arrays in, small typed results out. Knows no medicine."""

from graftline.stats.inputs import StatsInputError
from graftline.stats.kaplan_meier import kaplan_meier, km_by_group
from graftline.stats.proportion import (
    Proportion,
    beta_binomial,
    binomial_p_value,
    clopper_pearson,
    mid_p,
    wilson,
)
from graftline.stats.reverse_kaplan_meier import reverse_kaplan_meier
from graftline.stats.survival_curve import KaplanMeier, Quantile, SurvivalAt

__all__ = [
    "KaplanMeier",
    "Proportion",
    "Quantile",
    "StatsInputError",
    "SurvivalAt",
    "beta_binomial",
    "binomial_p_value",
    "clopper_pearson",
    "kaplan_meier",
    "km_by_group",
    "mid_p",
    "reverse_kaplan_meier",
    "wilson",
]

"""Statistics of trials: arrays in, small typed results out. Knows no medicine."""

from graftline.stats.bands import (
    SurvivalBand,
    survival_band,
)
from graftline.stats.immortal_time import (
    ImmortalTimeError,
    SurvivalComparison,
    compare_survival,
    refuse_immortal_time,
)
from graftline.stats.inputs import StatsInputError
from graftline.stats.kaplan_meier import (
    kaplan_meier,
    km_by_group,
)
from graftline.stats.landmark import (
    Landmark,
    LandmarkRows,
    landmark_analysis,
    landmark_rows,
)
from graftline.stats.logrank import (
    LogRank,
    TrendTest,
    logrank,
    logrank_trend,
)
from graftline.stats.mantel_byar import mantel_byar
from graftline.stats.nelson_aalen import (
    NelsonAalen,
    fleming_harrington,
    nelson_aalen,
)
from graftline.stats.permutation import (
    PermutationTest,
    exact_logrank,
)
from graftline.stats.proportion import (
    Proportion,
    beta_binomial,
    binomial_p_value,
    clopper_pearson,
    mid_p,
    wilson,
)
from graftline.stats.reverse_kaplan_meier import reverse_kaplan_meier
from graftline.stats.rmst import (
    RestrictedMean,
    RestrictedMeanDifference,
    restricted_mean,
    restricted_mean_difference,
)
from graftline.stats.sample_size import (
    SingleArmDesign,
    TwoStageDesign,
    single_arm_design,
    single_arm_power,
    two_arm_power,
    two_stage_designs,
)
from graftline.stats.simon_makuch import (
    SimonMakuch,
    simon_makuch,
)
from graftline.stats.stopping import (
    StoppingRule,
    bayesian_stopping_rule,
    pocock_stopping_rule,
    stopping_characteristics,
)
from graftline.stats.survival_curve import (
    KaplanMeier,
    Quantile,
    SurvivalAt,
)
from graftline.stats.switching import (
    SwitchRows,
    switch_rows,
)

__all__ = [
    "ImmortalTimeError",
    "KaplanMeier",
    "Landmark",
    "LandmarkRows",
    "LogRank",
    "NelsonAalen",
    "PermutationTest",
    "Proportion",
    "Quantile",
    "RestrictedMean",
    "RestrictedMeanDifference",
    "SimonMakuch",
    "SingleArmDesign",
    "StatsInputError",
    "StoppingRule",
    "SurvivalAt",
    "SurvivalBand",
    "SurvivalComparison",
    "SwitchRows",
    "TrendTest",
    "TwoStageDesign",
    "bayesian_stopping_rule",
    "beta_binomial",
    "binomial_p_value",
    "clopper_pearson",
    "compare_survival",
    "exact_logrank",
    "fleming_harrington",
    "kaplan_meier",
    "km_by_group",
    "landmark_analysis",
    "landmark_rows",
    "logrank",
    "logrank_trend",
    "mantel_byar",
    "mid_p",
    "nelson_aalen",
    "pocock_stopping_rule",
    "refuse_immortal_time",
    "restricted_mean",
    "restricted_mean_difference",
    "reverse_kaplan_meier",
    "simon_makuch",
    "single_arm_design",
    "single_arm_power",
    "stopping_characteristics",
    "survival_band",
    "switch_rows",
    "two_arm_power",
    "two_stage_designs",
    "wilson",
]

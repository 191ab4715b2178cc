"""Statistics of trials: arrays in, small typed results out. Knows no medicine."""

from graftline.stats.aalen_johansen import (
    CumulativeIncidence,
    IncidenceAt,
    cumulative_incidence,
    incidence_by_group,
)
from graftline.stats.bands import (
    SurvivalBand,
    survival_band,
)
from graftline.stats.cause_specific import (
    CauseSpecificFit,
    cause_specific_cox,
)
from graftline.stats.censoring_weights import (
    FineGrayRows,
    fine_gray_rows,
)
from graftline.stats.chi_square import ChiSquare
from graftline.stats.concordance import (
    Concordance,
    cox_concordance,
)
from graftline.stats.cox import (
    CoxFit,
    cox,
)
from graftline.stats.cox_baseline import (
    PredictedSurvival,
    predict_survival,
)
from graftline.stats.cox_likelihood import (
    FitError,
    NotConvergedError,
    SeparationError,
    SingularInformationError,
)
from graftline.stats.cox_residuals import (
    SchoenfeldResiduals,
    cox_score_residuals,
    deviance_residuals,
    dfbeta_residuals,
    martingale_residuals,
    schoenfeld_residuals,
)
from graftline.stats.design import (
    Design,
    design_matrix,
)
from graftline.stats.dose_escalation import (
    DoseBoundaries,
    boin_boundaries,
)
from graftline.stats.fine_gray import (
    FineGrayFit,
    fine_gray,
)
from graftline.stats.firth import (
    FirthCoxFit,
    firth_cox,
)
from graftline.stats.gray import (
    GrayTest,
    gray_test,
)
from graftline.stats.gray_permutation import (
    GrayPermutationTest,
    permuted_gray_test,
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
from graftline.stats.multistate import (
    LengthOfStay,
    StateOccupation,
    TransitionHazards,
    TransitionProbabilities,
    expected_length_of_stay,
    state_occupation,
    transition_hazards,
    transition_probabilities,
)
from graftline.stats.multistate_cox import (
    MarkovCheck,
    PredictedStates,
    markov_check,
    predict_states,
    transition_cox,
)
from graftline.stats.multistate_data import (
    StateModel,
    Stays,
    TransitionCounts,
    count_transitions,
    state_model,
    stays_from_rows,
    stays_from_wide,
)
from graftline.stats.nelson_aalen import (
    NelsonAalen,
    fleming_harrington,
    nelson_aalen,
)
from graftline.stats.paired_proportion import (
    PairedDifference,
    paired_difference,
)
from graftline.stats.permutation import (
    GroupPermutationTest,
    PermutationTest,
    exact_logrank,
    exact_logrank_groups,
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
from graftline.stats.schoenfeld import (
    ProportionalHazardsTest,
    proportional_hazards_test,
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
    toxicity_posterior,
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
    "CauseSpecificFit",
    "ChiSquare",
    "Concordance",
    "CoxFit",
    "CumulativeIncidence",
    "Design",
    "DoseBoundaries",
    "FineGrayFit",
    "FineGrayRows",
    "FirthCoxFit",
    "FitError",
    "GrayPermutationTest",
    "GrayTest",
    "GroupPermutationTest",
    "ImmortalTimeError",
    "IncidenceAt",
    "KaplanMeier",
    "Landmark",
    "LandmarkRows",
    "LengthOfStay",
    "LogRank",
    "MarkovCheck",
    "NelsonAalen",
    "NotConvergedError",
    "PairedDifference",
    "PermutationTest",
    "PredictedStates",
    "PredictedSurvival",
    "Proportion",
    "ProportionalHazardsTest",
    "Quantile",
    "RestrictedMean",
    "RestrictedMeanDifference",
    "SchoenfeldResiduals",
    "SeparationError",
    "SimonMakuch",
    "SingleArmDesign",
    "SingularInformationError",
    "StateModel",
    "StateOccupation",
    "StatsInputError",
    "Stays",
    "StoppingRule",
    "SurvivalAt",
    "SurvivalBand",
    "SurvivalComparison",
    "SwitchRows",
    "TransitionCounts",
    "TransitionHazards",
    "TransitionProbabilities",
    "TrendTest",
    "TwoStageDesign",
    "bayesian_stopping_rule",
    "beta_binomial",
    "binomial_p_value",
    "boin_boundaries",
    "cause_specific_cox",
    "clopper_pearson",
    "compare_survival",
    "count_transitions",
    "cox",
    "cox_concordance",
    "cox_score_residuals",
    "cumulative_incidence",
    "design_matrix",
    "deviance_residuals",
    "dfbeta_residuals",
    "exact_logrank",
    "exact_logrank_groups",
    "expected_length_of_stay",
    "fine_gray",
    "fine_gray_rows",
    "firth_cox",
    "fleming_harrington",
    "gray_test",
    "incidence_by_group",
    "kaplan_meier",
    "km_by_group",
    "landmark_analysis",
    "landmark_rows",
    "logrank",
    "logrank_trend",
    "mantel_byar",
    "markov_check",
    "martingale_residuals",
    "mid_p",
    "nelson_aalen",
    "paired_difference",
    "permuted_gray_test",
    "pocock_stopping_rule",
    "predict_states",
    "predict_survival",
    "proportional_hazards_test",
    "refuse_immortal_time",
    "restricted_mean",
    "restricted_mean_difference",
    "reverse_kaplan_meier",
    "schoenfeld_residuals",
    "simon_makuch",
    "single_arm_design",
    "single_arm_power",
    "state_model",
    "state_occupation",
    "stays_from_rows",
    "stays_from_wide",
    "stopping_characteristics",
    "survival_band",
    "switch_rows",
    "toxicity_posterior",
    "transition_cox",
    "transition_hazards",
    "transition_probabilities",
    "two_arm_power",
    "two_stage_designs",
    "wilson",
]

"""A trial: protocol plus tables."""

from graftline.trial.timeline import followup_ends, hsct_days, second_graft_days
from graftline.trial.trial import SourceFile, Trial, conform, once_per_trial, trial_from_tables

__all__ = [
    "SourceFile",
    "Trial",
    "conform",
    "followup_ends",
    "hsct_days",
    "once_per_trial",
    "second_graft_days",
    "trial_from_tables",
]

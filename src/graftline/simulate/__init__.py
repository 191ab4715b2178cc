"""Virtual patients treated by a protocol: cohort, clinic, trial folder, campaigns, comparisons."""

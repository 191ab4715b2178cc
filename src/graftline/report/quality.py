"""Sections on the data themselves: findings, disagreements, what could be judged."""

from graftline.assess.assessment import all_rules
from graftline.endpoints import endpoint_attrition
from graftline.report.value import Inputs, Section
from graftline.tables.analyses import endpoint_titles
from graftline.tables.findings import (
    attrition_table,
    disagreement_table,
    evaluable_table,
    findings_table,
)


def quality_section(inputs: Inputs) -> Section:
    """Findings of the check, answers that differ, and how many patients each rule could judge."""
    tables, missing = [], []
    findings = findings_table(inputs.trial.problems)
    if findings.rows:
        tables.append(findings)
    else:
        missing.append("The check of the files found nothing.")
    differing = disagreement_table(inputs.assessed.disagreements)
    if differing.rows:
        tables.append(differing)
    else:
        missing.append("No derived answer differs from an adjudicated one.")
    attrition = attrition_table(
        endpoint_attrition(inputs.trial, inputs.assessed), endpoint_titles(inputs.trial)
    )
    if attrition.rows:
        tables.append(attrition)
    tables.append(evaluable_table(inputs.assessed.chosen, all_rules()))
    return Section("data", "The data", (), tuple(tables), missing=tuple(missing))

"""Sections on who came, how far, what was given, and the decision for HSCT."""

from graftline.figures.enrolment_flow import draw_flow
from graftline.report.value import Inputs, ReportFigure, Section, filled, no_records
from graftline.tables.baseline import baseline_table, status_order
from graftline.tables.flow import count_flow, flow_table
from graftline.tables.gate import criteria_table, dose_check_table, gate_patient_table
from graftline.tables.treatment import treatment_table


def flow_section(inputs: Inputs) -> Section:
    """Enrolment flow, intention to treat beside as treated."""
    steps = count_flow(inputs.trial.patients, status_order(inputs.trial))
    figure = ReportFigure(
        "flow",
        "Enrolment flow from screening to transplant",
        "Patients reaching each step. Percentages are of everybody enrolled (intention to treat).",
        draw_flow(steps),
    )
    return Section("flow", "Enrolment", tables=(flow_table(inputs.trial),), figures=(figure,))


def baseline_section(inputs: Inputs) -> Section:
    """Table 1."""
    tables, missing = filled(
        inputs.trial, baseline_table(inputs.trial), "baseline characteristics", ("patients",)
    )
    if "donors" not in inputs.trial.present:
        missing = (*missing, no_records(inputs.trial, "donors", ("donors",)))
    return Section("baseline", "Baseline", tables=tables, missing=missing)


def treatment_section(inputs: Inputs) -> Section:
    """Products, manufacture, doses, lymphodepletion, grafts, intervals."""
    tables, missing = filled(
        inputs.trial,
        treatment_table(inputs.trial, inputs.assessed.chosen),
        "treatment",
        ("infusions", "products", "drugs"),
    )
    if inputs.trial["products"].is_empty():
        missing = (*missing, no_records(inputs.trial, "manufacture", ("products",)))
    checks = inputs.assessed.details.get("dose_checks")
    if checks is not None and not checks.is_empty():
        checked, unchecked = filled(
            inputs.trial, dose_check_table(checks), "dose checks", ("infusions", "drugs")
        )
        tables, missing = (*tables, *checked), (*missing, *unchecked)
    return Section("treatment", "Treatment and manufacture", (), tables, missing=missing)


def gate_section(inputs: Inputs) -> Section:
    """Eligibility and the gate to HSCT."""
    tables, missing = [], []
    eligibility = inputs.assessed.details.get("eligibility_criteria")
    if eligibility is not None and not eligibility.is_empty():
        tables.append(criteria_table(eligibility, id="eligibility", title="Eligibility"))
    else:
        missing.append("The protocol of this trial names no eligibility criteria.")
    gate = inputs.assessed.details.get("gate_criteria")
    if gate is not None and not gate.is_empty():
        tables.append(criteria_table(gate, id="gate", title="Gate to HSCT"))
        tables.append(gate_patient_table(gate))
    else:
        missing.append("No decision for HSCT can be shown: no patient reached one.")
    return Section(
        "gate",
        "Eligibility and gate to HSCT",
        ("Each criterion is met, not met or unknown; unknown is never taken as met.",),
        tuple(tables),
        missing=tuple(missing),
    )

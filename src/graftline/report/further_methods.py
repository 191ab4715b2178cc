"""Methods text of states, HSCT as an event in time, and subgroups: only of tables in the report."""

from collections.abc import Callable, Sequence

from graftline.tables.value import ReportTable


def further_citations(printed: Sequence[ReportTable]) -> list[str]:
    """Keys of the references behind the tables printed."""
    keys: list[str] = []
    if _states(printed):
        keys += ["aalen1978", "putter2007"]
    if _shown(printed, "hsct-timing"):
        keys += ["simon1984", "anderson1983"]
    sources = {
        "Mantel-Byar": ["mantel1974"],
        "log-rank": ["mantel1966"],
        "Gray": ["gray1988"],
    }
    for test in tests_printed(printed):
        keys += sources[test]
    if _ratios(printed):
        keys += ["cox1972", "efron1977"]
    return keys


def further_methods(printed: Sequence[ReportTable], cite: Callable[..., str]) -> tuple[str, ...]:
    """Sentences on how the tables printed were made, and on p-values.

    Parameters
    ----------
    cite : callable
        From keys of references to their numbers in brackets.
    """
    lines = []
    if _states(printed):
        lines.append(
            "From infusion to transplant and after: multi-state models with transition "
            f"probabilities by Aalen-Johansen{cite('aalen1978', 'putter2007')}, log-log intervals. "
            "A transition on the day of another comes half a day after it. A model in which a "
            "transition has no recorded day is not estimated."
        )
    if _shown(printed, "hsct-timing"):
        lines.append(
            "HSCT is a time-dependent event and never a baseline group: survival before and after "
            f"HSCT by Simon and Makuch{cite('simon1984')}; as a sensitivity analysis, landmarks at "
            f"days 60 and 90{cite('anderson1983')}."
        )
    if _ratios(printed):
        lines.append(
            "Subgroups: hazard ratios from Cox models of one characteristic each"
            f"{cite('cox1972')}, ties by Efron{cite('efron1977')}, only with at least 10 events "
            "per term."
        )
    return (*lines, _p_values(printed, cite))


def tests_printed(printed: Sequence[ReportTable]) -> list[str]:
    """Names of the tests whose p-values stand in the tables, in order of appearance."""
    found: dict[str, None] = {}
    for table in printed:
        if {"p_value", "test"} <= set(table.data.columns):
            tested = table.data.drop_nulls("p_value")
            found |= dict.fromkeys(tested["test"].unique(maintain_order=True).to_list())
    return list(found)


def _p_values(printed: Sequence[ReportTable], cite: Callable[..., str]) -> str:
    words = {
        "Mantel-Byar": f"Mantel-Byar test for HSCT{cite('mantel1974')}",
        "log-rank": f"log-rank test for survival{cite('mantel1966')}",
        "Gray": f"Gray's test for cumulative incidence{cite('gray1988')}",
    }
    tests = [words[test] for test in tests_printed(printed)]
    assays = _shown(printed, "tcr-trends")
    if not tests:
        if assays:
            return "No p-values are printed but those of assays, explained beside them."
        return "No p-values are printed."
    rest = "Those of assays are explained beside them. " if assays else ""
    return (
        f"P-values: {', '.join(tests)}; two-sided, not adjusted for multiple comparisons, and only "
        f"where at least 20 patients are compared. {rest}No other p-values are printed."
    )


def _shown(printed: Sequence[ReportTable], id: str) -> bool:
    return any(table.id == id for table in printed)


def _states(printed: Sequence[ReportTable]) -> bool:
    return any(table.id.startswith("states-") for table in printed)


def _ratios(printed: Sequence[ReportTable]) -> bool:
    return any(
        table.id == "subgroups" and "hazard ratio" in table.data["measure"] for table in printed
    )

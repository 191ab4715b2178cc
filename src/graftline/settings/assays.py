"""The settings of every assay, each with its default: what commands and trials can change."""

from collections.abc import Mapping

from graftline.settings.value import Chosen, Setting, Settings, Value

DEFAULT, FOLDER, GIVEN = "default", "protocol.toml", "command line"

_TCR = (
    Setting(
        "locus",
        "word",
        "TRB",
        "Locus to keep; all: whatever one locus the files hold.",
        ("TRA", "TRB", "TRG", "TRD", "IGH", "IGK", "IGL", "all"),
        metavar="TRA|TRB|...|all",
    ),
    Setting(
        "key",
        "word",
        "aa+v+j",
        "What makes two rows one clone: CDR3 nucleotides or amino acids, with V and J gene.",
        ("nt", "aa", "aa+v", "aa+v+j", "nt+v+j"),
    ),
    Setting(
        "rows",
        "word",
        "productive",
        "Whether rows out of frame or with a stop are left out; they change clonality.",
        ("productive", "all"),
    ),
    Setting(
        "rank_at",
        "number",
        None,
        "Rank clones at the sample nearest to this day, within 61 days; from HSPC where the sheet "
        "has hsct_day or the trial knows it.",
        otherwise="month 12, else the last sample",
        metavar="DAY",
    ),
    Setting("top", "whole", 50, "Clones to trace back to the donor.", low=1),
    Setting(
        "ties",
        "word",
        "order",
        "Clones tied at that cut: by order of sequence, all of them, or none.",
        ("order", "include", "exclude"),
    ),
    Setting(
        "depth",
        "whole",
        1000,
        "Reads or templates at which samples are compared; never that of the smallest sample.",
        low=2,
    ),
    Setting("seed", "whole", 1, "Of the bootstrap intervals.", low=0),
)

_FLOW = (
    Setting(
        "eradicated_below",
        "number",
        1.0,
        "CD7+ T cells per microlitre below which they are eradicated, confirmed by the next "
        "sample.",
        low=0,
        above_low=True,
        metavar="CELLS",
        definition="cd7_eradication_cells_per_ul",
    ),
    Setting(
        "eradicated_below_percent",
        "number",
        0.1,
        "The same for patients without counts, in % of CAR-negative T cells.",
        low=0,
        high=100,
        above_low=True,
        metavar="PERCENT",
    ),
    Setting(
        "least_events",
        "whole",
        20,
        "Events a concentration needs; fewer are below the limit these events would be.",
        low=1,
    ),
    Setting(
        "detection_events",
        "whole",
        20,
        "Events from which MRD is positive; over all nucleated events, the limit of detection.",
        low=1,
    ),
    Setting("quantification_events", "whole", 50, "Events from which MRD is quantified.", low=1),
    Setting(
        "sensitivity",
        "number",
        1e-4,
        "What a negative MRD must have been able to detect, as a fraction of nucleated cells.",
        low=0,
        high=1,
        above_low=True,
    ),
    Setting(
        "nucleated_events",
        "whole",
        500_000,
        "Nucleated events that a negative MRD must have looked at; fewer are of low sensitivity.",
        low=0,
    ),
    Setting("every_gate", "flag", False, "Draw the gates of every sample."),
)

_MLR = (
    Setting(
        "generations",
        "whole",
        8,
        "Highest generation looked for; dimmer events are left out and counted.",
        low=1,
        high=12,
    ),
    Setting(
        "autofluorescence",
        "number",
        None,
        "Of unlabelled cells.",
        low=0,
        otherwise="from the sheet's wells unlabelled, else fitted with the generations",
        metavar="INTENSITY",
    ),
)

_CHIMERISM = (
    Setting(
        "stutter",
        "number",
        None,
        "Stutter ratio where the sheet names none; 0: none.",
        low=0,
        high=0.5,
        otherwise="estimated from each sample",
        metavar="RATIO",
    ),
    Setting(
        "detection",
        "number",
        5.0,
        "Limit of detection in percent, where the sheet names none.",
        low=0.01,
        high=50,
    ),
    Setting(
        "full",
        "number",
        95.0,
        "Donor percent at and above which chimerism is full.",
        low=50,
        high=100,
    ),
)

_FUNCTION = (
    Setting(
        "level",
        "number",
        0.05,
        "One-sided level of Fisher's exact test at which a person responds.",
        low=0,
        high=1,
        above_low=True,
        below_high=True,
    ),
)

_CD7 = (
    Setting("gene", "word", "CD7", "Gene of the h5ad files."),
    Setting(
        "before",
        "word",
        "baseline",
        "Time compared with; in an h5ad file, a word of its column of times.",
    ),
    Setting("after", "word", "relapse", "Time that is compared."),
)

_KINETICS = (
    Setting(
        "blq",
        "word",
        "pknca",
        "Below quantification: before the first quantifiable value 0, between dropped, after the "
        "last 0 (pknca), or LLOQ/2 once after the last; all of them 0, or dropped.",
        ("pknca", "lloq_half_after_last", "zero", "drop"),
        definition="blq",
    ),
    Setting(
        "trapezoid",
        "word",
        "linear_up_log_down",
        "Area between two samples; linear_log: logarithmic after the peak, rising or falling.",
        ("linear_up_log_down", "linear", "linear_log"),
        definition="auc_trapezoid",
    ),
    Setting(
        "start",
        "word",
        "zero",
        "Where infusion has no sample: from 0, or no area, as PKNCA.",
        ("zero", "sample"),
        definition="auc_start",
    ),
    Setting("until", "number", 28.0, "Day at which the area ends.", low=0, above_low=True),
    Setting(
        "peak_until",
        "number",
        28.0,
        "Day to which Cmax and Tmax are looked for.",
        low=0,
        above_low=True,
    ),
    Setting(
        "samples",
        "whole",
        3,
        "Samples from day 5 to 21 that Cmax and the area need; PKNCA: 0.",
        low=0,
        definition="peak_samples",
    ),
    Setting(
        "half_life_r2",
        "number",
        0.8,
        "Smallest adjusted r2 of a half-life; PKNCA: any, which is -1.",
        high=1,
        definition="half_life_r2",
    ),
)

ASSAY_SETTINGS: Mapping[str, tuple[Setting, ...]] = {
    "tcr": _TCR,
    "flow": _FLOW,
    "mlr": _MLR,
    "function": _FUNCTION,
    "chimerism": _CHIMERISM,
    "cd7": _CD7,
    "kinetics": _KINETICS,
}


def chosen_settings(
    assay: str,
    *,
    given: Mapping[str, Value] | None = None,
    folder: Mapping[str, Value] | None = None,
    definitions: Mapping[str, Value] | None = None,
) -> Settings:
    """The settings of an assay: the command line's, else the trial's, else the defaults.

    Parameters
    ----------
    given : mapping of name to value, optional
        Options of the command line.
    folder : mapping of name to value, optional
        ``[assays.<assay>]`` of the trial, as `setting_faults` found in order.
    definitions : mapping of key to value, optional
        Definitions of the trial's protocol.
    """

    def choose(setting: Setting) -> Chosen:
        defined = (definitions or {}).get(setting.definition)
        for values, origin in ((given or {}, GIVEN), (folder or {}, FOLDER)):
            if setting.name in values:
                return Chosen(setting, values[setting.name], origin)
        if defined is not None:
            return Chosen(setting, defined, f"definitions.{setting.definition}")
        return Chosen(setting, setting.default, DEFAULT)

    return Settings(assay, tuple(choose(setting) for setting in ASSAY_SETTINGS[assay]))

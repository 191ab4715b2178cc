"""Column names of the repertoire formats: AIRR Rearrangement, immunoSEQ v1-v3, MiXCR."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from graftline.assays.table_file import TableFile
from graftline.problems import InputError, Problem, Severity


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which column of a format holds what; names in lower case, first present wins.

    ``counts`` are tried in order when the caller names none; ``counts_on_request`` mean something
    else (reads behind a consensus, estimated genomes) and are used only when asked for.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    counts: tuple[str, ...]
    counts_on_request: tuple[str, ...]


AIRR = Dialect(
    "airr",
    {
        "sample": ("repertoire_id", "sample_id", "name_repertoire"),
        "locus": ("locus",),
        "junction": ("junction", "cdr3"),
        "junction_aa": ("junction_aa", "cdr3_aa"),
        "v_call": ("v_call",),
        "j_call": ("j_call",),
        "productive": ("productive",),
        "in_frame": ("vj_in_frame",),
        "stop": ("stop_codon",),
    },
    ("duplicate_count", "umi_count"),
    ("consensus_count",),
)
IMMUNOSEQ = Dialect(
    "immunoseq",
    {
        "sample": ("sample_name",),
        "junction": ("nucleotide", "rearrangement", "cdr3_rearrangement"),
        "junction_aa": ("aminoacid", "amino_acid", "cdr3_amino_acid"),
        "v_call": ("vmaxresolved", "v_resolved", "vgenename", "v_gene"),
        "j_call": ("jmaxresolved", "j_resolved", "jgenename", "j_gene"),
        "v_family": ("vfamilyname", "v_family"),
        "j_family": ("jfamilyname", "j_family"),
        "frame": ("sequencestatus", "frame_type"),
    },
    (
        "count (templates)",
        "count (templates/reads)",
        "templates",
        "count (reads)",
        "count",
        "reads",
        "seq_reads",
        "copy",
    ),
    ("estimatednumbergenomes", "normalizedcopy"),
)


def _hits(gene: str) -> tuple[str, ...]:
    """MiXCR's columns of a gene: the best call, then all; names for machines and for people."""
    best = (f"best{gene}gene", f"best {gene} gene", f"best{gene}hit", f"best {gene} hit")
    several = (f"all{gene}hitswithscore", f"all{gene}hits", f"all {gene} hits")
    return (*best, *several, f"all{gene}genes", f"all {gene} genes")


MIXCR = Dialect(
    "mixcr",
    {
        "locus": ("topchains", "chains"),
        "junction": ("nseqcdr3", "n. seq. cdr3", "nseqimputedcdr3"),
        "junction_aa": ("aaseqcdr3", "aa. seq. cdr3", "aaseqimputedcdr3"),
        "v_call": _hits("v"),
        "j_call": _hits("j"),
    },
    (
        "clonecount",
        "clone count",
        "readcount",
        "uniquemoleculecount",
        "uniqueumicount",
        "uniquetagcountmolecule",
        "uniquetagcountumi",
    ),
    (),
)


def recognise_dialect(table: TableFile) -> Dialect:
    """The format of a repertoire file, from its header alone.

    Raises
    ------
    InputError
        The header belongs to none of the three formats; the columns found are listed.
    """
    names = {name.lower() for name in table.columns}
    if all(names & set(IMMUNOSEQ.columns[meaning]) for meaning in ("junction", "junction_aa")):
        return IMMUNOSEQ
    if names & set(MIXCR.columns["junction"] + MIXCR.columns["junction_aa"]):
        return MIXCR
    if names & {"junction", "junction_aa", "cdr3_aa", "cdr3"} and "v_call" in names:
        return AIRR
    raise InputError(
        [
            Problem(
                table.path.name,
                "the columns of an AIRR Rearrangement (junction_aa, v_call), immunoSEQ "
                "(nucleotide, aminoAcid) or MiXCR (nSeqCDR3, aaSeqCDR3) file",
                "export the clones in one of these formats",
                severity=Severity.UNREADABLE,
                row=1,
                found=", ".join(table.columns)[:200],
            )
        ]
    )


def named_dialect(table: TableFile, name: str) -> Dialect:
    """The format of that name, if the file's header has its columns.

    Raises
    ------
    InputError
        The header lacks the sequences or the V genes of the format.
    """
    dialect = {known.name: known for known in (AIRR, IMMUNOSEQ, MIXCR)}[name]
    names = {column.lower() for column in table.columns}
    sequences = dialect.columns["junction"] + dialect.columns["junction_aa"]
    if names.isdisjoint(sequences):
        expected = f"the columns of {name}: one of {', '.join(sequences)}"
        remedy = "name another format, or leave it out: the header decides"
        found = ", ".join(table.columns)[:200]
        raise InputError(
            [Problem(table.path.name, expected, remedy, Severity.UNREADABLE, row=1, found=found)]
        )
    return dialect


def columns_present(
    table: TableFile, dialect: Dialect, *, empty: Collection[str] = ()
) -> dict[str, str]:
    """For each meaning the name of the file's column that holds it; absent meanings are left out.

    Columns that are ``empty`` are taken only where no other has the meaning.

    Raises
    ------
    InputError
        A needed column occurs twice in the header.
    """
    by_lower = {name.lower(): name for name in reversed(table.columns)}
    found = {}
    for meaning, candidates in dialect.columns.items():
        present = [by_lower[name] for name in candidates if name in by_lower]
        if present:
            found[meaning] = next((name for name in present if name not in empty), present[0])
    twice = sorted(name for name in found.values() if table.columns.count(name) > 1)
    if twice:
        raise InputError(
            Problem(table.path.name, "each column once", "delete or rename one", row=1, column=name)
            for name in twice
        )
    return found


def count_columns_present(table: TableFile, dialect: Dialect) -> list[str]:
    """The file's count columns in the order in which they are tried."""
    by_lower = {name.lower(): name for name in reversed(table.columns)}
    return [by_lower[name] for name in dialect.counts if name in by_lower]

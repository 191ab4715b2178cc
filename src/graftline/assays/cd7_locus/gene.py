"""Where CD7 lies on GRCh38, which files are of that assembly, and the exons of a gene."""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graftline.problems import InputError, Problem, Severity


@dataclass(frozen=True, slots=True)
class Region:
    """A named stretch of a chromosome, 1-based and inclusive at both ends."""

    name: str
    chromosome: str
    start: int
    end: int


# Ensembl gene ENSG00000173762, GRCh38, minus strand: transcription starts at the higher end.
CD7 = Region("CD7", "chr17", 82_314_868, 82_317_608)
CD7_ACCESSION = "ENSG00000173762"

# GenBank and RefSeq names of the chromosome in GRCh38 alone: other assemblies have other versions.
_ACCESSIONS = {"chr17": ("NC_000017.11", "CM000679.2")}
_GRCH38_BASES = {"chr17": 83_257_441}
# Lengths of chr17 in the UCSC tables of chromosome sizes.
_OTHER_BASES = {
    81_195_210: "GRCh37 (hg19)",
    78_774_742: "NCBI36 (hg18)",
    84_276_897: "T2T-CHM13",
    95_294_699: "the mouse, GRCm39",
    94_987_271: "the mouse, GRCm38",
    95_272_651: "the mouse, NCBI37",
}
_OTHER_NAMES = re.compile(
    r"(?<![a-z0-9])(hg1[6789]|b3[67]|grch3[67]\w*|hs37d5\w*|human_g1k_v37\w*|chm13\w*|t2t\w*|hs1"
    r"|mm\d+|grcm\d+\w*)(?![a-z0-9])",
    re.IGNORECASE,
)


def promoter(gene: Region, *, upstream: int = 2000, downstream: int = 500) -> Region:
    """Promoter of a gene on the minus strand: upstream of the start is to the right."""
    return Region("promoter", gene.chromosome, gene.end - downstream + 1, gene.end + upstream)


def flanks(gene: Region, *, distance: int = 20_000, width: int = 10_000) -> tuple[Region, Region]:
    """Regions of ``width`` on both sides, ``distance`` away from the gene."""
    left_end, right_start = gene.start - distance - 1, gene.end + distance + 1
    return (
        Region("left flank", gene.chromosome, left_end - width + 1, left_end),
        Region("right flank", gene.chromosome, right_start, right_start + width - 1),
    )


def chromosome_names(wanted: str) -> tuple[str, ...]:
    """What files call a chromosome: ``chr17``, ``17`` or an accession of GRCh38."""
    bare = wanted.removeprefix("chr")
    return f"chr{bare}", bare, *_ACCESSIONS.get(f"chr{bare}", ())


def chromosome_name(wanted: str, present: Sequence[str]) -> str | None:
    """The file's own spelling of a chromosome; None if absent."""
    return next((name for name in chromosome_names(wanted) if name in present), None)


def assembly_fault(
    file: str, *, chromosome: str, bases: int | None, words: str = ""
) -> Problem | None:
    """What speaks against GRCh38 in the length of a chromosome, or in a header's words.

    An error where another assembly is recognised, a warning where the length is of none that is
    known or nothing is said; None for GRCh38.
    """
    right = _GRCH38_BASES.get(f"chr{chromosome.removeprefix('chr')}")
    if right is None or bases == right:
        return None
    expected = f"GRCh38, where {chromosome} has {right:,} bases"
    remedy = "positions differ between assemblies: use a file aligned to GRCh38"
    if bases is not None:
        length, other = f"{chromosome} of {bases:,} bases", _OTHER_BASES.get(bases)
        if other is not None:
            return Problem(file, expected, remedy, found=f"{length}: {other}")
    else:
        length, named = "no length of it", _OTHER_NAMES.search(words)
        if named is not None:
            return Problem(file, expected, remedy, found=named.group())
        if re.search(r"grch38|hg38|hs38", words, re.IGNORECASE):
            return None
    remedy = "make sure that it is GRCh38: positions are taken so"
    return Problem(file, expected, remedy, Severity.WARNING, found=length)


def read_exons(path: str | Path, *, gene: Region = CD7) -> tuple[Region, ...]:
    """Exons that touch a gene's region, from BED (0-based starts), GTF or GFF; plain or gzip.

    The blocks of BED lines with twelve fields are the exons. Where the lines of a GTF or GFF name
    their gene, those of other genes are left out.

    Raises
    ------
    InputError
        Unreadable, or no exon in the region.
    """
    path = Path(path)
    try:
        found = {
            place
            for line in _lines(path)
            if not line.startswith(("#", "track", "browser"))
            for place in _places(line, gene)
        }
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as fault:
        raise InputError([Problem(path.name, f"a text file ({fault})", "copy it again")]) from None
    inside = sorted((s, e) for s, e in found if s <= gene.end and e >= gene.start)
    if not inside:
        expected = f"exons between {gene.start} and {gene.end} of {gene.chromosome}"
        raise InputError([Problem(path.name, expected, "use GRCh38 coordinates")])
    return tuple(
        Region(f"exon {i}", gene.chromosome, *place) for i, place in enumerate(inside, start=1)
    )


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    opened = gzip.open if packed else open
    with opened(path, "rt", encoding="utf-8-sig") as text:
        yield from text


def _places(line: str, gene: Region) -> list[tuple[int, int]]:
    """First and last bases of the exons of a line."""
    fields = line.split("\t") if "\t" in line else line.split()
    fields = [field.strip() for field in fields]
    if len(fields) < 3 or chromosome_name(gene.chromosome, [fields[0]]) is None:
        return []
    if len(fields) > 8 and fields[6] in "+-." and not fields[1].isdecimal():
        mine = fields[2] == "exon" and _names(fields[8], gene)
        return _whole([(fields[3], fields[4])], shift=0) if mine else []
    if len(fields) >= 12:
        begin, lengths, starts = fields[1], fields[10], fields[11]
        pairs = zip(starts.strip(",").split(","), lengths.strip(",").split(","), strict=False)
        blocks = _whole(((s, n) for s, n in pairs), shift=0)
        if begin.isdecimal() and blocks:
            return [(int(begin) + s + 1, int(begin) + s + n) for s, n in blocks]
    return _whole([(fields[1], fields[2])], shift=1)


def _names(attributes: str, gene: Region) -> bool:
    """Whether the attributes of a GTF or GFF line name a gene, or no gene at all."""
    stated = re.findall(r'\b(?:gene_name|gene|gene_symbol)[ =]"?([^";]+)', attributes)
    return not stated or gene.name in {name.strip() for name in stated}


def _whole(pairs: Iterable[tuple[str, str]], *, shift: int) -> list[tuple[int, int]]:
    return [(int(a) + shift, int(b)) for a, b in pairs if a.isdecimal() and b.isdecimal()]

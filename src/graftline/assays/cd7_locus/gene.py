"""Where CD7 lies on GRCh38, and its exons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graftline.problems import InputError, Problem


@dataclass(frozen=True, slots=True)
class Region:
    """A named stretch of a chromosome, 1-based and inclusive at both ends."""

    name: str
    chromosome: str
    start: int
    end: int


# Ensembl gene ENSG00000173762, GRCh38, minus strand: transcription starts at the higher end.
CD7 = Region("CD7", "chr17", 82_314_868, 82_317_608)


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


def chromosome_name(wanted: str, present: Sequence[str]) -> str | None:
    """The file's own spelling of a chromosome, with or without ``chr``; None if absent."""
    bare = wanted.removeprefix("chr")
    return next((name for name in (f"chr{bare}", bare) if name in present), None)


def read_exons(path: str | Path, *, gene: Region = CD7) -> tuple[Region, ...]:
    """Exons that lie in a gene's region, from BED (0-based starts) or GTF (exon lines).

    Raises
    ------
    InputError
        Unreadable, or no exon inside the region.
    """
    path = Path(path)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError([Problem(path.name, f"a text file ({fault})", "copy it again")]) from None
    fields = [line.split("\t") for line in lines if line and not line.startswith(("#", "track"))]
    gtf = [(f[0], f[3], f[4]) for f in fields if len(f) > 8 and f[2] == "exon"]
    places = gtf or [(f[0], f[1], f[2]) for f in fields if len(f) >= 3]
    shift = 0 if gtf else 1
    exons = {
        (int(start) + shift, int(end))
        for chromosome, start, end in places
        if chromosome_name(gene.chromosome, [chromosome]) and start.isdecimal() and end.isdecimal()
    }
    inside = sorted((s, e) for s, e in exons if s >= gene.start and e <= gene.end)
    if not inside:
        expected = f"exons between {gene.start} and {gene.end} of {gene.chromosome}"
        raise InputError([Problem(path.name, expected, "use GRCh38 coordinates")])
    return tuple(
        Region(f"exon {i}", gene.chromosome, *place) for i, place in enumerate(inside, start=1)
    )

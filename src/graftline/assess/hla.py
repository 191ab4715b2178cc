"""HLA match between recipient and donor, allele by allele."""

import polars as pl

from graftline.assess.printed import printed_criteria

_LOCI: tuple[str, ...] = tuple(printed_criteria("donor")["hla"]["loci"])
_OPTIONAL: str = printed_criteria("donor")["hla"]["optional"]


def two_fields(allele: pl.Expr) -> pl.Expr:
    """An allele's name cut to two fields, without locus, spaces and expression letters but N.

    ``A*02:01:01:02L`` gives ``02:01``; ``A*24:09N`` stays ``24:09N``: a null allele is not the
    expressed one.
    """
    name = allele.str.strip_chars().str.to_uppercase().str.replace(r"^.*\*", "")
    fields = name.str.extract_groups(r"^(\d+)(?::(\d+))?")
    first = fields.struct.field("1").str.zfill(2)
    second = fields.struct.field("2").str.zfill(2)
    null_allele = pl.when(name.str.ends_with("N")).then(pl.lit("N")).otherwise(pl.lit(""))
    return (
        pl.when(second.is_not_null())
        .then(first + ":" + second + null_allele)
        .when(first.is_not_null())
        .then(first)
    )


def match_locus(recipient: tuple[pl.Expr, pl.Expr], donor: tuple[pl.Expr, pl.Expr]) -> pl.Expr:
    """Matched alleles at one locus: 2 - max(mismatches graft-versus-host, host-versus-graft).

    A homozygous side counts its allele twice.
    """
    (r1, r2), (d1, d2) = recipient, donor
    graft_versus_host = _absent(r1, d1, d2) + _absent(r2, d1, d2)
    host_versus_graft = _absent(d1, r1, r2) + _absent(d2, r1, r2)
    return 2 - pl.max_horizontal(graft_versus_host, host_versus_graft)


def _absent(allele: pl.Expr, one: pl.Expr, other: pl.Expr) -> pl.Expr:
    return ((allele != one) & (allele != other)).cast(pl.Int64)


def match_hla(pairs: pl.DataFrame) -> pl.DataFrame:
    """HLA match of ten.

    Parameters
    ----------
    pairs : DataFrame [patient, hla_a ... hla_dqb1, donor_hla_a ... donor_hla_dqb1]
        Two alleles separated by a comma; a homozygous person has one allele twice.

    Returns
    -------
    DataFrame [patient, matched, out_of, low_resolution, incomplete, shares_haplotype]
        ``matched`` counts the loci typed on both sides. ``low_resolution``: an allele has one field
        only; its locus is then compared by first fields. ``incomplete``: a locus other than DQB1 is
        not typed on both sides, or has a single allele. ``shares_haplotype``: at least one match at
        every typed locus.
    """
    typed = pairs.with_columns(
        expression.alias(f"{side}{locus}{i}")
        for side in ("", "donor_")
        for locus in _LOCI
        for i, expression in enumerate(_alleles(f"{side}hla_{locus}"), start=1)
    )
    matches = typed.select(
        "patient", *(_locus(locus).alias(locus) for locus in _LOCI)
    ).with_columns(
        pl.Series(f"low_{locus}", typed.select(_has_single_field(locus)).to_series())
        for locus in _LOCI
    )
    needed = [locus for locus in _LOCI if locus != _OPTIONAL]
    return matches.select(
        "patient",
        matched=pl.sum_horizontal(*_LOCI),
        out_of=2 * pl.sum_horizontal(pl.col(x).is_not_null().cast(pl.Int64) for x in _LOCI),
        low_resolution=pl.any_horizontal(f"low_{x}" for x in _LOCI),
        incomplete=pl.any_horizontal(pl.col(x).is_null() for x in needed),
        shares_haplotype=pl.min_horizontal(*_LOCI) >= 1,
    )


def _alleles(column: str) -> tuple[pl.Expr, pl.Expr]:
    parts = pl.col(column).str.split(",")
    both = pl.when(parts.list.len() == 2).then(parts)
    return two_fields(both.list.get(0, null_on_oob=True)), two_fields(
        both.list.get(1, null_on_oob=True)
    )


def _names(locus: str) -> list[str]:
    return [f"{side}{locus}{i}" for side in ("", "donor_") for i in (1, 2)]


def _has_single_field(locus: str) -> pl.Expr:
    return pl.any_horizontal(~pl.col(name).str.contains(":") for name in _names(locus)).fill_null(
        value=False
    )


def _locus(locus: str) -> pl.Expr:
    single = _has_single_field(locus)
    r1, r2, d1, d2 = (
        pl.when(single).then(pl.col(name).str.slice(0, 2)).otherwise(pl.col(name))
        for name in _names(locus)
    )
    known = pl.all_horizontal(pl.col(name).is_not_null() for name in _names(locus))
    return pl.when(known).then(match_locus((r1, r2), (d1, d2)))

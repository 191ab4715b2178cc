"""Gene calls as IMGT gene names: allele, score and further candidates dropped."""

import polars as pl

# IMGT names these human TRBV genes without "-1"; immunoSEQ writes "-01" for every gene.
_SINGLE_TRBV = "1|2|9|13|14|15|16|17|18|19|26|27|28|30"


def gene_name(call: pl.Expr, *, vendor: bool = False) -> pl.Expr:
    """IMGT gene of the first call: ``TRBV6-2*01,TRBV6-3*01`` gives ``TRBV6-2``.

    Ambiguous calls keep the first candidate; MiXCR scores and all alleles are dropped. With
    ``vendor`` names are immunoSEQ's: ``TCRBV06-02*01`` becomes ``TRBV6-2``, a family without gene
    (``TCRBV06``) stays a family (``TRBV6``), ``unresolved`` is null.
    """
    first = call.str.extract(r"^([^*,(]*)")
    if not vendor:
        return first
    return pl.when(first != "unresolved").then(_imgt_name(first))


def _imgt_name(call: pl.Expr) -> pl.Expr:
    return (
        call.str.replace(r"^TCR", "TR")
        .str.replace(r"^(TR[A-Z]{2,3})0+", "${1}")
        .str.replace(r"-0+", "-")
        .str.replace(rf"^(TRBV(?:{_SINGLE_TRBV}))-1$", "${1}")
    )


def locus_name(call: pl.Expr, *, vendor: bool = False) -> pl.Expr:
    """Locus from a gene call: ``TRBV6-2``, and with ``vendor`` ``TCRBV06-02``, give ``TRB``."""
    if not vendor:
        return call.str.slice(0, 3)
    return pl.when(call.str.starts_with("TCR")).then("TR" + call.str.slice(3, 1))

"""Gene calls as IMGT gene names: allele, score and further candidates dropped."""

import polars as pl

# IMGT names these human genes without "-1"; immunoSEQ writes "-01" for every gene.
_SINGLE_V = (
    "TRBV(?:1|2|9|13|14|15|16|17|18|19|26|27|28|30)",
    "TRAV(?:[2-7]|1[015-9]|2[0-2]|24|25|27|28|3[0-57]|39|40|41)",
    "TR[AD]J[0-9]+",
    "TR[GD]V[0-9]+",
)
_UNKNOWN = ("UNRESOLVED", "UNKNOWN", "AMBIGUOUS", "NA", "NO DATA", "NONE", "")


def gene_name(call: pl.Expr) -> pl.Expr:
    """IMGT gene of the first call: ``TRBV6-2*01,TRBV6-3*01`` gives ``TRBV6-2``.

    Ambiguous calls keep the first candidate (``TRBV6-2/6-3``, ``TRBV6-2 or TRBV6-3``); alleles,
    MiXCR's scores and IMGT's species (``Homsap``) are dropped. A slash that belongs to a name stays
    (``TRBV20/OR9-2``, ``TRAV14/DV4``). immunoSEQ's ``TCRBV06-02*01`` becomes ``TRBV6-2``,
    ``TCRBV20-or09_02`` ``TRBV20/OR9-2``; a family without gene (``TCRBV06``, ``TCRBV06-X``) stays
    a family (``TRBV6``). ``unresolved`` and the like are null.
    """
    told = call.str.strip_chars().str.to_uppercase()
    first = (
        pl.when(~told.is_in(_UNKNOWN))
        .then(told)
        .str.replace(r"^(?:[A-Z]+ )+(TC?R)", "${1}")
        .str.extract(r"^([^*,(;| ]*)")
        .str.replace(r"/(?:[0-9]|TC?R).*$", "")
        .str.replace(r"^(TRAV[0-9-]+)DV", "${1}/DV")
    )
    return pl.when(first.str.starts_with("TCR")).then(_imgt_name(first)).otherwise(first)


def _imgt_name(vendor: pl.Expr) -> pl.Expr:
    return (
        vendor.str.replace(r"^TCR", "TR")
        .str.replace(r"^(TR[A-Z]{2,3})0+", "${1}")
        .str.replace(r"-OR0*([0-9]+)_0*([0-9]+)$", "/OR${1}-${2}")
        .str.replace(r"-X$", "")
        .str.replace(r"-0+", "-")
        .str.replace(rf"^({'|'.join(_SINGLE_V)})-1$", "${1}")
    )


def locus_name(stated: pl.Expr) -> pl.Expr:
    """Locus as stated: ``TRB``, ``trb`` and ``TCRB`` give ``TRB``."""
    told = stated.str.strip_chars().str.to_uppercase()
    return told.str.replace("TCR", "TR", literal=True).str.head(3)

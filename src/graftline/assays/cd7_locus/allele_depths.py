"""Reads of every allele in one VCF call, as the callers that people use write them."""

from typing import Any

Depths = tuple[int, ...]
_BASES = frozenset("ACGT")


def allele_depths(record: Any, call: Any, *, only_sample: bool) -> Depths | None:
    """Reads of the reference and of each alternative allele; None where the call states none.

    Tried in turn: AD with a number per allele (GATK, Mutect2, DeepVariant, Strelka2 germline); RD
    and an AD of the alternative alone (VarScan); RO and AO (FreeBayes); tier-1 counts of bases AU,
    CU, GU, TU, or TAR and TIR of indels (Strelka2 somatic); DP4 (SomaticSniper, bcftools). AF and
    DP are not used: AF is modelled by some callers, and DP counts other reads.

    Parameters
    ----------
    record, call
        Of pysam.
    only_sample : bool
        The file has no other sample, so that a DP4 of the whole record is that of the call.
    """
    for read in (_ad, _varscan, _freebayes, _strelka_bases, _strelka_indel):
        depths = read(record, call)
        if depths is not None:
            return depths
    return _dp4(record, call, only_sample)


def _numbers(call: Any, key: str) -> Depths:
    """Whole numbers of a field; empty where it is absent or any of them is missing."""
    if key not in call:
        return ()
    value = call[key]
    parts = value if isinstance(value, tuple) else (value,)
    # a header that does not declare a field, or declares it as text, leaves text
    texts = [text for part in parts for text in str(part).split(",")]
    whole = [text.removesuffix(".0") for text in texts]
    return tuple(int(text) for text in whole) if all(t.isdecimal() for t in whole) else ()


def _one(call: Any, key: str) -> int | None:
    found = _numbers(call, key)
    return found[0] if len(found) == 1 else None


def _ad(record: Any, call: Any) -> Depths | None:
    found = _numbers(call, "AD")
    return found if len(found) == 1 + len(record.alts) else None


def _varscan(record: Any, call: Any) -> Depths | None:
    reference, alternative = _one(call, "RD"), _one(call, "AD")
    if reference is None or alternative is None or len(record.alts) != 1:
        return None
    return reference, alternative


def _freebayes(record: Any, call: Any) -> Depths | None:
    reference, alternatives = _one(call, "RO"), _numbers(call, "AO")
    if reference is None or len(alternatives) != len(record.alts):
        return None
    return reference, *alternatives


def _strelka_bases(record: Any, call: Any) -> Depths | None:
    alleles = (record.ref.upper(), *(alternative.upper() for alternative in record.alts))
    if not _BASES.issuperset(alleles):
        return None
    return _first_tier(call, [f"{allele}U" for allele in alleles])


def _strelka_indel(record: Any, call: Any) -> Depths | None:
    return _first_tier(call, ["TAR", "TIR"]) if len(record.alts) == 1 else None


def _first_tier(call: Any, keys: list[str]) -> Depths | None:
    found = [_numbers(call, key) for key in keys]
    return tuple(tiers[0] for tiers in found) if all(found) else None


def _dp4(record: Any, call: Any, only_sample: bool) -> Depths | None:
    places = [call, record.info] if only_sample else [call]
    for place in places:
        strands = _numbers(place, "DP4")
        if len(strands) == 4 and len(record.alts) == 1:
            return strands[0] + strands[1], strands[2] + strands[3]
    return None

"""Turn your own copy of the UCI file ``bone-marrow.arff`` into a trial folder.

The file ("Bone marrow transplant: children", UCI Machine Learning Repository; Sikora, Wrobel,
Gudys; patients of Kalwak et al., Biol Blood Marrow Transplant 2010;16:1388) holds 187 children with
unrelated-donor HSCT. It is not part of graftline.

    python examples/children-hsct/convert.py bone-marrow.arff my-children
    python examples/children-hsct/convert.py bone-marrow.arff my-children --set-aside

What the file does not hold is left empty: relapse and chronic GVHD have no time, acute GVHD of
grade II has none either. ``--set-aside`` marks the rows that contradict another row as excluded,
with the reason, so that a report can be written; without it they stand as in the source and
``graftline check`` finds them.
"""

import argparse
import csv
from pathlib import Path

NEVER = 1_000_000.0
DISEASES = {"chronic": "chronic leukaemia"}
ABO = {"0": "O", "1": "A", "-1": "B", "2": "AB"}
SIGN = {"1": "positive", "0": "negative"}
YES = {"1": "yes", "0": "no"}
UCI = "UCI bone-marrow.arff"

Row = dict[str, str]


def read_arff(path: Path) -> list[Row]:
    """Rows of the ARFF file by attribute name; a question mark is nothing recorded."""
    lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    names = [line.split()[1] for line in lines if line.lower().startswith("@attribute")]
    start = next(i for i, line in enumerate(lines) if line.strip().lower() == "@data") + 1
    rows = []
    for number, line in enumerate((x for x in lines[start:] if x.strip()), start=1):
        values = [v.strip() for v in line.split(",")]
        if len(values) != len(names):
            raise SystemExit(
                f"{path}: data row {number} has {len(values)} values, not {len(names)}"
            )
        rows.append({n: "" if v == "?" else v for n, v in zip(names, values, strict=True)})
    return rows


def patient(number: int, row: Row) -> Row:
    return {
        "patient": f"C{number:03d}",
        "status": "transplanted",
        "age_years": row["Recipientage"],
        "sex": {"1": "male", "0": "female"}[row["Recipientgender"]],
        "disease": DISEASES.get(row["Disease"], row["Disease"]),
        "risk_group": {"1": "high", "0": "low"}[row["Riskgroup"]],
        "weight_kg": row["Rbodymass"],
        "prior_allo_hsct": YES[row["Txpostrelapse"]],
        "cmv_serostatus": SIGN.get(row["RecipientCMV"], ""),
        "abo": ABO.get(row["RecipientABO"], ""),
        "rh": SIGN.get(row["RecipientRh"], ""),
        "source": UCI,
    }


def donor(number: int, row: Row) -> Row:
    return {
        "patient": f"C{number:03d}",
        "donor": f"D{number:03d}",
        "role": "hspc",
        "relation": "unrelated",
        "age_years": row["Donorage"],
        "hla_match_of_10": str(10 - int(row["HLAmatch"])) if row["HLAmatch"] else "",
        "abo": ABO.get(row["DonorABO"], ""),
        "cmv_serostatus": SIGN.get(row["DonorCMV"], ""),
        "source": UCI,
    }


def product(number: int, row: Row) -> Row:
    return {
        "patient": f"C{number:03d}",
        "product": f"G{number:03d}",
        "kind": "hspc",
        "tissue": {"1": "PBSC", "0": "marrow"}[row["Stemcellsource"]],
        "donor": f"D{number:03d}",
        "source": UCI,
    }


def infusion(number: int, row: Row) -> Row:
    return {
        "patient": f"C{number:03d}",
        "day": "0",
        "kind": "hspc",
        "product": f"G{number:03d}",
        "donor": f"D{number:03d}",
        "cd34_1e6_per_kg": row["CD34kgx10d6"],
        "cd3_1e8_per_kg": row["CD3dkgx10d8"],
        "source": UCI,
    }


def followup(number: int, row: Row) -> Row:
    return {
        "patient": f"C{number:03d}",
        "last_contact_day": row["survival_time"],
        "status": {"1": "dead", "0": "alive"}[row["survival_status"]],
        "source": UCI,
    }


def timed(name: str, row: Row, column: str, **more: str) -> Row:
    """An event whose time column holds 1,000,000 for never."""
    day = float(row[column])
    if day == NEVER:
        return {"event": name, "occurred": "no", "source": f"{UCI}: {column}"}
    return {"event": name, "day": f"{day:g}", "source": f"{UCI}: {column}", **more}


def events(row: Row, *, set_aside: bool) -> list[Row]:
    found = [
        timed("neutrophil_engraftment", row, "ANCrecovery", criteria="ANC > 0.5e9/L"),
        timed(
            "platelet_engraftment", row, "PLTrecovery", criteria="platelets > 50e9/L", label=">=50"
        ),
        *acute_gvhd(row),
        {
            "event": "relapse",
            "occurred": YES[row["Relapse"]],
            "source": f"{UCI}: Relapse",
            "comment": "the source has no time of relapse",
        },
    ]
    if row["extcGvHD"]:  # coded the other way round: 0 is yes
        happened = row["extcGvHD"] == "0"
        found.append(
            {
                "event": "chronic_gvhd",
                "occurred": "yes" if happened else "no",
                "label": "extensive" if happened else "",
                "source": f"{UCI}: extcGvHD",
            }
        )
    if row["survival_status"] == "1":
        found.append(
            {
                "event": "death",
                "day": row["survival_time"],
                "cause": "unknown",
                "source": f"{UCI}: survival_status",
            }
        )
        for event in found if set_aside else []:
            if event.get("day") and float(event["day"]) > float(row["survival_time"]):
                event["excluded"] = "the day lies after the death of the same patient in the source"
    return found


def acute_gvhd(row: Row) -> list[Row]:
    """Acute GVHD: III-IV with its time; grade II only from the flag, without a time.

    ``aGvHDIIIIV`` is coded the other way round (0 is yes). Where it contradicts the time of
    ``time_to_aGvHD_III_IV`` the time counts and the contradiction is said.
    """
    severe = float(row["time_to_aGvHD_III_IV"]) != NEVER
    common = {"timing": "after HSPC", "cause": "this_graft"}
    if severe:
        event = timed(
            "acute_gvhd",
            row,
            "time_to_aGvHD_III_IV",
            grade="3",
            label="III-IV",
            assumed="III or IV in the source: III taken as the lower bound",
            **common,
        )
        if row["aGvHDIIIIV"] != "0":
            event["comment"] = "contradicted by aGvHDIIIIV = no in the source; the time is used"
        return [event]
    if row["IIIV"] == "1":
        return [
            {
                "event": "acute_gvhd",
                "grade": "2",
                "label": "II",
                "source": f"{UCI}: IIIV",
                "comment": "the source has no time of grade II",
                **common,
            }
        ]
    return [
        {
            "event": "acute_gvhd",
            "occurred": "no",
            "source": f"{UCI}: IIIV",
            "comment": "no grade II-IV; grade I is not in the source",
            **common,
        }
    ]


def write(folder: Path, name: str, rows: list[Row]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


PROTOCOL = """\
[trial]
name = "children-hsct"
title = "Unrelated-donor HSCT in 187 children (UCI; Kalwak 2010)"
protocol = "allogeneic-hsct"
"""


def convert(source: Path, folder: Path, *, set_aside: bool) -> None:
    rows = read_arff(source)
    folder.mkdir(parents=True, exist_ok=True)
    numbered = list(enumerate(rows, start=1))
    write(folder, "patients", [patient(n, r) for n, r in numbered])
    write(folder, "donors", [donor(n, r) for n, r in numbered])
    write(folder, "products", [product(n, r) for n, r in numbered])
    write(folder, "infusions", [infusion(n, r) for n, r in numbered])
    write(folder, "followup", [followup(n, r) for n, r in numbered])
    write(
        folder,
        "events",
        [
            {"patient": f"C{n:03d}", **event}
            for n, r in numbered
            for event in events(r, set_aside=set_aside)
        ],
    )
    (folder / "protocol.toml").write_text(PROTOCOL, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path, help="bone-marrow.arff")
    parser.add_argument("folder", type=Path, help="trial folder to write")
    parser.add_argument(
        "--set-aside", action="store_true", help="mark contradicting rows as excluded"
    )
    given = parser.parse_args()
    convert(given.source, given.folder, set_aside=given.set_aside)
    print(f"187-patient trial folder in {given.folder}; next: graftline check {given.folder}")

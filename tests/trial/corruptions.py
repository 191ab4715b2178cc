"""Ways a trial folder goes wrong, each with what ``graftline check`` must say about it."""

import csv
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Rows = list[list[str]]


@dataclass(frozen=True)
class Expected:
    """Exit code of check, the file named in the finding, and words that must be in the output."""

    code: int
    file: str
    words: tuple[str, ...] = ()


def load(path: Path) -> Rows:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def save(path: Path, rows: Rows, delimiter: str = ",") -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def pick(folder: Path, rng: random.Random) -> Path:
    names = (
        "patients",
        "infusions",
        "labs",
        "vitals",
        "ae",
        "marrow",
        "events",
        "followup",
        "viral",
    )
    return folder / f"{rng.choice(names)}.csv"


def put(folder: Path, table: str, column: str, value: str, rng: random.Random) -> int:
    """Write a value into a random row of a column; the row as a spreadsheet counts it."""
    path = folder / f"{table}.csv"
    rows = load(path)
    row = rng.randrange(1, len(rows))
    rows[row][rows[0].index(column)] = value
    save(path, rows)
    return row + 1


def wrong_type(folder: Path, rng: random.Random) -> Expected:
    table, column = rng.choice(
        [
            ("patients", "age_years"),
            ("labs", "value"),
            ("vitals", "temperature_c"),
            ("ae", "grade"),
            ("marrow", "blasts_percent"),
            ("followup", "last_contact_day"),
            ("viral", "value"),
        ]
    )
    word = rng.choice(["high", "12..5", "0,2", "3 to 4", "1e", "--4", "12a", "٣"])
    row = put(folder, table, column, word, rng)
    return Expected(1, f"{table}.csv", (f"row {row}", f"column {column}"))


def unknown_unit(folder: Path, rng: random.Random) -> Expected:
    row = put(
        folder, "labs", "unit", rng.choice(["furlong", "mg", "1e9", "mmol/L ", "cells/nL"]), rng
    )
    return Expected(1, "labs.csv", (f"row {row}", "column unit", "a unit of"))


def duplicate_row(folder: Path, rng: random.Random) -> Expected:
    table = rng.choice(["patients", "infusions", "ae", "events", "followup", "drugs"])
    rows = load(folder / f"{table}.csv")
    rows.append(list(rng.choice(rows[1:])))
    save(folder / f"{table}.csv", rows)
    return Expected(1, f"{table}.csv", (f"row {len(rows)}",))


def event_before_infusion(folder: Path, rng: random.Random) -> Expected:
    rows = load(folder / "events.csv")
    rows.append(["A01", rng.choice(["crs", "icans"]), "yes", str(-rng.randint(1, 9)), *[""] * 7])
    save(folder / "events.csv", rows)
    return Expected(1, "events.csv", (f"row {len(rows)}", "not before the car_t infusion"))


def engraftment_before_hspc(folder: Path, rng: random.Random) -> Expected:
    rows = load(folder / "events.csv")
    rows.append(["A01", "neutrophil_engraftment", "yes", str(rng.randint(1, 18)), *[""] * 7])
    save(folder / "events.csv", rows)
    return Expected(1, "events.csv", (f"row {len(rows)}", "hspc"))


def death_before_last_contact(folder: Path, rng: random.Random) -> Expected:
    rows = load(folder / "followup.csv")
    rows[2][1] = str(146 + rng.randint(1, 100))
    save(folder / "followup.csv", rows)
    return Expected(1, "followup.csv", ("row 3", "last_contact_day", "A02"))


def impossible_grade(folder: Path, rng: random.Random) -> Expected:
    if rng.random() < 0.5:
        row = put(folder, "ae", "grade", str(rng.choice([0, 6, 9, -1])), rng)
        return Expected(1, "ae.csv", (f"row {row}", "grade"))
    rows = load(folder / "events.csv")
    rows.append(["A01", "acute_gvhd", "yes", "40", "", "5", *[""] * 5])
    save(folder / "events.csv", rows)
    return Expected(1, "events.csv", (f"row {len(rows)}", "grade"))


def byte_order_mark(folder: Path, rng: random.Random) -> Expected:
    path = pick(folder, rng)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return Expected(0, path.name, ("byte order mark",))


def semicolons(folder: Path, rng: random.Random) -> Expected:
    path = pick(folder, rng)
    save(path, load(path), ";")
    return Expected(0, path.name, ("commas",))


def latin_1(folder: Path, rng: random.Random) -> Expected:
    path = pick(folder, rng)
    rows = load(path)
    rows[0].append("comment")
    for row in rows[1:]:
        row.append("Übelkeit, 38,6 °C")
    save(path, rows)
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    return Expected(0, path.name, ("Latin-1",))


def empty_file(folder: Path, rng: random.Random) -> Expected:
    path = pick(folder, rng)
    path.write_bytes(rng.choice([b"", b"\n", b" \n\n"]))
    return Expected(2, path.name, ("header",))


def missing_file(folder: Path, rng: random.Random) -> Expected:
    name = rng.choice(["patients.csv", "infusions.csv", "followup.csv", "protocol.toml"])
    (folder / name).unlink()
    return Expected(2, name)


def huge_line(folder: Path, rng: random.Random) -> Expected:
    path = pick(folder, rng)
    kind = rng.randrange(3)
    if kind == 0:  # one line without any separator
        path.write_text("x" * 10_000_000)
    elif kind == 1:  # a header that never ends
        path.write_text("a," * 5_000_000)
    else:  # a field that never ends
        path.write_text(path.read_text() + '"' + "y" * 10_000_000)
    return Expected(2, path.name)


def nul_byte(folder: Path, rng: random.Random) -> Expected:
    path = pick(folder, rng)
    data = bytearray(path.read_bytes())
    data.insert(rng.randrange(len(data)), 0)
    path.write_bytes(bytes(data))
    return Expected(2, path.name, ("NUL",))


def unknown_category(folder: Path, rng: random.Random) -> Expected:
    table, column = rng.choice(
        [
            ("patients", "disease"),
            ("infusions", "kind"),
            ("labs", "analyte"),
            ("vitals", "oxygen_device"),
            ("events", "event"),
            ("followup", "status"),
            ("viral", "virus"),
        ]
    )
    row = put(folder, table, column, "zebra", rng)
    return Expected(1, f"{table}.csv", (f"row {row}", f"column {column}", "one of"))


def stranger(folder: Path, rng: random.Random) -> Expected:
    table = rng.choice(["labs", "vitals", "ae", "marrow", "viral"])
    row = put(folder, table, "patient", "Z99", rng)
    return Expected(1, f"{table}.csv", (f"row {row}", "Z99"))


def ragged_row(folder: Path, rng: random.Random) -> Expected:
    path = pick(folder, rng)
    rows = load(path)
    row = rng.randrange(1, len(rows))
    rows[row] = rows[row][:-1] if rng.random() < 0.5 else [*rows[row], "extra"]
    save(path, rows)
    return Expected(1, path.name, (f"row {row + 1}", "fields"))


def missing_column(folder: Path, rng: random.Random) -> Expected:
    table, column = rng.choice(
        [
            ("patients", "status"),
            ("labs", "analyte"),
            ("labs", "value"),
            ("labs", "day"),
            ("ae", "grade"),
            ("events", "event"),
            ("infusions", "kind"),
            ("followup", "status"),
            ("vitals", "patient"),
        ]
    )
    path = folder / f"{table}.csv"
    rows = load(path)
    at = rows[0].index(column)
    save(path, [row[:at] + row[at + 1 :] for row in rows])
    return Expected(1, path.name, (f"column {column}",))


def unknown_column(folder: Path, rng: random.Random) -> Expected:
    path = pick(folder, rng)
    rows = load(path)
    rows[0].append(rng.choice(["ward", "agee", "Kommentar", "x y z"]))
    for row in rows[1:]:
        row.append("7")
    save(path, rows)
    return Expected(0, path.name, ("kept as text",))


def impossible_value(folder: Path, rng: random.Random) -> Expected:
    table, column, value = rng.choice(
        [
            ("patients", "age_years", "-4"),
            ("patients", "weight_kg", "0"),
            ("patients", "ecog", "7"),
            ("marrow", "blasts_percent", "140"),
            ("vitals", "temperature_c", "386"),
            ("labs", "value", "-1"),
            ("marrow", "cells_counted", "1.5"),
            ("viral", "value", "inf"),
            ("labs", "value", "nan(1)"),
        ]
    )
    row = put(folder, table, column, value, rng)
    return Expected(1, f"{table}.csv", (f"row {row}", f"column {column}"))


def broken_protocol(folder: Path, rng: random.Random) -> Expected:
    path = folder / "protocol.toml"
    text, code = rng.choice(
        [
            ("[trial\nname=1", 2),
            (path.read_text() + '\n[definitions]\nresponse = "who"\n', 1),
            (path.read_text().replace("all-in-one-2024", "all-in-two"), 1),
            (path.read_text() + "\nfoo = 3\n", 1),
            ("\x00", 2),
            (path.read_text().replace('name = "complete"', "names = 1"), 1),
        ]
    )
    path.write_text(text)
    return Expected(code, "protocol")


def bad_dates(folder: Path, rng: random.Random) -> Expected:
    rows = load(folder / "ae.csv")
    rows[0].append("start_date")
    rows[1].append(rng.choice(["31/12/2022", "2022-13-01", "soon", "2022-02-30"]))
    rows[2].append("")
    save(folder / "ae.csv", rows)
    return Expected(1, "ae.csv", ("row 2", "start_date"))


KINDS: tuple[Callable[[Path, random.Random], Expected], ...] = (
    wrong_type,
    unknown_unit,
    duplicate_row,
    event_before_infusion,
    engraftment_before_hspc,
    death_before_last_contact,
    impossible_grade,
    byte_order_mark,
    semicolons,
    latin_1,
    empty_file,
    missing_file,
    huge_line,
    nul_byte,
    unknown_category,
    stranger,
    ragged_row,
    missing_column,
    unknown_column,
    impossible_value,
    broken_protocol,
    bad_dates,
)

"""Reading a folder: dates, units, limits, formats, the data cut (truth: hand-worked, law)."""

import shutil
from datetime import date
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graftline.problems import InputError, Severity, exit_code
from graftline.protocol import shipped_protocol
from graftline.schema import TABLES
from graftline.trial import followup_ends, hsct_days, trial_from_tables
from graftline.trial.read import inspect_trial, read_trial
from graftline.trial.write import write_tables

COMPLETE = Path(__file__).parents[1] / "trials" / "complete"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(COMPLETE, tmp_path / "trial")
    return tmp_path / "trial"


def messages(problems):
    return "\n".join(str(p) for p in problems)


def test_units_are_converted_exactly():
    labs = read_trial(COMPLETE)["labs"]
    anc = labs.filter((pl.col("analyte") == "anc") & (pl.col("day") == 31)).row(0, named=True)
    assert (anc["value"], anc["unit"]) == (0.7, "1e9/L")  # 700 /uL
    assert labs.filter(pl.col("analyte") == "hemoglobin")["value"].to_list() == [74.0]  # 7.4 g/dL
    bilirubin = labs.filter(pl.col("analyte") == "bilirubin")["value"].item()
    assert bilirubin == pytest.approx(22 / 17.1, rel=1e-12)  # umol/L, definitions 0


def test_below_quantification_stays_a_limit(folder):
    path = folder / "labs.csv"
    path.write_text(path.read_text() + "A01,9,anc,<0.1,1e9/L,,\nA01,10,ferritin,>40000,ug/L,,\n")
    trial, problems = inspect_trial(folder)
    rows = trial["labs"].tail(2).select("value", "quantification").rows()
    assert rows == [(0.1, "below"), (40000.0, "above")]
    assert exit_code(problems) == 0
    assert any("read that way" in p.remedy for p in problems)


# Laboratories export an empty result, the word and the limit; the value is the limit by its
# definition (labs.csv: "for a result below or above the limit, the limit").
def test_an_empty_value_below_is_the_lower_limit_beside_it(folder):
    (folder / "viral.csv").write_text(
        "patient,day,virus,value,unit,quantification,lloq\n"
        "A01,20,CMV,,IU/mL,Below,34.5\n"
        "A01,30,CMV,340,IU/mL,,34.5\n"
        "A01,40,CMV,,IU/mL,below,\n"
    )
    trial, problems = inspect_trial(folder)
    assert trial["viral"]["value"].to_list() == [34.5, 340.0, None]
    assert trial["viral"]["quantification"].to_list() == ["below", None, "below"]
    said = [p for p in problems if p.column == "value"]
    assert [(p.row, p.severity) for p in said] == [(2, Severity.WARNING), (4, Severity.ERROR)]
    assert "the lower limit in lloq is taken (1 rows)" in said[0].remedy


def test_a_limit_with_a_decimal_comma_is_not_guessed(folder):
    path = folder / "labs.csv"
    path.write_text(path.read_text() + 'A01,9,anc,"<0,2",1e9/L,,\n')
    trial, problems = inspect_trial(folder)
    assert exit_code(problems) == 1
    assert 'write 0.2 in value and "below" in quantification' in messages(problems)
    assert trial["labs"]["value"][-1] is None


def test_declared_decimal_comma_is_read(folder):
    protocol = folder / "protocol.toml"
    protocol.write_text(protocol.read_text() + 'decimal = ","\n')
    (folder / "viral.csv").write_text("patient;day;virus;value;unit\nA01;30,5;CMV;340,5;IU/mL\n")
    trial, problems = inspect_trial(folder)
    assert trial["viral"].select("day", "value").row(0) == (30.5, 340.5)
    assert exit_code(problems) == 0


def with_dates(folder):
    (folder / "infusions.csv").write_text(
        "patient,date,kind,donor,purpose\n"
        "A01,2022-03-01,car_t,A01-D1,\nA02,2022-05-10,car_t,A02-D1,\nA03,2022-06-01,car_t,A03-D1,\n"
        "A01,2022-03-20,hspc,A01-D1,prophylactic\nA02,2022-06-01,hspc,A02-D1,prophylactic\n"
    )
    (folder / "products.csv").unlink()
    (folder / "ae.csv").write_text(
        "patient,term,grade,start_date,end_date\nA01,Fever,1,2022-02-28,2022-03-03\n"
    )


def test_dates_become_study_days_and_leave_no_date(folder):
    with_dates(folder)
    trial = read_trial(folder)
    assert trial["infusions"]["day"].to_list() == [0, 0, 0, 19, 22]
    assert trial["ae"].select("start_day", "end_day").row(0) == (-1, 2)
    for frame in trial.tables.values():
        assert not any(t.is_temporal() for t in frame.schema.values())
        assert not any(c.endswith("date") for c in frame.columns)


def test_time_of_day_gives_decimals_only_where_both_are_known(folder):
    with_dates(folder)
    path = folder / "infusions.csv"
    path.write_text(path.read_text().replace("A01,2022-03-01,car_t", "A01,2022-03-01T12:00,car_t"))
    labs = "patient,date,analyte,value\nA01,2022-03-02T18:00,anc,1\nA01,2022-03-05,anc,1\n"
    (folder / "labs.csv").write_text(labs)
    assert read_trial(folder)["labs"]["day"].to_list() == [1.25, 4.0]


def test_date_without_infusion_date_is_an_error_that_hides_the_date(folder):
    ae = "patient,term,grade,start_date\nA01,Fever,1,2022-02-28\n"
    (folder / "ae.csv").write_text(ae)
    _, problems = inspect_trial(folder)
    assert exit_code(problems) == 1
    assert "index infusion" in messages(problems)
    assert "2022-02-28" not in messages(problems)


def test_day_and_date_that_disagree_are_an_error(folder):
    with_dates(folder)
    ae = "patient,term,grade,start_day,start_date\nA01,Fever,1,9,2022-03-03\n"
    (folder / "ae.csv").write_text(ae)
    assert "agrees with start_day" in messages(inspect_trial(folder)[1])


def test_calendar_cut_opens_what_closed_later(folder):
    """A02 is infused on 2022-05-10 and dies on day 146: 2022-08-01 is day 83."""
    with_dates(folder)
    protocol = folder / "protocol.toml"
    protocol.write_text(protocol.read_text() + "data_cut = 2022-08-01\n")
    trial = read_trial(folder)
    ends = {r["patient"]: r for r in followup_ends(trial).iter_rows(named=True)}
    assert (ends["A02"]["dead"], ends["A02"]["end_day"]) == (False, 83)
    assert (ends["A01"]["dead"], ends["A01"]["end_day"]) == (False, 153)
    assert trial["events"]["patient"].to_list() == ["A01"]
    assert (date(2022, 8, 1) - date(2022, 5, 10)).days == 83


def test_cut_day_for_everybody(folder):
    protocol = folder / "protocol.toml"
    protocol.write_text(protocol.read_text() + "data_cut_day = 20\n")
    trial = read_trial(folder)
    assert trial["infusions"]["day"].max() == 19
    assert hsct_days(trial)["patient"].to_list() == ["A01"]
    assert trial["labs"]["day"].max() <= 20


def test_excluded_rows_are_listed_and_not_used(folder):
    path = folder / "ae.csv"
    path.write_text(
        "patient,term,grade,start_day,excluded\n"
        "A01,Fever,1,3,\nA01,Rash,1,4,entered for another patient\n"
    )
    trial, problems = inspect_trial(folder)
    assert trial["ae"]["term"].to_list() == ["Fever"]
    notes = [p for p in problems if p.column == "excluded"]
    assert [(p.severity, p.row, p.found) for p in notes] == [
        (Severity.NOTE, 3, "entered for another patient")
    ]


def test_workbook_reads_like_the_csv_files(folder, tmp_path):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for path in sorted(folder.glob("*.csv")):
        sheet = book.create_sheet(path.stem)
        for number, line in enumerate(
            pl.read_csv(path, infer_schema=False, has_header=False).rows()
        ):
            sheet.append([_excel(v) if number else v for v in line])
    other = tmp_path / "book"
    other.mkdir()
    book.save(other / "trial.xlsx")
    shutil.copy(folder / "protocol.toml", other)
    one, two = read_trial(folder), read_trial(other)
    for name in TABLES:
        assert_frame_equal(one[name], two[name])


def _excel(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return text


def test_parquet_reads_like_the_csv_files(folder, tmp_path):
    trial = read_trial(folder)
    other = tmp_path / "parquet"
    write_tables(trial, other, format="parquet")
    shutil.copy(folder / "protocol.toml", other)
    again = read_trial(other)
    for name in TABLES:
        assert_frame_equal(trial[name].drop("row"), again[name].drop("row"))


def test_a_table_given_twice_is_said(folder):
    pl.read_csv(folder / "ae.csv").write_parquet(folder / "ae.parquet")
    _, problems = inspect_trial(folder)
    assert exit_code(problems) == 2
    assert "one file only" in messages(problems)


def test_errors_come_all_at_once_with_count_at_the_end(folder):
    (folder / "ae.csv").write_text("patient,term,grade\nA01,Fever,x\nZ1,Fever,9\n")
    with pytest.raises(InputError) as raised:
        read_trial(folder)
    text = str(raised.value)
    assert "row 2, column grade (A01): found 'x'" in text
    assert "row 3, column patient (Z1)" in text
    assert text.endswith("Nothing was computed.")


def test_many_alike_are_counted_not_repeated(folder):
    rows = "".join(f"A01,{d},anc,low,1e9/L\n" for d in range(500))
    (folder / "labs.csv").write_text("patient,day,analyte,value,unit\n" + rows)
    _, problems = inspect_trial(folder)
    assert len(problems) < 60
    assert sum(p.count for p in problems if p.column == "value") >= 500


def test_identifiers_are_not_echoed(folder):
    (folder / "ae.csv").write_text(
        "patient,term,grade\nMeier Hans,Fever,1\nA01,Fever,born 1961-04-02\n"
    )
    _, problems = inspect_trial(folder)
    assert "Meier" not in messages(problems)
    assert "1961" not in messages(problems)
    assert exit_code(problems) == 1


text = (
    st.text("abcäß ,;\"'\n<>", min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda s: s not in ("", "NA"))
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    rows=st.lists(
        st.tuples(
            text,
            st.integers(1, 5),
            st.none() | st.booleans(),
            st.none() | st.floats(-50, 500, width=16),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda row: row,
    ),
    form=st.sampled_from(["csv", "parquet"]),
)
def test_writing_then_reading_returns_the_trial(rows, form, tmp_path_factory):
    folder = tmp_path_factory.mktemp("round")
    base = read_trial(COMPLETE)
    ae = pl.DataFrame(
        [("A01", *row) for row in rows],
        schema={
            "patient": pl.String,
            "term": pl.String,
            "grade": pl.Int64,
            "serious": pl.Boolean,
            "start_day": pl.Float64,
        },
        orient="row",
    )
    trial = trial_from_tables(base.protocol, {**base.tables, "ae": ae})
    write_tables(trial, folder, format=form)
    shutil.copy(COMPLETE / "protocol.toml", folder)
    again, _ = inspect_trial(folder)
    assert_frame_equal(trial["ae"].drop("row"), again["ae"].drop("row"))


def test_every_shipped_protocol_reads():
    from graftline.protocol import shipped_protocols

    for name in shipped_protocols():
        assert shipped_protocol(name).name == name

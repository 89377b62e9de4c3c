"""Readings as CSV, as the command line and the page write it."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.site.records import ReadingRecord
from host.store.csv_lines import COLUMNS, csv_line, reading_line
from tests.host.store.records import reading, readings, receptions


def cells(line: str) -> dict[str, str]:
    """Return the cells of a reading's line by column."""
    ((*values,),) = csv.reader(io.StringIO(line))
    return dict(zip(COLUMNS, values, strict=True))


@given(readings, st.none() | st.text(max_size=5))
def test_reading_line_is_one_line_of_all_columns(record: ReadingRecord, label: str | None) -> None:
    line = reading_line(record, label)
    assert line.endswith("\n") and line[:-1].isprintable()
    found = cells(line)
    assert float(found["ber"]) == record.ber
    assert found["late"] == str(int(record.late))


def test_reading_line_names_each_gateway_once_and_the_best_signal() -> None:
    found = cells(reading_line(reading(receptions=(*receptions(2), *receptions(1))), "a fox"))
    assert found["gateways"].split(";") == [one.gateway for one in receptions(2)]
    assert float(found["snr_db"]) == max(one.snr_db or -99 for one in receptions(2))
    assert found["label"] == "a fox"


@pytest.mark.parametrize("text", ['=HYPERLINK("http://x")', "+1", "-1", "@x"])
def test_csv_line_disarms_formulas(text: str) -> None:
    assert list(csv.reader(io.StringIO(csv_line([text, -1.5, None, True])))) == [[f"'{text}", "-1.5", "", "1"]]

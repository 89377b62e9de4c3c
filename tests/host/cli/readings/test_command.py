"""`inkling readings`: what it lists and writes, from a store that another process has open."""

import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.site.records import TaskAnswer, record_of
from host.store.store import Store
from tests.conftest import RunInkling
from tests.host.cli.process import run
from tests.host.store.records import reading, receptions
from tests.support import ROOT

FOX = {"animals": TaskAnswer("fox", 1, 0.5), "birds": TaskAnswer(None, None, None)}
RECORDS = [
    reading(0, label="cat"), reading(60, label=None, tasks=FOX, confidence=None), reading(120, site="barn", device=9),
    reading(180, receptions=(), answered_by="board", frame="answer", symbols=(), lost=2),
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that commands use by default, which stays open."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    with Store(tmp_path / "inkling" / "readings.sqlite3") as store:
        store.write(RECORDS)
        store.set_label("home-3-60", "a fox")
        yield store
    monkeypatch.undo()
    time.tzset()


def listed(out: str) -> list[int]:
    """Return the numbers of the readings in JSON lines."""
    return [json.loads(line)["image_number"] for line in out.splitlines()]


def test_readings_shows_a_table_in_local_time(store: Store, run_inkling: RunInkling) -> None:
    code, out, err = run_inkling("readings")
    rows = [line.split() for line in out.splitlines() if line.strip().startswith("2026")]
    assert (code, err) == (0, "") and len(rows) == 4
    assert rows[0][:3] == ["2026-09-21", "19:43:20+05:30", "home/3"] and rows[0][3:] == [
        "cat", "75%", "host", "1.0e-02", "-7.5", "0",
    ]  # fmt: skip
    assert rows[3][5:] == ["board", "1.0e-02", "2"] and "a" in rows[1][8:] and "fox" in out and "none" in out
    code, out, _ = run_inkling("readings", "--limit", "2")
    assert code == 0 and [line.split()[2] for line in out.splitlines() if line.strip().startswith("2026")] == [
        "barn/9",
        "home/3",
    ]
    assert run_inkling("readings", "--site", "nowhere") == (0, "", "inkling: no readings\n")


def test_readings_writes_json_lines_that_are_records(store: Store, run_inkling: RunInkling) -> None:
    code, out, err = run_inkling("readings", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "") and [record_of(line) for line in lines] == RECORDS
    assert [line["human_label"] for line in lines] == [None, "a fox", None, None]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (["--since", "2026-09-21T19:44:20"], [60, 120, 180]), (["--until", "2026-09-21T14:14:20Z"], [0]),
        (["--since", "2026-09-21", "--until", "2026-09-22"], [0, 60, 120, 180]), (["--since", "1s"], []),
        (["--site", "home"], [0, 60, 180]), (["--device", "9"], [120]), (["--class", "fox"], [60]),
        (["--class", "cat", "--site", "home", "--limit", "1"], [180]), (["--limit", "2"], [120, 180]),
    ],
)  # fmt: skip
def test_readings_chooses(store: Store, run_inkling: RunInkling, arguments: list[str], numbers: list[int]) -> None:
    code, out, err = run_inkling("readings", "--json", *arguments)
    assert (code, err, listed(out)) == (0, "", numbers)


def test_readings_writes_csv_in_utc(store: Store, run_inkling: RunInkling) -> None:
    code, out, err = run_inkling("readings", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, err, len(rows)) == (0, "", 4)
    first, second, _, last = rows
    assert (first["time"], first["class"], first["confidence"]) == ("2026-09-21T14:13:20.000000Z", "cat", "0.75")
    assert (first["snr_db"], first["gateways"], first["crc_ok"], first["label"]) == ("-7.5", "north", "1", "")
    assert json.loads(second["tasks"])["animals"] == {"label": "fox", "index": 1, "confidence": 0.5}
    assert (second["label"], second["class"], last["snr_db"], last["lost"]) == ("a fox", "", "", "2")


def test_readings_streams_and_ends_quietly_if_the_reader_has_enough(store: Store) -> None:
    store.write([reading(n, receptions=receptions(2)) for n in range(1000, 6000)])
    command = [sys.executable, "-m", "inkling", "readings", "--json", "--store", str(store.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    first = json.loads(process.stdout.readline())
    process.stdout.close()
    assert first["image_number"] == 0 and process.wait(timeout=60) == 1 and process.stderr.read() == ""
    process.stderr.close()


def test_readings_reports_mistakes_in_one_line(store: Store, tmp_path: Path, run_inkling: RunInkling) -> None:
    for words, message in (
        (["--store", tmp_path / "none"], f"there is no store {tmp_path}/none: inkling serve makes it, or name another"),
        (["--since", "2026-09-02", "--until", "2026-09-01"], "--until is not after --since"),
        (["--bundle", "general"], "--bundle is for --export"),
        (["--export", tmp_path / "set", "--limit", "3"], "--limit is not for --export"),
    ):
        code, out, err = run_inkling("readings", *words)
        assert (code, out, err.count("\n")) == (1, "", 1) and err.startswith(f"inkling: {message}")
    for words in (["--since", "yesterday"], ["--since", "-5"], ["--since", "1900-01-01"], ["--device", "255"]):
        code, out, err = run_inkling("readings", *words)
        assert (code, out, err.count("\n")) == (2, "", 1) and "must be a" in err
    assert run_inkling("readings", "--csv", "--json")[0] == 2


def test_readings_needs_only_the_packages_of_the_host(store: Store) -> None:
    blocked = ("starlette", "uvicorn", "paho", "prometheus_client", "onnxruntime", "torch", "serial")
    code, out, err = run("readings", "--store", store.path, "--json", "--limit", 1, blocked=blocked)
    assert (code, err, listed(out)) == (0, "", [180])


def test_readings_exports_a_data_set(store: Store, tmp_path: Path, run_inkling: RunInkling) -> None:
    code, out, err = run_inkling("readings", "--export", tmp_path / "set")
    files = [tmp_path / "set" / name for name in ("readings.jsonl", "labels.csv", "symbols.npz")]
    wrote = "".join(f"wrote {file}\n" for file in files)
    assert (code, out, err) == (0, f"1 readings of bundle general: 1 a fox\n{wrote}", "")
    store.set_label("home-3-180", "dog")
    code, _, err = run_inkling("readings", "--export", tmp_path / "set")
    assert code == 0 and "labelled readings left out: 1 (answers, which have no symbols)" in err

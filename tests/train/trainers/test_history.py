"""Curves of a run: log.jsonl, log.csv and TensorBoard's events."""

import csv
from pathlib import Path

import pytest

from train.run_files import read_log
from train.trainers.history import EVENTS, History, Record


def record(epoch: int, **held_out: float) -> Record:
    return {
        "epoch": epoch,
        "phase": "float",
        "loss": 2.5 / epoch,
        "lr": 1e-3,
        "seconds": 10.0,
        "device": "cpu",
        "held_out_images": 100,
        "held_out": {name.replace("_", " "): value for name, value in held_out.items()},
    }


RECORDS = [record(1, board=0.25), record(2, board=0.5, prefix_64=0.375), record(3, board=0.625, prefix_64=0.75)]


def record_all(folder: Path, records: list[Record]) -> None:
    with History(folder, read_log(folder), records[0]["epoch"] - 1) as history:
        for one in records:
            history.append(one)


def test_history_writes_a_csv_with_a_column_for_each_accuracy(tmp_path: Path) -> None:
    record_all(tmp_path, RECORDS)
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "epoch", "phase", "loss", "lr", "seconds", "device", "held_out_images", "held_out board", "held_out prefix 64",
    ]  # fmt: skip
    assert [row["held_out prefix 64"] for row in rows] == ["", "0.375", "0.75"]
    assert rows[1]["loss"] == "1.25" and rows[2]["epoch"] == "3"
    assert read_log(tmp_path) == RECORDS


def test_history_cut_removes_epochs_that_are_trained_again(tmp_path: Path) -> None:
    record_all(tmp_path, RECORDS)
    with History(tmp_path, read_log(tmp_path), 1):
        pass
    assert read_log(tmp_path) == RECORDS[:1]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2


def test_history_continues_after_a_line_that_was_cut(tmp_path: Path) -> None:
    """As by a full disk: the run must not stop for good because of its curves."""
    record_all(tmp_path, RECORDS[:2])
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text()[:-20])
    assert read_log(tmp_path) == RECORDS[:1]
    record_all(tmp_path, RECORDS[2:])
    assert read_log(tmp_path) == [RECORDS[0], RECORDS[2]]


@pytest.mark.parametrize("end", [b'{"epoch": 3, "phase', b"\0\0\0\n", b'\xff\n{"epo\n', b"[]\n"])
def test_history_leaves_out_what_a_power_cut_has_torn(tmp_path: Path, end: bytes) -> None:
    record_all(tmp_path, RECORDS[:2])
    with (tmp_path / "log.jsonl").open("ab") as log:
        log.write(end)
    assert read_log(tmp_path) == RECORDS[:2]
    record_all(tmp_path, RECORDS[2:])
    assert read_log(tmp_path) == RECORDS


def test_history_writes_later_what_a_full_disk_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with History(tmp_path, [], 0) as history:
        log = tmp_path / "log.jsonl"
        log.unlink()
        log.symlink_to("/dev/full")
        history.append(RECORDS[0])
        history.append(RECORDS[1])
        log.unlink()
        history.append(RECORDS[2])
    assert read_log(tmp_path) == RECORDS
    line = f"inkling: cannot write {log}: No space left on device; the training continues\n"
    assert capsys.readouterr().err == 2 * line


def test_history_writes_null_for_what_is_no_number(tmp_path: Path) -> None:
    record_all(tmp_path, [record(1, board=float("nan"), host=0.5)])
    assert "NaN" not in (tmp_path / "log.jsonl").read_text()
    (kept,) = read_log(tmp_path)
    assert kept["held_out"] == {"board": None, "host": 0.5}
    record_all(tmp_path, RECORDS[1:2])
    assert len(read_log(tmp_path)) == 2


def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    """An epoch that was recorded before a restart is read like one after it."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    record_all(tmp_path, RECORDS[:2])
    record_all(tmp_path, RECORDS[2:])
    (file,) = tmp_path.glob(EVENTS)
    events = accumulator.EventAccumulator(str(file)).Reload()
    assert events.file_version == 2.0
    assert set(events.Tags()["scalars"]) == {"loss", "lr", "seconds", "held_out/board", "held_out/prefix_64"}
    assert [(one.step, one.value) for one in events.Scalars("held_out/board")] == [(1, 0.25), (2, 0.5), (3, 0.625)]
    assert [(one.step, one.value) for one in events.Scalars("held_out/prefix_64")] == [(2, 0.375), (3, 0.75)]
    times = [one.wall_time for one in events.Scalars("loss")]
    assert times[1] - times[0] == pytest.approx(10.0, abs=0.01) and times[2] >= times[1]

"""Files of a run's folder on a full disk: the old file stays whole, and the error names it."""

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from train.run_files import load_tensors, save_tensors
from train.trainers.resuming import write_json, write_whole

LIMIT = 5000  # bytes that fit into a file


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file can grow beyond LIMIT bytes."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_save_tensors_on_a_full_disk_keeps_the_old_file(tmp_path: Path, full_disk: None) -> None:
    """Writing to the file itself, torch would end the process."""
    file = tmp_path / "checkpoint.pt"
    save_tensors(file, {"weights": torch.ones(10)})
    with pytest.raises(OSError, match="File too large") as error:
        save_tensors(file, {"weights": torch.zeros(LIMIT)})
    assert error.value.filename == str(file)
    assert load_tensors(file)["weights"].tolist() == [1.0] * 10 and list(tmp_path.iterdir()) == [file]


def test_write_whole_on_a_full_disk_keeps_the_old_file(tmp_path: Path, full_disk: None) -> None:
    file = tmp_path / "log.csv"
    write_whole(file, "кот\n")
    with pytest.raises(OSError, match="File too large") as error:
        write_whole(file, "x" * 2 * LIMIT)
    assert error.value.filename == str(file)
    assert file.read_text(encoding="utf-8") == "кот\n" and list(tmp_path.iterdir()) == [file]


def test_write_json_writes_null_for_what_is_no_number(tmp_path: Path) -> None:
    write_json(tmp_path / "test.json", {"accuracies": {"0": float("nan")}})
    assert '"0": null' in (tmp_path / "test.json").read_text()

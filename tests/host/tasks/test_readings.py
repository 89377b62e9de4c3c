"""Readings from JSON lines, and labels from CSV files."""

import json
from pathlib import Path

import numpy as np
import pytest

from host.errors import HostError
from host.tasks.readings import by_name, read_labels, read_readings
from tests.support.tasks import make_examples, write_readings
from wire.bundle import Bundle


@pytest.fixture
def file(general: Bundle, tmp_path: Path) -> Path:
    """Readings r0 to r5 on lines 1 to 6."""
    file = tmp_path / "readings.jsonl"
    write_readings(file, general, make_examples(general, images=2))
    return file


def change_line(file: Path, number: int, **changes: object) -> None:
    lines = file.read_text().splitlines()
    lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | changes)
    file.write_text("\n".join(lines) + "\n")


def test_readings_are_the_last_of_each_image(general: Bundle, file: Path) -> None:
    change_line(file, 1, symbols=[-1] * 48)
    change_line(file, 3, image_id="r0", payload_ber=0.02)
    change_line(file, 4, model_id="00000000")
    first, *others = read_readings(file, general)
    assert (first.image_id, first.lines, first.payload_ber) == ("r0", (1, 3), 0.02)
    assert first.symbols.tolist() == make_examples(general, images=2).symbols[2].tolist()
    assert [reading.image_id for reading in others] == ["r1", "r4", "r5"]
    named = by_name([first, *others])
    assert named["1"] is named["3"] is named["r0"] is first and "4" not in named


def test_readings_skip_lines_without_a_model(general: Bundle, file: Path) -> None:
    file.write_text('{"image": "a.png", "class": null}\n' + file.read_text())
    assert len(read_readings(file, general)) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_id": None}, "image_id is missing: only readings of a general bundle have it"),
        ({"image_id": "\x1b"}, "image_id contains '\\x1b', which is not printable"),
        ({"symbols": None}, "symbols is not a list of integers"),
        ({"symbols": [0] * 47}, "symbols has 47 numbers, not 48"),
        ({"symbols": [8] * 48}, "symbols contains 8, which is not within -1..7"),
        ({"payload_ber": None}, "payload_ber is None, not a bit error rate within 0..0.5"),
        ({"payload_ber": float("nan")}, "payload_ber is nan, not a bit error rate"),
    ],
)
def test_readings_report_damaged_line(general: Bundle, file: Path, changes: dict, message: str) -> None:
    change_line(file, 2, **changes)
    with pytest.raises(HostError) as error:
        read_readings(file, general)
    assert str(error.value).startswith(f"{file}, line 2: {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}\n{\n", ", line 2: this is not JSON"),
        (b"[]\n", ", line 1: this is not a JSON object"),
        (b"[" * 100_000, ", line 1: this is not JSON"),
        (b'{"model_id": %s}' % (b"1" * 5000), ", line 1: this is not JSON"),
        (b"\xff\n", " is not a text file in UTF-8"),
        (b"", " has no readings of bundle general (model "),
        (None, " cannot be read: No such file or directory"),
    ],
)
def test_readings_report_damaged_file(general: Bundle, file: Path, content: bytes | None, message: str) -> None:
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(HostError) as error:
        read_readings(file, general)
    assert str(error.value).startswith(f"{file}{message}") and "\n" not in str(error.value)


def test_readings_leave_out_torn_lines(general: Bundle, file: Path) -> None:
    """As left by a full disk or a power cut, in the middle and at the end."""
    lines, notes = file.read_bytes().splitlines(), list[str]()
    file.write_bytes(b"\n".join([lines[0], lines[1][:40], b"\0" * 9, *lines[2:5], lines[5][:-3]]))
    readings = read_readings(file, general, notes.append)
    assert [(reading.image_id, reading.lines) for reading in readings] == [
        ("r0", (1,)), ("r2", (4,)), ("r3", (5,)), ("r4", (6,)),
    ]  # fmt: skip
    assert notes == [f"{file}: 3 lines are torn and left out, the first is line 2"]
    assert [reading.image_id for reading in read_readings(file, general)] == ["r0", "r2", "r3", "r4"]


@pytest.mark.parametrize("header", ["", "image_id,class\n", "\ufeffimage_id, class\r\n\r\n"])
def test_labels_name_images_by_id_or_line(general: Bundle, file: Path, tmp_path: Path, header: str) -> None:
    readings = read_readings(file, general)
    (tmp_path / "labels.csv").write_text(header + 'r0,ant\n2,"ant, red"\nr3,ant\n3,bee\n4,ant\n', encoding="utf-8")
    examples = read_labels(tmp_path / "labels.csv", readings, general.model_id)
    assert examples.classes == ("ant", "ant, red", "bee") and examples.labels.tolist() == [0, 1, 0, 2]
    assert examples.source == "readings" and len(set(examples.groups.tolist())) == 4
    assert (examples.symbols == make_examples(general, images=2).symbols[[0, 1, 3, 2]]).all()
    assert examples.bers.tolist() == [1e-3] * 4
    again = read_labels(tmp_path / "labels.csv", read_readings(file, general), general.model_id)
    assert (again.groups == examples.groups).all() and again.groups.dtype == np.int64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"r0,ant\nr9,bee\n", ", line 2: 'r9' is no image_id of the readings, nor a line of one"),
        (b"r0,ant\n1,bee\n", ", line 2: image r0 has the class 'ant' already"),
        (b"r0;ant\n", ", line 1: this is not image_id,class"),
        (b"r0,\n", ", line 1: this is not image_id,class"),
        (b"r0,a\x1b\n", ", line 1: class contains 'a\\x1b', which is not printable"),
        (b"image_id,class\n", " has no labels: one line per image, image_id,class"),
        (b"\xff\n", " is not a CSV file in UTF-8"),
        (b'r0,"' + b"a" * 200_000 + b'"\n', " is not a CSV file in UTF-8"),
        (None, " cannot be read: No such file or directory"),
    ],
)
def test_labels_report_mistakes(
    general: Bundle, file: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    labels = tmp_path / "labels.csv"
    if content is not None:
        labels.write_bytes(content)
    with pytest.raises(HostError) as error:
        read_labels(labels, read_readings(file, general), general.model_id)
    assert str(error.value) == f"{labels}{message}"


def test_sparse_files_are_one_line(general: Bundle, file: Path, tmp_path: Path) -> None:
    readings, labels = read_readings(file, general), tmp_path / "labels.csv"
    for sparse in (file, labels):
        with open(sparse, "ab") as opened:
            opened.truncate(1 << 40)
    with pytest.raises(HostError, match=r", line 7: this line has 1048576 characters or more$"):
        read_readings(file, general)  # not torn: what follows it would be left out without a word
    with pytest.raises(HostError, match=r"labels\.csv is not a CSV file in UTF-8$"):
        read_labels(labels, readings, general.model_id)

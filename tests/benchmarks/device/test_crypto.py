"""The cost of secured frames: the committed figures against a measurement, and the section that shows them."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from benchmarks.command import RESULTS
from benchmarks.device import crypto
from benchmarks.device.measure import TARGETS
from tests.support import ROOT

COMMITTED = json.loads((ROOT / RESULTS / crypto.FILE).read_text())
MAX_CHANGE = 0.05  # as for the encoder


def numbers(figures: dict) -> dict[str, int]:
    """Return the figures of a processor by name."""
    sizes = {name: figures[name] for name in ("stack_bytes", "keys_bytes")}
    return figures["instructions"] | figures["flash_bytes"] | sizes


@pytest.mark.emulated
def test_run_measures_what_is_committed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the compiler of the committed figures; with another one, only the same figures have to be there."""
    crypto.run(tmp_path / "crypto.json")
    measured = json.loads((tmp_path / "crypto.json").read_text())
    assert capsys.readouterr().out.startswith("## Secured frames on the device")
    assert {key: measured[key] for key in ("command", "payload_bytes", "pixels")} == {
        key: COMMITTED[key] for key in ("command", "payload_bytes", "pixels")
    }
    for name in TARGETS:
        now, before = measured["targets"][name], COMMITTED["targets"][name]
        assert numbers(now).keys() == numbers(before).keys()
        if now["compiler"] == before["compiler"]:
            assert numbers(now) == pytest.approx(numbers(before), rel=MAX_CHANGE), name


def test_section_shows_every_figure_in_its_place() -> None:
    figures = deepcopy(COMMITTED)
    for n, name in enumerate(TARGETS):
        counts = figures["targets"][name]["instructions"]
        for i, key in enumerate(counts):
            counts[key] = 1000 * (n + 1) + i
        sizes = {"flash_bytes": {"a.c": 100 + n, "b.c": 5}, "keys_bytes": 40 + n, "stack_bytes": 60 + n}
        figures["targets"][name] |= sizes
    lines = crypto.section(figures).splitlines()
    rows: dict[str, list[str]] = {}
    for line in lines:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7:
            rows[cells[1]] = cells[2:6]
    names = list(COMMITTED["targets"]["cortex-m4"]["instructions"])
    at = {name: names.index(name) for name in names}
    assert rows["answer frame"] == [
        f"{1000 * n + at[f'{kind} answer']:,}" for n in (1, 2) for kind in ("plain", "secured")
    ]
    assert rows["keys, once per start"] == ["-", f"{1000 + at['keys']:,}", "-", f"{2000 + at['keys']:,}"]
    assert rows["flash: code and constants, bytes"] == ["-", "105", "-", "106"]
    assert rows["RAM: keys of a device, bytes"] == ["-", "40", "-", "41"]
    assert rows["stack to write a secured feature frame, bytes"] == ["-", "60", "-", "61"]

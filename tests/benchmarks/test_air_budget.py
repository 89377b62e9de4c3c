"""docs/radio.md against the code: its table of air time, its settings."""

import re

import pytest

from benchmarks import air_budget
from tests.support import ROOT

PAGE = (ROOT / "docs" / "radio.md").read_text(encoding="utf-8")
ONE_LINE = " ".join(PAGE.split())


def test_the_table_is_that_of_the_command() -> None:
    assert [line for line in PAGE.splitlines() if line.startswith("| SF")] == air_budget.rows()


def test_the_shares_of_an_hour_are_the_firmwares() -> None:
    source = (ROOT / "firmware" / "lib" / "radio" / "duty.c").read_text(encoding="utf-8")
    bucket_micros, refill = (
        int(re.search(rf"#define {name} UINT64_C\((\d+)\)", source)[1]) for name in ("BUCKET_MICROS", "REFILL")
    )
    allowance_micros = 1e6 * air_budget.HOUR_S * air_budget.DUTY_CYCLE
    assert bucket_micros * 10 == pytest.approx(air_budget.AT_ONCE * allowance_micros)
    assert refill * 10 / 1e4 == pytest.approx(air_budget.STEADILY * air_budget.DUTY_CYCLE)
    assert f"3.6 s, may be used at once, and {refill} ms per second are added" in ONE_LINE


def test_the_defaults_are_the_firmwares() -> None:
    header = (ROOT / "firmware" / "src" / "lora.h").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"#define (INKLING_LORA_\w+) (\w+)", header))
    said = {}
    for names, values in re.findall(r"^\| (`INKLING_LORA_[^|]*) \| ([^|]*) \|", PAGE, re.MULTILINE):
        said |= dict(zip(re.findall(r"`(\w+)`", names), values.split(", "), strict=True))
    assert said == defaults

"""docs/radio.md against the code: its table of air time and its settings."""

import re

import pytest

from benchmarks import air_budget
from tests.support import ROOT
from wire.lora import DUTY_CYCLE

PAGE = (ROOT / "docs" / "radio.md").read_text(encoding="utf-8")
ONE_LINE = " ".join(PAGE.split())


def test_rows_equal_the_table_of_the_docs() -> None:
    assert [line for line in PAGE.splitlines() if line.startswith("| SF")] == air_budget.rows()


def test_shares_of_the_duty_cycle_equal_those_of_the_firmware() -> None:
    source = (ROOT / "firmware" / "lib" / "radio" / "duty.c").read_text(encoding="utf-8")
    defined = dict(re.findall(r"#define (\w+) UINT64_C\((\d+)\)", source))
    bucket_micros, refill = int(defined["BUCKET_MICROS"]), int(defined["REFILL"])
    assert bucket_micros * 10 == pytest.approx(air_budget.SHARE_AT_ONCE * DUTY_CYCLE * 3600 * 1e6)
    assert refill * 10 / 1e4 == pytest.approx(air_budget.SHARE_PER_HOUR * DUTY_CYCLE)
    assert f"3.6 s, may be used at once, and {refill} ms per second are added" in ONE_LINE


def test_default_settings_of_the_docs_equal_those_of_the_firmware() -> None:
    header = (ROOT / "firmware" / "src" / "lora.h").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"#define (INKLING_LORA_\w+) (\w+)", header))
    documented: dict[str, str] = {}
    for names, values in re.findall(r"^\| (`INKLING_LORA_[^|]*) \| ([^|]*) \|", PAGE, re.MULTILINE):
        documented |= dict(zip(re.findall(r"`(\w+)`", names), values.split(", "), strict=True))
    assert documented == defaults

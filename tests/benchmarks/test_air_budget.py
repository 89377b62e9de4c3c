"""docs/radio.md against the code: its table of air time and its settings."""

import re

import pytest

from benchmarks import air_budget
from tests.host.secured import make_status
from tests.support import ROOT
from wire.lora import DUTY_CYCLE, air_time_s
from wire.secure.keys import Keys
from wire.secure.status import secured_status_frame

PAGE = (ROOT / "docs" / "radio.md").read_text(encoding="utf-8")
ONE_LINE = " ".join(PAGE.split())


def test_rows_equal_the_tables_of_the_docs() -> None:
    rows = air_budget.rows(air_budget.PACKETS) + air_budget.rows(air_budget.SECURED_PACKETS)
    assert [line for line in PAGE.splitlines() if line.startswith("| SF")] == rows
    assert air_budget.SECURED_PACKETS == (16, 44, 68, 160)


def test_air_time_of_secured_packets_in_the_text_is_that_of_their_bytes() -> None:
    (answer, _, features, _), status = air_budget.SECURED_PACKETS, 44
    plain_answer, _, plain_features, _ = air_budget.PACKETS
    ms = {size: 1e3 * air_time_s(size, 7) for size in (answer, features, status, plain_answer, plain_features)}
    more = [100 * (ms[new] / ms[old] - 1) for new, old in ((answer, plain_answer), (features, plain_features))]
    assert (
        f"an answer then takes {ms[answer]:.1f} ms ({more[0]:.0f} % more), 48 bytes of features {ms[features]:.1f} ms "
        f"({more[1]:.0f} % more) and a status frame {ms[status]:.1f} ms, {air_time_s(status, 12):.1f} s at SF12"
    ) in ONE_LINE
    refill = 1e3 * air_budget.SHARE_PER_HOUR * DUTY_CYCLE  # ms per second
    assert f"an answer for {ms[answer] / refill:.0f} s, features for {ms[features] / refill:.0f} s" in ONE_LINE
    status_frame = secured_status_frame(Keys.derive(bytes(16)), make_status(0), 1, 0, sync=False)
    assert len(status_frame) == status


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

"""The sentences, tables and plots made from the figures of the comparison over links."""

from pathlib import Path

import pytest

from benchmarks.goodput.findings import (
    best,
    compared_snrs,
    findings,
    is_inkling,
    is_opponent,
    is_secured,
    lowest_snr,
    most_accurate,
)
from benchmarks.goodput.links import LINKS
from benchmarks.goodput.page import section
from benchmarks.goodput.plots import draw_lora, draw_serial
from benchmarks.goodput.schemes import values_of


def _rows(values: list[float], middle: float, top: float, rate: float) -> dict[str, dict]:
    """Return an invented curve: a steep rise at `middle`, `top` above it."""
    shape = {f"{v:g}": top / (1 + 10 ** (middle - v)) for v in values}
    return {
        v: {"accuracy": top, "accuracy_sent": sent, "lost": round(100 * (top - sent)), "air_time_s": 36 / rate,
            "correct_per_hour": rate * sent, "frame_bytes": 58, "correctable_bytes": 17, "frames_sent": 1.0,
            "ber_estimated": 0.01}
        for v, sent in shape.items()
    }  # fmt: skip


@pytest.fixture
def goodput() -> dict:
    """Invented figures in which Inkling is better below about -8 dB at SF7, and worse above."""
    shapes = {"inkling": (-11, 0.85, 300), "inkling_prefix": (-11, 0.84, 400),
              "inkling_implicit": (-12, 0.85, 290), "rs_implicit": (-10, 0.84, 300), "crc": (-8, 0.85, 350),
              "crc_prefix": (-8.2, 0.84, 450), "crc_48": (-9, 0.85, 230), "again": (-9, 0.85, 350),
              "again_prefix": (-9, 0.84, 440), "rs": (-10, 0.84, 300), "rs_short": (-9, 0.84, 400)}  # fmt: skip
    links = {}
    for name, shift in (("sf7", 0.0), ("sf8", -2.5), ("sf9", -5.0), ("bsc", 0.0)):
        values, scale = list(LINKS[name].values), {"sf7": 1, "sf8": 0.55, "sf9": 0.3, "bsc": 2}[name]
        schemes = {
            key: {"title": key, "rows": _rows(values, middle + shift, top, rate * scale)}
            for key, (middle, top, rate) in shapes.items()
            if name != "bsc" or key != "crc_48"
        }
        links[name] = {"title": LINKS[name].title, "state": LINKS[name].state, "schemes": schemes}
    return {"bundle": "invented", "model_id": "00000000", "images": 100, "seed": 0, "links": links, "compressed": {},
            "duty_cycle": 0.01, "seconds": 60.0, "command": "none", "date": "2026-11-24"}  # fmt: skip


@pytest.fixture
def with_secured(goodput: dict) -> dict:
    """The same figures, and those of secured schemes at whole dBs, which are better than all others."""
    for name, link in goodput["links"].items():
        for key in ("secured", "crc_mic"):
            values = values_of(key, LINKS[name])
            rows = _rows(list(values), -11.5 if name == "sf7" else -16.5, 0.9, 1000)
            for row in rows.values():
                row.update({"frame_bytes": 68, "lost": 41, "refused": 17} if key == "secured" else {"frame_bytes": 55})
            link["schemes"][key] = {"title": f"{key} scheme", "rows": rows}
    return goodput


def test_secured_schemes_are_compared_with_each_other_only(goodput: dict, with_secured: dict) -> None:
    assert is_secured("secured") and is_secured("board_48_mic") and not is_secured("crc_48")
    for wanted in (is_inkling, is_opponent):
        assert not any(wanted(key) for key in ("secured", "secured_answer", "crc_mic", "board_48_mic"))
        assert "secured" not in best(with_secured, -5, wanted)[1]
    text = section(with_secured)
    assert "### Secured frames" in text and "- *Secured*: the device has a key" in text
    assert "| secured scheme | 68 | 36 ms | -10.4 dB | 900 | 36 ms | -15.4 dB | 900 |" in text
    assert "| crc_mic scheme | 55 |" in text and "board_mic" not in text
    assert "| secured scheme | LoRa SF7 | -9 dB | " in text and "| 41 | 17 |" in text
    assert "| secured scheme | serial radio | 0.1 | " in text


def test_section_without_secured_schemes_does_not_name_them(goodput: dict) -> None:
    assert "ecured" not in section(goodput)


def test_plots_show_secured_schemes_at_their_own_states(with_secured: dict, tmp_path: Path) -> None:
    rows = with_secured["links"]["sf7"]["schemes"]
    assert len(rows["secured"]["rows"]) == 9 < len(rows["inkling"]["rows"]) == 14
    assert draw_lora(tmp_path, with_secured) == ["lora.png", "goodput.png"]
    assert draw_serial(tmp_path, with_secured) == ["bsc.png"]


def test_most_accurate_stays_within_the_air_time(goodput: dict) -> None:
    # Air times of the invented figures: 36 s over the rate, which is 300 at SF7 for the whole payload.
    best_setting = most_accurate(goodput, -5, 0.121, is_inkling)
    assert best_setting[1] == "inkling, SF7" and best_setting[0] == pytest.approx(0.85, abs=0.001)
    assert most_accurate(goodput, -5, 0.1, is_inkling)[1] == "inkling_prefix, SF7"
    assert most_accurate(goodput, -5, 0.01, is_inkling) == (0.0, "nothing")
    assert "at 60 images per hour, each scheme at its best setting with at most 0.6 s" in section(goodput)


def test_lowest_snr_interpolates() -> None:
    rows = {"-10": {"accuracy_sent": 0.2}, "-9": {"accuracy_sent": 0.6}, "-8": {"accuracy_sent": 0.8}}
    assert lowest_snr(rows, 0.5) == pytest.approx(-9.25)
    assert lowest_snr(rows, 0.8) == pytest.approx(-8)
    assert lowest_snr(rows, 0.81) is None
    assert lowest_snr(rows, 0.1) == -10


def test_best_compares_all_spreading_factors(goodput: dict) -> None:
    assert best(goodput, -5, is_opponent)[1] == "crc_prefix, SF7"
    assert best(goodput, -10, is_inkling)[1] == "inkling_prefix, SF7"
    assert best(goodput, -15, is_inkling)[1].endswith("SF9")
    # At SF9 the strongest opponent reaches 80 % at -13.7 dB: below that, all schemes would use a wider one.
    assert compared_snrs(goodput) == list(range(-13, -4))


def test_findings_follow_figures(goodput: dict) -> None:
    text = "\n".join(findings(goodput))
    assert "Inkling is ahead of every opponent at -13 to" in text and "It is behind at" in text
    for scheme in [s for link in goodput["links"].values() for k, s in link["schemes"].items() if is_inkling(k)]:
        for row in scheme["rows"].values():
            row["correct_per_hour"] /= 100
    assert "ahead" not in "\n".join(findings(goodput))


def test_findings_compare_implicit_headers_with_implicit_headers(goodput: dict) -> None:
    text = next(line for line in findings(goodput) if line.startswith("**LoRa SF7.**"))
    explicit, implicit = text.split("With LoRa's explicit header: ")[1].split("With implicit headers: ")
    assert explicit.startswith("inkling: -9.7 dB; inkling_prefix: -9.6 dB (+0.1); crc: -6.6 dB (+3.1)")
    assert implicit.startswith("inkling_implicit: -10.7 dB; rs_implicit: -8.6 dB (+2.1)")


def test_section_holds_every_scheme_and_state(goodput: dict) -> None:
    text = section(goodput)
    assert "JPEG and WebP were not measured." in text
    for line in text.splitlines():
        assert not line.startswith("|") or line.count("|") > 5, line
    for key in goodput["links"]["sf7"]["schemes"]:
        assert text.count(f"| {key} |") >= 5, key

"""The comparison over links: which frames count as arrived, their air time, and the sentences made from the figures."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reedsolo
from rich.progress import Progress

from benchmarks.encoding import Encoded, classes_if_intact
from benchmarks.goodput.baselines import Crc, Files, OnProgress, Outcome, ReedSolomon
from benchmarks.goodput.compressed import FORMATS, Format, decoded, sizes
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
from benchmarks.goodput.links import BAUD, BITS_PER_BYTE, LINKS, Link, Radio, SerialRadio, crc_of_rows
from benchmarks.goodput.measure import Experiment, figures_of
from benchmarks.goodput.page import section
from benchmarks.goodput.plots import draw_lora, draw_serial
from benchmarks.goodput.schemes import feature_schemes, image_schemes, values_of
from host.classify.decoder import Decoder
from tests.support.host import make_bundle
from tests.support.train import ROOT
from wire.crc import crc16
from wire.frame import FeatureLayout

LONG, SHORT = FeatureLayout(384), FeatureLayout(192)


class FakeRadio:
    """A radio with a given list of intact frames for each call, and an air time of one second per byte."""

    def __init__(self, *intact: list[bool]) -> None:
        self._intact = iter(intact)
        self.sizes: list[tuple[int, ...]] = []

    def transmit(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.sizes.append(frames.shape)
        return frames, np.array(next(self._intact)), np.zeros(len(frames), bool)

    def air_time_s(self, payload_bytes: int) -> float:
        return float(payload_bytes)


class FakeLink(Link):
    """A link over a FakeRadio."""

    def __init__(self, fake: FakeRadio) -> None:
        super().__init__("fake", (0.0,))
        object.__setattr__(self, "fake", fake)

    def radio(self, value: float, coding_rate: int = 5, crc: bool = True, header: bool = True) -> Radio:
        return self.__dict__["fake"]


def _send(scheme: Crc | Files, *intact: list[bool]) -> tuple[Outcome, FakeRadio]:
    radio = FakeRadio(*intact)
    return scheme.send(FakeLink(radio), 0.0, np.random.default_rng(0), lambda done: None), radio


def test_crc_of_rows_equals_wire_crc16() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (20, 53), dtype=np.uint8)
    assert crc_of_rows(rows).tolist() == [crc16(row.tobytes(), 0) for row in rows]


def test_serial_radio_crc_detects_every_damaged_frame() -> None:
    frames = np.full((2000, 51), 0x5A, np.uint8)
    received, crc_ok, lost = SerialRadio(1e-3).transmit(frames, np.random.default_rng(1))
    touched = (received != frames).any(axis=1)
    assert not lost.any() and 0.25 < touched.mean() < 0.45
    assert not crc_ok[touched].any()
    assert (~crc_ok[~touched]).mean() < 0.03  # a flip in the CRC itself
    assert SerialRadio(0.0).transmit(frames, np.random.default_rng(1))[1].all()
    assert SerialRadio(0.0).air_time_s(51) == 57 * BITS_PER_BYTE / BAUD


def test_crc_drops_damaged_frames_and_counts_air_time_per_try() -> None:
    correct = np.array([True, True, False, True])
    once, _ = _send(Crc("", 48, correct), [True, False, True, False])
    assert once.arrived.tolist() == [True, False, True, False]
    assert once.correct.tolist() == [True, False, False, False]
    assert once.air_s.tolist() == [51.0] * 4
    again, radio = _send(Crc("", 48, correct, tries=3), [True, False, True, False], [False, True], [False])
    assert radio.sizes == [(4, 51), (2, 51), (1, 51)]
    assert again.arrived.tolist() == [True, False, True, True]
    assert again.air_s.tolist() == [51.0, 153.0, 51.0, 102.0]
    assert again.extra["frames_sent"] == 1.75
    clean, radio = _send(Crc("", 48, correct, tries=4), [True] * 4)
    assert len(radio.sizes) == 1 and clean.arrived.all()


def test_files_arrive_only_with_all_packets() -> None:
    files = Files("", np.array([300, 100, 300]), np.array([True, True, False]))
    outcome, radio = _send(files, [True], [True, True], [False, True])
    assert radio.sizes == [(1, 103), (2, 255), (2, 51)]  # 300 bytes are 252 and 48, each with its header
    assert outcome.arrived.tolist() == [False, True, True]
    assert outcome.correct.tolist() == [False, True, False]
    assert outcome.air_s.tolist() == [306.0, 103.0, 306.0]
    assert outcome.extra["packets_mean"] == pytest.approx(5 / 3)


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("inkling", [LONG, SHORT])
def test_reed_solomon_uses_inkling_air_time_and_corrects_as_reedsolo(name: str, inkling: FeatureLayout) -> None:
    link, rng = LINKS[name], np.random.default_rng(2)
    scheme = ReedSolomon("", 24, np.ones(1, bool), inkling)
    radio, size, most = link.radio(0.0, crc=False), scheme.frame_bytes(link), scheme.correctable_bytes(link)
    assert radio.air_time_s(size) <= link.inkling_air_s(inkling) + 1e-9 < radio.air_time_s(size + 1)
    code = reedsolo.RSCodec(size - 29)
    sent = bytes(code.encode(rng.bytes(29)))
    for wrong in range(most + 3):
        received = np.frombuffer(sent, np.uint8).copy()
        received[rng.permutation(size)[:wrong]] ^= rng.integers(1, 256, wrong, dtype=np.uint8)
        try:
            decoded_correctly = bytes(code.decode(received.tobytes())[1]) == sent
        except reedsolo.ReedSolomonError:
            decoded_correctly = False
        assert decoded_correctly == (wrong <= most), wrong


def test_figures_of_counts_lost_as_wrong_and_applies_duty_cycle() -> None:
    outcome = Outcome(np.array([1, 0, 0, 1], bool), np.array([1, 1, 0, 1], bool), np.full(4, 0.1), {"more": 1.0})
    row = figures_of(outcome)
    assert (row["accuracy"], row["accuracy_sent"], row["lost"]) == (2 / 3, 0.5, 1)
    assert row["correct_per_hour"] == pytest.approx(36 / 0.1 * 0.5)
    assert row["more"] == 1.0
    nothing = figures_of(Outcome(np.zeros(4, bool), np.zeros(4, bool), np.ones(4), {}))
    assert nothing["accuracy"] == nothing["correct_per_hour"] == 0


def test_experiment_is_measured_once(tmp_path: Path) -> None:
    class Counting:
        title, calls = "counting", 0

        def send(self, link: Link, value: float, rng: np.random.Generator, on_progress: OnProgress) -> Outcome:
            self.calls += 1
            return Outcome(rng.random(50) < 0.5, np.ones(50, bool), np.ones(50), {})

    scheme, bar = Counting(), Progress(disable=True)
    experiment = Experiment("counting", scheme, "sf7", -9.5, seed=0)
    first, second = (experiment.run(tmp_path, bar) for _ in range(2))
    assert first == second and scheme.calls == 1
    assert [file.name for file in tmp_path.iterdir()] == ["sf7_-9.5_counting.json"]
    (tmp_path / "other").mkdir()
    other = replace(experiment, seed=1).run(tmp_path / "other", bar)
    assert other["accuracy"] != first["accuracy"]  # another seed, another draw


@pytest.fixture(scope="module")
def golden() -> Iterator[dict[str, np.ndarray]]:
    with np.load(ROOT / "bundles" / "cifar10" / "golden.npz") as z:
        yield dict(z)


@pytest.mark.parametrize(("name", "value"), [("bsc", 0.0), ("sf7", 10.0)])
def test_feature_schemes_deliver_the_classes_of_their_contents(tmp_path: Path, name: str, value: float) -> None:
    bundle, rng = make_bundle(tmp_path / "bundle", answer=True), np.random.default_rng(0)
    encoded = Encoded(rng.integers(0, 8, (32, 128)), rng.integers(0, 10, 32), np.arange(32) % 16)
    assert encoded.classes is not None and encoded.confidences is not None
    host = classes_if_intact(bundle, Decoder(bundle), encoded, 0)
    schemes = feature_schemes(bundle, encoded, host)
    assert {"inkling_answer", "inkling_adaptive", "board", "board_48_implicit"} <= schemes.keys()
    assert {"secured", "secured_answer", "crc_mic", "crc_48_mic", "board_mic", "board_48_mic"} <= schemes.keys()
    by_board = host == encoded.classes
    expected = {"inkling": np.ones(32, bool), "crc": np.ones(32, bool), "inkling_answer": by_board, "board": by_board,
                "secured": np.ones(32, bool), "secured_answer": by_board, "board_mic": by_board,
                "inkling_adaptive": by_board | (encoded.confidences < bundle.threshold)}  # fmt: skip
    outcomes = {
        key: scheme.send(LINKS[name], value, np.random.default_rng(0), lambda done: None)
        for key, scheme in schemes.items()
    }
    assert all(outcome.arrived.all() for outcome in outcomes.values())
    for key, correct in expected.items():
        np.testing.assert_array_equal(outcomes[key].correct, correct, key)
    assert outcomes["secured"].extra["refused"] == 0 and "refused" not in outcomes["inkling"].extra
    for secured, plain, more in (("secured", "inkling", 10), ("secured_answer", "inkling_answer", 8),
                                 ("crc_mic", "crc", 4), ("board_48_mic", "board_48", 4)):  # fmt: skip
        assert outcomes[secured].extra["frame_bytes"] == outcomes[plain].extra["frame_bytes"] + more
        assert (outcomes[secured].air_s > outcomes[plain].air_s).all()
    short = LINKS[name].inkling_air_s(bundle.chunk_layout(1))
    assert outcomes["rs_short"].air_s[0] <= short + 1e-9 == pytest.approx(outcomes["inkling_prefix"].air_s[0])
    assert set(np.round(outcomes["inkling_adaptive"].air_s, 9)) == {
        round(outcomes[key].air_s[0], 9) for key in ("inkling", "inkling_answer")
    }


def test_secured_frames_are_lost_if_their_tag_is_refused(tmp_path: Path) -> None:
    bundle, rng = make_bundle(tmp_path / "bundle"), np.random.default_rng(0)
    encoded = Encoded(rng.integers(0, 8, (400, 128)))
    scheme = feature_schemes(bundle, encoded, np.zeros(400, int))["secured"]
    outcome = scheme.send(LINKS["bsc"], 0.1, np.random.default_rng(0), lambda done: None)
    lost = 400 - outcome.arrived.sum()
    # 5.2 % by the tag alone. A frame whose header is readable by its code is refused, the others are not found at all.
    assert 10 < lost < 45 and 0 < outcome.extra["refused"] <= lost


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_bare_bytes_leave_out_only_constant_parts(form: Format, golden: dict[str, np.ndarray]) -> None:
    images = golden["images"][:8]
    whole, bare = sizes(images, form, lambda: None)
    assert (whole > bare).all() and (bare > 8).all()
    fixed = Format(
        form.name, form.title, form.kind, {**form.options, **({"optimize": False} if form.kind == "JPEG" else {})}
    )
    for image, count, left in zip(images, whole, bare, strict=True):
        file = form.encode(image)
        assert len(file) == count and decoded(file).shape == image.shape
        file = fixed.encode(image)
        np.testing.assert_array_equal(decoded(file), decoded(form.encode(image)))
        first = fixed.encode(images[0])
        if form.kind == "JPEG":
            head = len(file) - 2 - left
            assert (file[:head], file[-2:]) == (first[:head], first[-2:])
        else:  # all but the two sizes, and the three bytes of the frame's tag
            assert (file[:4], file[8:16], file[23:30]) == (first[:4], first[8:16], first[23:30])
            assert 0 <= len(file) - 27 - left <= 1  # a pad byte


def test_image_schemes_skip_formats_without_classifier(tmp_path: Path) -> None:
    lines: list[str] = []
    assert image_schemes("cifar10", tmp_path, np.arange(10), lines.append) == ({}, {})
    assert len(lines) == len(FORMATS)


def test_image_schemes_are_those_of_the_data_set(tmp_path: Path) -> None:
    form, lines = FORMATS[0], list[str]()
    (tmp_path / "cifar10").mkdir()
    file = tmp_path / "cifar10" / f"{form.name}.npz"
    np.savez(file, bytes=np.array([80, 90]), bare_bytes=np.array([40, 50]), correct=np.array([True, False]))
    file.with_suffix(".json").write_text('{"title": "invented"}')
    schemes, reports = image_schemes("cifar10", tmp_path, np.array([1]), lines.append)
    assert list(schemes) == [form.name, f"{form.name}_bare"] and reports == {form.name: {"title": "invented"}}
    assert image_schemes("cifar100", tmp_path, np.array([1]), lines.append) == ({}, {})
    assert "compressed_classifier --data cifar100" in lines[-1]
    assert image_schemes("mine", tmp_path, np.array([1]), lines.append) == ({}, {})
    assert lines[-1] == "without JPEG and WebP: their classifiers are for cifar10 and cifar100, not mine"


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


def test_values_of_secured_frames_are_whole_dbs() -> None:
    assert values_of("secured", LINKS["sf7"]) == tuple(range(-13, -4))
    assert values_of("inkling", LINKS["sf7"]) == LINKS["sf7"].values
    assert values_of("secured", LINKS["bsc"]) == LINKS["bsc"].values


def test_section_holds_every_scheme_and_state(goodput: dict) -> None:
    text = section(goodput)
    assert "JPEG and WebP were not measured." in text
    for line in text.splitlines():
        assert not line.startswith("|") or line.count("|") > 5, line
    for key in goodput["links"]["sf7"]["schemes"]:
        assert text.count(f"| {key} |") >= 5, key

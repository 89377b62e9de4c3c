"""The comparison over links: what counts as arrived, what it costs, and how the figures are put into words."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import reedsolo
from rich.progress import Progress

from benchmarks.goodput import cli as link
from benchmarks.goodput.baselines import Crc, Files, Outcome, ReedSolomon
from benchmarks.goodput.compressed import FORMATS, Format, decoded, sizes
from benchmarks.goodput.findings import best, compared_snrs, findings, is_inkling, is_opponent, reaches
from benchmarks.goodput.inkling_scheme import Inkling
from benchmarks.goodput.links import BAUD, BITS_A_BYTE, LINKS, Link, SerialRadio, crc_of_rows
from benchmarks.goodput.page import section
from benchmarks.goodput.schemes import with_features, with_pictures
from tests.support.train import ROOT
from wire.bundle import load
from wire.crc import crc16
from wire.frame import FeatureLayout

LONG, SHORT = FeatureLayout(384), FeatureLayout(192)


class Told:
    """A link that does as it is told: which frames come clean at each call, one second a byte."""

    def __init__(self, *clean: list[bool]) -> None:
        self._clean = iter(clean)
        self.sizes: list[tuple[int, ...]] = []

    def transmit(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.sizes.append(frames.shape)
        clean = np.array(next(self._clean))
        return frames, clean, np.zeros(len(frames), bool)

    def air_time_s(self, payload_bytes: int) -> float:
        return float(payload_bytes)


class Over:
    """A medium of which only the link is used."""

    def __init__(self, told: Told) -> None:
        self.told = told

    def link(self, value: float, coding_rate: int = 5, crc: bool = True, header: bool = True) -> Told:
        return self.told


def _send(system: Crc | Files, *clean: list[bool]) -> tuple[Outcome, Told]:
    told = Told(*clean)
    return system.send(Over(told), 0.0, np.random.default_rng(0), lambda done: None), told


def test_the_crc_of_many_rows_is_the_wires() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (20, 53), dtype=np.uint8)
    assert crc_of_rows(rows).tolist() == [crc16(row.tobytes(), 0) for row in rows]


def test_a_serial_radios_crc_finds_every_flip_of_one_bit() -> None:
    frames = np.full((2000, 51), 0x5A, np.uint8)
    received, crc_ok, lost = SerialRadio(1e-3).transmit(frames, np.random.default_rng(1))
    touched = (received != frames).any(axis=1)
    assert not lost.any() and 0.25 < touched.mean() < 0.45
    assert not crc_ok[touched].any()
    assert (~crc_ok[~touched]).mean() < 0.03  # a flip in the CRC itself
    assert SerialRadio(0.0).transmit(frames, np.random.default_rng(1))[1].all()
    assert SerialRadio(0.0).air_time_s(51) == 57 * BITS_A_BYTE / BAUD


def test_a_crc_drops_and_each_retransmission_costs_its_air_time() -> None:
    right = np.array([True, True, False, True])
    once, _ = _send(Crc("", 48, right), [True, False, True, False])
    assert once.arrived.tolist() == [True, False, True, False]
    assert once.right.tolist() == [True, False, False, False]
    assert once.air_s.tolist() == [51.0] * 4
    again, told = _send(Crc("", 48, right, tries=3), [True, False, True, False], [False, True], [False])
    assert told.sizes == [(4, 51), (2, 51), (1, 51)]
    assert again.arrived.tolist() == [True, False, True, True]
    assert again.air_s.tolist() == [51.0, 153.0, 51.0, 102.0]
    assert again.extra["frames_sent"] == 1.75
    all_come, told = _send(Crc("", 48, right, tries=4), [True] * 4)
    assert len(told.sizes) == 1 and all_come.arrived.all()


def test_a_file_needs_all_its_packets() -> None:
    files = Files("", np.array([300, 100, 300]), np.array([True, True, False]))
    outcome, told = _send(files, [True], [True, True], [False, True])
    assert told.sizes == [(1, 103), (2, 255), (2, 51)]  # 300 bytes are 252 and 48, each with its header
    assert outcome.arrived.tolist() == [False, True, True]
    assert outcome.right.tolist() == [False, True, False]
    assert outcome.air_s.tolist() == [306.0, 103.0, 306.0]
    assert outcome.extra["packets_mean"] == pytest.approx(5 / 3)


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("like", [LONG, SHORT])
def test_reed_solomon_has_the_air_time_and_corrects_what_the_real_code_does(name: str, like: FeatureLayout) -> None:
    medium, rng = LINKS[name], np.random.default_rng(2)
    system = ReedSolomon("", 24, np.ones(1, bool), like)
    radio, size, most = medium.link(0.0, crc=False), system.frame_bytes(medium), system.corrects(medium)
    assert radio.air_time_s(size) <= medium.inkling_air_s(like) + 1e-9 < radio.air_time_s(size + 1)
    code = reedsolo.RSCodec(size - 29)
    sent = bytes(code.encode(rng.bytes(29)))
    for wrong in range(most + 3):
        received = np.frombuffer(sent, np.uint8).copy()
        received[rng.permutation(size)[:wrong]] ^= rng.integers(1, 256, wrong, dtype=np.uint8)
        try:
            decoded_right = bytes(code.decode(received.tobytes())[1]) == sent
        except reedsolo.ReedSolomonError:
            decoded_right = False
        assert decoded_right == (wrong <= most), wrong


def test_lost_pictures_are_wrong_and_the_duty_cycle_sets_the_rate() -> None:
    outcome = Outcome(np.array([1, 0, 0, 1], bool), np.array([1, 1, 0, 1], bool), np.full(4, 0.1), {"more": 1.0})
    row = link.figures_of(outcome)
    assert (row["accuracy"], row["accuracy_sent"], row["lost"]) == (2 / 3, 0.5, 1)
    assert row["correct_an_hour"] == pytest.approx(36 / 0.1 * 0.5)
    assert row["more"] == 1.0
    nothing = link.figures_of(Outcome(np.zeros(4, bool), np.zeros(4, bool), np.ones(4), {}))
    assert nothing["accuracy"] == nothing["correct_an_hour"] == 0


def test_a_cell_is_measured_once(tmp_path: Path) -> None:
    class Counting:
        title, calls = "counting", 0

        def send(self, medium: Link, value: float, rng: np.random.Generator, each: object) -> Outcome:
            self.calls += 1
            return Outcome(rng.random(50) < 0.5, np.ones(50, bool), np.ones(50), {})

    system, bar = Counting(), Progress(disable=True)
    first, second = (link._cell("sf7", -9.5, "counting", system, 0, tmp_path, bar) for _ in range(2))
    assert first == second and system.calls == 1
    assert [file.name for file in tmp_path.iterdir()] == ["sf7_-9.5_counting.json"]
    (tmp_path / "other").mkdir()
    other = link._cell("sf7", -9.5, "counting", system, 1, tmp_path / "other", bar)
    assert other["accuracy"] != first["accuracy"]  # another seed, another draw


@pytest.fixture(scope="module")
def golden() -> Iterator[dict[str, np.ndarray]]:
    with np.load(ROOT / "bundles" / "cifar10" / "golden.npz") as z:
        yield dict(z)


@pytest.mark.parametrize(("name", "value"), [("bsc", 0.0), ("sf7", 10.0)])
def test_over_a_clean_link_all_carry_the_golden_classes(golden: dict[str, np.ndarray], name: str, value: float) -> None:
    found = golden["logits"].argmax(1)
    systems = with_features(load(ROOT / "bundles" / "cifar10"), golden["symbols"].astype(np.int64), found)
    for key, system in systems.items():
        outcome = system.send(LINKS[name], value, np.random.default_rng(0), lambda done: None)
        assert outcome.arrived.all(), key
        assert "prefix" in key or key.startswith("rs") or outcome.right.all(), key
    ours = systems["inkling"]
    assert isinstance(ours, Inkling) and outcome.air_s[0] <= LINKS[name].inkling_air_s(SHORT) + 1e-9


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_what_a_bare_file_leaves_out_never_changes(form: Format, golden: dict[str, np.ndarray]) -> None:
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


def test_pictures_without_a_classifier_stay_away(tmp_path: Path) -> None:
    said: list[str] = []
    assert with_pictures(tmp_path, 10, said.append) == ({}, {})
    assert len(said) == len(FORMATS)


def _rows(values: list[float], middle: float, top: float, rate: float) -> dict[str, dict]:
    """A made-up curve: a waterfall at `middle`, `top` above it."""
    shape = {f"{v:g}": top / (1 + 10 ** (middle - v)) for v in values}
    return {
        v: {"accuracy": top, "accuracy_sent": sent, "lost": round(100 * (top - sent)), "air_time_s": 36 / rate,
            "correct_an_hour": rate * sent, "frame_bytes": 58, "corrects": 17, "frames_sent": 1.0,
            "ber_estimated": 0.01}
        for v, sent in shape.items()
    }  # fmt: skip


@pytest.fixture
def goodput() -> dict:
    """Figures of a made-up comparison in which Inkling is better below about -8 dB at SF7, worse above."""
    shapes = {"inkling": (-11, 0.85, 300), "inkling_prefix": (-11, 0.84, 400),
              "inkling_implicit": (-12, 0.85, 290), "rs_implicit": (-10, 0.84, 300), "crc": (-8, 0.85, 350),
              "crc_prefix": (-8.2, 0.84, 450), "crc_48": (-9, 0.85, 230), "again": (-9, 0.85, 350),
              "again_prefix": (-9, 0.84, 440), "rs": (-10, 0.84, 300), "rs_short": (-9, 0.84, 400)}  # fmt: skip
    media = {}
    for name, shift in (("sf7", 0.0), ("sf8", -2.5), ("sf9", -5.0), ("bsc", 0.0)):
        values, scale = list(LINKS[name].values), {"sf7": 1, "sf8": 0.55, "sf9": 0.3, "bsc": 2}[name]
        systems = {
            key: {"title": key, "rows": _rows(values, middle + shift, top, rate * scale)}
            for key, (middle, top, rate) in shapes.items()
            if name != "bsc" or key != "crc_48"
        }
        media[name] = {"title": LINKS[name].title, "state": LINKS[name].state, "systems": systems}
    return {"bundle": "made-up", "model_id": "00000000", "images": 100, "seed": 0, "media": media, "compressed": {},
            "seconds": 60.0, "command": "none", "date": "2026-11-24"}  # fmt: skip


def test_the_snr_of_an_accuracy_is_interpolated() -> None:
    rows = {"-10": {"accuracy_sent": 0.2}, "-9": {"accuracy_sent": 0.6}, "-8": {"accuracy_sent": 0.8}}
    assert reaches(rows, 0.5) == pytest.approx(-9.25)
    assert reaches(rows, 0.8) == pytest.approx(-8)
    assert reaches(rows, 0.81) is None
    assert reaches(rows, 0.1) == -10


def test_the_best_is_found_over_all_spreading_factors(goodput: dict) -> None:
    assert best(goodput, -5, is_opponent)[1] == "crc_prefix, SF7"
    assert best(goodput, -10, is_inkling)[1] == "inkling_prefix, SF7"
    assert best(goodput, -15, is_inkling)[1].endswith("SF9")
    # At SF9 the strongest opponent reaches 80 % at -13.7 dB: below, a wider spreading factor would be taken.
    assert compared_snrs(goodput) == list(range(-13, -4))


def test_the_words_follow_the_figures(goodput: dict) -> None:
    text = "\n".join(findings(goodput))
    assert "Inkling is ahead of every opponent at -13 to" in text and "It is behind at" in text
    for system in [s for m in goodput["media"].values() for k, s in m["systems"].items() if is_inkling(k)]:
        for row in system["rows"].values():
            row["correct_an_hour"] /= 100
    assert "ahead" not in "\n".join(findings(goodput))


def test_the_section_holds_every_system_and_state(goodput: dict) -> None:
    text = section(goodput)
    assert "JPEG and WebP were not measured." in text
    for line in text.splitlines():
        assert not line.startswith("|") or line.count("|") > 5, line
    for key in goodput["media"]["sf7"]["systems"]:
        assert text.count(f"| {key} |") >= 5, key

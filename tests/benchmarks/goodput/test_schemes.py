"""The comparison over links: which frames count as arrived, their air time, and in which states they are sent."""

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
from benchmarks.goodput.links import BAUD, BITS_PER_BYTE, LINKS, Link, Radio, SerialRadio, crc_of_rows
from benchmarks.goodput.measure import Experiment, figures_of
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


def test_values_of_secured_frames_are_whole_dbs() -> None:
    assert values_of("secured", LINKS["sf7"]) == tuple(range(-13, -4))
    assert values_of("inkling", LINKS["sf7"]) == LINKS["sf7"].values
    assert values_of("secured", LINKS["bsc"]) == LINKS["bsc"].values

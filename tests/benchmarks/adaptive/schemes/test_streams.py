"""Tests of streams: real frames through the real receiver, kept, and mixed as composed."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.adaptive.schemes import soft_radio
from benchmarks.adaptive.schemes.cells import CLEAN, Cell
from benchmarks.adaptive.schemes.modes import Way
from benchmarks.adaptive.schemes.streams import Images, RememberingDecoder, Streams
from benchmarks.encoding import Encoded, classes_if_intact
from host.classify.decoder import Decoder
from tests.support.host import make_bundle
from wire.bundle import Bundle

N = 48


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("streams") / "default", answer=True)


@pytest.fixture
def streams(bundle: Bundle, tmp_path: Path) -> Streams:
    rng = np.random.default_rng(0)
    encoded = Encoded(rng.integers(0, 8, (N, 128)), rng.integers(0, 10, N), np.arange(N) % 16)
    labels = classes_if_intact(bundle, Decoder(bundle), encoded, 0)
    images = Images(encoded, labels)
    return Streams(bundle, RememberingDecoder(Decoder(bundle)), images, images, 2, 0, tmp_path / "kept")


def ignore(done: int) -> None:
    """Take progress and do nothing."""


def test_streams_of_a_clean_link_deliver_everything_once(bundle: Bundle, streams: Streams) -> None:
    way = Way(0, bundle.chunk_layout(0).size, 5, True)
    stream = streams.send(Cell(12, CLEAN), way, ignore)
    assert stream.correct.shape == (1, N) and stream.correct.all() and stream.held_out.all()
    # Another spreading factor is as clean: nothing is sent again.
    files = sorted(file.name for file in streams.folder.iterdir())
    assert files == [
        "stream_sf7_clean_chunk0_4-5_explicit_held-out_1.npy",
        "stream_sf7_clean_chunk0_4-5_explicit_test_1.npy",
    ]
    streams.send(Cell(11, -5.0), way, ignore)
    assert len(list(streams.folder.iterdir())) == 2


def test_streams_of_answers_have_the_boards_classes(streams: Streams) -> None:
    stream = streams.send(Cell(7, CLEAN), Way(None, 8, 5, False), ignore)
    encoded, labels = streams.test.encoded, streams.test.labels
    np.testing.assert_array_equal(stream.correct[0], encoded.classes == labels)


def test_streams_differ_by_draw_and_lose_images_at_low_snr(bundle: Bundle, streams: Streams) -> None:
    way = Way(1, bundle.chunk_layout(1).size, 5, True)
    noisy = streams.send(Cell(7, -11.5), way, ignore)
    assert noisy.correct.shape == (2, N) and (noisy.correct[0] != noisy.correct[1]).any()
    dead = streams.send(Cell(7, -20.0), way, ignore)
    assert dead.correct.shape == (2, N) and not dead.correct.any()


def test_mixed_stream_is_that_of_its_parts_without_errors(streams: Streams) -> None:
    encoded, labels = streams.test.encoded, streams.test.labels
    mixed = streams.mixed(Cell(7, CLEAN), 0, 8, 5, ignore)
    assert mixed.shape == (2, N)
    assert encoded.confidences is not None
    np.testing.assert_array_equal(mixed[0], (encoded.classes == labels) | (encoded.confidences < 8))


def test_remembering_decoder_computes_undamaged_payloads_once(bundle: Bundle) -> None:
    calls: list[int] = []

    class Counting(Decoder):
        def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
            calls.append(len(symbols))
            return super().logits(symbols, ber, answers)

    plain = Counting(bundle)
    decoder, rng = RememberingDecoder(plain), np.random.default_rng(1)
    rounded = 1e-4 * (1 + 1e-15)  # as the mean over equal bits may be
    symbols, ber, answers = rng.integers(0, 8, (6, 128)), np.array([1e-4, rounded, 0.1] * 2), rng.integers(0, 99, 6)
    expected = plain.logits(symbols, ber, answers)
    calls.clear()
    for _ in range(2):
        np.testing.assert_allclose(decoder.logits(symbols, ber, answers), expected, rtol=1e-5)
    assert calls == [6, 2]
    assert decoder.classes == plain.classes


def test_streams_of_the_soft_radio_go_farther(bundle: Bundle, streams: Streams) -> None:
    encoded, labels = streams.test.encoded, streams.test.labels
    for way in (Way(None, 8, 0, False, soft=True), Way(0, bundle.chunk_layout(0).size, 0, False, soft=True)):
        clean = streams.send(Cell(7, CLEAN), way, ignore).correct[0]
        np.testing.assert_array_equal(clean, encoded.classes == labels if way.chunk is None else np.ones(N, bool))
    answers = streams.send(Cell(7, -12.0), Way(None, 8, 0, False, soft=True), ignore)
    assert answers.correct.mean() >= 0.8 * np.mean(encoded.classes == labels)


def test_soft_answers_refuse_foreign_packets() -> None:
    ratios = 5 - 10 * np.random.default_rng(0).integers(0, 2, (2000, 64)).astype(np.float32)
    accepted = [soft_radio._decide(row, 7, 3, 100) >= 0 for row in ratios]
    assert sum(accepted) <= 5  # one in a thousand, of which one in eleven is to this image


def test_held_out_images_meet_other_noise_than_test_images(bundle: Bundle, streams: Streams) -> None:
    stream = streams.send(Cell(7, -11.5), Way(1, bundle.chunk_layout(1).size, 5, True), ignore)
    assert (stream.correct[0] != stream.held_out[0]).any()

"""Accuracy through true bit flips, by BER and by prefix, with and without the board's answer."""

import numpy as np
import pytest
import torch

from channel_sim.channels.bsc import BER_GRID, BitFlips
from tests.support.codec import ALONE, ANSWERING, CLASSES, CONFIG, N_SYMBOLS, make_codec
from train import evaluate
from train.codecs.codec import Codec
from train.config import CodecConfig
from train.data.augment import as_input
from train.temperature import fit_temperature
from wire.answer import ANSWER_BITS, answer_word
from wire.payload import bits_to_symbols, symbols_to_bits


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate in float32 on every CPU, so that accuracies can be compared exactly."""
    monkeypatch.setattr(evaluate, "has_fast_bf16", lambda device: False)


BOTH = pytest.mark.parametrize("base", [CONFIG, ANSWERING], ids=["one head", "answering"])


def labelled_images(codec: Codec) -> tuple[np.ndarray, np.ndarray]:
    """Return images and as their labels the codec's predictions without errors: accuracy 1 by construction."""
    images = np.random.default_rng(2).integers(0, 256, (600, 16, 16, 3), dtype=np.uint8)
    payload = evaluate.encode(codec, images)
    with torch.no_grad():
        labels = codec.decode(payload.symbols, torch.zeros(600), payload.answers).argmax(1).numpy()
    assert len(set(labels)) > 1 and labels.max() < CLASSES
    return images, labels


@BOTH
def test_accuracy_is_that_of_payload_bits_flipped_on_the_wire(base: CodecConfig) -> None:
    codec = make_codec(base=base)
    images, labels = labelled_images(codec)
    payload = evaluate.encode(codec, images)
    assert evaluate.accuracy(codec, payload, labels, 0.0) == 1.0
    n_answer = ANSWER_BITS if codec.has_answer else 0
    for seed in (0, 1):
        rng, logits = np.random.default_rng([seed, 2]), []
        for part in (slice(500), slice(500, None)):  # the batches in which accuracy() draws its flips
            bits = symbols_to_bits(payload.symbols[part].numpy(), 3)
            answers = None if payload.answers is None else payload.answers[part]
            if answers is not None:
                word = np.unpackbits(answers.numpy().astype(">u2")[:, None].view(np.uint8), axis=1)
                bits = np.concatenate([word, bits], 1)
            mask, _ = BitFlips(0.1).flips(len(bits), bits.shape[1], rng)
            bits ^= mask
            if answers is not None:
                words = np.packbits(bits[:, :16], axis=1).view(">u2")[:, 0]
                answers = torch.from_numpy(words.astype(np.int64))
            received = torch.from_numpy(bits_to_symbols(bits[:, n_answer:], 3))
            with torch.no_grad():
                logits.append(codec.decode(received, torch.full((len(bits),), 0.1), answers))
        correct = int((torch.cat(logits).argmax(1).numpy() == labels).sum())
        assert evaluate.accuracy(codec, payload, labels, 0.1, seed=seed) == correct / 600 < 1.0


@BOTH
def test_accuracies_has_the_grid_and_the_prefixes_and_score_their_mean(base: CodecConfig) -> None:
    codec = make_codec(base=base)
    images, labels = labelled_images(codec)
    accuracies = evaluate.accuracies(codec, images, labels, ((0, codec.n_symbols), (0, 32), (32, 32), (0, 1)))
    assert list(accuracies) == ["0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1", "prefix 32", "prefix 1"]
    assert accuracies["0"] == 1.0 > accuracies["prefix 1"]
    payload = evaluate.encode(codec, images)
    payload.symbols[:, 32:] = -1
    with torch.no_grad():
        half = (codec.decode(payload.symbols, torch.zeros(600), payload.answers).argmax(1).numpy() == labels).mean()
    assert accuracies["prefix 32"] == pytest.approx(half)
    counted = ["0", "0.01", "0.05", "0.1", "prefix 32", "prefix 1"]
    assert evaluate.score(accuracies) == pytest.approx(np.mean([accuracies[k] for k in counted]))


def test_score_counts_the_board_as_one_of_the_accuracies() -> None:
    accuracies = {f"{ber:g}": 0.5 for ber in BER_GRID} | {"prefix 26": 0.9, "board": 0.3}
    assert evaluate.score(accuracies) == pytest.approx((4 * 0.5 + 0.9 + 0.3) / 6)
    assert evaluate.score({"board": 0.7}) == 0.7  # a board that classifies alone


def test_encode_gives_symbols_and_answers_of_all_batches() -> None:
    codec = make_codec(base=ANSWERING)
    images, _ = labelled_images(codec)
    payload, sent = evaluate.encode(codec, images), codec.eval().send(as_input(torch.from_numpy(images)))
    assert payload.answers is not None and sent.answers is not None
    assert torch.equal(payload.answers, sent.answers)
    assert (payload.symbols != sent.symbols).float().mean() < 1e-4  # sums depend on the batch in the last bit
    assert evaluate.encode(make_codec(), images[:3]).answers is None


def test_board_logits_are_those_of_the_answers() -> None:
    codec = make_codec(base=ANSWERING)
    images, _ = labelled_images(codec)
    logits, payload = evaluate.board_logits(codec, images), evaluate.encode(codec, images)
    assert logits.shape == (600, CLASSES) and payload.answers is not None
    assert torch.equal(codec.answers(logits), payload.answers)
    codes = np.array([answer_word(index, 0) for index in range(CLASSES)])
    np.testing.assert_array_equal(payload.answers.numpy() & ~15, codes[logits.argmax(1).numpy()])


def test_logits_of_a_board_alone_decide_as_the_board() -> None:
    codec = make_codec(base=ALONE)
    images = np.random.default_rng(2).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
    payload = evaluate.encode(codec, images)
    decided = evaluate.logits(codec, payload, 0.0).argmax(1)
    assert torch.equal(decided, evaluate.board_logits(codec, images).argmax(1))
    flipped = evaluate.logits(codec, payload, 0.3).argmax(1)
    assert not torch.equal(flipped, decided)


def test_logits_in_bf16_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = make_codec(base=ANSWERING)
    images, _ = labelled_images(codec)
    payload = evaluate.encode(codec, images)
    by_kind = {}
    for bf16 in (False, True):
        monkeypatch.setattr(evaluate, "has_fast_bf16", lambda device, kind=bf16: kind)
        by_kind[bf16] = evaluate.logits(codec, payload, 0.05)
        again = evaluate.encode(codec, images)
        assert again.answers is not None and payload.answers is not None
        assert torch.equal(again.symbols, payload.symbols) and torch.equal(again.answers, payload.answers)
    assert by_kind[True].dtype == torch.float32 and not torch.equal(by_kind[True], by_kind[False])
    assert (by_kind[True].argmax(1) == by_kind[False].argmax(1)).float().mean() > 0.95


def test_prefix_of_one_symbol_less_loses_only_the_last() -> None:
    codec = make_codec()
    images, _ = labelled_images(codec)
    payload = evaluate.encode(codec, images)
    cut = payload.symbols.clone()
    cut[:, -1] = -1
    with torch.no_grad():
        expected = codec.decode(cut, torch.zeros(600)).float()
    np.testing.assert_allclose(evaluate.logits(codec, payload, 0.0, N_SYMBOLS - 1), expected, atol=1e-4)


# Temperature


@pytest.mark.parametrize("scale", [0.2, 0.5, 1.0, 3.0])
def test_fit_temperature_finds_the_scale_of_overconfident_logits(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    calibrated = torch.randn(20_000, 6, generator=generator) * 1.5
    labels = torch.multinomial(torch.softmax(calibrated, 1), 1, generator=generator)[:, 0]
    assert fit_temperature(calibrated * scale, labels) == pytest.approx(scale, rel=0.06)


def test_fit_temperature_stays_within_a_factor_of_10() -> None:
    sure, labels = torch.eye(4) * 9, torch.arange(4)
    assert fit_temperature(sure, labels) == pytest.approx(0.1)  # right and never wrong: the sharper the better
    assert fit_temperature(sure, (labels + 1) % 4) == pytest.approx(10)

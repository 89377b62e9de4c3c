"""Accuracy through true bit flips, by BER and by prefix."""

import numpy as np
import pytest
import torch

from channel_sim.channels.bsc import BitFlips
from tests.support.codec import CLASSES, N_SYMBOLS, make_codec
from train import evaluate
from wire.payload import bits_to_symbols, symbols_to_bits


def labelled_images() -> tuple[np.ndarray, np.ndarray]:
    """Return images and as their labels the codec's predictions without errors: accuracy 1 by construction."""
    codec = make_codec()
    images = np.random.default_rng(2).integers(0, 256, (600, 16, 16, 3), dtype=np.uint8)
    symbols = evaluate.encode(codec, images)
    with torch.no_grad():
        labels = codec.decode(symbols, torch.zeros(600)).argmax(1).numpy()
    assert len(set(labels)) > 1 and labels.max() < CLASSES
    return images, labels


def test_accuracy_is_that_of_payload_bits_flipped_on_the_wire() -> None:
    codec = make_codec()
    images, labels = labelled_images()
    symbols = evaluate.encode(codec, images)
    assert evaluate.accuracy(codec, symbols, labels, 0.0) == 1.0
    rng = np.random.default_rng([0, 2])
    logits = []
    for part in symbols[:500].numpy(), symbols[500:].numpy():  # the batches in which accuracy() draws its flips
        bits = symbols_to_bits(part, 3)
        n_images, n_bits = bits.shape
        mask, _ = BitFlips(0.1).flips(n_images, n_bits, rng)
        received = torch.from_numpy(bits_to_symbols(bits ^ mask, 3))
        with torch.no_grad():
            logits.append(codec.decode(received, torch.full((len(part),), 0.1)))
    correct = int((torch.cat(logits).argmax(1).numpy() == labels).sum())
    assert evaluate.accuracy(codec, symbols, labels, 0.1) == correct / 600 < 1.0


def test_accuracies_has_the_grid_and_the_prefixes_and_score_their_mean() -> None:
    codec = make_codec()
    images, labels = labelled_images()
    accuracies = evaluate.accuracies(codec, images, labels, ((0, N_SYMBOLS), (0, 32), (32, 32), (0, 1)))
    assert list(accuracies) == ["0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1", "prefix 32", "prefix 1"]
    assert accuracies["0"] == 1.0 > accuracies["prefix 1"]
    symbols = evaluate.encode(codec, images)
    symbols[:, 32:] = -1
    with torch.no_grad():
        half = (codec.decode(symbols, torch.zeros(600)).argmax(1).numpy() == labels).mean()
    assert accuracies["prefix 32"] == pytest.approx(half)
    counted = ["0", "0.01", "0.05", "0.1", "prefix 32", "prefix 1"]
    assert evaluate.score(accuracies) == pytest.approx(np.mean([accuracies[k] for k in counted]))

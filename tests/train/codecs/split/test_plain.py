"""The plain baseline: a code that loses nothing, packets that are whole or dropped, means in their place."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from train.classifiers.architectures import Classifier
from train.codecs.split import plain
from train.codecs.split.huffman import SYMBOLS, Huffman
from train.codecs.split.plain import BLOCK, Plain
from train.data.augment import as_input

CHANNELS, SIZE = 6, 16
POLYNOMIAL = 0x11021  # of the CRC-16: damage of this shape it cannot see


def small_classifier() -> Classifier:
    """A stem that keeps the picture's size, a block, a head."""
    torch.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(CHANNELS, 8, 3, padding=1), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    return Classifier(nn.Sequential(nn.Conv2d(3, CHANNELS, 3, padding=1), nn.ReLU()), [block], head)


def pictures(n: int = 40) -> np.ndarray:
    """Noise uint8 (n, SIZE, SIZE, 3), some of it darker."""
    rng = np.random.default_rng(0)
    return (rng.integers(0, 256, (n, SIZE, SIZE, 3)) * rng.uniform(0.1, 1, (n, 1, 1, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted() -> Plain:
    """The baseline around a small classifier."""
    return Plain.fit(small_classifier(), pictures())


def features(of: Plain, images: np.ndarray) -> Tensor:
    """The stem's features of pictures."""
    with torch.no_grad():
        return of.classifier.features(as_input(torch.from_numpy(images)))


def skewed(n: int) -> np.ndarray:
    """Values whose frequencies fall like a geometric series."""
    return np.minimum(np.random.default_rng(1).geometric(0.2, n) - 1, SYMBOLS - 1)


def test_the_code_loses_nothing() -> None:
    values = skewed(3000).reshape(30, 100)
    code = Huffman.of(np.bincount(values.ravel(), minlength=SYMBOLS))
    for row, data in zip(values, code.encode(values), strict=True):
        assert np.array_equal(code.decode(data, 100), row)
    every = np.arange(SYMBOLS)[None]
    assert np.array_equal(code.decode(code.encode(every)[0], SYMBOLS), every[0])  # none that it cannot say


def test_the_code_is_as_short_as_a_huffman_code_is() -> None:
    values = skewed(20000)
    counts = np.bincount(values, minlength=SYMBOLS)
    share = (counts + 1) / (counts + 1).sum()
    entropy = -(share * np.log2(share)).sum()
    mean = (share * Huffman.of(counts).lengths).sum()
    assert entropy <= mean < entropy + 0.1
    assert len(Huffman.of(counts).encode(values[None])[0]) < 0.5 * len(values)  # bytes
    assert (Huffman.of(np.zeros(SYMBOLS)).lengths == 8).all()


def test_lengths_are_all_that_both_ends_need_to_share() -> None:
    code = Huffman.of(np.bincount(skewed(1000), minlength=SYMBOLS))
    assert Huffman(code.lengths).by_code == code.by_code
    # Canonical: in the order of length, then value, codewords as binary fractions ascend.
    order = np.lexsort((np.arange(SYMBOLS), code.lengths))
    assert (np.diff(code.codes[order] / 2.0 ** code.lengths[order]) > 0).all()


@pytest.mark.parametrize("length", [7, 9])
def test_lengths_of_no_code_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="not those of a Huffman code"):
        Huffman(np.full(SYMBOLS, length))


def test_data_that_end_too_early_are_refused() -> None:
    code = Huffman.of(np.zeros(SYMBOLS))
    with pytest.raises(ValueError, match="3 bytes end after 3 of 4 values"):
        code.decode(b"abc", 4)


def test_an_intact_packet_is_decoded_to_what_was_sent(fitted: Plain) -> None:
    sent = features(fitted, pictures(7))
    packets, levels = fitted.packets(sent), fitted.levels(sent)
    assert len(packets) == len(levels) == 7 * CHANNELS
    for packet, row in zip(packets, levels, strict=True):
        assert np.array_equal(fitted.receive(packet, SIZE * SIZE), row)


def test_a_clean_link_costs_only_the_rounding(fitted: Plain) -> None:
    images = pictures(BLOCK + 3)
    logits, sent, lost = fitted.logits(images, 0.0, np.random.default_rng(0))
    with torch.no_grad():
        wanted = fitted.classifier(as_input(torch.from_numpy(images)))
    assert lost == 0
    assert torch.allclose(logits, wanted, atol=5e-3)
    sizes = [len(packet) for packet in fitted.packets(features(fitted, images))]
    assert sent.tolist() == np.reshape(sizes, (-1, CHANNELS)).sum(1).tolist()
    assert sent.mean() < CHANNELS * SIZE * SIZE  # the code is worth its checksums: less than a byte a value


def test_every_flipped_bit_drops_the_packet(fitted: Plain) -> None:
    packet = fitted.packets(features(fitted, pictures(1)))[0]
    number = int.from_bytes(packet, "big")
    for bit in range(8 * len(packet)):
        assert fitted.receive((number ^ 1 << bit).to_bytes(len(packet), "big"), SIZE * SIZE) is None


def test_damage_that_the_checksum_cannot_see_is_decoded(fitted: Plain) -> None:
    sent = features(fitted, pictures(1))
    packet, levels = fitted.packets(sent)[0], fitted.levels(sent)[0]
    number, n = int.from_bytes(packet, "big"), len(packet)
    got = [
        fitted.receive((number ^ POLYNOMIAL << shift).to_bytes(n, "big"), SIZE * SIZE) for shift in range(8 * n - 17)
    ]
    decoded = [row for row in got if row is not None]  # not those whose codewords now fill more than the packet
    assert len(decoded) > len(got) / 4
    assert not any(np.array_equal(row, levels) for row in decoded)


def test_a_lost_packet_costs_one_channel(fitted: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(3)
    monkeypatch.setattr(plain, "_damaged", lambda packets, ber, rng: [(CHANNELS + 2, b"\0\0\0")])
    logits, _, lost = fitted.logits(images, 0.0, np.random.default_rng(0))
    wanted = features(fitted, images)
    wanted[1, 2] = features(fitted, pictures())[:, 2].mean()
    with torch.no_grad():
        assert torch.allclose(logits, fitted.classifier.classify(wanted), atol=5e-3)
    assert lost == pytest.approx(1 / (3 * CHANNELS))


def test_as_many_packets_are_lost_as_meet_a_flip(fitted: Plain) -> None:
    images, ber = pictures(200), 1e-3
    sizes = np.array([len(packet) for packet in fitted.packets(features(fitted, images))])
    meets = 1 - (1 - ber) ** (8 * sizes)
    _, _, lost = fitted.logits(images, ber, np.random.default_rng(0))
    assert 0.2 < meets.mean() < 0.95
    assert abs(lost - meets.mean()) < 5 * np.sqrt((meets * (1 - meets)).sum()) / len(sizes)


def test_a_seed_repeats_the_damage(fitted: Plain) -> None:
    first, again, other = (fitted.logits(pictures(20), 1e-3, np.random.default_rng(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_nothing_of_a_picture_survives_a_link_that_damages_every_packet(fitted: Plain) -> None:
    logits, _, lost = fitted.logits(pictures(5), 0.5, np.random.default_rng(0))
    assert lost == 1
    assert torch.allclose(logits, logits[:1].expand_as(logits))

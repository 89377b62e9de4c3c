"""The plain baseline: lossless code, packets that arrive whole or are dropped, means in their place."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from train.classifiers.architectures import Classifier
from train.codecs.split import plain
from train.codecs.split.huffman import N_VALUES, HuffmanCode
from train.codecs.split.plain import BLOCK, Plain
from train.data.augment import as_input

CHANNELS, SIZE = 6, 16
POLYNOMIAL = 0x11021  # of the CRC-16, which misses damage of this shape


def small_classifier() -> Classifier:
    """Return a stem that keeps the image's size, a block and a head."""
    torch.manual_seed(0)
    block: nn.Module = nn.Sequential(nn.Conv2d(CHANNELS, 8, 3, padding=1), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    return Classifier(nn.Sequential(nn.Conv2d(3, CHANNELS, 3, padding=1), nn.ReLU()), [block], head)


def noise(n: int = 40) -> np.ndarray:
    """Return noise uint8 (n, SIZE, SIZE, 3), some of it darker."""
    rng = np.random.default_rng(0)
    return (rng.integers(0, 256, (n, SIZE, SIZE, 3)) * rng.uniform(0.1, 1, (n, 1, 1, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted() -> Plain:
    """Return the baseline around a small classifier."""
    return Plain.fit(small_classifier(), noise())


def features(plain: Plain, images: np.ndarray) -> Tensor:
    """Return the stem's features of images."""
    with torch.no_grad():
        return plain.classifier.features(as_input(torch.from_numpy(images)))


def skewed(n: int) -> np.ndarray:
    """Return values whose frequencies fall like a geometric series."""
    return np.minimum(np.random.default_rng(1).geometric(0.2, n) - 1, N_VALUES - 1)


def test_huffman_decode_inverts_encode() -> None:
    values = skewed(3000).reshape(30, 100)
    code = HuffmanCode.from_counts(np.bincount(values.ravel(), minlength=N_VALUES))
    for row, data in zip(values, code.encode(values), strict=True):
        assert np.array_equal(code.decode(data, 100), row)
    every = np.arange(N_VALUES)[None]
    assert np.array_equal(code.decode(code.encode(every)[0], N_VALUES), every[0])  # every value has a codeword


def test_huffman_code_is_optimally_short() -> None:
    values = skewed(20000)
    counts = np.bincount(values, minlength=N_VALUES)
    share = (counts + 1) / (counts + 1).sum()
    entropy = -(share * np.log2(share)).sum()
    mean = (share * HuffmanCode.from_counts(counts).lengths).sum()
    assert entropy <= mean < entropy + 0.1
    assert len(HuffmanCode.from_counts(counts).encode(values[None])[0]) < 0.5 * len(values)  # bytes
    assert (HuffmanCode.from_counts(np.zeros(N_VALUES)).lengths == 8).all()


def test_huffman_code_is_defined_by_its_lengths() -> None:
    code = HuffmanCode.from_counts(np.bincount(skewed(1000), minlength=N_VALUES))
    assert HuffmanCode(code.lengths).by_code == code.by_code
    # Canonical: in the order of length, then value, codewords as binary fractions ascend.
    order = np.lexsort((np.arange(N_VALUES), code.lengths))
    assert (np.diff(code.codes[order] / 2.0 ** code.lengths[order]) > 0).all()


@pytest.mark.parametrize("length", [7, 9])
def test_huffman_refuses_lengths_of_no_complete_code(length: int) -> None:
    with pytest.raises(ValueError, match="not those of a complete Huffman code"):
        HuffmanCode(np.full(N_VALUES, length))


def test_huffman_decode_refuses_short_data() -> None:
    code = HuffmanCode.from_counts(np.zeros(N_VALUES))
    with pytest.raises(ValueError, match="3 bytes end after 3 of 4 values"):
        code.decode(b"abc", 4)


def test_receive_decodes_intact_packet(fitted: Plain) -> None:
    sent = features(fitted, noise(7))
    packets, rows = fitted.packets(sent), fitted.quantize(sent)
    assert len(packets) == len(rows) == 7 * CHANNELS
    for packet, row in zip(packets, rows, strict=True):
        received = fitted.receive(packet, SIZE * SIZE)
        assert received is not None and np.array_equal(received, row)


def test_logits_over_clean_link_differ_only_by_rounding(fitted: Plain) -> None:
    images = noise(BLOCK + 3)
    logits, sent, lost = fitted.logits(images, 0.0, np.random.default_rng(0))
    with torch.no_grad():
        expected = fitted.classifier(as_input(torch.from_numpy(images)))
    assert lost == 0
    assert torch.allclose(logits, expected, atol=5e-3)
    sizes = [len(packet) for packet in fitted.packets(features(fitted, images))]
    assert sent.tolist() == np.reshape(sizes, (-1, CHANNELS)).sum(1).tolist()
    assert sent.mean() < CHANNELS * SIZE * SIZE  # the code saves more than the CRCs cost: less than a byte per value


def test_receive_drops_packet_for_every_flipped_bit(fitted: Plain) -> None:
    packet = fitted.packets(features(fitted, noise(1)))[0]
    number = int.from_bytes(packet, "big")
    for bit in range(8 * len(packet)):
        assert fitted.receive((number ^ 1 << bit).to_bytes(len(packet), "big"), SIZE * SIZE) is None


def test_receive_decodes_damage_that_the_crc_misses(fitted: Plain) -> None:
    sent = features(fitted, noise(1))
    packet, values = fitted.packets(sent)[0], fitted.quantize(sent)[0]
    number, n = int.from_bytes(packet, "big"), len(packet)
    received = [
        fitted.receive((number ^ POLYNOMIAL << shift).to_bytes(n, "big"), SIZE * SIZE) for shift in range(8 * n - 17)
    ]
    decoded = [row for row in received if row is not None]  # some codewords need more bits than the packet has
    assert len(decoded) > len(received) / 4
    assert not any(np.array_equal(row, values) for row in decoded)


def test_logits_replace_channel_of_lost_packet_by_its_mean(fitted: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(3)
    monkeypatch.setattr(plain, "_damaged", lambda packets, ber, rng: [(CHANNELS + 2, b"\0\0\0")])
    logits, _, lost = fitted.logits(images, 0.0, np.random.default_rng(0))
    expected = features(fitted, images)
    expected[1, 2] = features(fitted, noise())[:, 2].mean()
    with torch.no_grad():
        assert torch.allclose(logits, fitted.classifier.classify(expected), atol=5e-3)
    assert lost == pytest.approx(1 / (3 * CHANNELS))


def test_logits_lose_as_many_packets_as_flips_hit(fitted: Plain) -> None:
    images, ber = noise(200), 1e-3
    sizes = np.array([len(packet) for packet in fitted.packets(features(fitted, images))])
    hit = 1 - (1 - ber) ** (8 * sizes)
    _, _, lost = fitted.logits(images, ber, np.random.default_rng(0))
    assert 0.2 < hit.mean() < 0.95
    assert abs(lost - hit.mean()) < 5 * np.sqrt((hit * (1 - hit)).sum()) / len(sizes)


def test_logits_repeat_with_a_seed(fitted: Plain) -> None:
    first, again, other = (fitted.logits(noise(20), 1e-3, np.random.default_rng(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_logits_are_all_alike_when_every_packet_is_lost(fitted: Plain) -> None:
    logits, _, lost = fitted.logits(noise(5), 0.5, np.random.default_rng(0))
    assert lost == 1
    assert torch.allclose(logits, logits[:1].expand_as(logits))

"""No learning: the stem's features as int8, Huffman-coded, in packets with a CRC-16 that drops what is damaged.

A packet is one channel of the features, Huffman-coded on its own, and a CRC-16; its place says which channel. One with
a wrong CRC is dropped, and its channel stands at its mean over the training images. Scale (one for the whole tensor),
code and means are measured on training images. The order and length of packets always arrive: in its favour.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from channel_sim.channels.bsc import BitFlips
from train.classifiers.architectures import Classifier
from train.codecs.split.huffman import SYMBOLS, Huffman
from train.data.augment import as_input
from wire.crc import crc16

CRC_START, CRC_BYTES = 0xFFFF, 2
BLOCK = 100  # pictures at once


class Plain:
    """A classifier whose features travel as they are."""

    def __init__(self, classifier: Classifier, low: float, step: float, means: Tensor, code: Huffman) -> None:
        self.classifier, self.low, self.step, self.means, self.code = classifier, low, step, means, code

    @classmethod
    def fit(cls, classifier: Classifier, images: np.ndarray) -> "Plain":
        """Measure scale, channel means and Huffman code on training images uint8 (N, H, W, 3)."""
        classifier.eval()
        low, high, total = np.inf, -np.inf, torch.zeros(1)
        for features in _features(classifier, images):
            low, high = min(low, features.min().item()), max(high, features.max().item())
            total = total + features.mean((2, 3)).sum(0)
        plain = cls(classifier, low, (high - low) / (SYMBOLS - 1), total / len(images), Huffman.of(np.zeros(SYMBOLS)))
        counts = np.zeros(SYMBOLS, np.int64)
        for features in _features(classifier, images):
            counts += np.bincount(plain.levels(features).ravel(), minlength=SYMBOLS)
        plain.code = Huffman.of(counts)
        return plain

    def levels(self, features: Tensor) -> np.ndarray:
        """Features (N, C, h, w) -> levels uint8 (N * C, h * w), a row a packet: int8 but for the offset of 128."""
        levels = ((features - self.low) / self.step).round().clamp(0, SYMBOLS - 1)
        return levels.to(torch.uint8).flatten(2).flatten(0, 1).numpy()

    def packets(self, features: Tensor) -> list[bytes]:
        """Features (N, C, h, w) -> N * C packets, channel after channel of picture after picture."""
        coded = self.code.encode(self.levels(features))
        return [data + crc16(data, CRC_START).to_bytes(CRC_BYTES, "big") for data in coded]

    def receive(self, packet: bytes, count: int) -> np.ndarray | None:
        """The `count` levels of a packet, uint8 (count,); None where it is dropped."""
        data, crc = packet[:-CRC_BYTES], packet[-CRC_BYTES:]
        if crc16(data, CRC_START) != int.from_bytes(crc, "big"):
            return None
        try:
            return self.code.decode(data, count)
        except ValueError:  # the CRC missed the damage, and there is too little behind it
            return None

    @torch.no_grad()
    def logits(self, images: np.ndarray, ber: float, rng: np.random.Generator) -> tuple[Tensor, np.ndarray, float]:
        """Send images uint8 (N, H, W, 3) at a BER: logits (N, classes), bytes sent int64 (N,), packets lost (share)."""
        logits, sent, lost = [], [], []
        for features in _features(self.classifier, images):
            packets = self.packets(features)
            arrived = self.levels(features)  # what an intact packet is decoded to: the code loses nothing
            gone = np.zeros(len(packets), bool)
            for number, packet in _damaged(packets, ber, rng):
                levels = self.receive(packet, arrived.shape[1])
                gone[number] = levels is None
                if levels is not None:
                    arrived[number] = levels
            values = (torch.from_numpy(arrived).float() * self.step + self.low).reshape(features.shape)
            missing = torch.from_numpy(gone).reshape(features.shape[:2])
            values = torch.where(missing[..., None, None], self.means[:, None, None], values)
            logits.append(self.classifier.classify(values))
            sent.append(np.reshape([len(packet) for packet in packets], features.shape[:2]).sum(1))
            lost.append(gone)
        return torch.cat(logits), np.concatenate(sent), float(np.concatenate(lost).mean())


def _features(classifier: Classifier, images: np.ndarray) -> Iterator[Tensor]:
    """Images uint8 (N, H, W, 3) -> features (BLOCK, C, h, w), block after block."""
    for first in range(0, len(images), BLOCK):
        with torch.no_grad():
            features = classifier.features(as_input(torch.from_numpy(images[first : first + BLOCK])))
        yield features


def _damaged(packets: list[bytes], ber: float, rng: np.random.Generator) -> Iterator[tuple[int, bytes]]:
    """Send packets through independent bit flips: number and bytes of those that do not arrive as they were."""
    sizes = np.array([len(packet) for packet in packets])
    ends = sizes.cumsum()
    flips = np.packbits(BitFlips(ber).flips(1, 8 * int(ends[-1]), rng)[0])
    arrived = (np.frombuffer(b"".join(packets), np.uint8) ^ flips).tobytes()
    for number in np.flatnonzero(np.logical_or.reduceat(flips != 0, ends - sizes)):
        yield int(number), arrived[ends[number] - sizes[number] : ends[number]]

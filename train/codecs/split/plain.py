"""Baseline without learning: the stem's features as int8, Huffman-coded, in packets with a CRC-16.

A packet is one channel of the features, Huffman-coded on its own, and a CRC-16; its position identifies the channel. A
packet with a wrong CRC is dropped, and its channel gets its mean over the training images. Scale (one for the whole
tensor), code and means are measured on training images. Order and length of the packets always arrive, which favours
this baseline.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from channel_sim.channels.bsc import BitFlips
from train.classifiers.architectures import Classifier
from train.codecs.split.huffman import N_VALUES, HuffmanCode
from train.data.augment import as_input
from wire.crc import crc16

CRC_START, CRC_BYTES = 0xFFFF, 2
BLOCK = 100  # images per batch


class Plain:
    """A classifier whose features are sent without a learned codec."""

    def __init__(self, classifier: Classifier, low: float, step: float, means: Tensor, code: HuffmanCode) -> None:
        self.classifier, self.low, self.step, self.means, self.code = classifier, low, step, means, code

    @classmethod
    def fit(cls, classifier: Classifier, images: np.ndarray) -> "Plain":
        """Measure scale, channel means and Huffman code on training images uint8 (N, H, W, 3)."""
        classifier.eval()
        low, high, total = np.inf, -np.inf, torch.zeros(1)
        for features in _features(classifier, images):
            low, high = min(low, features.min().item()), max(high, features.max().item())
            total = total + features.mean((2, 3)).sum(0)
        uniform = HuffmanCode.from_counts(np.zeros(N_VALUES))
        plain = cls(classifier, low, (high - low) / (N_VALUES - 1), total / len(images), uniform)
        counts = np.zeros(N_VALUES, np.int64)
        for features in _features(classifier, images):
            counts += np.bincount(plain.quantize(features).ravel(), minlength=N_VALUES)
        plain.code = HuffmanCode.from_counts(counts)
        return plain

    def quantize(self, features: Tensor) -> np.ndarray:
        """Map features (N, C, h, w) to uint8 (N * C, h * w), one row per packet: int8 plus an offset of 128."""
        rounded = ((features - self.low) / self.step).round().clamp(0, N_VALUES - 1)
        return rounded.to(torch.uint8).flatten(2).flatten(0, 1).numpy()

    def packets(self, features: Tensor) -> list[bytes]:
        """Encode features (N, C, h, w) to N * C packets, one per channel, image by image."""
        coded = self.code.encode(self.quantize(features))
        return [data + crc16(data, CRC_START).to_bytes(CRC_BYTES, "big") for data in coded]

    def receive(self, packet: bytes, count: int) -> np.ndarray | None:
        """Decode the `count` values of a packet, uint8 (count,); None if the packet is dropped."""
        data, crc = packet[:-CRC_BYTES], packet[-CRC_BYTES:]
        if crc16(data, CRC_START) != int.from_bytes(crc, "big"):
            return None
        try:
            return self.code.decode(data, count)
        except ValueError:  # the CRC missed the damage, and the packet is too short
            return None

    @torch.no_grad()
    def logits(self, images: np.ndarray, ber: float, rng: np.random.Generator) -> tuple[Tensor, np.ndarray, float]:
        """Send images uint8 (N, H, W, 3) at a BER.

        Returns logits (N, classes), bytes sent int64 (N,) and the share of packets lost.
        """
        logits, sent, lost = [], [], []
        for features in _features(self.classifier, images):
            packets = self.packets(features)
            arrived = self.quantize(features)  # an intact packet decodes to exactly these
            dropped = np.zeros(len(packets), bool)
            for number, packet in _damaged(packets, ber, rng):
                decoded = self.receive(packet, arrived.shape[1])
                dropped[number] = decoded is None
                if decoded is not None:
                    arrived[number] = decoded
            values = (torch.from_numpy(arrived).float() * self.step + self.low).reshape(features.shape)
            missing = torch.from_numpy(dropped).reshape(features.shape[:2])
            values = torch.where(missing[..., None, None], self.means[:, None, None], values)
            logits.append(self.classifier.classify(values))
            sent.append(np.reshape([len(packet) for packet in packets], features.shape[:2]).sum(1))
            lost.append(dropped)
        return torch.cat(logits), np.concatenate(sent), float(np.concatenate(lost).mean())


def _features(classifier: Classifier, images: np.ndarray) -> Iterator[Tensor]:
    """Yield the features (BLOCK, C, h, w) of images uint8 (N, H, W, 3), batch by batch."""
    for first in range(0, len(images), BLOCK):
        with torch.no_grad():
            features = classifier.features(as_input(torch.from_numpy(images[first : first + BLOCK])))
        yield features


def _damaged(packets: list[bytes], ber: float, rng: np.random.Generator) -> Iterator[tuple[int, bytes]]:
    """Send packets through independent bit flips; yield index and received bytes of the damaged ones."""
    sizes = np.array([len(packet) for packet in packets])
    ends = sizes.cumsum()
    flips = np.packbits(BitFlips(ber).flips(1, 8 * int(ends[-1]), rng)[0])
    arrived = (np.frombuffer(b"".join(packets), np.uint8) ^ flips).tobytes()
    for number in np.flatnonzero(np.logical_or.reduceat(flips != 0, ends - sizes)):
        yield int(number), arrived[ends[number] - sizes[number] : ends[number]]

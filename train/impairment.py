"""Impairments of a training batch: bit flips by `channel_sim`, random prefixes, and a BER given with an error."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from channel_sim.channels.by_ber import at_ber
from train import parallel
from train.config import LinkConfig
from wire.answer import ANSWER_BITS
from wire.model import MIN_BER
from wire.payload import interleaver, payload_bytes


@dataclass(frozen=True)
class Impairment:
    """Impairment of one batch of images."""

    flips: Tensor  # int64 (B, S): bits flipped in the Gray code of each symbol
    missing: Tensor  # bool (B, S)
    given_ber: Tensor  # float32 (B,)
    answer_flips: Tensor  # int64 (B,): bits flipped in the answer word
    answer_missing: Tensor  # bool (B,)

    def to(self, device: torch.device) -> "Impairment":
        """Return the same impairment on a device."""
        return Impairment(*(part.to(device) for part in vars(self).values()))

    def clean(self, n_images: int) -> "Impairment":
        """Return the impairment of the first `n_images` over a link that flips and loses nothing."""
        return Impairment(*(torch.zeros_like(part[:n_images]) for part in vars(self).values()))


def symbol_flips(mask: np.ndarray, bits: int) -> np.ndarray:
    """Pack flipped payload bits (B, S * bits), most significant first, into one integer per symbol, int64 (B, S)."""
    weights = 1 << np.arange(bits - 1, -1, -1)
    return mask.reshape(len(mask), -1, bits).astype(np.int64) @ weights


def payload_flips(channels: tuple[str, ...], ber: np.ndarray, n_bits: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the flipped payload bits of each image, bool (B, n_bits), by one of the channels at its mean BER (B,)."""
    if channels == ("bsc",):  # independent flips need neither a choice nor an order
        return at_ber("bsc", ber).flips(len(ber), n_bits, rng)[0]
    chosen = rng.integers(len(channels), size=len(ber))
    mask = np.empty((len(ber), n_bits), bool)
    for number, name in enumerate(channels):
        (rows,) = np.nonzero(chosen == number)
        on_the_wire, _ = at_ber(name, ber[rows]).flips(len(rows), 8 * payload_bytes(n_bits, 1), rng)
        # Bursts hit neighbours on the wire; the interleaver spreads these over the payload.
        mask[rows[:, None], interleaver(n_bits)] = on_the_wire[:, :n_bits]
    return mask


def draw_impairment(
    link: LinkConfig, n_images: int, n_symbols: int, bits: int, rng: np.random.Generator, answers: bool = False
) -> Impairment:
    """Draw the impairment of one batch. Every image has its own BER and its own prefix.

    n_images: of this process, which gets its part of what is drawn for the batch of all. answers: an answer word
    travels before the symbols.
    """
    n_images *= parallel.world_size()
    answer_bits = ANSWER_BITS * answers
    low, high = np.log(link.ber[0]), np.log(link.ber[1])
    ber = np.exp(rng.uniform(low, high, n_images))
    ber[rng.random(n_images) < link.clean_share] = 0.0
    mask = payload_flips(link.channels, ber, answer_bits + n_symbols * bits, rng)
    # A receiver that sees no error still cannot rule out a small BER: for clean images it is up to 1e-3.
    spread = np.exp(rng.normal(0.0, link.estimate_spread, n_images))
    given_ber = np.where(ber > 0, ber * spread, np.exp(rng.uniform(np.log(MIN_BER), np.log(1e-3), n_images)))
    # Half of the prefixes end with a chunk, as the payloads of real frames do; the others end anywhere.
    chunks = link.chunks_of(n_symbols)
    ends = np.array([count for first, count in chunks if first == 0 and count < n_symbols] or [n_symbols])
    at_chunk = rng.random(n_images) < 0.5
    kept = np.where(at_chunk, rng.choice(ends, n_images), rng.integers(n_symbols // 16, n_symbols + 1, n_images))
    fate = rng.random(n_images)
    kept[fate >= link.prefix_share] = n_symbols
    missing = np.arange(n_symbols)[None, :] >= kept[:, None]
    answer_missing = rng.random(n_images) < link.answer_missing_share if answers else np.ones(n_images, bool)
    if link.suffix_share:
        # The first symbols and the answer say much in few bits; from the others alone, the decoder learns to use these.
        suffix = fate >= 1 - link.suffix_share
        missing |= suffix[:, None] & (np.arange(n_symbols)[None, :] < rng.choice(ends, n_images)[:, None])
        answer_missing |= suffix
    drawn = Impairment(
        torch.from_numpy(symbol_flips(mask[:, answer_bits:], bits)),
        torch.from_numpy(missing),
        torch.from_numpy(given_ber).float(),
        torch.from_numpy(
            symbol_flips(mask[:, :answer_bits], ANSWER_BITS)[:, 0] if answers else np.zeros(n_images, int)
        ),
        torch.from_numpy(answer_missing),
    )
    return Impairment(*(parallel.part(part) for part in vars(drawn).values()))

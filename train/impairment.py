"""What the channel does to a training batch: bit flips by `channel_sim`, random prefixes, a BER told with an error."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from channel_sim.channels.by_ber import at_ber
from train.config import LinkConfig
from wire.payload import interleaver, payload_bytes


@dataclass(frozen=True)
class Impairment:
    """flips int64 (B, S): bits flipped in each symbol; missing bool (B, S); given_ber float32 (B,)."""

    flips: Tensor
    missing: Tensor
    given_ber: Tensor

    def to(self, device: torch.device) -> "Impairment":
        """The same, on a device."""
        return Impairment(self.flips.to(device), self.missing.to(device), self.given_ber.to(device))


def quiet(link: Impairment, images: int) -> Impairment:
    """The first `images` of a batch over a link that does nothing to them."""
    flips, missing, told = (part[:images] for part in (link.flips, link.missing, link.given_ber))
    return Impairment(torch.zeros_like(flips), torch.zeros_like(missing), torch.zeros_like(told))


def symbol_flips(mask: np.ndarray, bits: int) -> np.ndarray:
    """Flip mask of the payload's bits (B, S * bits), most significant first -> an integer a symbol, int64 (B, S)."""
    weights = 1 << np.arange(bits - 1, -1, -1)
    return mask.reshape(len(mask), -1, bits).astype(np.int64) @ weights


def wire_flips(channels: tuple[str, ...], ber: np.ndarray, n_bits: int, rng: np.random.Generator) -> np.ndarray:
    """Flips of each image's payload bits, bool (B, n_bits), by one of the channels at its mean rate ber (B,)."""
    if channels == ("bsc",):  # independent flips need neither a choice nor an order
        return at_ber("bsc", ber).flips(len(ber), n_bits, rng)[0]
    chosen = rng.integers(len(channels), size=len(ber))
    mask = np.empty((len(ber), n_bits), bool)
    for number, name in enumerate(channels):
        (rows,) = np.nonzero(chosen == number)
        on_the_wire, _ = at_ber(name, ber[rows]).flips(len(rows), 8 * payload_bytes(n_bits, 1), rng)
        # Bursts hit neighbours on the wire; the interleaver sends them all over the payload.
        mask[rows[:, None], interleaver(n_bits)] = on_the_wire[:, :n_bits]
    return mask


def draw(link: LinkConfig, batch: int, symbols: int, bits: int, rng: np.random.Generator) -> Impairment:
    """Draw the impairments of one batch; every image has its own bit error rate and its own prefix."""
    low, high = np.log(link.ber[0]), np.log(link.ber[1])
    ber = np.exp(rng.uniform(low, high, batch))
    ber[rng.random(batch) < link.clean_share] = 0.0
    mask = wire_flips(link.channels, ber, symbols * bits, rng)
    # A receiver that sees no error still cannot rule out a small rate: clean frames are told up to 1e-3.
    spread = np.exp(rng.normal(0.0, link.estimate_spread, batch))
    told = np.where(ber > 0, ber * spread, np.exp(rng.uniform(np.log(1e-4), np.log(1e-3), batch)))
    # Half of the shortened images end at a chunk's edge, where real frames end; the others anywhere.
    ends = np.array([count for first, count in link.chunks if first == 0 and count < symbols] or [symbols])
    kept = np.where(rng.random(batch) < 0.5, rng.choice(ends, batch), rng.integers(symbols // 4, symbols + 1, batch))
    kept[rng.random(batch) >= link.prefix_share] = symbols
    missing = np.arange(symbols)[None, :] >= kept[:, None]
    return Impairment(
        torch.from_numpy(symbol_flips(mask, bits)), torch.from_numpy(missing), torch.from_numpy(told).float()
    )

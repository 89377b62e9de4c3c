"""Accuracy of a codec in PyTorch, through true bit flips, on pictures that it was not trained on."""

import numpy as np
import torch
from torch import Tensor

from channel_sim.channels.bsc import BitFlips
from train.codecs.codec import Codec
from train.data.augment import as_input
from train.impairment import symbol_flips
from train.trainers.compute_device import of

BER_GRID = (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1)


@torch.no_grad()
def encode(codec: Codec, images: np.ndarray, batch: int = 500, given_ber: float | None = None) -> Tensor:
    """uint8 (N, H, W, C) -> levels int64 (N, S) in the order of sending; given_ber: of a system that splits, if any."""
    codec.eval()
    device, parts = of(codec), []
    for first in range(0, len(images), batch):
        pictures = as_input(torch.from_numpy(images[first : first + batch])).to(device)
        told = () if given_ber is None else (pictures.new_full((len(pictures),), given_ber),)
        parts.append(codec.send(pictures, *told).cpu())
    return torch.cat(parts)


@torch.no_grad()
def logits(codec: Codec, levels: Tensor, ber: float, kept: int | None = None, seed: int = 0) -> Tensor:
    """Logits (N, classes) after flips at `ber`, which the decoder is told as it is.

    levels (N, S); kept: symbols that arrive, the first ones, all by default. One draw of flips, from `seed`.
    """
    codec.eval()
    rng = np.random.default_rng([seed, 2])
    device, parts = of(codec), []
    for part in levels.split(500):
        mask, _ = BitFlips(ber).flips(len(part), part.shape[1] * codec.quantizer.bits, rng)
        flips = torch.from_numpy(symbol_flips(mask, codec.quantizer.bits)).to(device)
        got = codec.flip(part.to(device), flips)
        if kept is not None:
            got[:, kept:] = -1
        parts.append(codec.decode(got, torch.full((len(part),), ber, device=device)).cpu())
    return torch.cat(parts)


def accuracy(
    codec: Codec, levels: Tensor, labels: np.ndarray, ber: float, kept: int | None = None, seed: int = 0
) -> float:
    """Share of images classified rightly; arguments as those of `logits`, labels (N,)."""
    return float((logits(codec, levels, ber, kept, seed).argmax(1).numpy() == labels).mean())


def summary(
    codec: Codec, images: np.ndarray, labels: np.ndarray, chunks: tuple[tuple[int, int], ...]
) -> dict[str, float]:
    """Accuracy by BER for the whole payload, and clean for each prefix chunk ("prefix 64")."""
    levels = encode(codec, images)
    figures = {f"{ber:g}": accuracy(codec, levels, labels, ber) for ber in BER_GRID}
    for first, count in chunks:
        if first == 0 and count < codec.n_symbols:
            figures[f"prefix {count}"] = accuracy(codec, levels, labels, 0.0, count)
    return figures


def score(figures: dict[str, float]) -> float:
    """What model selection maximises: the mean of clean, 1e-2, 5e-2, 1e-1 and the prefixes' accuracies."""
    keys = [k for k in figures if k in ("0", "0.01", "0.05", "0.1") or k.startswith("prefix")]
    return sum(figures[k] for k in keys) / len(keys)

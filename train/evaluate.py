"""Accuracy of a codec in PyTorch, through true bit flips, on images that it was not trained on."""

import numpy as np
import torch
from torch import Tensor

from channel_sim.channels.bsc import BER_GRID, BitFlips
from train.codecs.deployable import SymbolCodec
from train.compute_device import device_of
from train.data.augment import as_input
from train.impairment import symbol_flips

BATCH = 500


@torch.no_grad()
def encode(codec: SymbolCodec, images: np.ndarray, given_ber: float | None = None) -> Tensor:
    """Encode images uint8 (N, H, W, C) into symbols int64 (N, S) in the order of sending.

    given_ber: the BER that the encoder is given; only the encoders of some split codecs adapt to it.
    """
    codec.eval()
    device, parts = device_of(codec), []
    for part in torch.from_numpy(images).split(BATCH):
        batch = as_input(part).to(device)
        ber = None if given_ber is None else batch.new_full((len(batch),), given_ber)
        parts.append(codec.send(batch, ber).cpu())
    return torch.cat(parts)


@torch.no_grad()
def logits(codec: SymbolCodec, symbols: Tensor, ber: float, n_received: int | None = None, seed: int = 0) -> Tensor:
    """Return logits (N, classes) of symbols (N, S) after one draw of flips at `ber`, which the decoder is given.

    n_received: only the first symbols arrive; all by default.
    """
    codec.eval()
    rng = np.random.default_rng([seed, 2])
    bits, device, parts = codec.quantizer.bits, device_of(codec), []
    for part in symbols.split(BATCH):
        mask, _ = BitFlips(ber).flips(len(part), part.shape[1] * bits, rng)
        received = codec.flip(part.to(device), torch.from_numpy(symbol_flips(mask, bits)).to(device))
        if n_received is not None:
            received[:, n_received:] = -1
        parts.append(codec.decode(received, torch.full((len(part),), ber, device=device)).cpu())
    return torch.cat(parts)


def accuracy(
    codec: SymbolCodec, symbols: Tensor, labels: np.ndarray, ber: float, n_received: int | None = None, seed: int = 0
) -> float:
    """Return the share of the images that are correctly classified; labels (N,), other arguments as for `logits`."""
    return float((logits(codec, symbols, ber, n_received, seed).argmax(1).numpy() == labels).mean())


def accuracies(
    codec: SymbolCodec, images: np.ndarray, labels: np.ndarray, chunks: tuple[tuple[int, int], ...]
) -> dict[str, float]:
    """Return the accuracy by BER with the whole payload, and without errors for each prefix chunk ("prefix 64")."""
    symbols = encode(codec, images)
    by_name = {f"{ber:g}": accuracy(codec, symbols, labels, ber) for ber in BER_GRID}
    for first, count in chunks:
        if first == 0 and count < codec.n_symbols:
            by_name[f"prefix {count}"] = accuracy(codec, symbols, labels, 0.0, count)
    return by_name


def accuracies_given_ber(codec: SymbolCodec, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the accuracy by BER where encoder and decoder are both given the BER."""
    return {f"{ber:g}": accuracy(codec, encode(codec, images, ber), labels, ber) for ber in BER_GRID}


def score(accuracies: dict[str, float]) -> float:
    """Return the score of model selection: the mean of the accuracies at BER 0, 1e-2, 5e-2, 1e-1 and of prefixes."""
    keys = [k for k in accuracies if k in ("0", "0.01", "0.05", "0.1") or k.startswith("prefix")]
    return sum(accuracies[k] for k in keys) / len(keys)

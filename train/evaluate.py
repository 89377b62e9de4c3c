"""Accuracy of a codec in PyTorch, through true bit flips, on images that it was not trained on."""

import numpy as np
import torch
from torch import Tensor

from channel_sim.channels.bsc import BER_GRID, BitFlips
from train.codecs.deployable import Payload, SymbolCodec
from train.compute_device import autocast, device_of, has_fast_bf16
from train.data.augment import as_input
from train.impairment import symbol_flips
from wire.answer import ANSWER_BITS

BATCH = 500


@torch.no_grad()
def encode(codec: SymbolCodec, images: np.ndarray, given_ber: float | None = None) -> Payload:
    """Encode images uint8 (N, H, W, C) into the content of their payloads.

    given_ber: the BER that the encoder is given; only the encoders of some split codecs adapt to it.
    """
    codec.eval()
    device, symbols, answers = device_of(codec), [], []
    for part in torch.from_numpy(images).split(BATCH):
        batch = as_input(part).to(device)
        ber = None if given_ber is None else batch.new_full((len(batch),), given_ber)
        payload = codec.send(batch, ber)
        symbols.append(payload.symbols.cpu())
        if payload.answers is not None:
            answers.append(payload.answers.cpu())
    return Payload(torch.cat(symbols), torch.cat(answers) if answers else None)


@torch.no_grad()
def board_logits(codec: SymbolCodec, images: np.ndarray) -> Tensor:
    """Return the logits (N, classes) of the answer head for images uint8 (N, H, W, C)."""
    codec.eval()
    device = device_of(codec)
    return torch.cat(
        [codec.board_logits(as_input(part).to(device)).cpu() for part in torch.from_numpy(images).split(BATCH)]
    )


@torch.no_grad()
def logits(codec: SymbolCodec, payload: Payload, ber: float, n_received: int | None = None, seed: int = 0) -> Tensor:
    """Return logits (N, classes) of N payloads after one draw of flips at `ber`, which the decoder is given.

    n_received: only the first symbols arrive; all by default.
    """
    codec.eval()
    rng = np.random.default_rng([seed, 2])
    bits, device, parts = codec.quantizer.bits, device_of(codec), []
    n_answer = 0 if payload.answers is None else ANSWER_BITS
    for first in range(0, len(payload.symbols), BATCH):
        symbols = payload.symbols[first : first + BATCH]
        mask, _ = BitFlips(ber).flips(len(symbols), n_answer + symbols.shape[1] * bits, rng)
        received = codec.flip(symbols.to(device), torch.from_numpy(symbol_flips(mask[:, n_answer:], bits)).to(device))
        if n_received is not None:
            received[:, n_received:] = -1
        answer = None
        if payload.answers is not None:
            flips = torch.from_numpy(symbol_flips(mask[:, :n_answer], n_answer)[:, 0])
            answer = (payload.answers[first : first + BATCH] ^ flips).to(device)
        with autocast(device, has_fast_bf16(device)):
            parts.append(codec.decode(received, torch.full((len(symbols),), ber, device=device), answer).float().cpu())
    return torch.cat(parts)


def accuracy(
    codec: SymbolCodec, payload: Payload, labels: np.ndarray, ber: float, n_received: int | None = None, seed: int = 0
) -> float:
    """Return the share of the images that are correctly classified; labels (N,), other arguments as for `logits`."""
    return float((logits(codec, payload, ber, n_received, seed).argmax(1).numpy() == labels).mean())


def accuracies(
    codec: SymbolCodec, images: np.ndarray, labels: np.ndarray, chunks: tuple[tuple[int, int], ...]
) -> dict[str, float]:
    """Return the accuracy by BER with the whole payload, and without errors for each prefix chunk ("prefix 64")."""
    payload = encode(codec, images)
    by_name = {f"{ber:g}": accuracy(codec, payload, labels, ber) for ber in BER_GRID}
    for first, count in chunks:
        if first == 0 and count < codec.n_symbols:
            by_name[f"prefix {count}"] = accuracy(codec, payload, labels, 0.0, count)
    return by_name


def accuracies_given_ber(codec: SymbolCodec, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the accuracy by BER where the decoder is given the BER, and an encoder that adapts to it, too."""
    once = None if codec.adapts else encode(codec, images)
    return {f"{ber:g}": accuracy(codec, once or encode(codec, images, ber), labels, ber) for ber in BER_GRID}


def score(accuracies: dict[str, float]) -> float:
    """Return the score of model selection: the mean of the accuracies at BER 0, 1e-2, 5e-2, 1e-1 and of prefixes.

    The board's own accuracy counts as one of them.
    """
    keys = [k for k in accuracies if k in ("0", "0.01", "0.05", "0.1", "board") or k.startswith("prefix")]
    return sum(accuracies[k] for k in keys) / len(keys)

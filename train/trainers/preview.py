"""Training of a preview network: it learns to reconstruct images from the payloads of a trained general codec.

The codec stays as it is: its encoder and quantizer compute the payload of each image and its mirror image once.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from channel_sim.channels.bsc import BitFlips
from train import evaluate
from train.codecs.codec import Codec
from train.codecs.preview import Preview, preview_loss, structural_similarity
from train.compute_device import CPU, autocast, device_of
from train.config import GeneralConfig, PreviewConfig
from train.data.augment import as_input
from train.data.datasets import Dataset
from train.data.pool import load_pool
from train.errors import TrainError
from train.impairment import draw_impairment, symbol_flips
from train.run_files import load_weights, read_best
from train.trainers.codec import load_codec
from train.trainers.optimizer import Phase
from train.trainers.resuming import check_data, write_json
from train.trainers.trainer import Trainer
from wire.files import naming

BERS = (0.0, 0.01, 0.05, 0.1)  # of the figures on held-out images
BATCH = 64  # images, in evaluation


class PreviewTrainer(Trainer[PreviewConfig, Preview]):
    """Trainer of a preview network. The data set is the pool of images of the codec's run."""

    measure = "SSIM x 100"

    def __init__(self, config: PreviewConfig, data: Dataset, folder: Path, device: torch.device = CPU) -> None:
        self.codec, self.codec_digest = load_general(Path(config.codec), data)
        self.link = general_config(config).link
        super().__init__(config, data, folder, device)

    def build(self) -> Preview:
        """Build the preview network of the codec."""
        return Preview(self.codec, self.config.preview)

    def prepare(self) -> None:
        """Load or compute the levels of all images' symbols and of their mirror images', uint8 (2, N, S).

        Training images come first, then test images, as the pool's labels number them. Raises TrainError if the run
        in this folder began with another codec.
        """
        check_codec(self.folder, self.config, self.codec_digest)
        file = self.folder / "symbols.npy"
        if not file.is_file():
            part = self.folder / "symbols.part.npy"
            with naming(file):
                np.save(part, _levels(self.codec, np.concatenate([self.data.x_train, self.data.x_test])))
                part.replace(file)
        self.levels = np.load(file, mmap_mode="r")
        write_json(self.folder / "codec.json", {"run": self.config.codec, "sha256": self.codec_digest})

    def loss(self, images: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Return the loss of previews of payloads that passed the link; images (B, C, H, W) in [0, 1]."""
        codec = self.codec
        impairment = draw_impairment(self.link, len(index), codec.n_symbols, codec.quantizer.bits, rng)
        mirrored = self.views.mirrored[index].numpy().astype(int)
        levels = self.levels[mirrored, self.labels[index].cpu().numpy()]
        symbols = codec.flip(torch.from_numpy(levels.astype(np.int64)), impairment.flips)
        received = torch.where(impairment.missing, -1, symbols)
        predicted = self.state.model(received.to(self.device), impairment.given_ber.to(self.device))
        with autocast(self.device, False):  # variances are small differences of squares
            return preview_loss(predicted.float(), images, self.config.preview.structure_weight)

    def evaluate(self, model: Preview, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return the mean structural similarity by BER with the whole payload, and without errors for each prefix."""
        symbols = torch.from_numpy(self.levels[0][labels].astype(np.int64))
        prefixes = [n for first, n in self.codec.chunks if first == 0 and n < self.codec.n_symbols]
        by_ber = {f"{ber:g}": self._similarity(model, images, symbols, ber) for ber in BERS}
        return by_ber | {f"prefix {n}": self._similarity(model, images, symbols, 0.0, n) for n in prefixes}

    @torch.no_grad()
    def _similarity(
        self, model: Preview, images: np.ndarray, symbols: Tensor, ber: float, n_received: int | None = None
    ) -> float:
        """Return the mean structural similarity of images (N, H, W, C) and previews of their symbols (N, S)."""
        model.eval()
        rng, device, total = np.random.default_rng(2), device_of(model), 0.0
        for first in range(0, len(symbols), BATCH):
            part = symbols[first : first + BATCH]
            mask, _ = BitFlips(ber).flips(len(part), part.shape[1] * self.codec.quantizer.bits, rng)
            received = self.codec.flip(part, torch.from_numpy(symbol_flips(mask, self.codec.quantizer.bits)))
            if n_received is not None:
                received[:, n_received:] = -1
            with autocast(device, self.bf16):
                found = model(received.to(device), torch.full((len(part),), ber, device=device)).float()
            originals = as_input(torch.from_numpy(images[first : first + BATCH])).to(device)
            total += float(structural_similarity(found, originals).sum())
        return total / len(symbols)

    def score(self, accuracies: dict[str, float]) -> float:
        """Return the mean of the clean, noisy and prefix similarities."""
        return evaluate.score(accuracies)


def general_config(config: PreviewConfig) -> GeneralConfig:
    """Return the config of the codec's run. Raises TrainError if it is none of a general codec."""
    return GeneralConfig.from_run(Path(config.codec))


def load_general(folder: Path, data: Dataset) -> tuple[Codec, str]:
    """Load the codec of a finished run; also return a SHA-256 of what gives its symbols: all weights but the decoder's.

    Raises TrainError if the run is not finished, or was trained on other data.
    """
    weights = read_best(folder, "int8 epochs")["model"]
    codec, _, _ = load_codec(folder, GeneralConfig.from_run(folder), data, len(weights["decoder.classify.bias"]))
    digest = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        if not name.startswith("decoder."):
            digest.update(name.encode() + weight.contiguous().numpy().tobytes())
    return codec, digest.hexdigest()


def check_codec(folder: Path, config: PreviewConfig, sha256: str) -> None:
    """Raise TrainError if the run of a preview network in `folder` began with another codec than that of `sha256`."""
    file = folder / "codec.json"
    try:
        recorded = json.loads(file.read_text())["sha256"] if file.exists() else sha256
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainError(f"{file} cannot be read: {error}") from None
    if recorded != sha256:
        raise TrainError(
            f"{folder} was trained with another codec than {config.codec} holds now; train again with another --out"
        )


def load_preview(folder: Path) -> tuple[Preview, Codec, dict]:
    """Load a finished run: the network in evaluation mode, its codec, and the record of best.pt.

    Raises TrainError if it is not finished, or if its codec or its images have changed.
    """
    config, saved = PreviewConfig.from_run(folder), read_best(folder, "last epoch")
    data = load_pool(general_config(config))
    check_data(folder, data)
    codec, digest = load_general(Path(config.codec), data)
    check_codec(folder, config, digest)
    preview = Preview(codec, config.preview)
    load_weights(preview, saved["model"], folder / "best.pt")
    return preview.eval(), codec, saved


def _levels(codec: Codec, images: np.ndarray) -> np.ndarray:
    """Return the levels of symbols uint8 (2, N, S) of images uint8 (N, H, W, C) and of their mirror images."""
    levels = np.empty((2, len(images), codec.n_symbols), np.uint8)
    print(f"payloads of {len(images):,} images and their mirror images, once")
    for first in track(range(0, len(images), evaluate.BATCH), "payloads"):
        part = images[first : first + evaluate.BATCH]
        for mirrored, views in enumerate((part, np.ascontiguousarray(part[:, :, ::-1]))):
            levels[mirrored, first : first + len(part)] = evaluate.encode(codec, views).symbols.numpy()
    return levels

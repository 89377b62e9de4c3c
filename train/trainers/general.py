"""Training of a general codec: the host learns to predict a pretrained network's embedding through the channel."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from channel_sim.channels.bsc import BER_GRID
from train import evaluate
from train.classifiers.embedding import embeddings
from train.codecs.codec import GeneralCodec
from train.compute_device import CPU
from train.config import GeneralConfig
from train.data.datasets import Dataset
from train.impairment import draw_impairment
from train.trainers.optimizer import Phase
from train.trainers.trainer import Trainer


class GeneralTrainer(Trainer[GeneralConfig, GeneralCodec]):
    """Trainer of encoder, quantizer and a decoder that gives an embedding. The data set is a pool (train.data.pool)."""

    measure = "cosine x 100"

    def __init__(self, config: GeneralConfig, data: Dataset, folder: Path, device: torch.device = CPU) -> None:
        height, width, channels = data.x_train.shape[1:]
        # A mistake in its layers is found before embeddings are computed.
        GeneralCodec(config, (height, width, channels), 1)
        self.targets = embeddings(config.embedding, np.concatenate([data.x_train, data.x_test]))  # (2, N, D)
        super().__init__(config, data, folder, device)

    def build(self) -> GeneralCodec:
        """Build the codec, whose decoder's outputs are the values of the embedding."""
        height, width, channels = self.data.x_train.shape[1:]
        return GeneralCodec(self.config, (height, width, channels), self.targets.shape[2])

    def loss(self, images: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Return 1 - cosine of the predicted embedding and that of the image, mirrored as in the view."""
        model = self.state.model
        impairment = draw_impairment(self.config.link, len(index), model.n_symbols, model.quantizer.bits, rng)
        mirrored = self.views.mirrored[index].numpy().astype(int)
        targets = self.targets[mirrored, self.labels[index].cpu().numpy()]
        predicted = model(images, impairment.to(self.device)).host
        return 1 - F.cosine_similarity(predicted, torch.from_numpy(targets).float().to(self.device)).mean()

    def evaluate(self, model: GeneralCodec, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return the mean cosine by BER with the whole payload, and without errors for each prefix."""
        payload, targets = evaluate.encode(model, images), torch.from_numpy(self.targets[0][labels]).float()

        def cosine(ber: float, n_received: int | None = None) -> float:
            predicted = evaluate.logits(model, payload, ber, n_received)
            return float(F.cosine_similarity(predicted, targets).mean())

        prefixes = [count for first, count in model.chunks if first == 0 and count < model.n_symbols]
        return {f"{ber:g}": cosine(ber) for ber in BER_GRID} | {f"prefix {n}": cosine(0.0, n) for n in prefixes}

    def score(self, accuracies: dict[str, float]) -> float:
        """Return the mean of the clean, noisy and prefix cosines."""
        return evaluate.score(accuracies)

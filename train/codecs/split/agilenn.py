"""AgileNN (Huang and Gao 2022, MobiCom, arXiv 2312.14229): important features stay on the device, the others are sent.

The first channels of the stem's features are local: the device pools and classifies them, an early exit. The other
channels are quantized and sent to a remote predictor. Both predictions are added with learned weights. Explainable AI
skews the importance of the features: a frozen reference network attributes its decision to each channel by integrated
gradients, and a loss demands that the local channels have at least the share `rho` of the whole importance, and that
none of them is less important than one that is sent. docs/systems.md has the equations.

Differences from the paper and its public code:
- Feature extractor and remote predictor are the base classifier's stem and its rest, with a transposed convolution
  between the code and the rest; the reference network is a frozen copy of the rest.
- A convolution makes as many symbols of the sent channels as the other split codecs send, without LZW.
- The local prediction reaches the host as an answer word, which is damaged as symbols are, in place of some symbols. In
  the paper, the remote prediction returns to the device.
- Importance is compared per channel. The public code compares single elements, where the least local one is almost 0.
"""

import copy
import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train import parallel, settings
from train.classifiers.architectures import Classifier
from train.codecs.answer_posterior import AnswerDecoder
from train.codecs.deployable import DeployableCodec, Payload
from train.codecs.encoder import SCORE_SCALE, ConvEncoder, ConvUnit
from train.codecs.split.semanticnn import init_transposed
from train.codecs.split.semanticnn_device import stem_unit
from train.codecs.split.split_codec import SplitCodec, Stage
from train.compute_device import autocast
from train.impairment import Impairment
from wire.answer import ANSWER_BITS


class AgileEncoder(ConvEncoder):
    """The device's part: two halves of the stem, a local predictor behind one, and the code behind the other."""

    def __init__(self, classifier: Classifier, feature_shape: tuple[int, int, int], n_local: int) -> None:
        channels, height, width = feature_shape
        # A stem in two halves computes what one would, and a board need not cut its output into channels.
        local, sent = stem_unit(classifier, slice(n_local)), stem_unit(classifier, slice(n_local, None))
        pool = ConvUnit(n_local, n_local, (height, width), groups=n_local, relu=False)
        nn.init.constant_(pool.conv.weight, 1 / (height * width))
        code = ConvUnit(channels - n_local, channels // 2, 4, 4, relu=False)
        answer = ConvUnit(n_local, classifier.last.out_features, 1, relu=False, norm=False)
        answer.range = code.range  # all outputs have one scale
        super().__init__(local, pool, sent, code, answer)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, C, H', W'), the local channels first."""
        return torch.cat([self.layers[0](x), self.layers[2](x)], 1)

    def code(self, sent: Tensor) -> Tensor:
        """Map the channels that are sent (B, C - k, H', W') to the code (B, C/2, h, w)."""
        return self.layers[3](sent)

    def scores(self, local: Tensor) -> Tensor:
        """Map the local channels (B, k, H', W') to class scores (B, classes, 1, 1)."""
        return self.layers[4](self.layers[1](local))

    def outputs(self, x: Tensor) -> list[Tensor]:
        """Map images (B, 3, H, W) to the code (B, C/2, h, w) and class scores (B, classes, 1, 1)."""
        return [self.code(self.layers[2](x)), self.scores(self.layers[0](x))]


class AgileNN(SplitCodec, DeployableCodec):
    """AgileNN on a base classifier. Its encoder runs in int8; it needs a stem as SemanticNNDevice does."""

    has_answer = True
    encoder: AgileEncoder
    host_temperature: Tensor

    @dataclass(frozen=True)
    class Options(SplitCodec.Options):
        """Settings of a config. Raises TrainError for a value out of range."""

        local_share: float = 0.2  # share of the stem's channels that are local
        rho: float = 0.8  # least share of the whole importance that the local channels shall have
        task_weight: float = 0.8  # weight of the cross-entropy; the losses of importance have the rest
        xai_images: int = 16  # images of each batch whose importance is computed

        def __post_init__(self) -> None:
            settings.check(
                {
                    "local_share must be above 0 and below 1": 0 < self.local_share < 1,
                    "rho must be 0 to 1": 0 <= self.rho <= 1,
                    "task_weight must be above 0 and at most 1": 0 < self.task_weight <= 1,
                    "xai_images must be at least 1": self.xai_images >= 1,
                },
                "options",
            )

    options: Options

    def build(self) -> None:
        """Create the layers of encoder and decoder."""
        c, _, _ = self.feature_shape
        self.latent_shape = self.quarter()
        self.n_local = min(max(1, round(self.options.local_share * c)), c - 1)
        classes = self.classifier.last.out_features
        self.encoder = AgileEncoder(self.classifier, self.feature_shape, self.n_local)
        up = nn.ConvTranspose2d(c // 2, c, 4, 4, bias=False)
        init_transposed(up)
        self.decoder = nn.Sequential(up, nn.BatchNorm2d(c), nn.ReLU())
        self.reference = copy.deepcopy(self.classifier)
        self.answer = AnswerDecoder(classes)
        self.reweighting = nn.Parameter(torch.zeros(2))  # of the local and the remote prediction, before softmax
        self.register_buffer("host_temperature", torch.tensor(1.0))
        self.register_answer(classes)
        # The answer word takes the place of symbols: those of the last position.
        replaced = -(-ANSWER_BITS // self.quantizer.bits)
        self.set_order(torch.arange(math.prod(self.latent_shape) - replaced))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage: the task and the importance together."""
        return (Stage("task", 1.0),)

    def train(self, mode: bool = True) -> Self:
        """Set the mode as in PyTorch; base classifier and reference network stay in evaluation mode."""
        super().train(mode)
        self.reference.eval()
        return self

    def stem(self, images: Tensor) -> Tensor:
        """Compute the encoder's own stem: images (B, 3, H, W) in [0, 1] -> features (B, C, H', W'), clipped at 6."""
        return self.encoder.features(images)

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Encode features (B, C, H', W') to a code (B, C/2, h, w); the BER is not used."""
        return self.encoder.code(features[:, self.n_local :])

    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """Decode a received code (B, C/2, h, w) to features (B, C, H', W'); the BER is not used."""
        return self.decoder(values)

    def board_logits(self, images: Tensor) -> Tensor:
        """Return the local predictor's logits (B, classes) of images (B, 3, H, W) in [0, 1]."""
        with autocast(images.device, False):
            return self._local_logits(self.stem(images))

    def _local_logits(self, features: Tensor) -> Tensor:
        return self.encoder.scores(features[:, : self.n_local]).flatten(1) * SCORE_SCALE

    def loss(self, stage: str, images: Tensor, labels: Tensor, impairment: Impairment) -> Tensor:
        """Return the cross-entropy of the weighted sum of both predictions, and the losses of importance."""
        with autocast(images.device, False):  # int8 and gradients of gradients need more bits than bfloat16 has
            features = self.stem(images)
            board = self._local_logits(features)
            z = self.encode(features, impairment.given_ber).permute(0, 2, 3, 1).flatten(1)[:, self.order]
            values, _ = self.transmit(z, impairment)
            n, weight = parallel.leading(self.options.xai_images, len(images))
            skewness, disorder = importance_losses(
                self.importance(features[:n], labels[:n]), self.n_local, self.options.rho
            )
        remote = self.classify_values(values, impairment.given_ber).float()
        local = self._received(board, impairment)
        task = F.cross_entropy(self._combined(local, remote), labels)
        skewed = weight * (skewness + disorder) if n else 0.0  # without images, both are no number
        return self.options.task_weight * task + (1 - self.options.task_weight) * skewed

    def _received(self, board: Tensor, impairment: Impairment) -> Tensor:
        """Return the local prediction as it reaches the host, in log-probabilities (B, classes), with gradients.

        An intact answer has the gradient of the local predictor's own log-probabilities, a damaged one has none.
        """
        words = torch.where(impairment.answer_missing, -1, self.answers(board) ^ impairment.answer_flips)
        arrived = self._answer_logits(words, impairment.given_ber)
        own = F.log_softmax(board / self.temperature, 1)
        intact = ((impairment.answer_flips == 0) & ~impairment.answer_missing)[:, None]
        return arrived + torch.where(intact, own - own.detach(), torch.zeros_like(own))

    def _answer_logits(self, words: Tensor, ber: Tensor) -> Tensor:
        return self.answer(words, ber, words, words)  # of its arguments, it only uses BER and words

    def _combined(self, local: Tensor, remote: Tensor) -> Tensor:
        weights = F.softmax(self.reweighting, 0)
        return (weights[0] * local + weights[1] * remote) / self.host_temperature

    def importance(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the importance of each channel (B, C) of features (B, C, H', W') for the reference network.

        Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) of its loss at the labels (B,), from features
        of zeros, by the trapezoid over the two ends of the path. The gradients are differentiable, too.
        """

        def gradient(point: Tensor, differentiable: bool) -> Tensor:
            loss = F.cross_entropy(self.reference.classify(point), labels, reduction="sum")
            return torch.autograd.grad(loss, point, create_graph=differentiable)[0]

        at_zero = gradient(torch.zeros_like(features, requires_grad=True), False)
        return ((gradient(features, True) + at_zero) / 2 * features).abs().sum((2, 3))

    def decode(self, symbols: Tensor, ber: Tensor, answer: Tensor | None = None) -> Tensor:
        """Decode received symbols (B, S) int64, -1 where missing, at BER (B,) to logits (B, classes).

        answer int64 (B,): received answer words, -1 where missing, by default everywhere.
        """
        words = symbols.new_full((symbols.shape[0],), -1) if answer is None else answer
        return self._combined(self._answer_logits(words, ber), super().decode(symbols, ber))

    @torch.no_grad()
    def send(self, images: Tensor, ber: Tensor | None = None) -> Payload:
        """Encode images (B, 3, H, W) in [0, 1] to symbols (B, S) and answer words (B,); the BER is not used."""
        features = self.stem(images)
        z = self.encode(features, features.new_zeros(len(features))).permute(0, 2, 3, 1).flatten(1)[:, self.order]
        return Payload(self.quantizer.nearest(z), self.answers(self._local_logits(features)))

    def latent_centres(self) -> Tensor:
        """Return the centres (L,): encoder and quantizer share their units."""
        return self.quantizer.centres()

    def scale_logits(self, temperature: float) -> None:
        """Divide all logits by a temperature."""
        self.host_temperature.mul_(temperature)

    def encoder_macs(self) -> int:
        """Return the device's multiply-accumulate operations per image, stem included."""
        height, width, _ = self.input_shape
        return self.encoder.macs(height, width)


def importance_losses(importance: Tensor, n_local: int, rho: float) -> tuple[Tensor, Tensor]:
    """Return the losses of skewness and of disorder, given the importance of each channel (B, C), local ones first.

    Skewness: what the local channels' share of the importance lacks to `rho`. Disorder: by how much the most important
    channel that is sent exceeds the least important local one, as a share. Both are means over the images.
    """
    share = importance / (importance.sum(1, keepdim=True) + 1e-9)
    local, sent = share[:, :n_local], share[:, n_local:]
    skewness = F.relu(rho - local.sum(1)).mean()
    return skewness, F.relu(sent.amax(1) - local.amin(1)).mean()

"""Inkling's encoder before SemanticNN's decoder, and Inkling's encoder and host around a frozen classifier."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.support import ROOT
from tests.support.codec import impairment
from tests.train.codecs.split.support import batch, flipped_symbols, gradient, small_classifier, train_steps
from train import settings
from train.classifiers.architectures import build
from train.codecs.deployable import DeployableCodec
from train.codecs.fakequant import calibrate
from train.codecs.split.registry import SPLIT_CODECS
from train.codecs.split.split_codec import SplitCodec
from train.config import ClassifierConfig, QuantizerConfig
from train.errors import TrainError
from train.trainers.split import SplitConfig

EACH = pytest.mark.parametrize("name", ["semanticnn_inkling", "inkling_frozen"])
TASK = {"semanticnn_inkling": "stage 2", "inkling_frozen": "task"}


def make(name: str, size: int = 8, seed: int = 0, **options: Any) -> SplitCodec:  # noqa: ANN401 - any setting
    torch.manual_seed(seed)
    kind = SPLIT_CODECS[name]
    chosen = settings.build(kind.Options, options, "options")
    codec = kind(small_classifier(), (size, size, 3), QuantizerConfig(), chosen)
    for part, parameter in codec.named_parameters():
        if part.endswith("film.weight"):  # they start at 0, and then the link's condition gets no gradient
            nn.init.normal_(parameter, 0, 0.1)
    return codec


def macs(codec: SplitCodec) -> int:
    assert isinstance(codec, DeployableCodec)
    return codec.encoder_macs()


@EACH
def test_code_of_images_has_the_shape_of_the_other_split_codecs(name: str) -> None:
    codec = make(name).eval()
    images, ber = batch()[0], torch.full((12,), 1e-2)
    assert codec.latent_shape == (2, 2, 4) and codec.n_symbols == 16
    symbols = codec.send(images).symbols
    assert symbols.shape == (12, 16) and symbols.min() >= 0 and symbols.max() < 8
    assert codec.decode(symbols, ber).shape == (12, 4)
    assert codec.reconstruct(codec.encode(codec.stem(images), ber), ber).shape == (12, 8, 8, 8)


@pytest.mark.parametrize(
    "config", sorted((ROOT / "configs" / "systems").glob("*inkling-frozen.toml")), ids=lambda file: file.stem
)
def test_configs_cost_the_board_no_more_than_semanticnn_on_a_device(config: Path) -> None:
    costs = []
    for system in ("semanticnn-device", "semanticnn-inkling", "inkling-frozen"):
        loaded = SplitConfig.load(config.with_name(config.name.replace("inkling-frozen", system)))
        base = ClassifierConfig.load(ROOT / loaded.classifier)
        codec = SPLIT_CODECS[loaded.system](
            build(base.architecture, 4), (32, 32, 3), loaded.quantizer, loaded.build_options()
        )
        costs.append(macs(codec))
    assert 0.8 * costs[0] < costs[1] == costs[2] <= costs[0]


@EACH
def test_loss_reaches_encoder_centres_and_host_but_not_the_classifier(name: str) -> None:
    codec = make(name).train()
    codec.loss(TASK[name], *batch(), impairment(codec, 12)).backward()
    for part, parameter in codec.named_parameters():
        if part.startswith("classifier."):
            assert parameter.grad is None, part
        else:
            assert gradient(codec, part).abs().max() > 0, part


@EACH
def test_training_lowers_the_loss(name: str) -> None:
    losses = train_steps(make(name).train(), 30, TASK[name])
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_loss_of_the_frozen_codec_is_that_of_decoding_what_was_sent() -> None:
    codec = make("inkling_frozen").eval()
    images, labels = batch()
    damaged = flipped_symbols(codec, flipped=5)
    symbols = codec.flip(codec.send(images).symbols, damaged.flips)
    with torch.no_grad():
        expected = F.cross_entropy(codec.decode(symbols, damaged.given_ber), labels)
        assert codec.loss("task", images, labels, damaged) == pytest.approx(float(expected), abs=1e-5)


def test_host_of_the_frozen_codec_uses_the_error_rate() -> None:
    codec = make("inkling_frozen").eval()
    symbols = codec.send(batch()[0]).symbols
    clean, noisy = (codec.decode(symbols, torch.full((12,), ber)) for ber in (1e-4, 0.2))
    assert (clean - noisy).abs().max() > 1e-3


@EACH
def test_fold_and_calibrate_keep_the_code(name: str) -> None:
    codec = make(name).train()
    assert isinstance(codec, DeployableCodec)
    images, ber = batch(n=40)[0], torch.zeros(40)
    with torch.no_grad():
        codec.encoder.outputs(images)  # batch norms leave their initial values
        before = codec.eval().latent_in_order(images, ber)
        codec.encoder.fold()
        assert torch.allclose(codec.latent_in_order(images, ber), before, atol=1e-4)
        calibrate(codec.encoder, images)
        rounded = codec.latent_in_order(images, ber)
    assert 0 < (rounded - before).abs().mean() < 0.1
    assert torch.equal(codec.latent_centres(), codec.quantizer.centres())


@EACH
def test_build_refuses_a_trunk_to_another_grid(name: str) -> None:
    with pytest.raises(TrainError, match="options: trunk leads to a grid of 4 x 4, and the code has 2 x 2"):
        make(name, trunk=["conv4s2 8"])
    for line in ("head 4", "answer"):
        with pytest.raises(TrainError, match="trunk must have no 'head' and no 'answer'"):
            make(name, trunk=["conv4s2 8", "conv4s2 8", line])

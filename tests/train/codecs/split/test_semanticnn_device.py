"""The deployable SemanticNN: its encoder starts as the classifier's stem, learns, and int8 keeps what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from train import settings
from train.classifiers.architectures import Classifier, build
from train.codecs.deployable import DeployableCodec
from train.codecs.fakequant import calibrate
from train.codecs.split import semanticnn, semanticnn_device
from train.codecs.split.split_codec import SplitCodec
from train.config import DataConfig, QuantizerConfig, ScheduleConfig
from train.data.datasets import Dataset
from train.errors import TrainError
from train.impairment import Impairment, draw
from train.trainers import split as system_run

SHAPE = (16, 16, 3)
CONFIG = system_run.SplitConfig(
    "test", "semanticnn_device", "none.toml", DataConfig("cifar10"), ScheduleConfig(2, qat_epochs=1, batch=8)
)


def pictures(count: int = 12) -> Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def classifier(architecture: str = "resnet20") -> Classifier:
    """As if it had seen some training: batch norms are not where they start."""
    torch.manual_seed(3)
    model = build(architecture, 5)
    with torch.no_grad():
        for module in model.stem.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    return model


def system(architecture: str = "resnet20", **options: bool) -> semanticnn_device.SemanticNNDevice:
    return semanticnn_device.SemanticNNDevice(
        classifier(architecture), SHAPE, QuantizerConfig(), semanticnn_device.Options(xai_images=4, **options)
    )


def link(model: SplitCodec, count: int = 12) -> Impairment:
    return draw(system_run.CHANNEL, count, model.n_symbols, 3, np.random.default_rng(0))


@pytest.mark.parametrize(("architecture", "latent"), [("mobilenet_v2", (2, 2, 16)), ("resnet20", (4, 4, 8))])
def test_the_stem_starts_as_the_classifiers_clipped_at_6(architecture: str, latent: tuple[int, int, int]) -> None:
    model = system(architecture).eval()
    assert model.latent_shape == latent and model.n_symbols == np.prod(latent)
    images = pictures()
    with torch.no_grad():
        assert torch.allclose(model.stem(images), model.classifier.features(images).clamp_max(6), atol=1e-6)
        raw = model.encoder(images).permute(0, 2, 3, 1).flatten(1)[:, model.order]
        z = model.latent_in_order(images, torch.zeros(12))
    # The nearest centre of an encoder's value is that of the decoder's: the symbol table may use either units.
    distance = (raw[..., None] - model.latent_centres().detach()).abs()
    assert torch.equal(distance.argmin(-1), model.quantizer.nearest(z))


@pytest.mark.parametrize("architecture", ["efficientnet_v2_s", "resnet50"])
def test_other_stems_are_refused(architecture: str) -> None:
    with pytest.raises(TrainError, match=r"^semanticnn_device needs a stem of a 3x3 convolution, .*$"):
        semanticnn_device.SemanticNNDevice(
            build(architecture, 5), (32, 32, 3), QuantizerConfig(), semanticnn_device.Options()
        )


def test_at_the_start_all_levels_are_used_and_hardly_a_value_is_clipped() -> None:
    model = system().train()
    with torch.no_grad():
        latent = model.encoder(pictures(200))
        levels = model.quantizer.nearest((latent - 3) / 1.5)
    assert ((latent == 0) | (latent == 6)).float().mean() < 0.1
    share = torch.bincount(levels.flatten(), minlength=8) / levels.numel()
    assert share.min() > 0.05


@pytest.mark.parametrize("stage", ["stage 1", "stage 2"])
def test_every_stage_teaches_stem_encoder_and_centres(stage: str) -> None:
    model = system().train()
    model.loss(stage, pictures(), torch.arange(12) % 5, link(model)).backward()
    for name in ("encoder.layers.0.conv.weight", "encoder.layers.1.conv.weight", "quantizer.gaps"):
        assert model.get_parameter(name).grad.abs().max() > 0, name
    assert all(p.grad is None for p in model.classifier.parameters())


def test_folded_and_rounded_it_gives_nearly_the_same_code() -> None:
    model = system("mobilenet_v2").eval()
    images, ber = pictures(40), torch.zeros(40)
    with torch.no_grad():
        before = model.latent_in_order(images, ber)
        model.encoder.fold()
        assert torch.allclose(model.latent_in_order(images, ber), before, atol=1e-4)
        calibrate(model.encoder, images)
        rounded = model.latent_in_order(images, ber)
    assert 0 < (rounded - before).abs().mean() < 0.05
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.encoder.modules())


def test_macs_are_those_of_stem_and_code() -> None:
    model = system("mobilenet_v2")
    assert model.encoder_macs() == 8 * 8 * 32 * 27 + 2 * 2 * 16 * 512 == model.encoder.macs(16, 16)


def test_only_an_encoder_in_int8_has_int8_epochs() -> None:
    pixels, labels = np.zeros((4, *SHAPE), np.uint8), np.zeros(4, np.int64)
    data = Dataset("test", pixels, labels, pixels, labels, ("a", "b"))
    assert isinstance(system_run.create(CONFIG, classifier(), data), DeployableCodec)
    reference = replace(CONFIG, system="semanticnn")
    with pytest.raises(TrainError, match=r"^schedule\.qat_epochs is for encoders in int8, and semanticnn has none$"):
        system_run.create(reference, classifier(), data)
    without = replace(reference, schedule=ScheduleConfig(2, batch=8))
    assert not isinstance(system_run.create(without, classifier(), data), DeployableCodec)


def test_options_are_the_references() -> None:
    assert settings.build(semanticnn_device.Options, {"xai": False}, "options").xai is False
    assert set(vars(semanticnn_device.Options())) == set(vars(semanticnn.Options()))

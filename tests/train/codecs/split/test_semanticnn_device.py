"""SemanticNN on a device: the encoder starts as the classifier's stem, learns, and survives int8."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.train.codecs.split.support import gradient
from train import settings
from train.classifiers.architectures import Classifier, Normalize, build
from train.codecs.deployable import DeployableCodec
from train.codecs.fakequant import calibrate
from train.codecs.split.semanticnn import SemanticNN
from train.codecs.split.semanticnn_device import SemanticNNDevice, stem_unit
from train.codecs.split.split_codec import SplitCodec
from train.config import DataConfig, QuantizerConfig, ScheduleConfig
from train.data.datasets import Dataset
from train.errors import TrainError
from train.impairment import Impairment, draw_impairment
from train.trainers.split import SplitConfig, create_codec

SHAPE = (16, 16, 3)
CONFIG = SplitConfig(
    name="test",
    system="semanticnn_device",
    classifier="none.toml",
    data=DataConfig("cifar10"),
    schedule=ScheduleConfig(2, qat_epochs=1, batch=8),
)


def random_images(count: int = 12) -> Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def classifier(architecture: str = "resnet20") -> Classifier:
    """Return a classifier whose batch norms have left their initial values."""
    torch.manual_seed(3)
    model = build(architecture, 5)
    with torch.no_grad():
        for module in model.stem.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    return model


def make(architecture: str = "resnet20") -> SemanticNNDevice:
    options = SemanticNNDevice.Options(xai_images=4)
    return SemanticNNDevice(classifier(architecture), SHAPE, QuantizerConfig(), options)


def impairment(model: SplitCodec, count: int = 12) -> Impairment:
    return draw_impairment(CONFIG.link.whole_payloads(), count, model.n_symbols, 3, np.random.default_rng(0))


@pytest.mark.parametrize(("architecture", "latent"), [("mobilenet_v2", (2, 2, 16)), ("resnet20", (4, 4, 8))])
def test_stem_starts_as_that_of_the_classifier_clipped_at_6(architecture: str, latent: tuple[int, int, int]) -> None:
    model = make(architecture).eval()
    assert model.latent_shape == latent and model.n_symbols == np.prod(latent)
    images = random_images()
    with torch.no_grad():
        assert torch.allclose(model.stem(images), model.classifier.features(images).clamp_max(6), atol=1e-6)
        raw = model.encoder(images).permute(0, 2, 3, 1).flatten(1)[:, model.order]
        z = model.latent_in_order(images, torch.zeros(12))
    # The nearest centre is the same in the encoder's and the decoder's units.
    distance = (raw[..., None] - model.latent_centres().detach()).abs()
    assert torch.equal(distance.argmin(-1), model.quantizer.nearest(z))


def test_stem_unit_merges_the_normalisation_of_the_images() -> None:
    model = classifier().eval()
    model.normalize = Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    images = random_images()
    with torch.no_grad():
        difference = (stem_unit(model).eval()(images) - model.features(images).clamp_max(6)).abs()
        half = stem_unit(model, slice(4, 7)).eval()(images)
    assert difference[:, :, 1:-1, 1:-1].max() < 1e-5 < difference.max()  # at the border, black is not the mean colour
    torch.testing.assert_close(half, stem_unit(model).eval()(images)[:, 4:7])


@pytest.mark.parametrize("architecture", ["efficientnet_v2_s", "resnet50"])
def test_build_refuses_other_stems(architecture: str) -> None:
    with pytest.raises(TrainError, match=r"^an int8 encoder needs a stem of a 3x3 convolution, .*$"):
        SemanticNNDevice(build(architecture, 5), (32, 32, 3), QuantizerConfig(), SemanticNNDevice.Options())


def test_encoder_starts_with_all_levels_in_use_and_few_values_clipped() -> None:
    model = make().train()
    with torch.no_grad():
        latent = model.encoder(random_images(200))
        symbols = model.quantizer.nearest((latent - 3) / 1.5)
    assert ((latent == 0) | (latent == 6)).float().mean() < 0.1
    share = torch.bincount(symbols.flatten(), minlength=8) / symbols.numel()
    assert share.min() > 0.05


@pytest.mark.parametrize("stage", ["stage 1", "stage 2"])
def test_loss_reaches_stem_encoder_and_centres_in_every_stage(stage: str) -> None:
    model = make().train()
    model.loss(stage, random_images(), torch.arange(12) % 5, impairment(model)).backward()
    for name in ("encoder.layers.0.conv.weight", "encoder.layers.1.conv.weight", "quantizer.gaps"):
        assert gradient(model, name).abs().max() > 0
    assert all(p.grad is None for p in model.classifier.parameters())


def test_fold_and_calibrate_keep_the_code() -> None:
    model = make("mobilenet_v2").eval()
    images, ber = random_images(40), torch.zeros(40)
    with torch.no_grad():
        before = model.latent_in_order(images, ber)
        model.encoder.fold()
        assert torch.allclose(model.latent_in_order(images, ber), before, atol=1e-4)
        calibrate(model.encoder, images)
        rounded = model.latent_in_order(images, ber)
    assert 0 < (rounded - before).abs().mean() < 0.05
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.encoder.modules())


def test_encoder_macs_count_stem_and_code() -> None:
    model = make("mobilenet_v2")
    assert model.encoder_macs() == 8 * 8 * 32 * 27 + 2 * 2 * 16 * 512 == model.encoder.macs(16, 16)


def test_create_codec_refuses_int8_epochs_for_float_encoder() -> None:
    pixels, labels = np.zeros((4, *SHAPE), np.uint8), np.zeros(4, np.int64)
    data = Dataset("test", pixels, labels, pixels, labels, ("a", "b"))
    assert isinstance(create_codec(CONFIG, classifier(), data), DeployableCodec)
    reference = replace(CONFIG, system="semanticnn")
    with pytest.raises(TrainError, match=r"^schedule\.qat_epochs is for int8 encoders, semanticnn has none$"):
        create_codec(reference, classifier(), data)
    without = replace(reference, schedule=ScheduleConfig(2, batch=8))
    assert not isinstance(create_codec(without, classifier(), data), DeployableCodec)


def test_options_are_those_of_semanticnn() -> None:
    assert settings.build(SemanticNNDevice.Options, {"xai": False}, "options").xai is False
    assert set(vars(SemanticNNDevice.Options())) == set(vars(SemanticNN.Options()))

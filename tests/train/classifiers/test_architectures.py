"""Base classifiers: the split model equals the whole one, and freezing changes nothing."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from train.classifiers.architectures import ARCHITECTURES, Classifier, build, build_configured, feature_shape
from train.classifiers.resnet import MEAN, STD
from train.classifiers.teacher import CifarResNet
from train.codecs.split.split_codec import frozen
from train.config import CLASSIFIERS, ClassifierConfig
from train.data.torchvision_import import models
from train.errors import TrainError

FEATURES = {
    "mobilenet_v2": (32, 16, 16),
    "resnet50": (64, 8, 8),
    "efficientnet_v2_s": (24, 16, 16),
    "resnet20": (16, 32, 32),
}
CLASSES = 7


def random_images(count: int = 4) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def seeded(architecture: str) -> Classifier:
    torch.manual_seed(2)
    return build(architecture, CLASSES).eval()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_classifier_has_the_documented_features_and_parts_that_fit(architecture: str) -> None:
    model = seeded(architecture)
    assert feature_shape(model, 32, 32) == FEATURES[architecture]
    with torch.no_grad():
        features = model.features(random_images())
        outputs = model.block_outputs(features)
        assert features.shape == (4, *FEATURES[architecture])
        assert len(outputs) == len(model.blocks)
        torch.testing.assert_close(model.head(outputs[-1]), model(random_images()), rtol=0, atol=0)
        assert model(random_images()).shape == (4, CLASSES)


@pytest.mark.parametrize("architecture", sorted(FEATURES.keys() - {"resnet20"}))
def test_classifier_equals_torchvisions_bit_for_bit(architecture: str) -> None:
    split = seeded(architecture)
    torch.manual_seed(2)  # the same draws, hence the same weights
    whole = getattr(models, architecture)(num_classes=CLASSES).eval()
    with torch.no_grad():
        assert torch.equal(split(random_images()), whole(random_images()))


def test_classifier_resnet20_is_the_teachers_without_its_normalisation() -> None:
    split = seeded("resnet20")
    torch.manual_seed(2)
    whole = CifarResNet(20, CLASSES).eval()
    with torch.no_grad():
        torch.testing.assert_close(split((random_images() - whole.mean) / whole.std), whole(random_images()))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_classifier_for_grey_images_differs_in_the_first_convolution_only(architecture: str) -> None:
    grey, colour = build(architecture, CLASSES, 1).eval(), seeded(architecture)
    assert (grey.channels, colour.channels) == (1, 3)
    assert feature_shape(grey, 32, 32) == FEATURES[architecture]
    assert grey(random_images()[:, :1]).shape == (4, CLASSES)
    pairs = {name: (part.shape, colour.state_dict()[name].shape) for name, part in grey.state_dict().items()}
    assert [one[1] for one in pairs.values() if one[0] != one[1]] == [colour.state_dict()[next(iter(pairs))].shape]


def test_feature_shape_leaves_mode_and_statistics_alone() -> None:
    model = seeded("resnet20").train()
    before = [buffer.clone() for buffer in model.buffers()]
    feature_shape(model, 32, 32)
    assert model.training and all(torch.equal(a, b) for a, b in zip(before, model.buffers(), strict=True))


def test_configs_know_every_architecture() -> None:
    assert set(CLASSIFIERS) == set(ARCHITECTURES)


def test_build_refuses_unknown_architecture() -> None:
    with pytest.raises(TrainError, match="unknown architecture 'vgg'; known: mobilenet_v2, resnet50"):
        build("vgg", 10)


# Checkpoints


def whole(architecture: str) -> nn.Module:
    torch.manual_seed(4)
    create = getattr(models, architecture, None)
    return (create(num_classes=CLASSES) if create else CifarResNet(20, CLASSES)).eval()


def config_of(file: Path, architecture: str = "resnet20", **changes: object) -> ClassifierConfig:
    values = {"name": "base", "architecture": architecture, "checkpoint": str(file), "data": {"name": "cifar10"}}
    return ClassifierConfig.from_dict({**values, "schedule": {"epochs": 1}, **changes})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_build_configured_loads_a_checkpoint_with_the_public_names(architecture: str, tmp_path: Path) -> None:
    model = whole(architecture)
    torch.save(model.state_dict(), tmp_path / "plain.pth")
    torch.save({"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "wrapped.pth")
    mean, std = ((0.0,) * 3, (1.0,) * 3) if architecture != "resnet20" else (MEAN, STD)  # that one normalises itself
    with torch.no_grad():
        expected = model(random_images())
        for name in ("plain.pth", "wrapped.pth"):
            config = config_of(tmp_path / name, architecture, mean=mean, std=std)
            split = build_configured(config, CLASSES, 3).eval()
            torch.testing.assert_close(split(random_images()), expected, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(frozen(split)(random_images()), expected, rtol=1e-4, atol=1e-4)


def test_build_configured_searches_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(whole("resnet20").state_dict(), tmp_path / "a.th")
    monkeypatch.setenv("INKLING_DATA", str(tmp_path))
    build_configured(config_of(Path("a.th")), CLASSES, 3)


def test_build_configured_refuses_wrong_checkpoints_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.th"
    torch.save(whole("resnet20").state_dict(), file)
    torch.save(torch.zeros(3), tmp_path / "tensor.th")
    torch.save({"a": 1}, tmp_path / "other.th")
    (tmp_path / "junk.th").write_bytes(b"junk")
    for config, classes, channels, message in [
        (config_of(tmp_path / "none.th"), CLASSES, 3, "none.th not found (nor below INKLING_DATA)"),
        (config_of(tmp_path / "junk.th"), CLASSES, 3, "junk.th is damaged, or not a PyTorch file"),
        (config_of(tmp_path / "tensor.th"), CLASSES, 3, "tensor.th has no weights of a resnet20 of 7 classes"),
        (config_of(tmp_path / "other.th"), CLASSES, 3, "other.th has no weights of a resnet20 of 7 classes: "),
        (config_of(file), 8, 3, "a.th has no weights of a resnet20 of 8 classes: size mismatch for linear.weight"),
        (config_of(file, "mobilenet_v2"), CLASSES, 3, "a.th has no weights of a mobilenet_v2"),
        (config_of(file), CLASSES, 1, "base: the checkpoint takes 3 channels, the images have 1"),
        (config_of(file, checkpoint=None, mean=[0.5] * 3), CLASSES, 1, "base: mean and std are those of three colours"),
    ]:
        with pytest.raises(TrainError) as caught:
            build_configured(config, classes, channels)
        assert message in str(caught.value) and "\n" not in str(caught.value), str(caught.value)


def test_classifier_config_refuses_a_deviation_of_zero(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="std must be above 0"):
        config_of(tmp_path, std=[0.2, 0.0, 0.2])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_frozen_classifier_gives_the_same_logits_and_learns_nothing(architecture: str) -> None:
    model = seeded(architecture).train()
    with torch.no_grad():
        for _ in range(2):  # batch norms get statistics of their own: merging identities would prove nothing
            model(random_images())
        before = model.eval()(random_images())
        merged = frozen(model)
        after = merged(random_images())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in merged.blocks.modules())
    assert not any(parameter.requires_grad for parameter in merged.parameters())
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4 * float(before.abs().max()))

"""The teacher: CIFAR ResNets of the usual checkpoints, and soft labels that are computed once and cached."""

import copy
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support import train as train_support
from tests.support.train import write_teacher
from train.classifiers.teacher import CifarResNet, SoftLabels, load
from train.config import ClassifierConfig, TeacherConfig
from train.data.augment import as_input
from train.data.datasets import CIFAR10_CLASSES, Dataset
from train.errors import TrainError
from train.trainers.classifier import ClassifierTrainer

USUAL = Path("models", "resnet_cifar10_akamaster", "resnet20-12fca82f.th")


def data_of(classes: int) -> Dataset:
    """Return a data set with that many classes, whose images nobody looks at."""
    pixels, labels = np.zeros((1, 32, 32, 3), np.uint8), np.zeros(1, np.int64)
    return Dataset("test", pixels, labels, pixels, labels, tuple(f"class {n}" for n in range(classes)))


def random_images(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_cifar_resnet_has_the_parameters_of_the_paper() -> None:
    model = CifarResNet(20)
    assert sum(p.numel() for p in model.parameters()) == 269_722  # the 0.27 M of He et al. 2015, table 6
    assert sum(isinstance(m, torch.nn.Conv2d) for m in model.modules()) == 19


def test_load_of_usual_checkpoint_classifies_cifar10() -> None:
    data = os.environ.get("INKLING_DATA")
    if not data or not (Path(data) / USUAL).is_file():
        pytest.skip(f"no {USUAL} below INKLING_DATA")
    model = load(TeacherConfig(str(USUAL), depth=20), data_of(10))
    assert not model.training
    cifar10 = train_support.public_dataset("cifar10")
    with torch.no_grad():
        predicted = model(as_input(torch.from_numpy(cifar10.x_test[:200]))).argmax(1).numpy()
    assert (predicted == cifar10.y_test[:200]).mean() > 0.9


def test_load_searches_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_teacher(tmp_path)
    monkeypatch.setenv("INKLING_DATA", str(tmp_path))
    load(TeacherConfig("resnet20.th"), data_of(10))


def test_load_refuses_wrong_checkpoint_in_one_line(tmp_path: Path) -> None:
    file = write_teacher(tmp_path)
    (tmp_path / "junk.th").write_bytes(b"junk")
    (tmp_path / "empty.th").write_bytes(b"")
    torch.save(torch.zeros(3), tmp_path / "tensor.th")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.th")
    for teacher, classes, message in [
        (TeacherConfig("none.th"), 10, "teacher checkpoint none.th not found (nor below INKLING_DATA)"),
        (TeacherConfig(str(file), depth=32), 10, "is not a CIFAR ResNet-32 of 10 classes: "),
        (TeacherConfig(str(file)), 7, "is not a CIFAR ResNet-20 of 7 classes: size mismatch for linear.weight"),
        (TeacherConfig(str(tmp_path / "junk.th")), 10, "junk.th is damaged, or not a PyTorch file ("),
        (TeacherConfig(str(tmp_path / "empty.th")), 10, "empty.th is damaged, or not a PyTorch file ("),
        (TeacherConfig(str(tmp_path / "tensor.th")), 10, "tensor.th is not a CIFAR ResNet-20"),
        (TeacherConfig(str(tmp_path / "other.th")), 10, "other.th is not a CIFAR ResNet-20"),
    ]:
        with pytest.raises(TrainError) as caught:
            load(teacher, data_of(classes))
        assert message in str(caught.value) and "\n" not in str(caught.value), str(caught.value)


# A run of a base classifier as the teacher


@pytest.fixture(scope="module")
def classifier_run(tmp_path_factory: pytest.TempPathFactory) -> ClassifierTrainer:
    """A finished run of one epoch."""
    images, labels = train_support.golden()
    config = ClassifierConfig.from_dict(
        {
            "name": "teacher",
            "architecture": "resnet20",
            "data": {"name": "test", "holdout": 16},
            "schedule": {"epochs": 1, "batch": 16, "lr": 1e-3},
        }
    )
    data = Dataset("test", images, labels, images, labels, CIFAR10_CLASSES)
    trainer = ClassifierTrainer(config, data, tmp_path_factory.mktemp("classifier"))
    trainer.train()
    return trainer


@pytest.mark.training
def test_load_of_a_classifiers_run_gives_the_classifier(classifier_run: ClassifierTrainer) -> None:
    model = load(TeacherConfig(str(classifier_run.folder / "best.pt"), depth=56), classifier_run.data)
    assert not model.training
    expected = copy.deepcopy(classifier_run.state.average).eval()
    expected.load_state_dict(classifier_run.saved_weights(expected))  # in half precision
    with torch.no_grad():
        logits = model(random_images(4))
        torch.testing.assert_close(logits, expected(random_images(4)), rtol=1e-4, atol=1e-5)
    assert logits.std() > 0


@pytest.mark.training
def test_load_of_a_classifiers_run_refuses_other_classes_and_damaged_configs(
    classifier_run: ClassifierTrainer, tmp_path: Path
) -> None:
    best = classifier_run.folder / "best.pt"
    saved = torch.load(best, weights_only=True)
    for name, config in (("vgg", {"architecture": "vgg"}), ("none", None)):
        torch.save(saved | {"config": saved["config"] | config if config else 3}, tmp_path / name)
    for file, classes, message in [
        (best, 7, f"{best} does not fit the data set: other classes, or another image size?"),
        (tmp_path / "vgg", 10, f"{tmp_path}/vgg: config: architecture must be one of mobilenet_v2, "),
        (tmp_path / "none", 10, f"{tmp_path}/none: config: expected a table"),
    ]:
        with pytest.raises(TrainError) as caught:
            load(TeacherConfig(str(file)), data_of(classes))
        assert str(caught.value).startswith(message) and "\n" not in str(caught.value), str(caught.value)


# Soft labels


def test_soft_labels_are_the_teachers_logits_and_kept(tmp_path: Path) -> None:
    teacher = TeacherConfig(str(write_teacher(tmp_path)), views=2)
    labels = SoftLabels(teacher, 12, data_of(10), tmp_path / "teacher.npy")
    index, images = torch.tensor([7, 2, 11, 0]), random_images(4)
    first = labels.logits(1, index, images)
    with torch.no_grad():
        np.testing.assert_allclose(first, load(teacher, data_of(10))(images), rtol=2e-3, atol=2e-3)  # kept as float16
    other = random_images(4, seed=1)
    assert torch.equal(labels.logits(1, index, other), first)  # from the file: nothing is computed again
    assert torch.equal(labels.logits(1, index.flip(0), other), first.flip(0))
    assert not torch.equal(labels.logits(0, index, other), first)  # another view is
    again = SoftLabels(teacher, 12, data_of(10), tmp_path / "teacher.npy")
    assert torch.equal(again.logits(1, index, other), first)
    assert np.isnan(np.load(tmp_path / "teacher.npy")[:, [1, 3, 4, 5, 6, 8, 9, 10]]).all()


def test_soft_labels_of_two_runs_share_a_file(tmp_path: Path) -> None:
    """Runs of several seeds or widths at the same time: each view is computed by the first that needs it."""
    teacher = TeacherConfig(str(write_teacher(tmp_path)), views=1)
    one, other = (SoftLabels(teacher, 8, data_of(10), tmp_path / "teacher.npy") for _ in range(2))
    first = one.logits(0, torch.arange(5), random_images(5))
    other.model = torch.nn.Identity()  # not the teacher any more: everything must come from the file
    assert torch.equal(other.logits(0, torch.arange(5), random_images(5)), first)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("bf16", [False, True])
def test_soft_labels_in_bf16_are_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bf16: bool) -> None:
    monkeypatch.setattr("train.classifiers.teacher.has_fast_bf16", lambda device: bf16)
    teacher, images = TeacherConfig(str(write_teacher(tmp_path)), views=1), random_images(6)
    logits = SoftLabels(teacher, 6, data_of(10), tmp_path / "teacher.npy").logits(0, torch.arange(6), images)
    with torch.no_grad():
        exact = load(teacher, data_of(10))(images)
    assert logits.dtype == torch.float32
    error = float((logits - exact).abs().max() / exact.abs().max())
    assert error < (0.05 if bf16 else 1e-3) and (error > 1e-3) == bf16


def test_soft_labels_kept_for_part_of_a_batch_are_computed_again(tmp_path: Path) -> None:
    labels = SoftLabels(TeacherConfig(str(write_teacher(tmp_path)), views=1), 6, data_of(10), tmp_path / "teacher.npy")
    images = random_images(6)
    few = labels.logits(0, torch.arange(3), images[:3])
    all_six = labels.logits(0, torch.arange(6), images)
    assert torch.isfinite(all_six).all()
    np.testing.assert_allclose(all_six[:3], few, rtol=2e-3, atol=2e-3)


def test_soft_labels_of_another_shape_start_afresh(tmp_path: Path) -> None:
    teacher = TeacherConfig(str(write_teacher(tmp_path)), views=2)
    SoftLabels(teacher, 6, data_of(10), tmp_path / "teacher.npy").logits(0, torch.arange(6), random_images(6))
    SoftLabels(teacher, 7, data_of(10), tmp_path / "teacher.npy")
    kept = np.load(tmp_path / "teacher.npy")
    assert kept.shape == (2, 7, 10) and np.isnan(kept).all()


def test_soft_labels_loss_is_t_squared_times_the_divergence(tmp_path: Path) -> None:
    labels = SoftLabels(
        TeacherConfig(str(write_teacher(tmp_path)), temperature=3.0), 4, data_of(10), tmp_path / "teacher.npy"
    )
    student, teacher = np.random.default_rng(0).normal(size=(2, 4, 10))

    def softened(logits: np.ndarray) -> np.ndarray:
        weights = np.exp(logits / 3.0)
        return weights / weights.sum(1, keepdims=True)

    p, q = softened(teacher), softened(student)
    expected = 9.0 * (p * np.log(p / q)).sum(1).mean()
    assert float(labels.loss(torch.from_numpy(student), torch.from_numpy(teacher))) == pytest.approx(expected)
    assert float(labels.loss(torch.from_numpy(teacher), torch.from_numpy(teacher))) == pytest.approx(0, abs=1e-9)

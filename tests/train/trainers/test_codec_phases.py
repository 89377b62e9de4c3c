"""Phases of a codec's training: board, whole codec, balance of both, int8; a board that classifies alone."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support import train as train_support
from tests.support.resume import cut_off, differing
from train import evaluate
from train.codecs.answer_posterior import AnswerDecoder
from train.config import ClassifierConfig, CodecConfig, LinkConfig
from train.data.datasets import CIFAR10_CLASSES, Dataset
from train.errors import TrainError
from train.impairment import Impairment, draw_impairment
from train.run_files import read_log
from train.temperature import fit_temperature
from train.trainers import codec as codec_module
from train.trainers import trainer as trainer_module
from train.trainers.classifier import ClassifierTrainer
from train.trainers.codec import CodecTrainer, load_codec

LAYERS = ["conv4s2 6", "head 2", "sep4s2 8", "head 2", "pool", "answer"]
ALONE = ["conv4s2 6", "sep4s2 8", "pool", "answer"]
Make = Callable[..., CodecTrainer]


def few_images() -> Dataset:
    """Return 32 real images of 16 x 16, both to train and to test on."""
    images, labels = train_support.golden()
    images = np.ascontiguousarray(images[:, ::2, ::2])
    return Dataset("test", images, labels, images, labels, CIFAR10_CLASSES)


def make_config(layers: list[str] = LAYERS, **changes: object) -> CodecConfig:
    """Return a config of one epoch in each phase; `changes` replace settings of the schedule, or tables."""
    tables = {key: changes.pop(key) for key in ("teacher", "link", "answer_weight", "balance") if key in changes}
    schedule: dict[str, object] = {
        "board_epochs": 1,
        "epochs": 1,
        "qat_epochs": 1,
        "batch": 8,
        "lr": 5e-3,
        "warmup_epochs": 0.0,
    }
    values: dict[str, object] = {
        "name": "test",
        "data": {"name": "test", "holdout": 8, "crop_padding": 1},
        "encoder": {"layers": layers},
        "decoder": {"width": 8, "blocks": 1, "hidden": 16},
        "schedule": schedule | changes,
    }
    return CodecConfig.from_dict(values | tables)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A function that returns the trainer of a config in a folder of its own."""

    def trainer(layers: list[str] = LAYERS, folder: str = "run", **changes: object) -> CodecTrainer:
        return CodecTrainer(make_config(layers, **changes), few_images(), tmp_path / folder)

    return trainer


def copy_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in state.items()}


# Phases


def test_phases_train_the_board_first_then_the_codec_then_int8(make: Make) -> None:
    plan = make(board_epochs=30, board_lr=3e-3, epochs=20, qat_epochs=5, warmup_epochs=2.0).plan
    assert [(phase.name, phase.epochs, phase.int8) for phase in plan] == [
        ("board", 30, False), ("float", 20, False), ("int8", 5, True),
    ]  # fmt: skip
    assert [phase.lr for phase in plan] == [3e-3, 5e-3, 4e-4]
    assert plan[0].end_lr == plan[1].end_lr == 4e-4 and plan[0].warmup_epochs == plan[1].warmup_epochs == 2.0
    assert plan[0].learning_rate(29 * 3 + 2, 3) < plan[1].learning_rate(2 * 3, 3) == 5e-3  # it starts afresh


def test_phases_without_board_epochs_or_heads_have_no_board_phase(make: Make) -> None:
    assert [phase.name for phase in make(board_epochs=0).plan] == ["float", "int8"]
    alone = make(ALONE, "alone", board_epochs=3)
    assert alone.is_board_alone and [phase.name for phase in alone.plan] == ["float", "int8"]


def test_balance_epochs_are_the_last_in_float(make: Make) -> None:
    plan = make(board_epochs=3, epochs=2, qat_epochs=5, warmup_epochs=2.0, balance={"epochs": 4, "lr": 1e-3}).plan
    assert [(phase.name, phase.epochs, phase.int8) for phase in plan] == [
        ("board", 3, False), ("float", 2, False), ("balance", 4, False), ("int8", 5, True),
    ]  # fmt: skip
    assert (plan[2].lr, plan[2].end_lr, plan[2].warmup_epochs) == (1e-3, 4e-4, 2.0)
    assert [phase.name for phase in make(ALONE, "alone", balance={"epochs": 4}).plan] == ["float", "int8"]


def test_balance_holds_from_its_epochs_on(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def draw(link: LinkConfig, *rest: Any) -> Impairment:  # noqa: ANN401 - passed on
        seen.append(link.prefix_share)
        return draw_impairment(link, *rest)

    monkeypatch.setattr(codec_module, "draw_impairment", draw)
    trainer = make(
        board_epochs=0, answer_weight=0.0, link={"prefix_share": 0.1}, balance={"epochs": 1, "prefix_share": 0.6}
    )
    trainer.views.choose(0)
    index, has_board_loss = torch.arange(8), []
    for phase in trainer.plan:
        answer_head = trainer.state.model.encoder.layers[-1].get_parameter("conv.weight")
        answer_head.grad = None
        trainer.loss(trainer.views.batch(index), index, phase, np.random.default_rng(0)).backward()
        has_board_loss.append(answer_head.grad is not None and bool(answer_head.grad.any()))
    assert [phase.name for phase in trainer.plan] == ["float", "balance", "int8"]
    assert seen == [0.1, 0.6, 0.6] and has_board_loss == [False, True, True]


@pytest.mark.training
def test_training_cut_off_in_the_balance_epochs_resumes_bit_for_bit(make: Make) -> None:
    settings = {"board_epochs": 0, "balance": {"epochs": 2}}
    make(folder="whole", **settings).train()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        cut_off(patch, 2)
        make(folder="cut", **settings).train()
    again = make(folder="cut", **settings)
    assert again.resume() and again.state.epoch == 2
    again.train()
    assert [entry["phase"] for entry in read_log(again.folder)] == ["float", "balance", "balance", "int8"]
    assert differing(again.folder, again.folder.with_name("whole")) == []


@pytest.mark.parametrize(
    ("balance", "message"),
    [
        ({"epochs": 0}, "balance.epochs must be at least 1"),
        ({"epochs": 1, "lr": 0.0}, "balance.lr must be above 0"),
        ({"epochs": 1, "answer_weight": -1.0}, "balance.answer_weight must be at least 0"),
        ({"epochs": 1, "prefix_share": 1.1}, "balance.prefix_share must be 0 to 1"),
        ({"epochs": 1, "prefix_share": 0.9}, "balance.prefix_share and link.suffix_share must be 1 at most together"),
    ],
)
def test_config_refuses_a_balance_that_cannot_be(balance: dict[str, float], message: str) -> None:
    with pytest.raises(TrainError, match=re.escape(message)):
        make_config(balance=balance, link={"suffix_share": 0.2})


def test_config_refuses_board_epochs_without_answer_head() -> None:
    with pytest.raises(TrainError, match=r"schedule\.board_epochs needs the layer 'answer' in encoder\.layers"):
        make_config(["conv4s2 6", "head 2"])


@pytest.mark.training
def test_board_phase_trains_trunk_and_answer_head_only(make: Make) -> None:
    trainer = make(epochs=2)
    started = copy_of(trainer.state.model.state_dict())
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        cut_off(patch, 1)
        trainer.train()
    trained = trainer.state.model.state_dict()
    changed = {name for name, value in trained.items() if not torch.equal(value, started[name])}
    heads = tuple(f"encoder.layers.{index}." for index in (1, 3))
    assert {name.split(".")[2] for name in changed if name.startswith("encoder.")} == {"0", "2", "4", "5"}
    assert not any(name.startswith((*heads, "decoder.", "quantizer.")) for name in changed)
    assert changed - {"temperature"} <= {name for name in trained if name.startswith("encoder.")}


@pytest.mark.training
def test_training_logs_each_phase_and_what_it_can_measure(make: Make) -> None:
    trainer = make(board_epochs=2, epochs=2)
    trainer.train()
    log = read_log(trainer.folder)
    assert [entry["phase"] for entry in log] == ["board", "board", "float", "float", "int8"]
    assert [list(entry["held_out"]) for entry in log[:2]] == [["board"], ["board"]]
    names = ["0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1", "prefix 80", "board"]
    assert [list(entry["held_out"]) for entry in log[2:]] == [names] * 3
    saved = torch.load(trainer.folder / "best.pt", weights_only=True)
    assert saved["epoch"] == 5 and saved["held_out"] == log[4]["held_out"]


@pytest.mark.training
def test_training_cut_off_after_the_board_resumes_bit_for_bit(make: Make) -> None:
    make(folder="whole").train()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        cut_off(patch, 1)
        make(folder="cut").train()
    again = make(folder="cut")
    assert again.resume() and again.state.epoch == 1
    again.train()
    assert differing(again.folder, again.folder.with_name("whole")) == []


@pytest.mark.training
def test_answer_weight_of_0_leaves_the_answer_head_alone(make: Make) -> None:
    trainer = make(board_epochs=0, answer_weight=0.0, weight_decay=0.0)
    started = copy_of(trainer.state.model.encoder.layers[-1].state_dict())
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        cut_off(patch, 1)
        trainer.train()
    trained = trainer.state.model.encoder.layers[-1].state_dict()
    assert all(torch.equal(trained[name], started[name]) for name in ("conv.weight", "conv.bias"))


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.training
def test_training_in_bf16_and_float32_keeps_float32_weights(
    make: Make, monkeypatch: pytest.MonkeyPatch, bf16: bool
) -> None:
    for module in (trainer_module, evaluate):
        monkeypatch.setattr(module, "has_fast_bf16", lambda device: bf16)
    dtypes = set()

    def seen(module: torch.nn.Module, _: object, output: Tensor) -> None:
        dtypes.add(output.dtype)

    trainer = make()
    trainer.train()
    assert {value.dtype for value in trainer.state.average.state_dict().values()} == {torch.float32, torch.int64}
    assert all(np.isfinite(entry["loss"]) for entry in read_log(trainer.folder))
    trainer.state.model.decoder.get_submodule("hidden").register_forward_hook(seen)
    trainer._train_step(0, torch.arange(8), trainer.plan[1], np.random.default_rng(0))
    assert dtypes == {torch.bfloat16 if bf16 else torch.float32}


# Temperature


@pytest.mark.training
def test_adapt_fits_the_temperature_of_the_saved_board(make: Make) -> None:
    trainer = make(epochs=2)
    trainer.train()
    codec, _, saved = load_codec(trainer.folder, trainer.config, trainer.data)
    logits = evaluate.board_logits(codec, trainer.x_held)
    expected = fit_temperature(logits, torch.from_numpy(trainer.y_held))
    assert saved["model"]["temperature"].item() == pytest.approx(expected) != 1.0
    assert codec.temperature.item() == pytest.approx(expected)


# A board that classifies alone


@pytest.mark.training
def test_board_alone_trains_and_is_measured_by_its_answers(make: Make) -> None:
    trainer = make(ALONE, epochs=3)
    trainer.run()
    log = read_log(trainer.folder)
    assert [(entry["phase"], list(entry["held_out"])) for entry in log] == [("float", ["board"])] * 3 + [
        ("int8", ["board"])
    ]
    assert log[-1]["loss"] < log[0]["loss"]
    codec, _, saved = load_codec(trainer.folder, trainer.config, trainer.data)
    assert isinstance(codec.decoder, AnswerDecoder) and codec.n_symbols == 0
    logits = evaluate.board_logits(codec, trainer.x_held)
    assert (logits.argmax(1).numpy() == trainer.y_held).mean() == saved["held_out"]["board"]


# Teachers


@pytest.mark.training
def test_teacher_from_a_classifiers_run_reaches_host_and_board(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path / "cache"))
    values = {"epochs": 1, "batch": 8, "lr": 1e-3}
    config = ClassifierConfig.from_dict(
        {"name": "c", "architecture": "resnet20", "data": {"name": "test", "holdout": 8}, "schedule": values}
    )
    ClassifierTrainer(config, few_images(), tmp_path / "classifier").train()
    teacher = {"checkpoint": str(tmp_path / "classifier" / "best.pt"), "views": 2, "weight": 1.0}
    trainer = make(teacher=teacher)
    trainer.train()
    assert [entry["phase"] for entry in read_log(trainer.folder)] == ["board", "float", "int8"]
    (file,) = (tmp_path / "cache" / "soft_labels").glob("*.npy")
    kept = np.load(file)
    assert kept.shape == (2, 24, 10) and np.isfinite(kept).all()  # views in turn: epochs 0 and 2 share the first
    # With weight 1 the labels do not count: the loss of board and host is the divergence from the teacher alone.
    model, index, rng = trainer.state.model.eval(), torch.arange(8), np.random.default_rng(0)
    images = trainer.views.batch(index)
    before = trainer.loss(images, index, trainer.plan[0], rng).item()
    trainer.labels = (trainer.labels + 1) % 10
    assert trainer.loss(images, index, trainer.plan[0], rng).item() == pytest.approx(before)
    soft = trainer.soft_labels
    assert soft is not None
    expected = soft.loss(model.board_logits(images), soft.logits(trainer.view_number(), index, images))
    assert before == pytest.approx(expected.item(), rel=1e-4)

"""Data-parallel training: two processes of torchrun compute what one does, and end together."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import torch

from tests.support import ROOT
from tests.support import train as train_support
from tests.train import parallel_steps
from train import parallel
from train.errors import TrainError
from train.run_files import read_log

DATA = """
[data]
name = "npz:{npz}"
holdout = 32
crop_padding = 1
"""
CLASSIFIER = """
architecture = "{architecture}"
[schedule]
epochs = 2
batch = 32
lr = 1e-3
warmup_epochs = 0.5
"""
# Of 5 attributed images, one process has 3 and the other 2.
SYSTEMS = {
    "semanticnn": "xai_images = 5",
    "agilenn": "xai_images = 5",
    "bottlenetpp": "",
    "deepcod": "",
    "adjscc": "",
    "inkling_frozen": 'trunk = ["conv4s2 8", "sep4s2 8"]',
}

pytestmark = pytest.mark.training


def write_configs(folder: Path, qat_epochs: int = 0) -> None:
    """Write `base.toml` with its checkpoint, and a config of each kind to `steps`."""
    images, labels = train_support.golden()
    data = DATA.format(npz=train_support.write_npz(folder / "golden.npz", images[:, ::2, ::2], labels, copies=6))
    checkpoint = train_support.write_teacher(folder)
    base = f'checkpoint = "{checkpoint}"\n' + CLASSIFIER.format(architecture="resnet20") + data
    (folder / "base.toml").write_text(base)
    (folder / "steps").mkdir()
    for system, options in SYSTEMS.items():
        text = train_support.SPLIT_CONFIG.format(
            system=system, base=folder / "base.toml", options=options, epochs=2, qat_epochs=qat_epochs, lr=1e-3
        )
        (folder / "steps" / f"split-{system}.toml").write_text(text + data)
    text = CLASSIFIER.format(architecture="mobilenet_v2") + data
    (folder / "steps" / "classifier-mobilenet_v2.toml").write_text(text)
    train_support.write_config(folder).rename(folder / "steps" / "codec.toml")


def torchrun(module: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run one of the project's modules in two processes on the loopback interface, without bfloat16."""
    launcher = ["torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2", "-m"]
    return subprocess.run(
        train_support.command(launcher[0], *launcher[1:], module, *arguments),
        cwd=ROOT,
        env=os.environ | {"GLOO_SOCKET_IFNAME": "lo", "ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def reported(result: subprocess.CompletedProcess) -> list[str]:
    """Return the lines that our processes report, among those of torchrun about its processes."""
    return [line for line in result.stderr.splitlines() if line.startswith("inkling: ")]


@pytest.mark.slow
def test_train_step_of_two_processes_is_that_of_one(tmp_path: Path) -> None:
    write_configs(tmp_path)
    result = torchrun("tests.train.parallel_steps", "steps", tmp_path / "steps")
    assert result.returncode == 0, result.stderr
    files = sorted((tmp_path / "steps").glob("*.toml"))
    assert len(files) == len(SYSTEMS) + 2
    for file in files:
        one = parallel_steps.steps(file, tmp_path / "one" / file.stem)
        two = torch.load(file.with_suffix(".pt"), weights_only=True)
        assert two["losses"] == pytest.approx(one["losses"], rel=1e-6), file.stem
        assert one["gradients"].keys() == two["gradients"].keys()
        largest = max(float(gradient.abs().max()) for gradient in one["gradients"].values())
        for name, value in one["gradients"].items():
            difference = float((two["gradients"][name] - value).abs().max())
            assert difference <= 1e-8 * largest, f"{file.stem}: gradient of {name}"
        for name, value in one["buffers"].items():
            torch.testing.assert_close(two["buffers"][name], value, rtol=1e-8, atol=1e-8, msg=f"{file.stem}: {name}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["codec", "split-agilenn"])
def test_torchrun_gives_the_figures_of_one_process(tmp_path: Path, kind: str) -> None:
    write_configs(tmp_path, qat_epochs=1)
    words: list[str | Path] = [tmp_path / "steps" / f"{kind}.toml"]
    # At usual learning rates, training amplifies the rounding of float32: losses differ by percents after one epoch.
    for setting in ("epochs=2", "lr=1e-6", "qat_lr=1e-6"):
        words += ["--set", f"schedule.{setting}"]
    words += ["--device", "cpu", "--threads", "1"]
    two = torchrun("train", *words, "--out", tmp_path / "two")
    assert two.returncode == 0, two.stderr
    one = train_support.run("train", *words, "--out", tmp_path / "one", ONEDNN_MAX_CPU_ISA="AVX2")
    assert one.returncode == 0, one.stderr
    assert lines(two.stdout) == lines(one.stdout)
    logs = [read_log(tmp_path / name) for name in ("one", "two")]
    assert len(logs[0]) == len(logs[1]) >= 2
    for ours, theirs in zip(*logs, strict=True):
        assert (ours["epoch"], ours["phase"], ours["lr"]) == (theirs["epoch"], theirs["phase"], theirs["lr"])
        assert theirs["loss"] == pytest.approx(ours["loss"], rel=0.002)
    tests = [json.loads((tmp_path / name / "test.json").read_text()) for name in ("one", "two")]
    assert tests[0]["accuracies"].keys() == tests[1]["accuracies"].keys()


def lines(output: str) -> list[str]:
    """Return the lines of a training without losses, percentages and folders."""
    return [re.sub(r"loss \S+|\d+\.\d+|/\S+", "", line) for line in output.splitlines()]


@pytest.mark.slow
def test_torchrun_reports_an_error_once(tmp_path: Path) -> None:
    write_configs(tmp_path)
    result = torchrun(
        "train", tmp_path / "steps" / "codec.toml", "--out", tmp_path / "run", "--set", "schedule.batch=31"
    )
    assert result.returncode != 0
    assert reported(result) == ["inkling: schedule.batch = 31 is not a multiple of the 2 processes"], result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "message"),
    [("fail", "inkling: the second process fails"), ("killed", "inkling: another process of this training has ended")],
)
def test_failure_of_one_process_ends_all_with_one_line(tmp_path: Path, what: str, message: str) -> None:
    result = torchrun("tests.train.parallel_steps", what, tmp_path)
    assert result.returncode != 0
    (line,) = reported(result)
    assert line.startswith(message), result.stderr
    assert "parallel_steps.py" not in result.stderr, "a traceback"


def test_functions_without_torchrun_change_nothing() -> None:
    values = torch.arange(6.0)
    assert parallel.part(values) is values and parallel.mean(values) is values
    assert (parallel.world_size(), parallel.rank(), parallel.is_first()) == (1, 0, True)
    assert parallel.leading(16, 128) == (16, 1.0) and parallel.leading(16, 8) == (8, 1.0)
    assert parallel.local_device("cuda:1") == "cuda:1" and parallel.local_device(None) is None
    norm = torch.nn.BatchNorm2d(3)
    parallel.share(norm, batch=7)
    assert type(norm) is torch.nn.BatchNorm2d


@pytest.mark.parametrize(("count", "size"), [(16, 4), (7, 5), (3, 5)])
def test_leading_images_of_all_processes_are_those_of_the_batch(
    count: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "world_size", lambda: 5)
    values, total = torch.rand(5 * size), 0.0
    for rank in range(5):
        monkeypatch.setattr(parallel, "rank", lambda rank=rank: rank)
        own, weight = parallel.leading(count, size)
        if own:
            total += weight * float(parallel.part(values)[:own].mean()) / 5
    assert total == pytest.approx(float(values[:count].mean()))


def test_local_device_refuses_a_gpu_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "world_size", lambda: 2)
    assert parallel.local_device("cpu") == "cpu"
    with pytest.raises(TrainError, match="--device cuda:1: each process of torchrun has a GPU of its own"):
        parallel.local_device("cuda:1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TrainError, match="torchrun started 2 processes, and there are 1 GPUs: lower --nproc-per-node"):
        parallel.local_device("cuda")

"""A tiny network for embeddings in an ONNX file, and small runs of a general codec and a preview network.

The network sees the colours of the four quarters of an image, mixed.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.train import main

SIZE = 6  # values of its embedding


def write_network(file: Path) -> Path:
    """Write the network, which maps images (N, 3, S, S) to embeddings (N, SIZE); return the file."""
    mix = np.random.default_rng(0).normal(size=(12, SIZE)).astype(np.float32)
    nodes = [
        helper.make_node("Sub", ["images", "grey"], ["colours"]),
        helper.make_node("AveragePool", ["colours"], ["quarters"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["quarters"], ["flat"]),
        helper.make_node("MatMul", ["flat", "mix"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", SIZE])],
        [numpy_helper.from_array(mix, "mix"), numpy_helper.from_array(np.full(1, 0.5, np.float32), "grey")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file


GENERAL = """
[data]
name = "npz:{folder}/colours.npz"
holdout = 32
crop_padding = 1

[encoder]
layers = ["conv4s2 8", "head 1", "conv4s2 16", "head 3"]

[decoder]
width = 16
blocks = 1

[link]
chunks = [[0, 112], [0, 56], [0, 28]]

[embedding]
network = "{folder}/network.onnx"
size = 32

[schedule]
epochs = 6
qat_epochs = 1
batch = 16
lr = 1e-2
warmup_epochs = 0.2
"""
PREVIEW = """
codec = "{folder}/general"

[preview]
width = 16
blocks = 1

[schedule]
epochs = 8
batch = 16
lr = 1e-2
warmup_epochs = 0.2
"""


def colours(count: int, seed: int) -> np.ndarray:
    """Return noisy images uint8 (count, 16, 16, 3), each of a colour above another colour."""
    rng = np.random.default_rng(seed)
    halves = rng.integers(0, 256, (count, 2, 1, 3)).repeat(8, axis=1).repeat(16, axis=2)
    return np.clip(halves + rng.normal(0, 8, halves.shape), 0, 255).astype(np.uint8)


def write_configs(folder: Path) -> None:
    """Write general.toml, a small general codec of `colours`, preview.toml, and what they need."""
    write_network(folder / "network.onnx")
    train, test = colours(288, 0), colours(40, 1)
    labels = [np.arange(len(images)) % 2 for images in (train, test)]
    np.savez(folder / "colours.npz", x_train=train, y_train=labels[0], x_test=test, y_test=labels[1])
    (folder / "general.toml").write_text(GENERAL.format(folder=folder))
    (folder / "preview.toml").write_text(PREVIEW.format(folder=folder))


def train_both(folder: Path) -> None:
    """Train the configs of `write_configs` to the folders `general` and `preview`."""
    write_configs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INKLING_CACHE", str(folder / "cache"))
        for name in ("general", "preview"):
            assert main(folder / f"{name}.toml", "--out", folder / name, "--threads", 1) == 0

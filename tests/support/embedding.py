"""A tiny network for embeddings in an ONNX file: colours of the four quarters of an image, mixed."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

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

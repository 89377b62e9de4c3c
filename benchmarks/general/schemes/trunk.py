"""Feature maps before the latent heads, from encoder.tflite: the input of a classifier on the board.

They have more bits than what is sent: the heads keep a few channels of 3 bits.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from host.reference import int8_pixels


def feature_maps(encoder: Path, images: np.ndarray, on_progress: Callable[[], None] | None = None) -> list[np.ndarray]:
    """Return the inputs of the latent heads, float32 (N, h, w, c) each, of images uint8 (N, H, W, C).

    By TFLite's reference kernels, as on the board. The last stage comes last.
    """
    interpreter = Interpreter(
        model_path=str(encoder),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    pixels = interpreter.get_input_details()[0]["index"]
    maps = [interpreter._get_tensor_details(index, 0) for index in _read_by_heads(encoder)]
    maps.sort(key=lambda tensor: -int(tensor["shape"][1]))
    found = [np.empty((len(images), *tensor["shape"][1:]), np.float32) for tensor in maps]
    for number, image in enumerate(images):
        interpreter.set_tensor(pixels, int8_pixels(image)[None])
        interpreter.invoke()
        for values, tensor in zip(found, maps, strict=True):
            scale, zero_point = tensor["quantization"]
            values[number] = scale * (interpreter.get_tensor(tensor["index"])[0].astype(np.float32) - zero_point)
        if on_progress is not None:
            on_progress()
    return found


def readable(maps: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Return features (N, D) by name that a board's own head could use."""
    means = [values.mean(axis=(1, 2)) for values in maps]
    deviations = [values.std(axis=(1, 2)) for values in maps]
    return {
        "last stage, mean": means[-1],
        "all stages, mean": np.concatenate(means, axis=1),
        "all stages, mean and deviation": np.concatenate([*means, *deviations], axis=1),
        "last stage, every position": maps[-1].reshape(len(maps[-1]), -1),
    }


def _read_by_heads(encoder: Path) -> list[int]:
    """Return the tensors that the operators of the graph's outputs read, each once."""
    graph = tflite.Model.GetRootAs(encoder.read_bytes(), 0).Subgraphs(0)
    outputs, found = set(graph.OutputsAsNumpy().tolist()), []
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        if operator.Outputs(0) in outputs and operator.Inputs(0) not in found:
            found.append(int(operator.Inputs(0)))
    return found

"""A general bundle with a real encoder, and images of three colours to teach it."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.general.data.problems import ImageSet
from tests.support import ROOT
from tests.support.embedding import write_network
from tests.support.host import embedding_decoder, weights
from wire.bundle import Bundle, describe_file, load

EMBEDDING = 40
LAYERS = ["conv4s2 8", "sep4s2 8", "head 4"]
COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])


def colours(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` noisy images of each of three colours uint8 (N, 32, 32, 3), and their labels (N,)."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), count)
    noise = rng.normal(0, 40, (len(labels), 1, 1, 3)) + rng.normal(0, 20, (len(labels), 32, 32, 3))
    return np.clip(COLOURS[labels][:, None, None] + noise, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="session")
def colour_set() -> ImageSet:
    """Three colours: 8 images of each to teach, 10 to test on; two draws of two of them."""
    (taught, taught_labels), (tested, tested_labels) = colours(8, 0), colours(10, 1)
    return ImageSet(
        "colours",
        "Colours",
        ("red", "green", "blue"),
        np.concatenate([taught, tested]),
        np.concatenate([taught_labels, tested_labels]),
        len(taught),
        ((0, 1), (2, 1)),
    )


@pytest.fixture
def general(tmp_path: Path) -> Bundle:
    """The encoder of bundles/cifar10-features with random embeddings; its recipe is that of a small run."""
    folder = tmp_path / "general"
    shutil.copytree(ROOT / "bundles" / "cifar10-features", folder)
    onnx.save(embedding_decoder(weights(0, 128, EMBEDDING)), str(folder / "decoder.onnx"))
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest |= {"task": "embedding", "classes": [], "embedding": {"size": EMBEDDING, "network": "tests"}}
    manifest["files"]["decoder.onnx"] = describe_file(folder / "decoder.onnx")
    network = write_network(tmp_path / "network.onnx")
    manifest["recipe"] = {
        "data": {"name": "tiny-imagenet-200"},
        "encoder": {"layers": LAYERS},
        "embedding": {"network": str(network), "size": 32, "more": ["cifar100"], "left_out": [0, 5, 10]},
    }
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return load(folder)

"""Embeddings of a pretrained network: right values, mirror images, and the cache."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.support import embedding as embedding_support
from tests.support.train import golden
from train.classifiers import embedding
from train.config import EmbeddingConfig
from train.errors import TrainError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddingConfig:
    """The config of a small network, with a cache of its own."""
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path / "cache"))
    return EmbeddingConfig(str(embedding_support.write_network(tmp_path / "network.onnx")), size=32)


def expected(config: EmbeddingConfig, images: np.ndarray) -> np.ndarray:
    """Return what the network gives, by ONNX Runtime alone."""
    pixels = images.astype(np.float32).transpose(0, 3, 1, 2) / 255
    found = onnxruntime.InferenceSession(config.network).run(None, {"images": pixels})[0]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_embeddings_are_those_of_the_image_and_its_mirror_image(config: EmbeddingConfig) -> None:
    images, _ = golden()
    plain, mirrored = embedding.embeddings(config, images)
    np.testing.assert_allclose(plain, expected(config, images), atol=2e-3)
    np.testing.assert_allclose(mirrored, expected(config, images[:, :, ::-1]), atol=2e-3)
    assert np.abs(plain - mirrored).max() > 0.05


def test_embeddings_are_computed_once_and_what_is_missing_later(
    config: EmbeddingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = golden()
    monkeypatch.setattr(embedding, "BATCH", 8)
    first = embedding.embeddings(config, images)
    before = np.array(first)
    first[1, 9] = np.nan  # as if the run had been interrupted
    sizes, embed = [], embedding.embed

    def counted(network: embedding.Network, some: np.ndarray, size: int, mirrored: bool = False) -> np.ndarray:
        sizes.append((len(some), mirrored))
        return embed(network, some, size, mirrored)

    monkeypatch.setattr(embedding, "embed", counted)
    np.testing.assert_array_equal(embedding.embeddings(config, images), before)
    np.testing.assert_array_equal(embedding.embeddings(config, images), before)
    assert sizes == [(8, True)]


def test_embeddings_of_a_network_that_is_none(config: EmbeddingConfig, tmp_path: Path) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    for network, message in (("resnet9", "is neither 'efficientnet_lite0' nor"), (tmp_path / "junk.onnx", "junk.onnx")):
        with pytest.raises(TrainError, match=message) as error:
            embedding.embeddings(EmbeddingConfig(str(network)), golden()[0])
        assert "\n" not in str(error.value)


def test_efficientnet_lite0_finds_each_mirror_image() -> None:
    images = golden()[0][:16]
    network = embedding.EfficientNetLite0().eval()
    found, mirrored = (embedding.embed(network, images, 128, side) for side in (False, True))
    assert found.shape == (16, 1280)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal((found @ mirrored.T).argmax(1), np.arange(16))

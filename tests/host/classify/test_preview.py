"""The preview network of a general bundle: its images, and files that do not fit."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from host.classify.network import BATCH
from host.classify.preview import PreviewDecoder
from host.errors import HostError
from tests.support.host import make_bundle, preview_network
from wire.bundle import PREVIEW_FILE, Bundle, describe_file, load


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "general", n_symbols=48, embedding=20, preview=True)


def test_images_are_of_any_number_of_symbols(bundle: Bundle) -> None:
    decoder = PreviewDecoder(bundle)
    symbols = np.random.default_rng(0).integers(-1, 8, (2 * BATCH + 3, 48))
    for count in (1, BATCH, len(symbols)):
        found = decoder.images(symbols[:count], np.full(count, 0.01))
        assert found.shape == (count, 8, 6, 3) and found.dtype == np.uint8
        np.testing.assert_array_equal(found[:, 0, 0, 0], 10 * (symbols[:count, 0] + 1))


def test_bundle_without_preview_network_is_refused(tmp_path: Path) -> None:
    for name, embedding in (("classes", 0), ("general", 20)):
        bundle = make_bundle(tmp_path / name, embedding=embedding)
        with pytest.raises(HostError, match=rf"bundle {bundle.path} has no preview network \(docs/preview.md "):
            PreviewDecoder(bundle)


def with_file(bundle: Bundle, content: bytes) -> Bundle:
    """Replace preview.onnx."""
    bundle.preview_path.write_bytes(content)
    manifest = json.loads((bundle.path / "bundle.json").read_text())
    manifest["files"][PREVIEW_FILE] = describe_file(bundle.preview_path)
    (bundle.path / "bundle.json").write_text(json.dumps(manifest))
    return load(bundle.path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no onnx", "preview.onnx is refused: it is not a protobuf message"),
        (
            preview_network(48, height=9),
            r"preview.onnx gives uint8 \(2, 9, 6, 3\) for 2 images, not uint8 \(2, 8, 6, 3\)",
        ),
        (preview_network(40), "preview.onnx cannot be run: "),
        (
            preview_network(48, kind=TensorProto.FLOAT),
            r"preview.onnx gives float32 \(2, 8, 6, 3\) for 2 images, not uint8 ",
        ),
    ],
    ids=["junk", "size", "symbols", "type"],
)
def test_file_that_does_not_fit_is_refused(bundle: Bundle, content: bytes | ModelProto, message: str) -> None:
    damaged = with_file(bundle, content if isinstance(content, bytes) else content.SerializeToString())
    with pytest.raises(HostError, match=message) as error:
        PreviewDecoder(damaged)
    assert "\n" not in str(error.value)


def test_file_with_another_operator_is_refused(bundle: Bundle) -> None:
    model = preview_network(48)
    model.graph.node[0].op_type = "Loop"
    onnx.save(model, str(bundle.preview_path))
    with pytest.raises(HostError, match=r"preview.onnx is refused: it has the operator 'Loop'"):
        PreviewDecoder(with_file(bundle, bundle.preview_path.read_bytes()))

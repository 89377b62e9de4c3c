"""The decoder of a bundle, run by onnxruntime."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from host.classify.decoder import Decoder
from host.errors import HostError
from tests.support.host import make_bundle, weights


def test_logits_match_weights(tmp_path: Path) -> None:
    decoder = Decoder(make_bundle(tmp_path / "b"))
    symbols = np.random.default_rng(0).integers(-1, 8, (5, 128))
    ber = np.linspace(0, 0.5, 5)
    expected = np.maximum(symbols, 0) @ weights(0) - ber[:, None]
    assert np.allclose(decoder.logits(symbols, ber), expected, atol=1e-3)
    assert decoder.classes == [f"class{i}" for i in range(10)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no onnx", "decoder.onnx is refused: it is not a protobuf message"),
        (b"\x08\x01", "cannot be run"),
        (None, r"gives float32 \(2, 4\) for 2 images, not float32 \(2, 10\)"),
    ],
)
def test_decoder_reports_unusable_file_in_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    bundle, other = make_bundle(tmp_path / "b"), make_bundle(tmp_path / "other", classes=4)
    bundle.decoder_path.write_bytes(content or other.decoder_path.read_bytes())
    with pytest.raises(HostError, match=message) as error:
        Decoder(bundle)
    assert "\n" not in str(error.value)


def test_decoder_refuses_file_for_one_image_at_a_time(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    model = onnx.load(bundle.decoder_path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, str(bundle.decoder_path))
    with pytest.raises(HostError, match=r"decoder\.onnx cannot be run: .* invalid dimensions for input"):
        Decoder(bundle)

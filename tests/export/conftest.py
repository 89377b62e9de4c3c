"""A small codec with several latent heads and an answer head, and its conversion."""

from pathlib import Path
from typing import NamedTuple

import pytest

from export import convert
from export.convert import Conversion
from export.finished_run import round_to_half
from tests.support.codec import ANSWERING, images, make_codec
from tests.support.once import made_once
from train.codecs.codec import Codec
from train.codecs.fakequant import calibrate

CALIBRATION = 60  # images


class Converted(NamedTuple):
    """A codec as the export has it, its files, and its int8 encoder before its outputs got one scale."""

    codec: Codec
    files: Conversion
    separate: Path


def finished_codec() -> Codec:
    """Return the codec of tests.support.codec in evaluation mode: folded, in int8, the decoder's weights rounded."""
    codec = make_codec(base=ANSWERING).eval()
    codec.encoder.fold()
    codec.decoder.fold()
    round_to_half(codec.decoder)
    calibrate(codec.encoder, images(CALIBRATION))
    return codec


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The conversion of `finished_codec`, of which tests may only read the files."""
    codec = finished_codec()

    def make(folder: Path) -> None:
        files = convert.convert(codec, images(CALIBRATION), folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(convert, "share_scale", lambda model: None)
            calibration = images(CALIBRATION).permute(0, 2, 3, 1).numpy()
            convert.tflite(folder / "saved_model", calibration, folder / "float2.tflite", folder / "separate.tflite")
        assert files.float_tflite.read_bytes() == (folder / "float2.tflite").read_bytes()

    folder = made_once(tmp_path_factory, "converted", make)
    names = ("encoder.onnx", "decoder.onnx", "float.tflite", "encoder.tflite")
    return Converted(codec, Conversion(*(folder / name for name in names)), folder / "separate.tflite")

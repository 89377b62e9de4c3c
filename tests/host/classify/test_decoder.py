"""Decoder, reader and pictures."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.classify.classifier import Classifier
from host.classify.decoder import Decoder
from host.errors import HostError
from host.image import load_image
from host.receive.stream import StreamReceiver
from tests.support.host import features, levels_of, make_bundle, make_frame, weights


def test_the_decoder_gives_what_its_weights_give(tmp_path: Path) -> None:
    decoder = Decoder(make_bundle(tmp_path / "b"))
    symbols = np.random.default_rng(0).integers(-1, 8, (5, 128))
    ber = np.linspace(0, 0.5, 5)
    expected = np.maximum(symbols, 0) @ weights(0) - ber[:, None]
    assert np.allclose(decoder.logits(symbols, ber), expected, atol=1e-3)
    found = decoder.classify(symbols[2], 0.25)
    odds = np.exp(expected[2] - expected[2].max())
    assert found.index == expected[2].argmax() and found.label == f"class{found.index}"
    assert found.confidence == pytest.approx((odds / odds.sum()).max(), abs=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no onnx", "decoder.onnx cannot be run"), (None, r"gives \(1, 4\) for one image, not \(1, 10\)")],
)
def test_a_wrong_decoder_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    bundle, other = make_bundle(tmp_path / "b"), make_bundle(tmp_path / "other", classes=4)
    bundle.decoder_path.write_bytes(content or other.decoder_path.read_bytes())
    with pytest.raises(HostError, match=message) as error:
        Decoder(bundle)
    assert "\n" not in str(error.value)


def test_a_continuation_is_decoded_with_its_prefix(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    receiver, reader = StreamReceiver([bundle]), Classifier.of([bundle])
    frames = [make_frame(bundle, 3, chunk=1), make_frame(bundle, 3, chunk=2), make_frame(bundle, 4, chunk=2)]
    prefix, both, alone = (reader.read(features(receiver.feed(frame))[0]) for frame in frames)
    head, tail = levels_of(bundle, 3, chunk=1), levels_of(bundle, 3, chunk=2)
    assert prefix.symbols.tolist() == [*head, *[-1] * 64]
    assert both.symbols.tolist() == [*head, *tail]
    assert alone.symbols.tolist() == [*[-1] * 64, *levels_of(bundle, 4, chunk=2)]
    assert both.found.index == (both.symbols @ weights(0)).argmax()


def test_every_device_and_bundle_has_an_estimate_of_its_own(tmp_path: Path) -> None:
    first, second = make_bundle(tmp_path / "a"), make_bundle(tmp_path / "b", seed=1, symbols=41, bits=5)
    receiver, reader = StreamReceiver([first, second]), Classifier.of([first, second])
    for n in range(20):
        noisy = bytearray(make_frame(first, n, device=1))
        noisy[0] ^= 0x81
        for device, bundle, frame in [
            (1, first, bytes(noisy)),
            (2, first, make_frame(first, n, device=2)),
            (1, second, make_frame(second, n, device=1)),
        ]:
            reading = reader.read(features(receiver.feed(frame))[0])
            assert (reading.frame.device, reading.frame.model) == (device, bundle)
            assert (reading.ber > 3e-3) == (bundle is first and device == 1)
    assert reading.as_json()["model_id"] == second.model_id


def test_a_picture_of_the_right_size_is_left_alone(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (8, 6, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    assert np.array_equal(load_image(tmp_path / "p.png", (8, 6, 3)), pixels)


def test_a_larger_picture_is_cut_centrally_and_averaged(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (32, 44, 3), np.uint8)  # 24 wide would be 6 : 8
    Image.fromarray(pixels).save(tmp_path / "p.png")
    expected = pixels[:, 10:34].reshape(8, 4, 6, 4, 3).mean(axis=(1, 3))
    got = load_image(tmp_path / "p.png", (8, 6, 3)).astype(float)
    assert np.abs(got - expected).max() <= 1


def test_pictures_come_out_grey_or_coloured_and_upright(tmp_path: Path) -> None:
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[:3] = 200, 100, 50  # the upper half of what a camera held sideways has stored
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to see it upright
    Image.fromarray(pixels).save(tmp_path / "p.png", exif=exif)
    upright = load_image(tmp_path / "p.png", (8, 6, 3))
    assert (upright[:, 3:] == (200, 100, 50)).all() and (upright[:, :3] == 0).all()
    grey = load_image(tmp_path / "p.png", (8, 6, 1))
    assert grey.shape == (8, 6, 1) and (grey[:, 3:] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()
    Image.fromarray(pixels[..., 0]).convert("P").save(tmp_path / "palette.gif")
    assert (load_image(tmp_path / "palette.gif", (6, 8, 3))[:3] == 200).all()


def test_pictures_of_every_size_fit_every_encoder(tmp_path: Path) -> None:
    # At some of these sizes, rounding puts an edge of the window outside of the picture.
    for width in range(1, 120):
        Image.new("RGB", (width, 33), (9, 8, 7)).save(tmp_path / "p.bmp")
        for shape in [(32, 32, 3), (75, 100, 3), (41, 30, 3)]:
            assert (load_image(tmp_path / "p.bmp", shape) == (9, 8, 7)).all()


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "tiff"])
def test_damaged_pictures_are_one_line(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(4)
    path = tmp_path / f"p.{kind}"
    Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(path)
    whole = path.read_bytes()
    for _ in range(150):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, min(len(damaged), 120), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged[: rng.integers(20, 2 * len(damaged))].tobytes())
        try:
            assert load_image(path, (8, 6, 3)).shape == (8, 6, 3)
        except HostError as error:
            assert "\n" not in str(error)


def test_a_damaged_chunk_of_a_png_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (300, 300, 3), np.uint8)).save(path)
    head, tail = path.read_bytes().rsplit(b"IDAT", 1)  # of several; Pillow raises a SyntaxError
    path.write_bytes(head + b"I\xc3\xc1T" + tail)
    with pytest.raises(HostError, match="broken PNG"):
        load_image(path, (8, 6, 3))


def test_a_large_picture_is_taken_without_a_word(tmp_path: Path) -> None:
    Image.new("1", (12000, 8000)).save(tmp_path / "p.png")
    with warnings.catch_warnings(action="error"):
        assert load_image(tmp_path / "p.png", (8, 6, 3)).shape == (8, 6, 3)


def test_what_is_no_picture_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "whole.bmp")
    (tmp_path / "half.bmp").write_bytes((tmp_path / "whole.bmp").read_bytes()[:2000])
    for name, message in [
        ("none.png", "No such file or directory"),
        ("text.png", "not a picture"),
        ("half.bmp", "truncated"),
    ]:
        with pytest.raises(HostError, match=message):
            load_image(tmp_path / name, (8, 6, 3))
    with pytest.raises(HostError, match="takes 4 channels"):
        load_image(tmp_path / "whole.bmp", (8, 6, 4))

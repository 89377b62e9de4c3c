"""`inkling run`: classes of images that a board encodes, through noise and with mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from channel_sim import BitFlips
from channel_sim.live.proxy import Proxy
from host.classify.decoder import Decoder
from tests.conftest import RunInkling
from tests.host.cli.process import run
from wire.answer import answer_word
from wire.bundle import Bundle
from wire.model import MIN_BER


@pytest.fixture(scope="module")
def images(built: Bundle, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of the first three golden images."""
    folder = tmp_path_factory.mktemp("images")
    for n, image in enumerate(np.load(built.golden_path)["images"][:3]):
        Image.fromarray(image.squeeze()).save(folder / f"{n}.png")
    return sorted(folder.iterdir())


def test_run_classifies_features(run_inkling: RunInkling, native_url: str, built: Bundle, images: list[Path]) -> None:
    line = ("--port", native_url, "--bundle", built.path)
    code, out, err = run("run", *images, *line, "--mode", "features")
    assert (code, err) == (0, "inkling: device 1: mode features\n")
    golden, count = np.load(built.golden_path), len(images)
    words = answer_word(*golden["answers"][:count].T.astype(np.int64))
    logits = Decoder(built).logits(golden["symbols"][:count], np.full(count, MIN_BER), words)  # as on a clean link
    for image, shown, row in zip(images, out.splitlines(), logits, strict=True):
        assert shown.startswith(str(image)) and built.classes[row.argmax()] in shown
        assert "by host" in shown and "clean" in shown and "cycles to encode" in shown
    code, out, _ = run_inkling("run", images[0], *line, "--chunk", 1, "--json")
    reading = json.loads(out)
    assert code == 0 and (reading["chunk"], reading["image"]) == (1, str(images[0])), "the mode stays as it was set"
    assert (reading["frame"], reading["answered_by"]) == ("features", "host")
    assert reading["received_bits"] == built.chunk_bits(1) and reading["encode_cycles"] > 0


def test_run_shows_answers(run_inkling: RunInkling, native_url: str, built: Bundle, images: list[Path]) -> None:
    line = ("--port", native_url, "--bundle", built.path)
    code, out, err = run_inkling("run", *images, *line, "--mode", "answer")
    assert (code, err) == (0, "inkling: device 1: mode answer\n") and built.answer
    golden = np.load(built.golden_path)["answers"]
    for shown, (index, confidence) in zip(out.splitlines(), golden, strict=False):
        assert f"{built.classes[index]:<12} {built.answer.probability[confidence]:6.1%}  by board  BER" in shown
        assert "answer" in shown and "cycles to encode" in shown
    code, out, _ = run_inkling("run", images[0], *line, "--json")
    reading = json.loads(out)
    assert (reading["frame"], reading["answered_by"], reading["unsure"]) == ("answer", "board", False)
    assert (reading["index"], reading["chunk"], reading["payload"]) == (golden[0][0], None, None)
    assert reading["confidence"] == pytest.approx(built.answer.probability[golden[0][1]], abs=1e-4)


def test_run_by_threshold_sends_answers_where_the_board_is_sure(
    run_inkling: RunInkling, native_url: str, built: Bundle, images: list[Path]
) -> None:
    levels = np.load(built.golden_path)["answers"][: len(images), 1]
    threshold = int(levels.max())
    line = ("--port", native_url, "--bundle", built.path, "--json")
    code, out, err = run_inkling("run", *images, *line, "--mode", "adaptive", "--threshold", threshold)
    assert code == 0 and err.startswith(f"inkling: device 1: mode adaptive, threshold {threshold}: the answer if ")
    expected = ["board" if level >= threshold else "host" for level in levels]
    assert [json.loads(line)["answered_by"] for line in out.splitlines()] == expected
    code, out, _ = run_inkling("run", *images, *line, "--threshold", 0)
    assert [json.loads(line)["answered_by"] for line in out.splitlines()] == ["board"] * len(images)


@pytest.mark.parametrize(("mode", "shown"), [("features", "damaged  cost lost"), ("answer", "answer  cost lost")])
def test_run_through_noise_continues_without_checking_the_model(
    run_inkling: RunInkling, native_url: str, built: Bundle, images: list[Path], mode: str, shown: str
) -> None:
    line = ("--bundle", built.path)
    assert run_inkling("run", images[0], "--port", native_url, *line, "--mode", mode)[0] == 0
    with Proxy(native_url, BitFlips(0.05), seed=1) as proxy:
        code, out, err = run_inkling("run", *images, "--port", proxy.url, *line)
    assert code == 0 and out.count(shown) == 3
    assert err.startswith("inkling: the model of the board was not checked: ")


def test_run_reports_lost_frames(run_inkling: RunInkling, native_url: str, built: Bundle, images: list[Path]) -> None:
    with Proxy(native_url, BitFlips(0.5), seed=1) as proxy:
        code, out, err = run_inkling("run", images[0], "--port", proxy.url, "--bundle", built.path, "--json")
    assert code == 1 and json.loads(out)["class"] is None
    assert f"{images[0]}  frame lost\n" in err


def test_run_sends_the_other_images_if_one_cannot_be_read(
    run_inkling: RunInkling, native_url: str, built: Bundle, images: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "cut.jpg").write_bytes(b"")
    Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "float.tiff")
    bad = [tmp_path / "cut.jpg", tmp_path / "float.tiff", tmp_path / "missing.png"]
    words = (images[0], *bad, images[1], "--port", native_url, "--bundle", built.path)
    reasons = ["not an image that Pillow can read", "pixels are floating-point numbers", "No such file or directory"]
    code, out, err = run_inkling("run", *words)
    assert code == 1 and [line.split()[0] for line in out.splitlines()] == [str(images[0]), str(images[1])]
    *lines, last = err.splitlines()
    for line, file, reason in zip(lines, bad, reasons, strict=True):
        assert line.startswith(f"inkling: {file}: {reason}")
    assert last == "inkling: 3 of 5 images could not be read and were not sent"
    code, out, _ = run_inkling("run", *words, "--json")
    readings = {reading["image"]: reading for reading in map(json.loads, out.splitlines())}
    assert code == 1 and [readings[str(file)]["class"] for file in bad] == [None] * 3
    assert all(reason in readings[str(file)]["error"] for file, reason in zip(bad, reasons, strict=True))
    assert all(readings[str(file)]["class"] in built.classes for file in images[:2])


def test_run_without_any_image_that_can_be_read_opens_no_port(
    run_inkling: RunInkling, built: Bundle, tmp_path: Path
) -> None:
    words = ("run", tmp_path / "a.png", tmp_path / "b.png", "--port", "/dev/none", "--bundle", built.path)
    missing = [f"inkling: {tmp_path}/{name}.png: No such file or directory\n" for name in "ab"]
    assert run_inkling(*words) == (1, "", "".join(missing))


def test_run_refuses_a_wrong_chunk_and_a_wrong_model(
    run_inkling: RunInkling, native_url: str, built: Bundle, bundle: Bundle, images: list[Path]
) -> None:
    code, _, err = run_inkling("run", images[0], "--port", native_url, "--bundle", built.path, "--chunk", "15")
    assert (code, err.count("\n")) == (1, 1) and "has chunks 0.." in err
    code, _, err = run_inkling("run", images[0], "--port", native_url, "--bundle", bundle.path)
    assert (code, err.count("\n")) == (1, 1) and f"runs model {built.model_id}" in err

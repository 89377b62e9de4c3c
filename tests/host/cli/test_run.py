"""`inkling run`: classes of images that a board encodes, through noise and with mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from channel_sim import BitFlips
from channel_sim.live.proxy import Proxy
from tests.conftest import RunInkling
from tests.host.cli.process import run
from wire.bundle import Bundle


@pytest.fixture(scope="module")
def images(built: Bundle, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of the first three golden images."""
    folder = tmp_path_factory.mktemp("images")
    for n, image in enumerate(np.load(built.golden_path)["images"][:3]):
        Image.fromarray(image.squeeze()).save(folder / f"{n}.png")
    return sorted(folder.iterdir())


def test_run_classifies_what_the_board_encodes(
    run_inkling: RunInkling, native_url: str, built: Bundle, images: list[Path]
) -> None:
    code, out, err = run("run", *images, "--port", native_url, "--bundle", built.path)
    assert (code, err) == (0, "")
    logits = np.load(built.golden_path)["logits"]
    for image, shown, row in zip(images, out.splitlines(), logits, strict=False):
        assert shown.startswith(str(image)) and built.classes[row.argmax()] in shown
        assert "clean" in shown and "cycles to encode" in shown
    code, out, _ = run_inkling("run", images[0], "--port", native_url, "--bundle", built.path, "--chunk", 1, "--json")
    reading = json.loads(out)
    assert code == 0 and (reading["chunk"], reading["image"]) == (1, str(images[0]))
    assert reading["received_bits"] == built.chunk_bits(1) and reading["encode_cycles"] > 0


def test_run_through_noise_continues_without_checking_the_model(
    run_inkling: RunInkling, native_url: str, built: Bundle, images: list[Path]
) -> None:
    with Proxy(native_url, BitFlips(0.05), seed=1) as proxy:
        code, out, err = run_inkling("run", *images, "--port", proxy.url, "--bundle", built.path)
    assert code == 0 and out.count("damaged  cost lost") == 3
    assert err.startswith("inkling: the model of the board was not checked: ")


def test_run_reports_lost_frames(run_inkling: RunInkling, native_url: str, built: Bundle, images: list[Path]) -> None:
    with Proxy(native_url, BitFlips(0.5), seed=1) as proxy:
        code, out, err = run_inkling("run", images[0], "--port", proxy.url, "--bundle", built.path, "--json")
    assert code == 1 and json.loads(out)["class"] is None
    assert f"{images[0]}  frame lost\n" in err


def test_run_refuses_a_wrong_chunk_and_a_wrong_model(
    run_inkling: RunInkling, native_url: str, built: Bundle, bundle: Bundle, images: list[Path]
) -> None:
    code, _, err = run_inkling("run", images[0], "--port", native_url, "--bundle", built.path, "--chunk", "15")
    assert (code, err.count("\n")) == (1, 1) and "has chunks 0.." in err
    code, _, err = run_inkling("run", images[0], "--port", native_url, "--bundle", bundle.path)
    assert (code, err.count("\n")) == (1, 1) and f"runs model {built.model_id}" in err

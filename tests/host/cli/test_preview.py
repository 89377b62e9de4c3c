"""`--preview` of `receive` and `run`: PNG files of what was received, and mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.cli.preview import write_png
from host.errors import HostError
from tests.conftest import RunInkling
from tests.host.cli.process import run
from tests.host.cli.test_receive import NOT_FOR_THE_HOST
from tests.support.host import make_bundle, make_frame, make_info
from tests.support.lines import answers, fake_line, sends
from wire.bundle import Bundle
from wire.control import REPLY_BIT, Control, Opcode, RunCost, reply


@pytest.fixture
def general(tmp_path: Path) -> Bundle:
    """48 symbols of 3 bits, and a preview network that shows the first symbol."""
    return make_bundle(tmp_path / "general", n_symbols=48, embedding=20, preview=True)


def symbols(first: int) -> np.ndarray:
    return np.array([first] + [3] * 47)


def shown(file: Path) -> int:
    """Return the first symbol that a preview shows."""
    with Image.open(file) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (6, 8))
        pixels = np.asarray(image)
    assert len(np.unique(pixels)) == 1
    return int(pixels[0, 0, 0]) // 10 - 1


def test_receive_writes_one_preview_per_image(general: Bundle, bundle: Bundle, tmp_path: Path) -> None:
    frames = [
        make_frame(general, 0, symbols(5)),
        make_frame(general, 1, symbols(2)[24:], chunk=2),  # the second half: its first symbol is missing
        make_frame(general, 2, symbols(7), device=9),
        make_frame(bundle, 3, device=8),  # of a bundle without previews
        make_frame(general, 1, symbols(2)[:24], chunk=1),
    ]
    target, folder = tmp_path / "readings.jsonl", tmp_path / "new" / "previews"
    bundles = ("--bundle", general.path, "--bundle", bundle.path)
    with fake_line(sends(b"".join(frames), hold=True)) as url:
        options = ("--json", target, "--preview", folder, "--count", len(frames))
        code, _, err = run("receive", "--port", url, *bundles, *options, blocked=NOT_FOR_THE_HOST)
    assert code == 0, err
    readings = [json.loads(line) for line in target.read_text().splitlines()]
    expected = {readings[0]["image_id"]: 5, readings[1]["image_id"]: 2, readings[2]["image_id"]: 7}
    assert {file.name: shown(file) for file in folder.iterdir()} == {f"{i}.png": n for i, n in expected.items()}
    assert readings[2]["image_id"].split("-")[1:] == ["9", str(readings[2]["image_number"])]


def test_receive_shows_a_missing_symbol_as_such(general: Bundle, tmp_path: Path) -> None:
    with fake_line(sends(make_frame(general, 1, symbols(2)[24:], chunk=2), hold=True)) as url:
        options = ("--bundle", general.path, "--preview", tmp_path / "previews", "--count", 1)
        assert run("receive", "--port", url, *options)[0] == 0
    (file,) = (tmp_path / "previews").iterdir()
    assert shown(file) == -1


def test_receive_refuses_bundles_without_preview_and_folders_that_cannot_be(
    general: Bundle, bundle: Bundle, tmp_path: Path, run_inkling: RunInkling
) -> None:
    (tmp_path / "file").write_text("")
    hint = "has no preview network (docs/preview.md says how to add one)"
    for path, folder, message in (
        (bundle.path, tmp_path / "previews", f"bundle {bundle.path} {hint}"),
        (general.path, tmp_path / "file" / "previews", f"cannot write to {tmp_path}/file/previews: Not a directory"),
        (general.path, tmp_path / "file", f"cannot write to {tmp_path}/file: File exists"),
    ):
        arguments = ("receive", "--port", "loop://", "--bundle", path, "--preview", folder)
        assert run_inkling(*arguments) == (1, "", f"inkling: {message}\n")
    assert not (tmp_path / "previews").exists()


def test_run_writes_the_preview(general: Bundle, tmp_path: Path, run_inkling: RunInkling) -> None:
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(tmp_path / "ant.png")

    def respond(command: Control) -> bytes:
        request, model = command.header.sequence, general.number
        if command.opcode == Opcode.INFO:
            return reply(command.opcode | REPLY_BIT, command.request, make_info(model_number=model).pack(), 7, model)
        assert command.opcode == Opcode.RUN
        cost = reply(command.opcode | REPLY_BIT, command.request, RunCost(1, 2, 3).pack(), 7, model)
        return make_frame(general, request, symbols(4)) + cost

    with fake_line(answers(respond)) as url:
        arguments = ("--port", url, "--bundle", general.path, "--preview", tmp_path / "seen.png")
        code, out, err = run_inkling("run", tmp_path / "ant.png", *arguments)
    assert (code, err) == (0, "") and "cycles to encode" in out
    assert shown(tmp_path / "seen.png") == 4


def test_run_reports_mistakes_before_anything_is_sent(
    general: Bundle, bundle: Bundle, tmp_path: Path, run_inkling: RunInkling
) -> None:
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(tmp_path / "ant.png")
    file, image = tmp_path / "seen.png", tmp_path / "ant.png"
    for images, path, message in (
        ([image, image], general.path, "--preview is of one image, and 2 are given"),
        ([image], bundle.path, f"bundle {bundle.path} has no preview network (docs/preview.md says how to add one)"),
    ):
        arguments = ("--port", "loop://", "--bundle", path, "--preview", file)
        assert run_inkling("run", *images, *arguments) == (1, "", f"inkling: {message}\n")
    for words, message in (
        (("--preview", tmp_path / "seen.jpg"), "argument --preview: must end in .png, got "),
        (("--preview", file, "--by-radio"), "argument --by-radio: not allowed with argument --preview"),
    ):
        code, out, err = run_inkling("run", image, "--port", "loop://", "--bundle", general.path, *words)
        assert (code, out) == (2, "") and message in err
    assert not file.exists()


@pytest.mark.parametrize("command", ["run", "receive"])
def test_help_says_that_a_preview_may_invent(command: str, run_inkling: RunInkling) -> None:
    text = " ".join(run_inkling(command, "--help")[1].split())
    assert "reconstructs from the received bytes; it may show what was not there" in text


def test_png_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "grey.png"
    write_png(np.full((4, 5, 1), 7, np.uint8), file)
    with Image.open(file) as image:
        assert (image.mode, image.size) == ("L", (5, 4))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(HostError, match=rf"cannot write {tmp_path}/folder.png: Is a directory"):
        write_png(np.zeros((4, 5, 3), np.uint8), tmp_path / "folder.png")
    assert {entry.name for entry in tmp_path.iterdir()} == {"grey.png", "folder.png"}

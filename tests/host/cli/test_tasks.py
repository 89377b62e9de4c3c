"""`receive`, `run`, `teach` and `find` with a general bundle: from readings to tasks, and back."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from host.reference import int8_pixels
from host.tasks.files import load, save
from tests.conftest import RunInkling
from tests.host.cli.process import run
from tests.host.cli.test_receive import NOT_FOR_THE_HOST
from tests.support.host import make_bundle, make_frame, make_info
from tests.support.lines import answers, fake_line, sends
from tests.support.tasks import CLASSES, class_symbols, make_examples, make_task, write_readings
from wire.bundle import Bundle
from wire.control import REPLY_BIT, Control, Opcode, RunCost, reply

IMAGES = 6  # of each class


@pytest.fixture
def general(tmp_path: Path) -> Bundle:
    """48 symbols of 3 bits, embeddings of 20 values."""
    return make_bundle(tmp_path / "general", n_symbols=48, embedding=20)


def frame_of(bundle: Bundle, label: str, number: int, sequence: int) -> bytes:
    return make_frame(bundle, sequence, class_symbols(bundle, ord(label[0]), number))


def receive(bundle: Bundle, frames: list[bytes], *arguments: object) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the lines that `receive` prints for frames, and its JSON lines."""
    target = bundle.path.parent / "readings.jsonl"
    target.unlink(missing_ok=True)
    with fake_line(sends(b"".join(frames), hold=True)) as url:
        options = ("--port", url, "--bundle", bundle.path, "--json", target, "--count", len(frames))
        code, out, err = run("receive", *options, *arguments, blocked=NOT_FOR_THE_HOST)
    assert code == 0, err
    return out.splitlines()[1:], [json.loads(line) for line in target.read_text().splitlines()]


def test_tasks_are_taught_from_readings_and_read_at_once(general: Bundle, tmp_path: Path) -> None:
    sent = [(label, number) for number in range(IMAGES) for label in CLASSES]
    frames = [frame_of(general, label, number, n) for n, (label, number) in enumerate(sent)]
    shown, readings = receive(general, frames)
    assert all("7    BER" in line and "clean  0 lost" in line for line in shown)
    assert [reading["tasks"] for reading in readings] == [{}] * len(sent)

    labels = tmp_path / "labels.csv"
    ids = [reading["image_id"] for reading in readings]
    for task, rows in (
        ("animals", [f"{name},{label}" for name, (label, _) in zip(ids, sent, strict=True)]),
        ("ants", [f"{line},{'yes' if label == 'ant' else 'no'}" for line, (label, _) in enumerate(sent, 1)]),
    ):
        labels.write_text("image_id,class\n" + "\n".join(rows))
        arguments = ("--from", tmp_path / "readings.jsonl", "--labels", labels, "--task", task)
        code, out, err = run("teach", general.path, *arguments, blocked=NOT_FOR_THE_HOST)
        assert (code, err) == (0, "") and out.endswith(f"wrote {general.path}/tasks/{task}\n")
    assert load(general, "ants").images == {"yes": {"readings": IMAGES}, "no": {"readings": 2 * IMAGES}}

    sent = [(label, number) for number in range(100, 110) for label in CLASSES]
    frames = [frame_of(general, label, number, n) for n, (label, number) in enumerate(sent)]
    shown, readings = receive(general, frames, "--task", "animals", "--task", "ants")
    correct = 0
    for line, reading, (label, _) in zip(shown, readings, sent, strict=True):
        assert list(reading["tasks"]) == ["animals", "ants"] and reading["class"] is None
        for name, values in reading["tasks"].items():
            found = values["label"]
            assert f"{name}: {found or 'none of these'} " in line
            assert found is None or found == load(general, name).classes[values["index"]]
            assert found is None or 1 / 3 < values["confidence"] <= 1
        correct += reading["tasks"]["animals"]["label"] == label
        correct += reading["tasks"]["ants"]["label"] == ("yes" if label == "ant" else "no")
    assert correct > 0.8 * 2 * len(sent)


def test_teach_shows_accuracies_and_confusions(general: Bundle, tmp_path: Path, run_inkling: RunInkling) -> None:
    arguments = prepare(general, tmp_path)
    code, out, err = run_inkling("teach", general.path, *arguments)
    figures = load(general, "animals").fitted.figures
    low, high = figures["interval_95"]
    assert (code, err) == (0, "")
    assert out.startswith("task animals: 3 classes, 24 images, each left out in turn\n")
    assert f"  correct at BER 1.0e-03: {figures['accuracy']:.1%} ({low:.1%} to {high:.1%})\n" in out
    assert "  correct at BER 1.1e-02: " in out and "  correct at BER 1.0e-01: " in out
    few = figures["by_shots"][-1]
    assert "  correct from the first 9 bytes: " in out and few["images"] < 24
    assert re.search(rf"  correct if taught 5 images per class: .*\), of {few['images']} images\n", out)
    assert f"{figures['rejected']:.1%} rejected as none of these" in out
    rows = [line.strip("│ ").split("│") for line in out.splitlines() if line.startswith("│")]
    assert [row[0].strip() for row in rows] == [*CLASSES, "1 ant", "2 bee", "3 cat"]
    counts = [[int(cell) if cell.strip() != "." else 0 for cell in row[1:]] for row in rows[3:]]
    assert counts == figures["confusion"]


def test_teach_draws_the_confusion_matrix(general: Bundle, tmp_path: Path, run_inkling: RunInkling) -> None:
    arguments = prepare(general, tmp_path)
    wrong = tmp_path / "animals.abc"
    code, out, err = run_inkling("teach", general.path, *arguments, "--confusion", wrong)
    assert (code, out) == (1, "") and err.startswith(
        f"inkling: {wrong} cannot be written: Format 'abc' is not supported"
    )
    code, _, err = run("teach", general.path, *arguments, "--confusion", "animals.png", blocked=NOT_FOR_THE_HOST)
    assert (code, err) == (1, "inkling: the picture needs matplotlib; in a clone of Inkling: pip install '.[teach]'\n")
    assert not (general.path / "tasks").exists()
    picture = tmp_path / "animals.png"
    code, out, err = run_inkling("teach", general.path, *arguments, "--confusion", picture)
    assert (code, err) == (0, "") and out.endswith(f"wrote {picture}\n")
    with Image.open(picture) as image:
        assert min(image.size) > 200 and len(np.unique(np.asarray(image.convert("L")))) > 20


def prepare(bundle: Bundle, tmp_path: Path, classes: tuple[str, ...] = CLASSES) -> list[str | Path]:
    """Write readings and labels of 8 images of each class, and return the arguments of `teach`."""
    examples = make_examples(bundle, classes)
    readings, labels = tmp_path / f"{classes[-1]}.jsonl", tmp_path / f"{classes[-1]}.csv"
    write_readings(readings, bundle, examples, prefix=classes[0])
    rows = [f"{classes[0]}{row},{classes[label]}" for row, label in enumerate(examples.labels)]
    labels.write_text("\n".join(rows))
    return ["--from", readings, "--labels", labels, "--task", "animals"]


class PixelEncoder:
    """Fake encoder whose latents are the pixels."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def outputs(self, images: np.ndarray) -> np.ndarray:
        return int8_pixels(images).reshape(len(images), -1)


def test_teach_names_and_leaves_out_pictures_that_cannot_be_read(
    general: Bundle, tmp_path: Path, run_inkling: RunInkling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.tasks.images.ReferenceEncoder", PixelEncoder)
    rng = np.random.default_rng(1)
    for label in CLASSES:
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (8, 6, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / label / f"{number}.png")
    broken = tmp_path / "pictures" / "bee" / "cut.jpg"
    broken.write_bytes(b"")
    broken.with_name("phone.heic").write_bytes(b"")
    arguments = ("teach", general.path, "--from", tmp_path / "pictures", "--task", "animals")
    kinds = f"inkling: {tmp_path}/pictures: files that are not images by name, left out: 1 .heic (bee/phone.heic)\n"
    reason = f"{broken}: not an image that Pillow can read"
    assert run_inkling(*arguments, "--strict") == (1, "", f"{kinds}inkling: {reason}\n")
    assert not (general.path / "tasks").exists()
    code, out, err = run_inkling(*arguments)
    assert (code, err) == (0, f"{kinds}inkling: images that cannot be read, left out: 1 of 13 ({reason})\n")
    assert out.startswith("task animals: 3 classes, 12 images, ")


def test_teach_adds_a_class_from_its_own_images(general: Bundle, tmp_path: Path, run_inkling: RunInkling) -> None:
    assert run_inkling("teach", general.path, *prepare(general, tmp_path, ("ant", "bee")))[0] == 0
    code, out, err = run_inkling("teach", general.path, *prepare(general, tmp_path, ("cat",)), "--add")
    assert (code, err) == (0, "") and "3 classes, 24 images" in out
    assert load(general, "animals").classes == CLASSES


def test_teach_replaces_a_task_only_if_told(general: Bundle, tmp_path: Path, run_inkling: RunInkling) -> None:
    save(make_task(general), general)
    arguments = prepare(general, tmp_path, ("ant", "bee"))
    hint = "has task 'animals': pass --add to add to it, --force to replace it"
    assert run_inkling("teach", general.path, *arguments) == (1, "", f"inkling: bundle {general.path} {hint}\n")
    assert load(general, "animals").classes == CLASSES
    assert run_inkling("teach", general.path, *arguments, "--force")[0] == 0
    assert load(general, "animals").classes == ("ant", "bee")


def test_teach_reports_mistakes_in_one_line(
    general: Bundle, bundle: Bundle, tmp_path: Path, run_inkling: RunInkling
) -> None:
    arguments = prepare(general, tmp_path, ("cat",))
    few = "a task needs at least 2 classes: add one, such as 'other', with images of everything else"
    for folder, words, message in (
        (general.path, [*arguments, "--add"], f"bundle {general.path} has no task 'animals': teach it without --add"),
        (general.path, [*arguments[:-1], "a/b"], "a task's name has up to 64 letters a-z and A-Z, digits, "),
        (general.path, arguments, few),
        (bundle.path, arguments, f"bundle {bundle.path} has classes of its own: tasks need a general bundle"),
    ):
        code, out, err = run_inkling("teach", folder, *words)
        assert (code, out, err.count("\n")) == (1, "", 1) and err.startswith(f"inkling: {message}")
    assert not (general.path / "tasks").exists()


def test_receive_refuses_unknown_and_damaged_tasks(general: Bundle, run_inkling: RunInkling) -> None:
    arguments = ("receive", "--port", "loop://", "--bundle", general.path, "--task")
    hint = "no given bundle has a task 'cars': teach it with inkling teach"
    assert run_inkling(*arguments, "cars") == (1, "", f"inkling: {hint}\n")
    folder = save(make_task(general), general)
    (folder / "head.npz").write_bytes(b"damaged")
    error = f"inkling: task {folder}: head.npz is not the one that task.json lists\n"
    assert run_inkling(*arguments, "animals") == (1, "", error)


def test_run_shows_tasks(general: Bundle, tmp_path: Path, run_inkling: RunInkling) -> None:
    save(make_task(general), general)
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(tmp_path / "ant.png")

    def respond(command: Control) -> bytes:
        request, model = command.header.sequence, general.number
        if command.opcode == Opcode.INFO:
            return reply(command.opcode | REPLY_BIT, command.request, make_info(model_number=model).pack(), 7, model)
        assert command.opcode == Opcode.RUN
        cost = reply(command.opcode | REPLY_BIT, command.request, RunCost(1, 2, 3).pack(), 7, model)
        return frame_of(general, "ant", 100, request) + cost

    arguments = ("run", tmp_path / "ant.png", "--bundle", general.path, "--task", "animals", "--port")
    with fake_line(answers(respond), answers(respond)) as url:
        code, out, err = run_inkling(*arguments, url)
        assert (code, err) == (0, "") and "  animals: ant  " in out and "cycles to encode" in out
        code, out, _ = run_inkling(*arguments, url, "--json")
    reading = json.loads(out)
    assert code == 0 and reading["tasks"]["animals"]["label"] == "ant" and len(reading["symbols"]) == 48


def test_find_lists_the_nearest_images(general: Bundle, tmp_path: Path, run_inkling: RunInkling) -> None:
    examples = make_examples(general)
    write_readings(tmp_path / "readings.jsonl", general, examples)
    arguments = ("find", general.path, tmp_path / "readings.jsonl")
    code, out, err = run_inkling(*arguments, "--like", "r10", "--count", 5, "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert (code, err, len(found)) == (0, "", 5)
    assert "r10" not in [line["image_id"] for line in found]
    assert sum(8 <= int(line["image_id"][1:]) < 16 for line in found) >= 4, "bees, as r10 is"
    similarities = [line["similarity"] for line in found]
    assert similarities == sorted(similarities, reverse=True) and -1 <= similarities[-1] < similarities[0] <= 1
    assert found[0]["line"] == int(found[0]["image_id"][1:]) + 1 and found[0]["device"] == 7

    code, by_line, _ = run_inkling(*arguments, "--like", "11", "--count", 5)  # the line of r10
    rows = [line.strip("│ ").split("│") for line in by_line.splitlines() if line.startswith("│")]
    assert [row[1].strip() for row in rows] == [line["image_id"] for line in found]
    assert [float(row[0]) for row in rows] == pytest.approx(similarities, abs=1e-3)
    assert rows[0][4].strip().startswith("2027-01-15 ")


def test_find_reports_mistakes_in_one_line(
    general: Bundle, bundle: Bundle, tmp_path: Path, run_inkling: RunInkling
) -> None:
    file = tmp_path / "readings.jsonl"
    write_readings(file, general, make_examples(general, images=2))
    hint = f"inkling: {file} has no reading 'r9': pass its image_id or line number\n"
    assert run_inkling("find", general.path, file, "--like", "r9") == (1, "", hint)
    hint = f"inkling: bundle {bundle.path} has classes of its own: tasks need a general bundle\n"
    assert run_inkling("find", bundle.path, file, "--like", "r1") == (1, "", hint)


def test_find_shows_and_prints_what_a_stranger_wrote_into_the_file(
    general: Bundle, tmp_path: Path, run_inkling: RunInkling
) -> None:
    file = tmp_path / "readings.jsonl"
    write_readings(file, general, make_examples(general, images=2))
    changes = {"device": "[/]\x1b[2J\n", "time": float("nan")}
    lines = [json.dumps(json.loads(line) | changes) for line in file.read_text().splitlines()]
    file.write_text("\n".join([*lines, '{"time": 17']))
    code, out, err = run_inkling("find", general.path, file, "--like", "r0")
    assert (code, err) == (0, f"inkling: {file}: 1 lines are torn and left out, the first is line {len(lines) + 1}\n")
    assert out.count("[/]\\x1b[2J\\n") == len(lines) - 1
    code, out, _ = run_inkling("find", general.path, file, "--like", "r0", "--json")
    assert code == 0 and [json.loads(line)["time"] for line in out.splitlines()] == [None] * (len(lines) - 1)


def test_find_shows_a_dash_for_a_time_that_there_is_not(
    general: Bundle, tmp_path: Path, run_inkling: RunInkling
) -> None:
    file = tmp_path / "readings.jsonl"
    write_readings(file, general, make_examples(general, images=1))
    text = file.read_text()
    for wrong in ("null", "1e300", "NaN", '"noon"'):
        file.write_text(text.replace("1800000001.0", wrong))
        code, out, _ = run_inkling("find", general.path, file, "--like", "r0")
        assert code == 0 and out.count(" - │") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--from", ".", "--labels", "labels.csv"),
            "--labels is for readings: the classes of pictures are",
        ),
        (("--from", "readings.jsonl"), "readings.jsonl is not a folder of pictures; readings need --labels"),
    ],
)
def test_teach_takes_pictures_or_labelled_readings(
    general: Bundle, arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("teach", general.path, *arguments, "--task", "animals", blocked=NOT_FOR_THE_HOST)
    assert (code, out) == (1, "") and message in err and err.count("\n") == 1

"""What commands write and show: encodings that lack characters, full disks, readers that go away."""

import io
import json
import subprocess
from pathlib import Path

import pytest

from host.cli import preview
from host.cli.output import Output, is_noted
from host.errors import HostError
from tests.conftest import RunInkling
from tests.host.cli.process import finish, start
from tests.support.host import make_bundle, make_frame
from tests.support.lines import fake_line, sends
from wire.bundle import Bundle, load

FRAMES = 3
SUMMARY = "3 frames, 0 lost, 0 duplicates, 0 late, 0 of unknown models, 0 bytes of garbage"


@pytest.fixture
def russian(tmp_path: Path) -> Bundle:
    """A bundle whose classes are in Cyrillic."""
    folder = tmp_path / "russian"
    make_bundle(folder)
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["classes"] = [f"кот {number}" for number in range(10)]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return load(folder)


def frames(bundle: Bundle) -> bytes:
    return b"".join(make_frame(bundle, number) for number in range(FRAMES))


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_receive_escapes_classes_that_the_encoding_lacks(
    russian: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    target = tmp_path / "r.jsonl"
    with fake_line(sends(frames(russian), hold=True)) as url:
        process = start("receive", "--port", url, "--bundle", russian.path, "--json", target, "--count", FRAMES)
        code, out, err = finish(process)
    assert (code, err) == (0, f"inkling: {SUMMARY}\n")
    shown = "кот " if encoding == "utf-8" else "\\u043a\\u043e\\u0442 "
    assert out.count(shown) == FRAMES
    assert [json.loads(line)["class"][:4] for line in target.read_text().splitlines()] == ["кот "] * FRAMES


def test_receive_goes_on_without_its_file_on_a_full_disk(bundle: Bundle) -> None:
    with fake_line(sends(frames(bundle), hold=True)) as url:
        process = start("receive", "--port", url, "--bundle", bundle.path, "--json", "/dev/full", "--count", FRAMES)
        code, out, err = finish(process)
    note, summary = err.splitlines()
    assert (code, len(out.splitlines())) == (1, 1 + FRAMES)
    assert note == "inkling: cannot write /dev/full: No space left on device; 1 JSON lines not written so far"
    assert summary == f"inkling: {SUMMARY}; 3 JSON lines not written"


@pytest.mark.parametrize("output", ["full", "closed"])
def test_receive_writes_readings_that_it_cannot_show(bundle: Bundle, tmp_path: Path, output: str) -> None:
    target = tmp_path / "r.jsonl"
    with fake_line(sends(frames(bundle), hold=True)) as url, open("/dev/full", "w") as full:
        arguments = ("receive", "--port", url, "--bundle", bundle.path, "--json", target, "--count", FRAMES)
        process = start(*arguments, stdout=full if output == "full" else subprocess.PIPE)
        if output == "closed":
            assert process.stdout
            process.stdout.close()
            process.stdout = None
        code, _, err = finish(process)
    assert code == 1 and [json.loads(line)["sequence"] for line in target.read_text().splitlines()] == [0, 1, 2]
    assert err.startswith("inkling: lines cannot be shown (") and f"{SUMMARY}; 4 lines not shown\n" in err


def test_receive_counts_readings_that_a_full_disk_behind_standard_output_refuses(bundle: Bundle) -> None:
    with fake_line(sends(frames(bundle), hold=True)) as url, open("/dev/full", "w") as full:
        arguments = ("receive", "--port", url, "--bundle", bundle.path, "--json", "-", "--count", FRAMES)
        code, _, err = finish(start(*arguments, stdout=full))
    assert code == 1 and err.count("lost") == 1 + FRAMES and f"{SUMMARY}; 3 JSON lines not written\n" in err


def test_receive_goes_on_without_previews_that_cannot_be_written(
    run_inkling: RunInkling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bundle(tmp_path / "general", embedding=8, preview=True)

    def fail(*_: object) -> None:
        raise HostError("cannot write seen.png: No space left on device")

    monkeypatch.setattr(preview, "write_png", fail)
    with fake_line(sends(frames(bundle), hold=True)) as url:
        options = ("--bundle", bundle.path, "--preview", tmp_path / "seen", "--json", tmp_path / "r.jsonl")
        code, out, err = run_inkling("receive", "--port", url, *options, "--count", FRAMES)
    assert (code, len(out.splitlines())) == (1, 1 + FRAMES)
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == FRAMES
    note = "inkling: cannot write seen.png: No space left on device; 1 previews not written so far"
    assert err == f"{note}\ninkling: {SUMMARY}; 3 previews not written\n"


def test_output_writes_a_reading_before_it_shows_it(
    bundle: Bundle, tmp_path: Path, run_inkling: RunInkling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a fault of the terminal must not lose the reading."""

    def fail(*_: object) -> None:
        raise RuntimeError("the terminal is broken")

    real = Output.line
    monkeypatch.setattr(Output, "line", lambda self, *parts: real(self, *parts) if len(parts) == 1 else fail())
    target = tmp_path / "r.jsonl"
    with fake_line(sends(frames(bundle), hold=True)) as url, pytest.raises(RuntimeError):
        run_inkling("receive", "--port", url, "--bundle", bundle.path, "--json", target)
    assert json.loads(target.read_text())["sequence"] == 0


def test_output_refuses_a_file_that_cannot_be_written_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=f"^cannot write {tmp_path}: Is a directory$"):
        Output(str(tmp_path))


def test_output_shows_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.line("[bold]a[/]\x1b[2J", ("\n:cat:", "red"))
    output.note("two\nlines \udcff")
    assert capsys.readouterr() == ("[bold]a[/]\\x1b[2J\\n:cat:\n", "inkling: two\\nlines \\udcff\n")


def test_output_writes_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    Output("-").json_line(confidence=float("nan"))
    assert json.loads(capsys.readouterr().out)["confidence"] is None


def test_output_survives_errors_of_standard_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    output = Output("-")
    output.note("a note")
    output.line("a line")
    assert output.missed == "2 notes not shown, 1 lines not shown"


@pytest.mark.parametrize(
    ("count", "noted"), [(1, True), (2, False), (10, True), (20, False), (100, True), (101, False)]
)
def test_is_noted_at_powers_of_ten(count: int, noted: bool) -> None:
    assert is_noted(count) == noted

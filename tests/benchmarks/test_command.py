"""Tests of what the benchmarks' commands share."""

import json
import re
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import command
from tests.support.host import make_bundle
from wire.errors import InklingError


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(("status", "expected"), [(None, 0), (0, 0), (3, 3)])
def test_execute_returns_the_status(status: int | None, expected: int) -> None:
    assert command.execute("name", lambda: status) == expected


@pytest.mark.parametrize("error", [InklingError("no figures"), OSError("no figures")])
def test_execute_prints_an_error_in_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.execute("name", lambda: fail(error)) == 1
    assert capsys.readouterr().err == "name: no figures\n"


@pytest.mark.parametrize("resumable", [False, True])
def test_execute_interrupted(resumable: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.execute("name", lambda: fail(KeyboardInterrupt()), resumable) == 130
    hint = "; run the same command again to resume" if resumable else ""
    assert capsys.readouterr().err == f"\nname: interrupted{hint}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--images", "0"], "--images: must be an integer of at least 1, got '0'"),
        (["--seed", "-1"], "--seed: must be an integer of at least 0, got '-1'"),
    ],
)
def test_arguments_refuse_numbers(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    command.add_count(parser, "--images", 10, "test images")
    command.add_seed(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(words)
    assert message in capsys.readouterr().err


def test_write_json_keeps_the_old_file_if_it_fails(tmp_path: Path) -> None:
    file = tmp_path / "new" / "figures.json"
    figures = {"a": [1, "b, c"], "d": [[2.5, None], [{"e": [True]}]], "f": []}
    command.write_json(file, figures)
    assert json.loads(file.read_text()) == figures
    assert file.read_text().startswith('{\n "a": [1, "b, c"],\n "d": [\n  [2.5, null],\n')
    with pytest.raises(TypeError):
        command.write_json(file, {"a": object()})
    assert file.read_text().startswith('{\n "a"') and [path.name for path in file.parent.iterdir()] == [file.name]


def test_kept_name_changes_with_the_manifest(tmp_path: Path) -> None:
    first, other = (make_bundle(tmp_path / name, seed=seed) for name, seed in (("first", 0), ("other", 1)))
    again = replace(first, manifest=json.loads(json.dumps(first.manifest)))
    retrained = replace(first, manifest=first.manifest | {"files": other.manifest["files"]})
    assert command.kept_name(first) == command.kept_name(again) != command.kept_name(retrained)
    assert command.kept_name(retrained).startswith(f"{first.model_id}-")


def test_kept_figures_are_made_once(tmp_path: Path) -> None:
    file = tmp_path / "new" / "part.json"
    assert command.kept_figures(file, lambda: {"lost": 0.1}) == {"lost": 0.1}
    assert command.kept_figures(file, lambda: {"lost": 0.2}) == {"lost": 0.1}
    file.write_text("{")
    with pytest.raises(command.ResultsError, match=r"part\.json cannot be read"):
        command.kept_figures(file, dict)


def test_paths_option_names_the_folder_of_data_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    boards = [Path("build/bundles/mine"), Path("/data/set/models/one.tflite")]
    monkeypatch.setenv("INKLING_DATA", "/data/set")
    assert command.paths_option("--boards", boards) == " --boards build/bundles/mine $INKLING_DATA/models/one.tflite"
    monkeypatch.delenv("INKLING_DATA")
    assert command.paths_option("--boards", boards) == " --boards build/bundles/mine /data/set/models/one.tflite"
    assert command.paths_option("--boards", []) == ""


@pytest.mark.parametrize("file", sorted(command.RESULTS.rglob("*.json")), ids=lambda file: file.name)
def test_recorded_commands_name_no_folder_of_one_machine(file: Path) -> None:
    commands = re.findall(r'"command": "(.*)"', file.read_text(encoding="utf-8"))
    assert [line for line in commands if re.search(r"(?:^|[ =])[/~]", line)] == []

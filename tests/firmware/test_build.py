"""The build: from a bundle, only if something changed, with one line per error."""

import json
import shutil
import subprocess
import sys
import threading
import time
from importlib import metadata
from pathlib import Path

import pytest

from firmware.tools import build as build_module
from firmware.tools import core_dir
from firmware.tools.build import BuildError, build
from firmware.tools.footprint import FootprintError, measure
from firmware.tools.model import ModelError, generate
from tests.support import ROOT
from tests.support.firmware import TARGETS, bundle_path, program

STRICT = {"-Wall", "-Wextra", "-Wdouble-promotion", "-Werror"}


@pytest.mark.emulated
@pytest.mark.parametrize("environment", TARGETS)
def test_build_makes_the_program(environment: str) -> None:
    assert program(environment).is_file()


@pytest.mark.emulated
@pytest.mark.slow
def test_build_works_in_a_path_with_blanks(tmp_path: Path) -> None:
    elf = build("qemu_stm32f405", bundle=bundle_path(), build_dir=tmp_path / "a build")
    assert measure(elf).model_flash_bytes > 0  # read from the map beside the ELF file


@pytest.mark.emulated
def test_build_treats_warnings_in_our_sources_as_errors() -> None:
    program("native")
    command = [sys.executable, "-m", "platformio", "project", "metadata", "-e", "native", "--json-output"]
    done = subprocess.run(command, cwd=ROOT, env=core_dir.environment(), check=True, capture_output=True, text=True)
    flags = json.loads(done.stdout)["native"]["cc_flags"]
    assert set(flags) >= STRICT
    assert "-w" not in flags
    libraries = list((ROOT / "firmware" / "lib").glob("*/library.json"))
    assert libraries
    for library in libraries:
        flags = json.loads(library.read_text())["build"]["flags"]
        assert set(flags) >= STRICT, library
        assert "-w" not in flags, library


def test_core_dir_is_left_unchanged_once_made(tmp_path: Path) -> None:
    core_dir.prepare(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    core_dir.prepare(tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


@pytest.mark.parametrize("kernels", ["portable", "cmsis_nn"])
def test_generate_writes_the_model_only_if_something_changed(tmp_path: Path, kernels: str) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(bundle_path(), bundle)
    out = tmp_path / "out"
    assert generate(bundle, out, kernels)
    assert not generate(bundle, out, kernels)
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["name"] = "other"
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    assert generate(bundle, out, kernels)
    assert "other" in (out / "inkling_model.h").read_text()


def test_generate_writes_the_bundles_facts(tmp_path: Path) -> None:
    generate(bundle_path(), tmp_path / "out", "portable")
    manifest = json.loads((bundle_path() / "bundle.json").read_text())
    header = (tmp_path / "out" / "inkling_model.h").read_text()
    assert f"#define INKLING_SYMBOL_COUNT {len(manifest['symbol_order'])}u\n" in header
    assert f"0x{manifest['model_id']}u" in (tmp_path / "out" / "inkling_model.c").read_text()


@pytest.mark.emulated
def test_build_refuses_missing_bundle(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        build("native", bundle=tmp_path / "none", build_dir=tmp_path / "build")
    assert str(caught.value) == f"bundle {tmp_path / 'none'}: no such folder"


def test_generate_refuses_broken_bundle(tmp_path: Path) -> None:
    shutil.copytree(bundle_path(), tmp_path / "bundle")
    (tmp_path / "bundle" / "encoder.tflite").write_bytes(b"TFL3")
    with pytest.raises(ModelError, match=r"encoder\.tflite has 4 bytes") as caught:
        generate(tmp_path / "bundle", tmp_path / "out", "portable")
    assert "\n" not in str(caught.value)


def test_generate_keeps_a_bundles_name_inside_the_comment(tmp_path: Path) -> None:
    shutil.copytree(bundle_path(), tmp_path / "bundle")
    manifest = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    manifest["name"] = "a*/ #error b"
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(manifest))
    generate(tmp_path / "bundle", tmp_path / "out", "portable")
    for name in ("inkling_model.h", "inkling_model.c"):
        assert (tmp_path / "out" / name).read_text().startswith("/* Generated from bundle a__ _error b. */\n")


def test_generate_refuses_images_larger_than_a_command(tmp_path: Path) -> None:
    shutil.copytree(bundle_path(), tmp_path / "bundle")
    manifest = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    manifest["input_shape"] = [160, 160, 3]
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="images of 160 x 160 x 3 do not fit into a command of 65535 bytes"):
        generate(tmp_path / "bundle", tmp_path / "out", "portable")


def test_generate_reports_missing_bakenn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(ModelError, match=r"bakenn is not installed in .*; in a clone .*install '\.\[firmware\]'"):
        generate(bundle_path(), tmp_path / "out", "portable")


def test_build_and_generate_refuse_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"unknown environment esp32dev; .*for a board use: inkling flash"):
        build("esp32dev")
    with pytest.raises(ModelError, match="custom_kernels"):
        generate(bundle_path(), tmp_path / "out", "magic")


def test_command_lines_fail_with_one_line(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    for done in (run("firmware.tools.build", "esp99"), run("firmware.tools.footprint", str(tmp_path / "none.elf"))):
        assert done.returncode == 1
        assert done.stderr.startswith("inkling: ")
        assert done.stderr.count("\n") == 1


def test_footprint_refuses_a_file_that_is_not_elf(tmp_path: Path) -> None:
    (tmp_path / "firmware.elf").write_bytes(b"junk")
    with pytest.raises(FootprintError, match=r"firmware\.elf"):
        measure(tmp_path / "firmware.elf")


def test_build_waits_for_another_build_in_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []

    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        events.append("start")
        time.sleep(0.2)
        events.append("end")
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setattr(build_module.subprocess, "run", run)
    threads = [threading.Thread(target=build, args=("native",), kwargs={"build_dir": tmp_path / "b"}) for _ in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events == ["start", "end"] * 2

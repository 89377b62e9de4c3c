"""Builds of the wire library in C: without warnings, for boards, from C++, without other libraries, sanitized."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.wire_c import FLAGS, SOURCE, SOURCES
from tests.wire.secure import secured_c

ARM = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2"]
NEEDS_ARM = pytest.mark.skipif(shutil.which(ARM[0]) is None, reason="arm-none-eabi-gcc is not installed")
NEEDS_CLANG = pytest.mark.skipif(shutil.which("clang-14") is None, reason="clang-14 is not installed")
PROGRAMS = ROOT / "tests" / "firmware" / "c"
FROM_STRING_H = {"memcpy", "memset", "memcmp"}


def build(command: list[str], folder: Path) -> str:
    """Run a compiler in `folder` and return its messages, which must not be errors."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("optimise", ["-O0", "-O2", "-Os"])
def test_build_gcc_without_warnings(tmp_path: Path, optimise: str) -> None:
    assert build(["gcc", *FLAGS, "-Wshadow", optimise, "-c", *map(str, SOURCES)], tmp_path) == ""


@NEEDS_ARM
def test_build_arm_without_warnings(tmp_path: Path) -> None:
    assert build([*ARM, *FLAGS, "-c", *map(str, SOURCES)], tmp_path) == ""


@NEEDS_ARM
def test_build_arm_needs_no_heap_float_or_library(tmp_path: Path) -> None:
    build([*ARM, *FLAGS, "-c", *map(str, SOURCES)], tmp_path)
    symbols = subprocess.run(
        ["arm-none-eabi-nm", *sorted(tmp_path.glob("*.o"))], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    undefined = {line.split()[-1] for line in symbols if " U " in line}
    assert {name for name in undefined if not name.startswith("wire_")} <= FROM_STRING_H
    assert not [line for line in symbols if line.split()[-2:-1] in (["b"], ["B"], ["d"], ["D"])]  # no globals


def test_headers_compile_alone_in_cpp(tmp_path: Path) -> None:
    for header in sorted((SOURCE / "wire").rglob("*.h")):
        file = tmp_path / "one.cpp"
        file.write_text(f'#include "{header.relative_to(SOURCE)}"\n', encoding="utf-8")
        build(["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{SOURCE}", "-c", str(file)], tmp_path)


def test_header_guards_have_project_prefix() -> None:
    for header in (SOURCE / "wire").rglob("*.h"):
        guard = f"INKLING_WIRE_{header.stem.upper()}_H"
        text = header.read_text(encoding="utf-8")
        assert f"#ifndef {guard}\n#define {guard}\n" in text


@pytest.mark.parametrize("name", ["wire_fuzz", "secure/secured_fuzz"])
def test_fuzz_program_passes_sanitizers(tmp_path: Path, name: str) -> None:
    fuzz = PROGRAMS / f"{name}.c"
    sanitize = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    build(["gcc", *FLAGS, *sanitize, "-o", "fuzz", str(fuzz), *map(str, SOURCES)], tmp_path)
    done = subprocess.run([tmp_path / "fuzz", "2"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 100


@pytest.fixture(scope="module")
def constant_time(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return tests/firmware/c/secure/constant_time.c, built with its cryptography under MemorySanitizer."""
    folder = tmp_path_factory.mktemp("constant_time")
    rest = [str(source) for source in SOURCES if source not in secured_c.SOURCES]
    build(["clang-14", *FLAGS, "-O1", "-c", *rest], folder)
    checked = [str(PROGRAMS / "secure" / "constant_time.c"), *map(str, secured_c.SOURCES)]
    sanitize = ["-O1", "-g", "-fsanitize=memory", "-fno-sanitize-recover=all"]
    objects = map(str, sorted(folder.glob("*.o")))
    build(["clang-14", *FLAGS, *sanitize, "-o", "constant_time", *checked, *objects], folder)
    return folder / "constant_time"


@NEEDS_CLANG
def test_no_branch_or_address_depends_on_a_key(constant_time: Path) -> None:
    done = subprocess.run([constant_time], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@NEEDS_CLANG
@pytest.mark.parametrize("leak", ["branch", "address"])
def test_planted_leak_of_a_key_is_found(constant_time: Path, leak: str) -> None:
    done = subprocess.run([constant_time, leak], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0 and "in leak" in done.stderr

"""firmware/generate.py, PlatformIO's script before a build, with a fake of SCons; and a bundle without classes."""

import json
import runpy
import shutil
import sys
import types
from pathlib import Path

import pytest

from firmware.tools.core_dir import ROOT
from firmware.tools.model import generate
from tests.firmware import random_bundle
from tests.firmware.encoders import Heads

SCRIPT = ROOT / "firmware" / "generate.py"


class Environment(dict[str, str]):
    """SCons's environment for one environment of platformio.ini."""

    def __init__(self, name: str, bundle: Path, engine: str, folder: Path) -> None:
        super().__init__()
        self._options = {"custom_bundle": str(bundle), "custom_engine": engine, "custom_kernels": "cmsis_nn"}
        self._variables = {"$PROJECT_DIR": str(ROOT), "$PIOENV": name, "$BUILD_DIR": str(folder)}
        self.appended: dict[str, list[str]] = {}

    def subst(self, text: str) -> str:
        return self._variables[text]

    def GetProjectOption(self, name: str) -> str:  # noqa: N802 (SCons's name)
        return self._options[name]

    def Append(self, **values: list[str]) -> None:  # noqa: N802
        self.appended.update(values)

    def Replace(self, **_: str) -> None:  # noqa: N802
        pass

    def IsCleanTarget(self) -> bool:  # noqa: N802
        return False

    def Exit(self, status: int) -> None:  # noqa: N802
        raise SystemExit(status)


def run_script(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("SCons.Script")
    module.DefaultEnvironment = lambda: environment  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SCons", types.ModuleType("SCons"))
    monkeypatch.setitem(sys.modules, "SCons.Script", module)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("INKLING_BUNDLE", "INKLING_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(
    ("name", "engine", "is_printed"),
    [
        ("nucleo_wl55jc", "tflm", True),
        ("nucleo_wl55jc_gateway", "tflm", True),
        ("nucleo_wl55jc", "aot", False),
        ("nucleo_f446re", "tflm", False),
        ("qemu_stm32f405", "tflm", False),
    ],
)
def test_script_says_in_one_line_that_a_board_is_too_small(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    engine: str,
    is_printed: bool,
) -> None:
    bundle = random_bundle.write(tmp_path / "bundle", arena_bytes=60_000)
    environment = Environment(name, bundle, engine, tmp_path / "build")
    run_script(environment, monkeypatch)
    printed = capsys.readouterr().err
    assert printed.count("\n") == is_printed
    if is_printed:
        assert printed.startswith(f"inkling: the encoder of {bundle}, engine tflm, needs about 69 kB of RAM and ")
        assert printed.endswith("; not nucleo_wl55jc\n") and ": fits esp32dev, " in printed
    assert environment["INKLING_ENGINE"] == engine
    assert environment.appended["LIBSOURCE_DIRS"] == [str(tmp_path / "build" / "model")]


def test_script_ends_the_build_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        run_script(Environment("native", tmp_path / "none", "aot", tmp_path / "build"), monkeypatch)
    assert capsys.readouterr().err == f"inkling: bundle {tmp_path / 'none'}: no such folder\n"


def test_general_bundle_has_the_firmware_of_one_with_classes(tmp_path: Path) -> None:
    with_classes = random_bundle.write(tmp_path / "bundle", Heads(classes=0))
    general = tmp_path / "general" / "bundle"
    shutil.copytree(with_classes, general)
    manifest = json.loads((general / "bundle.json").read_text())
    manifest |= {"task": "embedding", "classes": [], "embedding": {"size": 8, "network": "random"}}
    (general / "bundle.json").write_text(json.dumps(manifest))
    libraries = [tmp_path / "a", tmp_path / "b"]
    for folder, library in zip((with_classes, general), libraries, strict=True):
        assert generate(folder, library, "portable")
    names = {file.relative_to(libraries[0]) for file in libraries[0].rglob("*.[ch]")}
    assert len(names) > 3
    for name in names:
        assert (libraries[0] / name).read_bytes() == (libraries[1] / name).read_bytes(), name

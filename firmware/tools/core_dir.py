"""A PlatformIO core folder inside the project, so that `pio run` needs no package registry.

PlatformIO downloads one package for every build, `tool-scons`. SCons is also on PyPI (extra `firmware`), so a shim
in the core folder replaces that package. `python -m firmware.tools.core_dir` makes the folder and prints its path,
for PLATFORMIO_CORE_DIR.
"""

import json
import os
import sys
from importlib import metadata
from pathlib import Path

from wire.errors import InklingError, install_hint

ROOT = Path(__file__).resolve().parents[2]
CORE_DIR = ROOT / ".pio" / "core"


class BuildError(InklingError):
    """A build failed. The message is what the compiler or our own script printed."""


def prepare(core: Path = CORE_DIR) -> Path:
    """Make or complete the core folder and return it. Raises BuildError if SCons is missing."""
    try:
        release = metadata.version("scons")
    except metadata.PackageNotFoundError:
        raise BuildError(f"SCons is not installed; {install_hint('firmware')}") from None
    major, minor, patch = [*release.split("."), "0"][:3]
    version = f"{major}.{major}{int(minor):02d}{int(patch):02d}.0"  # as PlatformIO counts: 4.11.1 is 4.41101.0
    manifest = {"name": "tool-scons", "version": version, "description": "SCons of this Python environment"}
    spec = {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None, "uri": None}
    package = core / "packages" / "tool-scons"
    _write(package / "package.json", json.dumps(manifest))
    installed = {"type": "tool", "name": "tool-scons", "version": version, "spec": spec}
    _write(package / ".piopm", json.dumps(installed))
    _write(package / "scons.py", "from SCons.Script import main\n\nmain()\n")
    return core


def environment(core: Path = CORE_DIR) -> dict[str, str]:
    """Return this process's environment with PlatformIO's core folder set and its telemetry off."""
    return os.environ | {
        "PLATFORMIO_CORE_DIR": str(prepare(core)),
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    }


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        print(prepare())
    except (BuildError, OSError) as error:
        sys.exit(f"inkling: {error}")

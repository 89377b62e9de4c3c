"""A key file as `inkling receive` sees it: the policies in it, and the file that commands use by default."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from host.keys.policy import DevicePolicy

DEFAULT = "keys.json"


def use_key_file(monkeypatch: pytest.MonkeyPatch, folder: Path, policies: dict[int, DevicePolicy]) -> Path:
    """Let commands in this process find these policies in each key file. Return the default one, in a folder."""

    class KeyFile:
        """The policies of devices."""

        def __init__(self) -> None:
            self.policies = policies

        @classmethod
        def load(cls, path: Path) -> "KeyFile":
            """Return the policies, whatever the file contains."""
            assert path.parent == folder
            return cls()

    module = ModuleType("host.keys.key_file")
    module.KeyFile, module.default_path = KeyFile, lambda: folder / DEFAULT  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return folder / DEFAULT

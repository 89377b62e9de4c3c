"""A key file as `inkling receive` sees it: the policies in it, and the file that commands use by default."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from host.cli.reports import trust
from host.keys import key_file
from host.keys.policy import DevicePolicy

DEFAULT = "keys.json"


def use_key_file(monkeypatch: pytest.MonkeyPatch, folder: Path, policies: dict[int, DevicePolicy]) -> Path:
    """Let commands in this process find these policies in each key file. Return the default one, in a folder."""

    def load(path: Path) -> SimpleNamespace:
        assert path.parent == folder
        return SimpleNamespace(policies=policies, counters={})

    monkeypatch.setattr(trust, "KeyFile", SimpleNamespace(load=load))
    monkeypatch.setattr(key_file, "default_path", lambda: folder / DEFAULT)
    return folder / DEFAULT

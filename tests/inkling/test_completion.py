"""`inkling completion`: scripts that complete commands and options."""

import shutil
import subprocess
from pathlib import Path

import pytest

from inkling.commands import ROOT as COMMANDS
from inkling.commands import SIM
from tests.conftest import RunInkling
from tests.support import ROOT


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_contains_commands_and_options(run_inkling: RunInkling, shell: str) -> None:
    code, out, err = run_inkling("completion", shell)
    assert (code, err) == (0, "")
    for word in [*COMMANDS.commands, *SIM.commands, "--no-dtr-rts", "--test-images", "--implicit-header"]:
        assert word in out


def test_completion_completes_in_bash(run_inkling: RunInkling, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash
    _, script, _ = run_inkling("completion", "bash")
    (tmp_path / "inkling.bash").write_text(script)

    def complete(*words: str) -> list[str]:
        """Return the completions of the last word."""
        line = " ".join(f"'{word}'" for word in words)
        program = (
            f"source '{tmp_path / 'inkling.bash'}'; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
            "$(complete -p inkling | sed 's/.*-F \\([^ ]*\\).*/\\1/') inkling; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run([bash, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        return sorted(done.stdout.split())

    assert complete("inkling", "re") == ["readings", "receive"]
    assert complete("inkling", "sim", "r") == ["replay"]
    assert complete("inkling", "receive", "--b") == ["--baud", "--bundle"]
    assert complete("inkling", "bench", "--radio", "sx") == ["sx1262", "sx1276"]
    assert complete("inkling", "train", "pypro") == ["pyproject.toml"]
    assert complete("inkling", "run", "pypro") == ["pyproject.toml"]
    assert complete("inkling", "receive", "--bundle", "bundl") == ["bundles"]
    assert complete("inkling", "evaluate", "bundl") == ["bundles"]


def test_completion_refuses_an_unknown_shell(run_inkling: RunInkling) -> None:
    code, out, err = run_inkling("completion", "fish")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("inkling completion: argument shell: invalid choice: 'fish'")

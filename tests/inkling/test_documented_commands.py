"""Commands that README.md and docs show are accepted by the command line."""

import re
import shlex
from pathlib import Path

import pytest

from inkling import cli
from inkling.commands import ROOT as COMMANDS
from tests.support import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
SHOWN = re.compile(r"^ {4}(?:\$ )?(inkling .*)$", re.MULTILINE)  # in blocks, perhaps after a prompt


def commands(page: Path) -> list[str]:
    """Return the commands that a page shows in blocks; error messages begin with `inkling:` and do not match."""
    text = re.sub(r" *\\\n *", " ", page.read_text(encoding="utf-8"))
    return [re.split(r" {3,}#? ?| > ", command)[0] for command in SHOWN.findall(text)]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_documented_commands_parse(page: Path) -> None:
    for command in commands(page):
        words = shlex.split(command, comments=True)[1:]
        parser, chosen, entry = cli.build(COMMANDS, "inkling", words)
        cli.parse(parser, chosen, words)  # exits if an argument is wrong
        assert entry is not None, command


def test_documented_commands_are_found() -> None:
    assert len(commands(ROOT / "README.md")) >= 9 and sum(len(commands(page)) for page in PAGES) >= 30

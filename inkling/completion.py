"""`inkling completion`: print a completion script for a shell."""

import argparse
from collections.abc import Mapping

FOLDERS = ("DIR", "RUN", "BUNDLE|RUN")  # metavars of arguments that are completed with folders
FILES = ("CONFIG", "FILE", "IMAGE", "URL", "ENDPOINT")  # with files, such as /dev/ttyUSB0


def parser(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = "Prints a script that completes commands, options and paths."
    parser.epilog = """examples:
  inkling completion bash > ~/.local/share/bash-completion/completions/inkling
  inkling completion zsh > ~/.zfunc/_inkling"""
    parser.add_argument("shell", choices=("bash", "zsh"), help="shell to print the script for")


def run(options: argparse.Namespace) -> int:
    """Print the script and return the exit status."""
    import shtab

    from inkling.cli import build_all
    from inkling.commands import ROOT

    commands = build_all(ROOT, "inkling")
    _complete_paths(commands, {**dict.fromkeys(FOLDERS, shtab.DIRECTORY), **dict.fromkeys(FILES, shtab.FILE)})
    print(shtab.complete(commands, shell=options.shell))
    return 0


def _complete_paths(parser: argparse.ArgumentParser, by_metavar: Mapping[str, object]) -> None:
    """Set the attribute `complete`, which shtab reads, of all arguments that are paths."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                _complete_paths(child, by_metavar)
        elif isinstance(action.metavar, str) and action.metavar in by_metavar:
            action.complete = by_metavar[action.metavar]  # type: ignore[attr-defined] # shtab's own attribute

"""The command line: choose a command, import it, run it, and turn errors into one line and an exit status."""

import argparse
import difflib
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from inkling import __version__
from inkling.commands import ROOT, Command, Group
from wire.errors import InklingError

FAILED, USAGE, INTERRUPTED = 1, 2, 130


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps one-line texts; keeps texts of several lines, such as examples, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text.strip():
            return super()._fill_text(text.strip("\n"), width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that suggests the nearest command or option after a typing error."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - ArgumentParser's own keywords
        super().__init__(formatter_class=Formatter, **options)

    def error(self, message: str) -> NoReturn:
        """Print the message and a hint, without the usage text, and exit with status 2."""
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None, group: Group = ROOT, prog: str = "inkling") -> int:
    """Run the command line and return the exit status.

    `group` restricts it to the commands of one room, for `python -m host` and its like.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, command = build(group, prog, words)
    if not words:
        parser.print_help(sys.stderr)
        return USAGE
    options = parse(parser, words)
    return execute(command, lambda: resolve(command.run)(options))


def main_of(command: Command, prog: str, arguments: Sequence[str] | None = None) -> int:
    """Run a room that has a single command, for `python -m train` and `python -m export`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = Parser(prog=prog)
    resolve(command.parser)(parser)
    options = parse(parser, list(sys.argv[1:] if arguments is None else arguments))
    return execute(command, lambda: resolve(command.run)(options))


def build(group: Group, prog: str, words: list[str]) -> tuple[Parser, Command]:
    """Return the parser of a group, in which only the chosen command is imported, and that command.

    Exits with status 2 and a suggestion when there is no such command.
    """
    parser = Parser(prog=prog, description=group.help, epilog=group.epilog)
    parser.add_argument("--version", action="version", version=f"inkling {__version__}")
    path: list[str] = []
    level, chosen, current = group, None, parser
    while True:
        commands = current.add_subparsers(metavar="COMMAND", required=True)
        parsers = {
            name: commands.add_parser(name, help=entry.help, description=entry.help)
            for name, entry in level.commands.items()
        }
        word = next((w for w in words[len(path) :] if not w.startswith("-")), None) if not _asks(words, path) else None
        if word is None:
            break
        if word not in parsers:
            current.error(f"unknown command {word!r}{suggestion(word, parsers)}")
        path.append(word)
        current, entry = parsers[word], level.commands[word]
        if isinstance(entry, Command):
            chosen = entry
            resolve(entry.parser)(current)
            break
        current.epilog, level = entry.epilog, entry
    # Without a command, parsing ends in --help, --version or an error; this value is never run.
    return parser, chosen or next(c for c in ROOT.commands.values() if isinstance(c, Command))


def build_all(group: Group, prog: str) -> Parser:
    """Return the parser with every command, for shell completion."""
    parser = Parser(prog=prog, description=group.help, epilog=group.epilog)
    parser.add_argument("--version", action="version", version=f"inkling {__version__}")
    _add_all(parser, group)
    return parser


def _add_all(parser: argparse.ArgumentParser, group: Group) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, entry in group.commands.items():
        child = commands.add_parser(name, help=entry.help)
        if isinstance(entry, Group):
            _add_all(child, entry)
        else:
            resolve(entry.parser)(child)


def _asks(words: list[str], path: list[str]) -> bool:
    """Return True if the first word after `path` is --help or --version."""
    rest = words[len(path) :]
    return bool(rest) and rest[0] in ("-h", "--help", "--version")


def parse(parser: Parser, words: list[str]) -> argparse.Namespace:
    """Parse the command line. Exits with status 2 on unknown options, with a suggestion."""
    options, unknown = parser.parse_known_args(words)
    if unknown:
        known = [o for p in _parsers(parser) for action in p._actions for o in action.option_strings]
        parser.error(f"unrecognized argument {unknown[0]!r}{suggestion(unknown[0].partition('=')[0], known)}")
    return options


def _parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                found += _parsers(child)
    return found


def suggestion(word: str, known: Sequence[str] | dict[str, Any]) -> str:
    """Return " (did you mean ...?)" for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def resolve(name: str) -> Callable[..., Any]:
    """Import `module:function`."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def execute(command: Command, run: Callable[[], int]) -> int:
    """Run a command; print an error that users can act on as one line and return the exit status."""
    try:
        return run()
    except KeyboardInterrupt:
        if command.on_interrupt:
            print(f"\ninkling: {command.on_interrupt}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has closed it (`| head`); what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except InklingError as error:
        print(f"inkling: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        what = f".[{command.extra}]" if command.extra else "."
        hint = f"in a clone of Inkling: pip install '{what}'"
        print(f"inkling: the Python package {error.name!r} is not installed; {hint}", file=sys.stderr)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        print(f"inkling: {error.strerror or error}{where}", file=sys.stderr)
    return FAILED

"""The command line: choose a command, import it, run it, and turn errors into one line and an exit status."""

import argparse
import contextlib
import difflib
import errno
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from inkling import __version__
from inkling.commands import ROOT, Command, Group
from inkling.stop import INTERRUPTED, catch_stop_signals, end_in_time
from wire.errors import InklingError, install_hint
from wire.text import escape_unencodable, printable

FAILED, USAGE = 1, 2  # exit statuses
WRITE_ERRORS = (errno.ENOSPC, errno.EFBIG, errno.EIO)
OWN_PACKAGES = ("inkling", "host", "wire", "channel_sim", "train", "export")


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps texts of one line; keeps texts of several lines, such as examples, as they are."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += 2  # argparse forgets the indentation of the commands

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text.strip():
            return super()._fill_text(text.strip("\n"), width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - ArgumentParser's own keywords
        super().__init__(formatter_class=Formatter, **options)

    def error(self, message: str) -> NoReturn:
        """Print the message and a hint, without the usage text, and exit with status 2."""
        self.exit(USAGE, f"{self.prog}: {printable(message)}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None, group: Group = ROOT, prog: str = "inkling") -> int:
    """Run the command line and return the exit status.

    `group` restricts it to the commands of one folder, for `python -m host` and `python -m channel_sim`.
    """
    escape_unencodable()
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, chosen, command = build(group, prog, words)
    if not words:
        parser.print_help(sys.stderr)
        return USAGE
    options = parse(parser, chosen, words)
    assert command is not None, "argparse exits if the command is missing"
    if arguments is None and command.ends_in_time:  # this process is the command
        end_in_time()
    return execute(command, options)


def main_of(command: Command, prog: str, arguments: Sequence[str] | None = None) -> int:
    """Run a single command, for `python -m train` and `python -m export`. Return the exit status."""
    escape_unencodable()
    parser = Parser(prog=prog)
    _add_arguments(command, parser)
    options = parse(parser, parser, list(sys.argv[1:] if arguments is None else arguments))
    return execute(command, options)


def build(group: Group, prog: str, words: Sequence[str]) -> tuple[Parser, Parser, Command | None]:
    """Return the parser of a group, the parser of the command in `words`, and that command.

    Only that command's module is imported. Without a command, the second parser is the one that lacks it. Exits with
    status 2 and a suggestion if a command does not exist.
    """
    parser = current = _group_parser(group, prog)
    for word in words:
        children = _add_commands(current, group)
        if word in ("-h", "--help", "--version"):
            return parser, current, None
        if word not in children:
            kind = "argument" if word.startswith("-") else "command"
            known = _option_names(current) if kind == "argument" else children
            current.error(f"unknown {kind} {word!r}{suggestion(word.partition('=')[0], known)}")
        current, entry = children[word], group.commands[word]
        if isinstance(entry, Command):
            _add_arguments(entry, current)
            return parser, current, entry
        group = entry
    _add_commands(current, group)
    return parser, current, None


def build_all(group: Group, prog: str) -> Parser:
    """Return the parser of a group with all commands, for shell completion."""
    parser = _group_parser(group, prog)
    _add_all(parser, group)
    return parser


def _group_parser(group: Group, prog: str) -> Parser:
    parser = Parser(prog=prog, description=_sentence(group.help), epilog=group.epilog)
    parser.add_argument("--version", action="version", version=f"inkling {__version__}")
    return parser


def _add_commands(parser: Parser, group: Group) -> dict[str, Parser]:
    """Add the commands of a group, without their arguments, and return their parsers by name."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    return {
        name: commands.add_parser(
            name,
            help=entry.help,
            description=_sentence(entry.help),
            epilog=entry.epilog if isinstance(entry, Group) else None,
        )
        for name, entry in group.commands.items()
    }


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _add_all(parser: Parser, group: Group) -> None:
    for name, child in _add_commands(parser, group).items():
        entry = group.commands[name]
        if isinstance(entry, Group):
            _add_all(child, entry)
        else:
            _add_arguments(entry, child)


def _add_arguments(command: Command, parser: Parser) -> None:
    """Add the arguments of a command. Exits with status 1 if a package is missing."""
    try:
        resolve(command.parser)(parser)
    except ModuleNotFoundError as error:
        parser.exit(FAILED, f"inkling: {_missing_package(error, command)}\n")


def parse(parser: Parser, chosen: Parser, words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line. Exits with status 2 and a suggestion if an option does not exist.

    chosen: the parser of the command, which defines the options. argparse alone would report a missing argument first,
    although a mistyped option is often the cause.
    """
    known = _option_names(chosen)
    for word in words:
        if word == "--":
            break
        name = word.partition("=")[0]
        if name.startswith("--") and not any(option.startswith(name) for option in known):
            chosen.error(f"unknown argument {name!r}{suggestion(name, known)}")
    options, unknown = parser.parse_known_args(words)
    if unknown:
        chosen.error(f"unknown argument {unknown[0]!r}")
    return options


def _option_names(parser: Parser) -> list[str]:
    return [name for action in parser._actions for name in action.option_strings]


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" with the nearest known word, or "" if none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def resolve(name: str) -> Callable[..., Any]:
    """Import and return the function named `module:function`."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def execute(command: Command, options: argparse.Namespace) -> int:
    """Run a command and return the exit status. Errors that users can act on are printed as one line."""
    catch_stop_signals()
    try:
        status = resolve(command.run)(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        if command.on_interrupt:
            _report(f"\ninkling: {command.on_interrupt}")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output has closed it, as `| head` does
        _discard_output()
        return FAILED
    except InklingError as error:
        message = str(error)
    except ModuleNotFoundError as error:
        message = _missing_package(error, command)
    except OSError as error:
        message = str(error.strerror or error)
        if error.filename:
            message += f": {error.filename}"
        else:
            _discard_output()
            if error.errno in WRITE_ERRORS:  # other files are named
                message += ": standard output, or a temporary file"
    else:
        return status
    _report(f"inkling: {printable(message)}")
    return FAILED


def _report(text: str) -> None:
    """Print a line to standard error. The terminal may be gone, as after SIGHUP."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def _missing_package(error: ModuleNotFoundError, command: Command) -> str:
    """Return a message on a missing package. Raises the error if it is a fault of Inkling, which needs a traceback."""
    package = str(error.name).partition(".")[0]
    if package in OWN_PACKAGES:
        raise error
    return f"the Python package {package!r} is not installed; {install_hint(command.extra)}"


def _discard_output() -> None:
    """If standard output cannot be written, discard what it buffers: Python would try again, and fail, at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

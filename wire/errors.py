"""Base class of the errors that users see, and the hint of those on missing packages."""

import sys


class InklingError(Exception):
    """An error that the user can act on. The message is one line: what is wrong, with which value, and what to do."""


def install_hint(extra: str | None = None) -> str:
    """Return how to install Inkling, on request with an extra.

    Outside a virtual environment, it includes one: Debian 12 and Raspberry Pi OS refuse pip there (PEP 668).
    """
    pip = "pip" if sys.prefix != sys.base_prefix else "python3 -m venv .venv && .venv/bin/pip"
    return f"in a clone of Inkling: {pip} install '.{f'[{extra}]' if extra else ''}'"

"""Generator of docs/settings.md, which lists every setting of every config.

`python -m train.settings_page` writes it from the dataclasses and the comments at their fields.
"""

import ast
import dataclasses
import inspect
import io
import textwrap
import tokenize
import typing
from pathlib import Path
from typing import Any

from train import settings
from train.codecs.split.registry import SPLIT_CODECS
from train.config import ClassifierConfig, CodecConfig, RunConfig
from train.trainers.split import SplitConfig

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
WORDS = {int: "integer", float: "number", bool: "boolean", str: "string", dict: "table"}
HEAD = """# Settings

<!-- Written by `python -m train.settings_page` from the comments in the code, which train/config explains. -->

A training run is configured by one TOML file. [training.md](training.md) explains how to write one, and `configs/` has
examples. There are three kinds of run:

| kind of run | command | the file has |
| --- | --- | --- |
| [codec](#codec) | `inkling train configs/NAME.toml` | an `[encoder]` |
| [split codec](#split-codec) | `inkling train configs/systems/NAME.toml` | a `system` |
| [base classifier](#base-classifier) | `inkling train classifier configs/classifiers/NAME.toml` | an `architecture` |

A setting without a default is required, except `name`. An unknown setting is an error, so a misspelled one is never
ignored.
"""


def comments(cls: type) -> dict[str, str]:
    """Return the comment at each field of a dataclass, or above it, by name. Fields without one are left out."""
    source = textwrap.dedent(inspect.getsource(cls))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    found = [token for token in tokens if token.type == tokenize.COMMENT]
    by_line = {token.start[0]: token.string.lstrip("# ") for token in found}
    alone = {token.start[0] for token in found if token.line.lstrip().startswith("#")}
    (definition,) = ast.parse(source).body
    texts = {}
    for node in typing.cast(ast.ClassDef, definition).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            first = last = node.end_lineno or node.lineno
            if last not in by_line:
                first, last = node.lineno, node.lineno - 1
                while first - 1 in alone:
                    first -= 1
            texts[node.target.id] = " ".join(by_line[line] for line in range(first, last + 1) if line in by_line)
    return {name: text for name, text in texts.items() if text}


def kind_words(kind: Any) -> str:  # noqa: ANN401 - any field's type
    """Return the words for a type in TOML: `tuple[tuple[int, int], ...]` is a list of lists of 2 integers."""
    kinds = settings.alternatives(kind)
    if len(kinds) > 1:
        return " or ".join(map(kind_words, kinds))
    kind = kinds[0]
    if typing.get_origin(kind) is tuple:
        kinds = list(typing.get_args(kind))
        count = "" if kinds[-1] is Ellipsis else f"{len(kinds)} "
        first, _, rest = kind_words(kinds[0]).partition(" ")
        return f"list of {count}{first}s {rest}".strip()
    return WORDS[typing.get_origin(kind) or kind]


def toml(value: Any) -> str:  # noqa: ANN401 - any field's default
    """Return a default in TOML."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def rows(cls: type, inherited: type | None = None) -> list[str]:
    """Return a Markdown table of a dataclass's settings, without its tables and the fields of `inherited`."""
    meanings = {name: text for base in reversed(cls.__mro__[:-1]) for name, text in comments(base).items()}
    defaults = {f.name: f"`{toml(f.default)}`" if f.default is not None else "none" for f in dataclasses.fields(cls)}
    lines = []
    for name, kind in own_types(cls, inherited).items():
        if table_of(kind) or typing.get_origin(kind) is dict:
            continue
        default = "" if name in settings.required(cls) else defaults[name]
        lines.append(f"| `{name}` | {kind_words(kind)} | {default} | {meanings[name]} |")
    return ["| setting | type | default | meaning |", "| --- | --- | --- | --- |", *lines, ""] if lines else []


def tables(cls: type, inherited: type | None = None) -> list[str]:
    """Return the Markdown of a config, without the fields of `inherited`: its own settings, then each of its tables."""
    lines = rows(cls, inherited)
    codec_tables = [] if cls in (RunConfig, CodecConfig) else list(settings.types(CodecConfig).values())
    for name, kind in own_types(cls, inherited).items():
        table = table_of(kind)
        if table:
            optional = " This table is optional." if table is not kind else ""
            content = [f"{summary(table)}{optional}", "", *rows(table)]
            lines += [f"### [{name}]", "", *(["As for a codec.", ""] if kind in codec_tables else content)]
    return lines


def own_types(cls: type, inherited: type | None) -> dict[str, Any]:
    """Return the types of a dataclass's fields, without those of `inherited`."""
    left_out = settings.types(inherited) if inherited else {}
    return {name: kind for name, kind in settings.types(cls).items() if name not in left_out}


def table_of(kind: Any) -> type | None:  # noqa: ANN401 - any field's type
    """Return the dataclass of a table, which may be optional; None for another type."""
    kind = settings.without_none(kind)
    return kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None


def summary(cls: type) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(cls) or "").splitlines()[0]


def page() -> str:
    """Return docs/settings.md."""
    lines = [HEAD, "## Every run", "", *tables(RunConfig)]
    lines += ["## Codec", "", *tables(CodecConfig, RunConfig)]
    lines += ["## Split codec", "", *tables(SplitConfig, RunConfig)]
    listed: dict[type, str] = {}  # options -> the first codec that has them
    for name, codec in SPLIT_CODECS.items():
        first = listed.setdefault(codec.Options, name)
        options = rows(codec.Options)
        if not options:
            options = ["None.", ""]
        elif first != name:
            options = [f"As for {first}.", ""]
        lines += [f"### [options] of {name}", "", *options]
    lines += ["## Base classifier", "", *tables(ClassifierConfig, RunConfig)]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

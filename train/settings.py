"""Settings: TOML tables into dataclasses. Unknown, missing and wrongly typed settings are errors of one line."""

import dataclasses
import json
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

from train.errors import TrainError, unknown_name

T = TypeVar("T")


def build(cls: type[T], values: Any, where: str) -> T:  # noqa: ANN401 - any TOML value
    """Build the dataclass `cls` from plain dictionaries and lists. Raises TrainError, which starts with `where`."""
    if not isinstance(values, dict):
        raise TrainError(f"{where}: expected a table, found {values!r}")
    kinds = types(cls)
    for name, value in sorted(values.items()):
        if name not in kinds:
            kind = "table" if isinstance(value, dict) else "setting"
            raise unknown_name(f"{where}: unknown {kind}", name, kinds)
    for name in required(cls):
        if name not in values:
            raise TrainError(f"{where}: missing setting {name!r}")
    return cls(**{key: _convert(value, kinds[key], f"{where}: {key}") for key, value in values.items()})


def types(cls: type) -> dict[str, Any]:
    """Return the type of each field of a dataclass, by name, in the order of the fields."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def required(cls: type) -> list[str]:
    """Return the names of the fields without a default."""
    missing = dataclasses.MISSING
    return [f.name for f in dataclasses.fields(cls) if f.default is missing and f.default_factory is missing]


def without_none(kind: Any) -> Any:  # noqa: ANN401 - any type
    """Return the type T of an optional setting `T | None`; other types as they are."""
    kinds = [k for k in typing.get_args(kind) if k is not type(None)]
    return kinds[0] if type(None) in typing.get_args(kind) else kind


def _convert(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401 - any TOML value, any field's type
    if value is None and type(None) in typing.get_args(kind):  # config.json has None for what the TOML left out
        return None
    kind = without_none(kind)
    if dataclasses.is_dataclass(kind):
        return build(typing.cast(type, kind), value, where)
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        if not isinstance(value, list | tuple):
            raise TrainError(f"{where}: expected a list, found {value!r}")
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        if len(value) != len(kinds):
            raise TrainError(f"{where}: expected {len(kinds)} values, found {list(value)!r}")
        return tuple(_convert(v, k, where) for v, k in zip(value, kinds, strict=True))
    if typing.get_origin(kind) is dict:  # the options of a split codec, which are built on their own
        kind = dict
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TrainError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file. `name` defaults to the file's name without its suffix."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainError(f"cannot read config {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainError(f"{path} is not valid TOML: {error}") from None
    return {"name": path.stem, **values}


def read_run(folder: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the values in config.json of a run's folder."""
    try:
        return json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise TrainError(f"{folder} is not a run: {error}") from None


def check(rules: dict[str, bool], where: str) -> None:
    """Raise TrainError for the first rule that does not hold."""
    for rule, holds in rules.items():
        if not holds:
            raise TrainError(f"{where}: {rule}")

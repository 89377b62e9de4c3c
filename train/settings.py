"""Settings from TOML tables into dataclasses: unknown, missing and wrongly typed ones are one clear line."""

import dataclasses
import tomllib
import typing
from pathlib import Path
from typing import Any, Protocol, TypeVar

from train.errors import TrainError

T = TypeVar("T")


class Named(Protocol):
    """What every run's config has."""

    @property
    def name(self) -> str:
        """The run's name, that of its folder below runs/."""

    @property
    def seed(self) -> int:
        """Seed of everything random in the run; what is held out is the same for all."""


def build(cls: type[T], values: Any, where: str) -> T:  # noqa: ANN401 - any TOML value
    """An instance of the dataclass `cls` from plain dictionaries and lists."""
    if not isinstance(values, dict):
        raise TrainError(f"{where}: expected a table, found {values!r}")
    kinds = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(kinds))
    if unknown:
        raise TrainError(f"{where}: unknown setting {unknown[0]!r}; known: {', '.join(kinds) or 'none'}")
    needed = [f.name for f in dataclasses.fields(cls) if f.default is f.default_factory is dataclasses.MISSING]
    missing = [name for name in needed if name not in values]
    if missing:
        raise TrainError(f"{where}: missing setting {missing[0]!r}")
    return cls(**{key: _convert(value, kinds[key], f"{where}: {key}") for key, value in values.items()})


def _convert(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401 - any TOML value, any field's type
    if type(None) in typing.get_args(kind):  # an optional setting, None in a run's config.json
        (kind,) = (k for k in typing.get_args(kind) if k is not type(None))
        if value is None:
            return None
    if dataclasses.is_dataclass(kind):
        return build(kind, value, where)
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        if not isinstance(value, list | tuple):
            raise TrainError(f"{where}: expected a list, found {value!r}")
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        if len(value) != len(kinds):
            raise TrainError(f"{where}: expected {len(kinds)} values, found {list(value)!r}")
        return tuple(_convert(v, k, where) for v, k in zip(value, kinds, strict=True))
    if typing.get_origin(kind) is dict:  # options of a system, which are built on their own
        kind = dict
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TrainError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value


def read(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, with the file's name as `name` where they give none."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainError(f"cannot read config {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainError(f"{path} is not valid TOML: {error}") from None
    return {"name": path.stem, **values}


def check(rules: dict[str, bool], where: str) -> None:
    """Raise a `TrainError` that names the first rule which does not hold."""
    for rule, ok in rules.items():
        if not ok:
            raise TrainError(f"{where}: {rule}")


def name_and_seed(config: Named) -> dict[str, bool]:
    """Rules that every run's config keeps."""
    return {
        "name must be that of a folder, without /": config.name == Path(config.name).name != "",
        "seed must be at least 0": config.seed >= 0,
    }

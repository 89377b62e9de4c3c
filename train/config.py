"""A training run as one short TOML file, read into dataclasses and checked before anything costs time."""

import dataclasses
import tomllib
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from train.errors import TrainError


@dataclass(frozen=True)
class Data:
    """Which pictures: `cifar10`, `npz:FILE` or `folder:DIR`; `size` resizes a folder's pictures to (H, W)."""

    name: str
    holdout: int = 2500  # training images kept for model selection; test images never choose anything
    size: tuple[int, int] | None = None
    grey: bool = False
    crop_padding: int = 4  # random crop after padding by this many pixels
    flip: bool = True  # random horizontal flip


@dataclass(frozen=True)
class Encoder:
    """The device's part. Layers as `train.codecs.encoder` reads them; `symbols` is bits a latent value."""

    layers: tuple[str, ...]


@dataclass(frozen=True)
class Quantizer:
    """Levels are 2 ** bits; `temperature` is that of the soft backward pass, in squared latent units."""

    bits: int = 3
    temperature: float = 0.3


@dataclass(frozen=True)
class Decoder:
    """The host's part: `blocks` residual blocks of `width` channels on the latent's grid."""

    width: int = 128
    blocks: int = 3
    dropout: float = 0.0


@dataclass(frozen=True)
class Link:
    """What the channel does to the payload in training."""

    clean_share: float = 0.6  # share of images that see no flip
    ber: tuple[float, float] = (1e-3, 0.15)  # the rest: log-uniform in this range
    estimate_spread: float = 0.4  # log-normal error of the BER that the decoder is told
    prefix_share: float = 0.3  # share of images that arrive as a prefix
    chunks: tuple[tuple[int, int], ...] = ((0, 128), (0, 64), (64, 64))


@dataclass(frozen=True)
class Teacher:
    """Knowledge distillation (Hinton et al. 2015, arXiv 1503.02531) from a trained classifier."""

    checkpoint: str
    depth: int = 20  # 20, 32, 44 or 56
    views: int = 20  # augmented views of each image for which its logits are kept
    weight: float = 0.7
    temperature: float = 4.0


@dataclass(frozen=True)
class Schedule:
    """AdamW with warm-up and cosine decay; then quantization-aware epochs on the folded encoder."""

    epochs: int
    qat_epochs: int
    batch: int = 256
    lr: float = 6e-3
    qat_lr: float = 4e-4
    weight_decay: float = 0.05
    warmup_epochs: float = 2.0
    label_smoothing: float = 0.0
    ema: float = 0.998  # exponential moving average of the weights, a step


@dataclass(frozen=True)
class Config:
    """All of one run."""

    name: str
    data: Data
    encoder: Encoder
    schedule: Schedule
    quantizer: Quantizer = field(default_factory=Quantizer)
    decoder: Decoder = field(default_factory=Decoder)
    link: Link = field(default_factory=Link)
    teacher: Teacher | None = None
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON."""
        return dataclasses.asdict(self)


def _build(cls: type, values: dict[str, Any], where: str) -> Any:  # noqa: ANN401 - returns an instance of cls
    if not isinstance(values, dict):
        raise TrainError(f"{where}: expected a table")
    types = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise TrainError(f"{where}: unknown setting {unknown[0]!r}; known: {', '.join(types)}")
    built = {}
    for key, value in values.items():
        kinds = [t for t in (typing.get_args(types[key]) or (types[key],)) if dataclasses.is_dataclass(t)]
        built[key] = _build(kinds[0], value, f"{where}.{key}") if kinds else _convert(value, types[key], where, key)
    try:
        return cls(**built)
    except TypeError as error:
        missing = str(error).split(":")[-1].strip()
        raise TrainError(f"{where}: missing setting {missing}") from None


def _convert(value: Any, kind: Any, where: str, key: str) -> Any:  # noqa: ANN401 - any TOML value
    if isinstance(value, list):
        return tuple(tuple(v) if isinstance(v, list) else v for v in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (int, float, str, bool) and type(value) is not kind:
        raise TrainError(f"{where}.{key}: expected {kind.__name__}, found {value!r}")
    return value


def load(path: Path) -> Config:
    """Read and check a TOML config; a `TrainError` of one line names what is wrong and where."""
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise TrainError(f"cannot read config {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainError(f"{path} is not valid TOML: {error}") from None
    return from_dict({"name": path.stem, **values}, str(path))


def from_dict(values: dict[str, Any], where: str = "config") -> Config:
    """A checked `Config` from plain dictionaries, as `Config.as_dict` gives them."""
    config: Config = _build(Config, {k: v for k, v in values.items() if v is not None}, where)
    for name, ok in {
        "schedule.epochs must be at least 1": config.schedule.epochs >= 1,
        "schedule.qat_epochs must be at least 1": config.schedule.qat_epochs >= 1,
        "schedule.batch must be at least 2": config.schedule.batch >= 2,
        "data.holdout must be at least 1": config.data.holdout >= 1,
        "quantizer.bits must be 1..8": 1 <= config.quantizer.bits <= 8,
        "link.ber must be two numbers, 0 < low <= high <= 0.5": len(config.link.ber) == 2
        and 0 < config.link.ber[0] <= config.link.ber[1] <= 0.5,
        "link.chunks must be 1 to 16 pairs": 1 <= len(config.link.chunks) <= 16,
    }.items():
        if not ok:
            raise TrainError(f"{where}: {name}")
    return config

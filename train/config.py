"""A training run as one short TOML file, read into dataclasses and checked before anything costs time."""

import dataclasses
import tomllib
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channel_sim.severity import AT_BER
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
    """What the channel does to the payload in training.

    `channels` are names of `channel_sim.severity`: each image's flips come from one of them at that image's rate.
    What is lost rather than flipped is `prefix_share`'s part: a frame or tail that never came is a prefix.
    """

    channels: tuple[str, ...] = ("bsc",)
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


def _build(cls: type, values: Any, where: str) -> Any:  # noqa: ANN401 - returns an instance of cls
    if not isinstance(values, dict):
        raise TrainError(f"{where}: expected a table, found {values!r}")
    kinds = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(kinds))
    if unknown:
        raise TrainError(f"{where}: unknown setting {unknown[0]!r}; known: {', '.join(kinds)}")
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
        return _build(kind, value, where)
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        if not isinstance(value, list | tuple):
            raise TrainError(f"{where}: expected a list, found {value!r}")
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        if len(value) != len(kinds):
            raise TrainError(f"{where}: expected {len(kinds)} values, found {list(value)!r}")
        return tuple(_convert(v, k, where) for v, k in zip(value, kinds, strict=True))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TrainError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value


def load(path: Path) -> Config:
    """Read and check a TOML config; a `TrainError` of one line names what is wrong and where."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainError(f"cannot read config {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainError(f"{path} is not valid TOML: {error}") from None
    return from_dict({"name": path.stem, **values}, str(path))


def from_dict(values: object, where: str = "config") -> Config:
    """A checked `Config` from plain dictionaries, as `Config.as_dict` gives them."""
    config: Config = _build(Config, values, where)
    d, q, t, s, link = config.data, config.quantizer, config.teacher, config.schedule, config.link
    for rule, ok in {
        "name must be that of a folder, without /": config.name == Path(config.name).name != "",
        "seed must be at least 0": config.seed >= 0,
        "data.holdout must be at least 1": d.holdout >= 1,
        "data.size must be at least 1 by 1": d.size is None or min(d.size) >= 1,
        "data.crop_padding must be at least 0": d.crop_padding >= 0,
        "quantizer.bits must be 1..8": 1 <= q.bits <= 8,
        "quantizer.temperature must be above 0": q.temperature > 0,
        "decoder.width must be at least 1": config.decoder.width >= 1,
        "decoder.blocks must be at least 0": config.decoder.blocks >= 0,
        "decoder.dropout must be 0 to below 1": 0 <= config.decoder.dropout < 1,
        f"link.channels must be some of {', '.join(AT_BER)}": set() < set(link.channels) <= set(AT_BER),
        "link.channels: lora carries payloads of up to 255 bytes": "lora" not in link.channels
        or all(count * q.bits <= 8 * 255 for _, count in link.chunks),
        "link.ber must be two numbers, 0 < low <= high <= 0.5": 0 < link.ber[0] <= link.ber[1] <= 0.5,
        "link.clean_share must be 0 to 1": 0 <= link.clean_share <= 1,
        "link.prefix_share must be 0 to 1": 0 <= link.prefix_share <= 1,
        "link.estimate_spread must be at least 0": link.estimate_spread >= 0,
        "link.chunks must be 1 to 16 pairs": 1 <= len(link.chunks) <= 16,
        "teacher.depth must be 20, 32, 44 or 56": t is None or t.depth in (20, 32, 44, 56),
        "teacher.views must be at least 1": t is None or t.views >= 1,
        "teacher.weight must be 0 to 1": t is None or 0 <= t.weight <= 1,
        "teacher.temperature must be above 0": t is None or t.temperature > 0,
        "schedule.epochs must be at least 1": s.epochs >= 1,
        "schedule.qat_epochs must be at least 1": s.qat_epochs >= 1,
        "schedule.batch must be at least 2": s.batch >= 2,
        "schedule.lr and qat_lr must be above 0": s.lr > 0 and s.qat_lr > 0,
        "schedule.weight_decay must be at least 0": s.weight_decay >= 0,
        "schedule.warmup_epochs must be at least 0": s.warmup_epochs >= 0,
        "schedule.label_smoothing must be 0 to 1": 0 <= s.label_smoothing <= 1,
        "schedule.ema must be 0 to below 1": 0 <= s.ema < 1,
    }.items():
        if not ok:
            raise TrainError(f"{where}: {rule}")
    return config

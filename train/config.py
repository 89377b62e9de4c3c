"""A training run as one short TOML file, read into dataclasses and checked before anything costs time."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channel_sim.channels.by_ber import AT_BER
from train import settings


@dataclass(frozen=True)
class DataConfig:
    """Which pictures: a public set's name, `npz:FILE` or `folder:DIR`; `size` resizes a folder's to (H, W)."""

    name: str
    holdout: int = 2500  # training images kept for model selection; test images never choose anything
    size: tuple[int, int] | None = None
    grey: bool = False
    crop_padding: int = 4  # random crop after padding by this many pixels
    flip: bool = True  # random horizontal flip


@dataclass(frozen=True)
class EncoderConfig:
    """The device's part. Layers as `train.codecs.encoder` reads them; `symbols` is bits a latent value."""

    layers: tuple[str, ...]


@dataclass(frozen=True)
class QuantizerConfig:
    """Levels are 2 ** bits; `temperature` is that of the soft backward pass, in squared latent units."""

    bits: int = 3
    temperature: float = 0.3


@dataclass(frozen=True)
class DecoderConfig:
    """The host's part: `blocks` residual blocks of `width` channels on the latent's grid."""

    width: int = 128
    blocks: int = 3
    dropout: float = 0.0


@dataclass(frozen=True)
class LinkConfig:
    """What the channel does to the payload in training.

    `channels` are names of `channel_sim`: each image's flips come from one of them at that image's rate.
    What is lost rather than flipped is `prefix_share`'s part: a frame or tail that never came is a prefix.
    """

    channels: tuple[str, ...] = ("bsc",)
    clean_share: float = 0.6  # share of images that see no flip
    ber: tuple[float, float] = (1e-3, 0.15)  # the rest: log-uniform in this range
    estimate_spread: float = 0.4  # log-normal error of the BER that the decoder is told
    prefix_share: float = 0.3  # share of images that arrive as a prefix
    chunks: tuple[tuple[int, int], ...] = ((0, 128), (0, 64), (64, 64))


@dataclass(frozen=True)
class TeacherConfig:
    """Knowledge distillation (Hinton et al. 2015, arXiv 1503.02531) from a trained classifier."""

    checkpoint: str
    depth: int = 20  # 20, 32, 44 or 56
    views: int = 20  # augmented views of each image for which its logits are kept
    weight: float = 0.7
    temperature: float = 4.0


@dataclass(frozen=True)
class ScheduleConfig:
    """AdamW with warm-up and cosine decay; then, where asked for, quantization-aware epochs on the folded encoder."""

    epochs: int
    qat_epochs: int = 0
    batch: int = 256
    lr: float = 6e-3
    qat_lr: float = 4e-4
    weight_decay: float = 0.05
    warmup_epochs: float = 2.0
    label_smoothing: float = 0.0
    ema: float = 0.998  # exponential moving average of the weights, a step


@dataclass(frozen=True)
class CodecConfig:
    """All of one run."""

    name: str
    data: DataConfig
    encoder: EncoderConfig
    schedule: ScheduleConfig
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    link: LinkConfig = field(default_factory=LinkConfig)
    teacher: TeacherConfig | None = None
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON."""
        return dataclasses.asdict(self)


def load(path: Path) -> CodecConfig:
    """Read and check a TOML config; a `TrainError` of one line names what is wrong and where."""
    return from_dict(settings.read(path), str(path))


def data_rules(d: DataConfig) -> dict[str, bool]:
    """What a `[data]` table must keep to."""
    return {
        "data.holdout must be at least 1": d.holdout >= 1,
        "data.size must be at least 1 by 1": d.size is None or min(d.size) >= 1,
        "data.crop_padding must be at least 0": d.crop_padding >= 0,
    }


def quantizer_rules(q: QuantizerConfig) -> dict[str, bool]:
    """What a `[quantizer]` table must keep to."""
    return {
        "quantizer.bits must be 1..8": 1 <= q.bits <= 8,
        "quantizer.temperature must be above 0": q.temperature > 0,
    }


def link_rules(link: LinkConfig, bits: int) -> dict[str, bool]:
    """What a `[link]` table must keep to, for symbols of `bits` bits."""
    return {
        f"link.channels must be some of {', '.join(AT_BER)}": set() < set(link.channels) <= set(AT_BER),
        "link.channels: lora carries payloads of up to 255 bytes": "lora" not in link.channels
        or all(count * bits <= 8 * 255 for _, count in link.chunks),
        "link.ber must be two numbers, 0 < low <= high <= 0.5": 0 < link.ber[0] <= link.ber[1] <= 0.5,
        "link.clean_share must be 0 to 1": 0 <= link.clean_share <= 1,
        "link.prefix_share must be 0 to 1": 0 <= link.prefix_share <= 1,
        "link.estimate_spread must be at least 0": link.estimate_spread >= 0,
    }


def schedule_rules(s: ScheduleConfig) -> dict[str, bool]:
    """What a `[schedule]` table must keep to."""
    return {
        "schedule.epochs must be at least 1": s.epochs >= 1,
        "schedule.qat_epochs must be at least 0": s.qat_epochs >= 0,
        "schedule.batch must be at least 2": s.batch >= 2,
        "schedule.lr and qat_lr must be above 0": s.lr > 0 and s.qat_lr > 0,
        "schedule.weight_decay must be at least 0": s.weight_decay >= 0,
        "schedule.warmup_epochs must be at least 0": s.warmup_epochs >= 0,
        "schedule.label_smoothing must be 0 to 1": 0 <= s.label_smoothing <= 1,
        "schedule.ema must be 0 to below 1": 0 <= s.ema < 1,
    }


def from_dict(values: object, where: str = "config") -> CodecConfig:
    """A checked `CodecConfig` from plain dictionaries, as `CodecConfig.as_dict` gives them."""
    config = settings.build(CodecConfig, values, where)
    q, t = config.quantizer, config.teacher
    settings.check(
        {
            **settings.name_and_seed(config),
            **data_rules(config.data),
            **quantizer_rules(q),
            "decoder.width must be at least 1": config.decoder.width >= 1,
            "decoder.blocks must be at least 0": config.decoder.blocks >= 0,
            "decoder.dropout must be 0 to below 1": 0 <= config.decoder.dropout < 1,
            **link_rules(config.link, q.bits),
            "link.chunks must be 1 to 16 pairs": 1 <= len(config.link.chunks) <= 16,
            "teacher.depth must be 20, 32, 44 or 56": t is None or t.depth in (20, 32, 44, 56),
            "teacher.views must be at least 1": t is None or t.views >= 1,
            "teacher.weight must be 0 to 1": t is None or 0 <= t.weight <= 1,
            "teacher.temperature must be above 0": t is None or t.temperature > 0,
            "schedule.qat_epochs must be at least 1": config.schedule.qat_epochs >= 1,
            **schedule_rules(config.schedule),
        },
        where,
    )
    return config

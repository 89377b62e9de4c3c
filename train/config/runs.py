"""Configs of runs, one class per kind of run: what one TOML file holds."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from train import settings
from train.config.tables import (
    BalanceConfig,
    BitErrorConfig,
    DataConfig,
    DecoderConfig,
    EmbeddingConfig,
    EncoderConfig,
    FineTuneConfig,
    LinkConfig,
    PreviewNetworkConfig,
    QuantizerConfig,
    Rules,
    ScheduleConfig,
    TeacherConfig,
    find_file,
)
from train.errors import TrainError

CLASSIFIERS = ("mobilenet_v2", "efficientnet_v2_s", "resnet50", "resnet20")
CODEC, GENERAL, SPLIT_CODEC, BASE_CLASSIFIER = "codec", "general codec", "split codec", "base classifier"
PREVIEW = "preview"
# A setting that tells the kind of run; the first one that a config has decides.
KINDS = {
    "architecture": BASE_CLASSIFIER,
    "system": SPLIT_CODEC,
    "embedding": GENERAL,
    "encoder": CODEC,
    "codec": PREVIEW,
}


def kind_of(values: object) -> str | None:
    """Return the kind of run that a config's tables are for, None if it cannot be told."""
    return next((kind for key, kind in KINDS.items() if isinstance(values, dict) and key in values), None)


@dataclass(frozen=True, kw_only=True)
class RunConfig(ABC):
    """Settings of every run."""

    name: str  # name of the run and of its folder in runs/; the name of the file if missing
    seed: int = 0  # random seed of weights, augmentation and bit flips; the held-out images are the same for all seeds
    data: DataConfig
    schedule: ScheduleConfig

    @classmethod
    def load(cls, path: Path, assignments: Sequence[str] = ()) -> Self:
        """Read and check a TOML file, with settings such as `schedule.epochs=5` in place of its own.

        Raises TrainError of one line with the mistake and its place.
        """
        values = settings.override(cls, settings.read_toml(path), assignments)
        if kind_of(values) not in (None, kind_of(settings.types(cls))):
            raise TrainError(f"{path} configures a {kind_of(values)}, not a {kind_of(settings.types(cls))}")
        return cls.from_dict(values, str(path))

    @classmethod
    def from_run(cls, folder: Path) -> Self:
        """Read and check config.json of a run's folder."""
        values = settings.read_run(folder)
        if kind_of(values) not in (None, kind_of(settings.types(cls))):
            raise TrainError(f"{folder} holds a run of a {kind_of(values)}, not of a {kind_of(settings.types(cls))}")
        return cls.from_dict(values, str(folder / "config.json"))

    @classmethod
    def from_dict(cls, values: object, where: str = "config") -> Self:
        """Return the checked config of plain dictionaries, as `as_dict` gives them."""
        config = settings.build(cls, values, where)
        settings.check(config.rules(), where)
        return config

    def as_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists, for JSON."""
        return dataclasses.asdict(self)

    @abstractmethod
    def rules(self) -> Rules:
        """Return the rules of the whole config. Subclasses add to these."""
        return {
            "name must be that of a folder, without /": self.name == Path(self.name).name != "",
            "seed must be at least 0": self.seed >= 0,
            **self.data.rules(),
            **self.schedule.rules(),
        }


@dataclass(frozen=True, kw_only=True)
class LatentRunConfig(RunConfig):
    """A run of a codec with Inkling's own encoder, quantizer and decoder."""

    encoder: EncoderConfig
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    link: LinkConfig = field(default_factory=LinkConfig)

    def rules(self) -> Rules:
        """Return the rules of the whole config. Subclasses add to these."""
        return {
            **super().rules(),
            **self.quantizer.rules(),
            **self.decoder.rules(),
            **self.link.rules(),
            "schedule.qat_epochs must be at least 1": self.schedule.qat_epochs >= 1,
        }


@dataclass(frozen=True, kw_only=True)
class CodecConfig(LatentRunConfig):
    """A run of a codec that classifies."""

    answer_weight: float = 1.0  # weight of the answer head's loss; that of the host is 1
    teacher: TeacherConfig | None = None
    balance: BalanceConfig | None = None

    def rules(self) -> Rules:
        """Return the rules of the whole config."""
        return {
            **super().rules(),
            **(self.teacher.rules() if self.teacher else {}),
            **(self.balance.rules() if self.balance else {}),
            "answer_weight must be at least 0": self.answer_weight >= 0,
            "schedule.board_epochs needs the layer 'answer' in encoder.layers": self.schedule.board_epochs == 0
            or self.encoder.layers[-1:] == ("answer",),
            "balance.prefix_share and link.suffix_share must be 1 at most together": self.balance is None
            or self.balance.prefix_share + self.link.suffix_share <= 1,
        }


@dataclass(frozen=True, kw_only=True)
class GeneralConfig(LatentRunConfig):
    """A run of a codec whose host predicts a pretrained network's embedding, for classes that are taught later."""

    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)

    def rules(self) -> Rules:
        """Return the rules of the whole config."""
        return {
            **super().rules(),
            **self.embedding.rules(),
            "encoder.layers must end with a latent head: there are no classes to answer": self.encoder.layers[-1:]
            != ("answer",),
            "schedule.board_epochs is for codecs with an answer head": self.schedule.board_epochs == 0,
        }


@dataclass(frozen=True, kw_only=True)
class PreviewConfig(RunConfig):
    """A run of a network that reconstructs images from the payloads of a trained general codec."""

    codec: str  # folder of the general codec's run, which stays as it is; its `[data]` and `[link]` are used here, too
    preview: PreviewNetworkConfig = field(default_factory=PreviewNetworkConfig)

    @classmethod
    def load(cls, path: Path, assignments: Sequence[str] = ()) -> Self:
        """Read and check a TOML file, as RunConfig.load does; `data` is that of the codec's run, without crops."""
        values = settings.override(cls, settings.read_toml(path), assignments)
        folder = values.get("codec")
        if not isinstance(folder, str):
            raise TrainError(f"{path}: codec must be the folder of a general codec's run, found {folder!r}")
        if "data" in values:
            raise TrainError(f"{path}: [data] must be left out: the images are those of the codec's run")
        # Payloads are computed once, of each image and its mirror image.
        data = dataclasses.replace(GeneralConfig.from_run(Path(folder)).data, crop_padding=0)
        return cls.from_dict({**values, "data": dataclasses.asdict(data)}, str(path))

    def rules(self) -> Rules:
        """Return the rules of the whole config."""
        return {
            **super().rules(),
            **self.preview.rules(),
            "schedule.qat_epochs is for codecs: a preview is computed on the host": self.schedule.qat_epochs == 0,
            "schedule.board_epochs is for codecs with an answer head": self.schedule.board_epochs == 0,
        }


@dataclass(frozen=True, kw_only=True)
class SplitRunConfig(RunConfig):
    """A run of a split codec. Name and options of the codec are not checked here, which would need torch."""

    # `semanticnn`, `semanticnn_device`, `adjscc`, `deepcod`, `bottlenetpp`, `agilenn`, `semanticnn_inkling` or
    # `inkling_frozen`
    system: str
    classifier: str  # config of the base classifier, which is trained first if there is no trained one
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    link: BitErrorConfig = field(default_factory=BitErrorConfig)
    fine_tune: FineTuneConfig | None = None
    options: dict[str, Any] = field(default_factory=dict)  # settings of the split codec, see below

    def rules(self) -> Rules:
        """Return the rules of the whole config except the options."""
        return {
            "schedule.board_epochs is for codecs with an answer head": self.schedule.board_epochs == 0,
            **super().rules(),
            **self.quantizer.rules(),
            **self.link.rules(),
            **(self.fine_tune.rules(self.schedule.epochs) if self.fine_tune else {}),
        }


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(RunConfig):
    """A run of a base classifier."""

    architecture: str  # `mobilenet_v2`, `resnet50`, `efficientnet_v2_s` or `resnet20`
    # trained weights in place of a training, a .pth or .th with the names of torchvision's model or of the usual CIFAR
    # ResNets; also searched for in the folder $INKLING_DATA. `[schedule]` then only records how they were trained
    checkpoint: str | None = None
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of each colour, subtracted from pixel / 255
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of each colour, by which the difference is divided

    def find_checkpoint(self) -> Path | None:
        """Return the path of the checkpoint, None if the config names none. Raises TrainError if it is missing."""
        path = find_file(self.checkpoint) if self.checkpoint else None
        if self.checkpoint and path is None:
            raise TrainError(f"{self.name}: checkpoint {self.checkpoint} not found (nor below INKLING_DATA)")
        return path

    def rules(self) -> Rules:
        """Return the rules of the whole config."""
        return {
            "std must be above 0": min(self.std) > 0,
            f"architecture must be one of {', '.join(CLASSIFIERS)}": self.architecture in CLASSIFIERS,
            "schedule.qat_epochs is for codecs: a classifier runs on the host": self.schedule.qat_epochs == 0,
            "schedule.board_epochs is for codecs with an answer head": self.schedule.board_epochs == 0,
            **super().rules(),
        }

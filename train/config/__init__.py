"""Configs: a training run as one short TOML file, read into dataclasses and checked before training starts.

docs/settings.md is made from these classes: the comment at a field becomes its meaning there.
"""

from train.config.runs import (
    BASE_CLASSIFIER,
    CLASSIFIERS,
    CODEC,
    GENERAL,
    PREVIEW,
    SPLIT_CODEC,
    ClassifierConfig,
    CodecConfig,
    GeneralConfig,
    LatentRunConfig,
    PreviewConfig,
    RunConfig,
    SplitRunConfig,
    kind_of,
)
from train.config.tables import (
    BitErrorConfig,
    DataConfig,
    DecoderConfig,
    EmbeddingConfig,
    EncoderConfig,
    FineTuneConfig,
    LinkConfig,
    PreviewNetworkConfig,
    QuantizerConfig,
    ScheduleConfig,
    TeacherConfig,
    default_chunks,
)

__all__ = [
    "BASE_CLASSIFIER",
    "CLASSIFIERS",
    "CODEC",
    "GENERAL",
    "PREVIEW",
    "SPLIT_CODEC",
    "BitErrorConfig",
    "ClassifierConfig",
    "CodecConfig",
    "DataConfig",
    "DecoderConfig",
    "EmbeddingConfig",
    "EncoderConfig",
    "FineTuneConfig",
    "GeneralConfig",
    "LatentRunConfig",
    "LinkConfig",
    "PreviewConfig",
    "PreviewNetworkConfig",
    "QuantizerConfig",
    "RunConfig",
    "ScheduleConfig",
    "SplitRunConfig",
    "TeacherConfig",
    "default_chunks",
    "kind_of",
]

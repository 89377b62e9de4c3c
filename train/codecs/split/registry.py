"""The split codecs by the name that a config gives as `system`."""

from train.codecs.split.adjscc import ADJSCC
from train.codecs.split.agilenn import AgileNN
from train.codecs.split.bottlenetpp import BottleNetPP
from train.codecs.split.deepcod import DeepCOD
from train.codecs.split.inkling_frozen import InklingFrozen
from train.codecs.split.semanticnn import SemanticNN
from train.codecs.split.semanticnn_device import SemanticNNDevice
from train.codecs.split.semanticnn_inkling import SemanticNNInkling
from train.codecs.split.split_codec import SplitCodec

# Each class has its settings, a dataclass, as `Options`.
SPLIT_CODECS: dict[str, type[SplitCodec]] = {
    "semanticnn": SemanticNN,
    "semanticnn_device": SemanticNNDevice,
    "adjscc": ADJSCC,
    "deepcod": DeepCOD,
    "bottlenetpp": BottleNetPP,
    "agilenn": AgileNN,
    "semanticnn_inkling": SemanticNNInkling,
    "inkling_frozen": InklingFrozen,
}

"""Tables of configs, such as `[data]`, which runs have in common."""

import os
from dataclasses import dataclass
from pathlib import Path

from channel_sim.channels.by_ber import AT_BER
from train.errors import TrainError
from wire.frame import MAX_CHUNKS

Rules = dict[str, bool]  # rule of a config, as text -> True if it holds


@dataclass(frozen=True)
class DataConfig:
    """The images and their augmentation."""

    name: str  # `cifar10`, `cifar100`, `tiny-imagenet-200`, `npz:FILE` or `folder:DIR`
    # training images held out for model selection, which never uses test images: their number, or their share
    holdout: int | float = 0.05
    test_share: float = 0.1  # share of the images that a folder without `train` and `test` keeps for testing
    size: tuple[int, int] | None = None  # height and width: images of a folder are resized to it, others must have it
    grey: bool = False  # convert the images to one channel
    crop_padding: int = 4  # pixels of padding around an image before the random crop
    flip: bool = True  # flip images horizontally at random

    def rules(self) -> Rules:
        """Return the rules of the table `[data]`."""
        return {
            "data.holdout must be a number of images (1 or more) or a share (above 0, below 1)": self.holdout >= 1
            if isinstance(self.holdout, int)
            else 0 < self.holdout < 1,
            "data.test_share must be above 0 and below 1": 0 < self.test_share < 1,
            "data.size must be at least 1 by 1": self.size is None or min(self.size) >= 1,
            "data.crop_padding must be at least 0": self.crop_padding >= 0,
        }


@dataclass(frozen=True)
class EncoderConfig:
    """The part on the device, as a list of layers, which docs/training.md describes."""

    # `conv N`, `conv4s2 N`, `sep N`, `sep4s2 N`, `pool`, the branch `head N`, and last `answer`, where N is channels
    layers: tuple[str, ...]


@dataclass(frozen=True)
class QuantizerConfig:
    """The learned quantizer of the encoder's output. It has 2 ** bits levels."""

    bits: int = 3  # bits per symbol, 1 to 8
    temperature: float = 0.3  # temperature of the soft assignment in the backward pass, in squared latent units

    def rules(self) -> Rules:
        """Return the rules of the table `[quantizer]`."""
        return {
            "quantizer.bits must be 1..8": 1 <= self.bits <= 8,
            "quantizer.temperature must be above 0": self.temperature > 0,
        }


@dataclass(frozen=True)
class DecoderConfig:
    """The part on the host: residual blocks on the grids of the latent heads."""

    width: int = 128  # channels on the largest grid; each halving of the grid doubles them
    blocks: int = 3  # residual blocks on each grid
    grids: int = 1  # least number of grids, each half of the one before; every latent head's grid is one in any case
    hidden: int = 512  # features before the last layer
    dropout: float = 0.0  # share of these features dropped in training

    def rules(self) -> Rules:
        """Return the rules of the table `[decoder]`."""
        return {
            "decoder.width must be at least 1": self.width >= 1,
            "decoder.blocks must be at least 0": self.blocks >= 0,
            "decoder.grids must be at least 1": self.grids >= 1,
            "decoder.hidden must be at least 1": self.hidden >= 1,
            "decoder.dropout must be 0 to below 1": 0 <= self.dropout < 1,
        }


def default_chunks(n_symbols: int) -> tuple[tuple[int, int], ...]:
    """Return (first symbol, count) of the chunks of a payload: the whole, its first half, its second half."""
    half = n_symbols // 2
    if n_symbols == 0:  # a board that classifies alone
        return ()
    return ((0, n_symbols), (0, half), (half, n_symbols - half)) if half else ((0, n_symbols),)


@dataclass(frozen=True)
class BitErrorConfig:
    """The bit errors that payloads suffer in training."""

    channels: tuple[str, ...] = ("bsc",)  # channel models of channel_sim; each image passes one of them
    clean_share: float = 0.6  # share of the images without any bit error
    ber: tuple[float, float] = (1e-3, 0.15)  # lowest and highest BER of the other images, log-uniform
    estimate_spread: float = 0.4  # standard deviation of the log-normal error of the BER given to the decoder

    def rules(self) -> Rules:
        """Return the rules of the table `[link]`."""
        return {
            f"link.channels must be some of {', '.join(AT_BER)}": set() < set(self.channels) <= set(AT_BER),
            "link.ber must be two numbers, 0 < low <= high <= 0.5": 0 < self.ber[0] <= self.ber[1] <= 0.5,
            "link.clean_share must be 0 to 1": 0 <= self.clean_share <= 1,
            "link.estimate_spread must be at least 0": self.estimate_spread >= 0,
        }

    def whole_payloads(self) -> "LinkConfig":
        """Return the same link, over which every payload arrives whole."""
        return LinkConfig(
            self.channels,
            self.clean_share,
            self.ber,
            self.estimate_spread,
            prefix_share=0.0,
            answer_missing_share=0.0,
            chunks=(),
        )


@dataclass(frozen=True)
class LinkConfig(BitErrorConfig):
    """The link that the payloads pass in training. Lost frames are trained as prefixes of the payload."""

    prefix_share: float = 0.3  # share of the images of which only a prefix arrives
    suffix_share: float = 0.0  # share of the images of which only what follows a prefix arrives, without the answer
    answer_missing_share: float = 0.5  # share of the images whose answer does not reach the decoder
    # [first symbol, count], whole payload first; by default the whole payload, its first half and its second half
    chunks: tuple[tuple[int, int], ...] | None = None

    def chunks_of(self, n_symbols: int) -> tuple[tuple[int, int], ...]:
        """Return the chunks of a payload of that many symbols."""
        return default_chunks(n_symbols) if self.chunks is None else self.chunks

    def rules(self) -> Rules:
        """Return the rules of the table `[link]`."""
        return {
            **super().rules(),
            "link.prefix_share must be 0 to 1": 0 <= self.prefix_share <= 1,
            "link.suffix_share must be 0 to 1 - prefix_share": 0 <= self.suffix_share <= 1 - self.prefix_share,
            "link.answer_missing_share must be 0 to 1": 0 <= self.answer_missing_share <= 1,
            f"link.chunks must be 1 to {MAX_CHUNKS} pairs": self.chunks is None or 1 <= len(self.chunks) <= MAX_CHUNKS,
        }


def find_file(name: str) -> Path | None:
    """Return the path of a file, which is also searched for below INKLING_DATA; None if it is in neither place."""
    candidates = [Path(name), Path(os.environ.get("INKLING_DATA", ".")) / name]
    return next((path for path in candidates if path.is_file()), None)


@dataclass(frozen=True)
class TeacherConfig:
    """Knowledge distillation (Hinton et al. 2015, arXiv 1503.02531) from a larger, trained classifier."""

    # best.pt of a base classifier's run, or checkpoint of a CIFAR ResNet; also searched for in the folder $INKLING_DATA
    checkpoint: str
    depth: int = 20  # layers of the CIFAR ResNet: 20, 32, 44 or 56; not used for a best.pt
    views: int = 20  # augmented views of each image before they repeat; the logits of each view are kept
    weight: float = 0.7  # share of the distillation loss in the whole loss
    temperature: float = 4.0  # temperature by which the logits of teacher and student are divided

    def find(self) -> Path:
        """Return the checkpoint's path, which is also searched for below INKLING_DATA. Raises TrainError without it."""
        path = find_file(self.checkpoint)
        if path is None:
            raise TrainError(
                f"teacher checkpoint {self.checkpoint} not found (nor below INKLING_DATA): set teacher.checkpoint "
                "(docs/training.md), or use a config without a teacher, such as configs/cifar10-hour.toml"
            )
        return path

    def rules(self) -> Rules:
        """Return the rules of the table `[teacher]`."""
        return {
            "teacher.depth must be 20, 32, 44 or 56": self.depth in (20, 32, 44, 56),
            "teacher.views must be at least 1": self.views >= 1,
            "teacher.weight must be 0 to 1": 0 <= self.weight <= 1,
            "teacher.temperature must be above 0": self.temperature > 0,
        }


@dataclass(frozen=True)
class EmbeddingConfig:
    """The pretrained network whose embedding the host predicts, and more images. Labels are not used."""

    # `efficientnet_lite0`, or an ONNX file that maps images (N, 3, H, W) in [0, 1] to embeddings (N, D)
    network: str = "efficientnet_lite0"
    size: int = 128  # height and width to which images are enlarged for the network
    more: tuple[str, ...] = ()  # more data sets, named as in data.name; their images are resized to those of data.name
    left_out: tuple[int, ...] = ()  # numbers of the classes of data.name that the run never sees: to be taught later

    def rules(self) -> Rules:
        """Return the rules of the table `[embedding]`."""
        return {"embedding.size must be at least 32": self.size >= 32}


@dataclass(frozen=True)
class PreviewNetworkConfig:
    """The network that reconstructs images, from the smallest grid of the latent heads to the image."""

    width: int = 32  # channels at half the image's height and width; each halving of the grid doubles them
    max_width: int = 192  # the largest number of channels, on small grids
    blocks: int = 2  # residual blocks on each grid
    structure_weight: float = 0.3  # weight of the structural dissimilarity in the loss, beside the mean absolute error

    def rules(self) -> Rules:
        """Return the rules of the table `[preview]`."""
        return {
            "preview.width must be at least 1": self.width >= 1,
            "preview.max_width must be at least preview.width": self.max_width >= self.width,
            "preview.blocks must be at least 0": self.blocks >= 0,
            "preview.structure_weight must be at least 0": self.structure_weight >= 0,
        }


@dataclass(frozen=True)
class ScheduleConfig:
    """AdamW with warm-up and cosine decay; then quantization-aware epochs on the folded encoder, if any."""

    epochs: int  # epochs in float
    # epochs before all others, of the trunk and the answer head alone; not used without a latent head
    board_epochs: int = 0
    board_lr: float = 6e-3  # peak learning rate of the board epochs
    qat_epochs: int = 0  # quantization-aware epochs: the encoder computes in int8, as on the board
    batch: int = 256  # images per step
    lr: float = 6e-3  # peak learning rate
    qat_lr: float = 4e-4  # learning rate at the start of the quantization-aware epochs
    weight_decay: float = 0.05  # decoupled weight decay of AdamW
    warmup_epochs: float = 2.0  # epochs of linear warm-up; for a split codec, in each stage
    label_smoothing: float = 0.0  # share of each label that is spread over all classes
    ema: float = 0.998  # decay of the moving average of the weights, per step

    def rules(self) -> Rules:
        """Return the rules of the table `[schedule]`."""
        return {
            "schedule.epochs must be at least 1": self.epochs >= 1,
            "schedule.board_epochs must be at least 0": self.board_epochs >= 0,
            "schedule.qat_epochs must be at least 0": self.qat_epochs >= 0,
            "schedule.batch must be at least 2": self.batch >= 2,
            "schedule.lr, board_lr and qat_lr must be above 0": all(
                rate > 0 for rate in (self.lr, self.board_lr, self.qat_lr)
            ),
            "schedule.weight_decay must be at least 0": self.weight_decay >= 0,
            "schedule.warmup_epochs must be at least 0": self.warmup_epochs >= 0,
            "schedule.label_smoothing must be 0 to 1": 0 <= self.label_smoothing <= 1,
            "schedule.ema must be 0 to below 1": 0 <= self.ema < 1,
        }


@dataclass(frozen=True)
class BalanceConfig:
    """Epochs that balance host and board, after those in which the trunk learns what serves the host.

    Weight and share are their own; the int8 epochs keep them.
    """

    epochs: int  # epochs between the float epochs and the int8 epochs; not used without a latent head
    lr: float = 2e-3  # peak learning rate of these epochs
    answer_weight: float = 1.0  # in place of the run's, in these and the int8 epochs
    prefix_share: float = 0.3  # in place of the link's, in these and the int8 epochs

    def rules(self) -> Rules:
        """Return the rules of the table `[balance]`."""
        return {
            "balance.epochs must be at least 1": self.epochs >= 1,
            "balance.lr must be above 0": self.lr > 0,
            "balance.answer_weight must be at least 0": self.answer_weight >= 0,
            "balance.prefix_share must be 0 to 1": 0 <= self.prefix_share <= 1,
        }


@dataclass(frozen=True)
class FineTuneConfig:
    """The last float epochs of a split codec, in which the base classifier is trained, too. Before, it is frozen."""

    epochs: int  # how many of schedule.epochs
    lr: float = 2e-4  # peak learning rate of these epochs

    def rules(self, epochs: int) -> Rules:
        """Return the rules of the table `[fine_tune]`, given schedule.epochs."""
        return {
            "fine_tune.epochs must be 1 to schedule.epochs": 1 <= self.epochs <= epochs,
            "fine_tune.lr must be above 0": self.lr > 0,
        }

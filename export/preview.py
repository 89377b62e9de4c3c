"""Add a trained preview network to the bundle of its codec, which stays as it is otherwise."""

import datetime
import os
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from export import card
from export.bundle import manifest_text
from export.convert import host_onnx
from export.errors import ExportError
from export.finished_run import round_to_half
from export.proofs import Proofs
from train import evaluate
from train.codecs.codec import Codec
from train.codecs.preview import Preview
from train.trainers.preview import load_preview
from wire.bundle import PREVIEW_FILE, Bundle, BundleError, describe_file
from wire.bundle import load as load_bundle
from wire.files import write_whole

# Of the golden images' symbols. Training's fake quantization differs from the board's rounding in few of them (5 % of
# those of general64); another codec differs in most.
MAX_OTHER_SYMBOLS = 0.1
LEVELS = 1  # by which a pixel may differ between PyTorch and ONNX


def add(folder: Path, out: Path, force: bool = False) -> None:
    """Add the preview network of the run in `folder` to the bundle `out`; with `force`, replace the one that it has.

    Raises ExportError if the bundle is of another codec or a proof fails, and TrainError if the run is not finished.
    """
    bundle = _bundle(out, force)
    preview, codec, saved = load_preview(folder)
    print(f"run {folder}: epoch {saved['epoch']}, held-out SSIM {_shown(saved['held_out'])}")
    preview.fold()
    round_to_half(preview)
    images, symbols = _golden(bundle)
    checks = Proofs()
    print(f"proofs, on {len(images)} golden images:")
    _same_codec(checks, codec, bundle, images, symbols)
    with tempfile.TemporaryDirectory(prefix=".preview-", dir=out.resolve().parent) as scratch:
        file = Path(scratch) / PREVIEW_FILE
        write_onnx(preview, file)
        equal_previews(checks, preview, file, symbols)
        manifest = {key: value for key, value in bundle.manifest.items() if key != "preview"}
        manifest["preview"] = {
            "recipe": saved["config"],
            "epoch": saved["epoch"],
            "held_out": saved["held_out"],
            "proofs": checks.figures,
            "date": datetime.date.today().isoformat(),
        }
        put(bundle, file, manifest)
    print(f"bundle {out}: model {bundle.model_id}, {PREVIEW_FILE} of {bundle.preview_path.stat().st_size / 1e6:.2f} MB")


def _bundle(out: Path, force: bool) -> Bundle:
    try:
        bundle = load_bundle(out)
    except BundleError as error:
        raise ExportError(f"a preview is added to the bundle of its codec, which is exported first: {error}") from None
    if bundle.embedding is None:
        raise ExportError(f"bundle {out} is no general bundle, and previews are for these")
    if bundle.has_preview and not force:
        raise ExportError(f"bundle {out} has a preview already; replace it with --force")
    return bundle


def _golden(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """Return the golden images (N, H, W, C) and their symbols (N, S)."""
    try:
        with np.load(bundle.golden_path) as golden:
            return golden["images"], golden["symbols"]
    except Exception as error:  # a file made by hand can fail in numpy, zipfile, zlib and ast
        raise ExportError(
            f"bundle {bundle.path}: golden.npz has no images and symbols ({type(error).__name__})"
        ) from None


def _shown(held_out: dict[str, float]) -> str:
    return ", ".join(f"{name}: {value:.3f}" for name, value in held_out.items())


def _same_codec(checks: Proofs, codec: Codec, bundle: Bundle, images: np.ndarray, symbols: np.ndarray) -> None:
    """Compare the bundle's symbols (N, S) of images uint8 (N, H, W, C) with those of the run's codec."""
    if images.shape[1:] != codec.input_shape or symbols.shape[1] != codec.n_symbols:
        raise ExportError(
            f"bundle {bundle.path} sends {symbols.shape[1]} symbols of images of {images.shape[1:]}, the preview's "
            f"codec {codec.n_symbols} of {codec.input_shape}: export that codec first"
        )
    found = evaluate.encode(codec, images).symbols.numpy()
    text = "symbols of the golden images, bundle against the preview's codec, share that differ"
    checks.require("other_symbols", text, float((found != symbols).mean()), MAX_OTHER_SYMBOLS)


class _HostEnd(nn.Module):
    """The preview network with pixels as outputs, as preview.onnx holds it."""

    def __init__(self, preview: Preview) -> None:
        super().__init__()
        self.preview = preview

    def forward(self, symbols: Tensor, ber: Tensor) -> Tensor:
        return (255 * self.preview(symbols, ber)).round().to(torch.uint8).permute(0, 2, 3, 1)


def write_onnx(preview: Preview, file: Path) -> None:
    """Write the network: `symbols` (N, S) int64, `ber` (N,) float32 -> `image` (N, H, W, C) uint8."""
    inputs = {"symbols": torch.zeros(2, len(preview.place), dtype=torch.int64), "ber": torch.full((2,), 0.01)}
    host_onnx(_HostEnd(preview), inputs, "image", file)


def equal_previews(checks: Proofs, preview: Preview, file: Path, symbols: np.ndarray) -> None:
    """Compare the pixels of the ONNX file with PyTorch's on symbols (N, S) with flips, gaps and several BERs."""
    rng = np.random.default_rng(0)
    received = symbols.copy()
    damaged = rng.random(received.shape) < 0.1
    received[damaged] = rng.integers(0, preview.n_levels, int(damaged.sum()))
    received[::2, received.shape[1] // 2 :] = -1
    ber = rng.choice(np.array([0.0, 1e-3, 0.05, 0.1, 0.5], np.float32), len(received))
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (by_onnx,) = session.run(["image"], {"symbols": received, "ber": ber})
    with torch.no_grad():
        expected = _HostEnd(preview)(torch.from_numpy(received), torch.from_numpy(ber)).numpy()
    worst = int(abs(by_onnx.astype(int) - expected).max())
    checks.require("preview_onnx", "preview, PyTorch against ONNX, max difference of pixels", worst, LEVELS)


def put(bundle: Bundle, file: Path, manifest: dict) -> None:
    """Move the file to the bundle and write its manifest and model card.

    The bundle can be loaded at any time, also if this is interrupted. Raises ExportError, and changes nothing, if the
    manifest lacks a figure that the model card shows.
    """
    try:
        text = card.text(manifest)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise ExportError(f"bundle {bundle.path}: no model card can be made of bundle.json ({fault})") from None
    files = {name: listed for name, listed in bundle.manifest["files"].items() if name != PREVIEW_FILE}
    if bundle.has_preview:
        without = {key: value for key, value in manifest.items() if key != "preview"}
        write_whole(bundle.path / "bundle.json", manifest_text(without | {"files": files}).encode())
    described = describe_file(file)
    os.replace(file, bundle.preview_path)
    listed = manifest_text(manifest | {"files": files | {PREVIEW_FILE: described}})
    write_whole(bundle.path / "bundle.json", listed.encode())
    write_whole(bundle.path / "MODEL_CARD.md", text.encode())
    load_bundle(bundle.path)

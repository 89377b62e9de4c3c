"""Measures of previews: frames through a channel and the receiver, the preview network, three measures of quality."""

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import skimage
from rich.console import Console
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks.encoding import Encoded, encode
from benchmarks.progress import progress_bar
from benchmarks.sender import WARM_UP, Sender
from channel_sim.channels.bsc import BitFlips
from host.classify.classifier import Classifier
from host.classify.general import TaskSet
from host.classify.preview import PreviewDecoder
from host.image.load import load_image
from host.receive.stream import StreamReceiver
from train.classifiers import embedding
from train.config import GeneralConfig
from train.data.pool import load_images
from train.data.sampling import stratified
from wire.bundle import Bundle, BundleError

BERS = (0.0, 0.01, 0.05, 0.1)
PARTS = (1, 2, 4)  # the whole payload, its first half, its first quarter
# Photographs in scikit-image whose owners have waived all rights; those of data sets may have other terms.
EXAMPLES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
EXAMPLE_BERS = (0.0, 0.05)
TIMED = 50  # previews whose time is measured, one by one


@dataclass(frozen=True, eq=False)
class Received:
    """Symbols (n, S) and bit error rates (n,) of the images that arrived, whose numbers are `index` (n,)."""

    index: np.ndarray
    symbols: np.ndarray
    bers: np.ndarray
    link_bers: np.ndarray  # as the receiver estimates them


@dataclass(frozen=True, eq=False)
class Examples:
    """Images uint8 (n, H, W, C) and their previews by payload bytes and BER; None in place of a lost one."""

    images: np.ndarray
    previews: dict[tuple[str, str], list[np.ndarray | None]] = field(default_factory=dict)


def measure(bundle: Bundle, count: int, seed: int, console: Console) -> tuple[dict, Examples]:
    """Return the figures by payload and bit error rate, and the examples.

    Raises HostError if the bundle has no preview network, BundleError if it has no recipe, and TrainError if its
    images or its pretrained network cannot be loaded.
    """
    started = time.monotonic()
    decoder = PreviewDecoder(bundle)
    if "recipe" not in bundle.manifest:
        raise BundleError(f"bundle {bundle.path}: bundle.json has no recipe, which names its images")
    config = GeneralConfig.from_dict(bundle.manifest["recipe"], f"bundle {bundle.path}: recipe")
    network, _ = embedding.load(config.embedding)
    data = load_images(config.data.name, config.data, log=console.print)
    chosen = stratified(data.y_test, count)
    images, labels = data.x_test[chosen], data.y_test[chosen]
    if images.shape[1:] != bundle.input_shape:
        raise BundleError(f"bundle {bundle.path} takes {bundle.input_shape}, the images are {images.shape[1:]}")

    def embedded(pixels: np.ndarray) -> np.ndarray:
        parts = range(0, len(pixels), embedding.BATCH)
        size = config.embedding.size
        return np.concatenate([embedding.embed(network, pixels[i : i + embedding.BATCH], size) for i in parts])

    examples, targets = Examples(photographs(bundle.input_shape)), embedded(images)
    by_payload: dict[str, dict[str, dict[str, float]]] = {}
    with progress_bar(console) as bar:
        encoded = encode(bundle, images, bar)
        for chunk in chunks_of(bundle):
            size = str(bundle.chunk_bytes(chunk))
            by_payload[size] = {}
            for ber in BERS:
                task = bar.add_task(f"{size} bytes, BER {ber:g}", total=len(images))
                arrived = receive(bundle, encoded, chunk, ber, seed, partial(bar.advance, task))
                if not len(arrived.index):
                    raise BundleError(f"bundle {bundle.path}: no frame of {size} bytes arrived at BER {ber:g}")
                previews = decoder.images(arrived.symbols, arrived.bers)
                row = quality(previews, images[arrived.index])
                row["cosine"] = float((embedded(previews) * targets[arrived.index]).sum(1).mean())
                row["frames_lost"] = len(images) - len(arrived.index)
                row["ber_estimated"] = float(arrived.link_bers.mean())
                by_payload[size][f"{ber:g}"] = row
                shown = "  ".join(f"{name} {row[name]:.3f}" for name in ("psnr", "ssim", "cosine"))
                console.print(f"{size} bytes  BER {ber:<5g}  {shown}", highlight=False)
        encoded_examples = encode(bundle, examples.images, bar)
        for chunk, ber in product(chunks_of(bundle), EXAMPLE_BERS):
            arrived = receive(bundle, encoded_examples, chunk, ber, seed, lambda _: None)
            found = dict(zip(arrived.index.tolist(), decoder.images(arrived.symbols, arrived.bers), strict=True))
            key = str(bundle.chunk_bytes(chunk)), f"{ber:g}"
            examples.previews[key] = [found.get(number) for number in range(len(examples.images))]
    figures = {
        "bundle": bundle.name,
        "model_id": bundle.model_id,
        "preview_sha256": bundle.manifest["files"][bundle.preview_path.name]["sha256"],
        "dataset": config.data.name,
        "images": len(images),
        "images_of_left_out_classes": int(np.isin(labels, config.embedding.left_out).sum()),
        "seed": seed,
        "network": config.embedding.network,
        "cosine_of_other_images": float((targets * np.roll(targets, 1, axis=0)).sum(1).mean()),
        "preview_ms": _milliseconds(decoder, encoded),
        "payload_bytes": by_payload,
        "command": f"python -m benchmarks.preview --bundle {bundle.path} --images {count} --seed {seed}",
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }
    return figures, examples


def photographs(shape: tuple[int, int, int]) -> np.ndarray:
    """Return the photographs of the sheet, uint8 (n, H, W, C): cropped centrally and scaled, as on a board."""
    return np.stack([load_image(Path(skimage.__file__).parent / "data" / name, shape) for name in EXAMPLES])


def chunks_of(bundle: Bundle) -> list[int]:
    """Return the numbers of the chunks that are the whole payload, its first half and its first quarter, if listed."""
    wanted = [(0, bundle.n_symbols // part) for part in PARTS]
    return [bundle.chunks.index(chunk) for chunk in wanted if chunk in bundle.chunks]


def receive(
    bundle: Bundle, encoded: Encoded, chunk: int, ber: float, seed: int, on_progress: Callable[[int], None]
) -> Received:
    """Send one chunk of every image at a bit error rate, and receive what arrives, as a host does.

    The receiver knows the device from clean frames. `on_progress` is called with the number of images sent.
    """
    receiver = StreamReceiver([bundle])
    classifier = Classifier({}, {bundle.model_id: TaskSet(None, [])})
    sender = Sender(bundle, encoded, encoded.chunks(chunk))
    rng = np.random.default_rng([seed, chunk, round(ber * 1e6)])
    numbers, frames = [], []
    for number in range(-WARM_UP, len(encoded.symbols)):
        channel = BitFlips(ber if number >= 0 else 0.0)
        sent = channel.corrupt(sender.frame(number, sync=True), rng) or b""
        frame, _ = sender.own([*receiver.feed(sent), *receiver.flush()], number)
        if number < 0:
            continue
        on_progress(1)
        if frame:
            numbers.append(number)
            frames.append(frame)
    readings = classifier.read_all(frames)
    return Received(
        np.array(numbers, np.int64),
        np.array([reading.symbols for reading in readings]),
        np.array([reading.payload_ber for reading in readings]),
        np.array([reading.ber for reading in readings]),
    )


def quality(previews: np.ndarray, images: np.ndarray) -> dict[str, float]:
    """Return mean PSNR in dB and mean SSIM (Wang et al. 2004) of previews and images, both uint8 (n, H, W, C)."""
    psnr = [peak_signal_noise_ratio(image, preview) for image, preview in zip(images, previews, strict=True)]
    ssim = [
        structural_similarity(
            image, preview, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for image, preview in zip(images, previews, strict=True)
    ]
    return {"psnr": float(np.mean(psnr)), "ssim": float(np.mean(ssim))}


def _milliseconds(decoder: PreviewDecoder, encoded: Encoded) -> float:
    """Return the median time of one preview."""
    seconds = []
    for symbols in np.resize(encoded.symbols, (TIMED, encoded.symbols.shape[1])):
        started = time.perf_counter()
        decoder.images(symbols[None], np.array([1e-3]))
        seconds.append(time.perf_counter() - started)
    return 1e3 * float(np.median(seconds))

"""The main job end to end: images -> int8 encoder on an emulated STM32 -> noisy serial line -> class on the host.

Where the board is sure, it sends its answer; where it is not, its features, and the host decides.
"""

import argparse
import datetime
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import command
from benchmarks.device.measure import COUNTED_IMAGES, count_instructions, is_as_computed
from benchmarks.encoding import encode
from benchmarks.images import images_for, title
from benchmarks.metrics import Metrics
from benchmarks.progress import progress_bar
from benchmarks.sender import ANSWER_FRAME_BYTES, mean_frame_bytes
from channel_sim.channels.bsc import BitFlips
from channel_sim.live.proxy import Proxy
from firmware.tools.build import build
from firmware.tools.emulator import qemu
from firmware.tools.footprint import measure
from host.board.board import Board
from host.classify.classifier import AnsweredBy, Classifier
from host.cli.arguments import add_threshold
from host.errors import HostError
from host.receive.events import AnswerFrame, FeatureFrame
from wire.bundle import Bundle
from wire.bundle import load as load_bundle
from wire.control import Mode, ModeSetting
from wire.frame import HEADER_BYTES
from wire.lora import air_time_s

if TYPE_CHECKING:  # matplotlib takes a second to import, which --help need not wait for
    from benchmarks.demo.plots import ShownImage

BERS = (0.0, 1e-2, 5e-2, 1e-1)
TARGET = "qemu_stm32f405"
BUILD_DIR = Path("build/demo/firmware")  # apart from .pio/build, which may hold another bundle
TIMEOUT_S = 20.0  # an emulated board on a busy machine may be slow
RECORD = command.RESULTS / "demo.json"
SPREADING_FACTOR = 7  # of the air times that are shown
BOTH_KINDS = 12  # the threshold of a demo of a bundle that always answers, so that both kinds of frame are seen


@dataclass
class Result:
    """The outcome of sending all images at one BER."""

    metrics: Metrics = field(default_factory=Metrics)
    by_board: Metrics = field(default_factory=Metrics)  # of the images that the board answered
    frames: dict[int, FeatureFrame | AnswerFrame] = field(default_factory=dict)  # by image
    shown: "list[ShownImage]" = field(default_factory=list)


def main() -> int:
    """Parse the command line and run the demo. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--images", 300, "test images at each BER")
    command.add_seed(parser, 1, "random seed of the bit flips")
    add_threshold(parser, f"the board's answer is sent (default: the bundle's; {BOTH_KINDS} if that is 0)")
    command.add_path(parser, "--out", "build/demo", "folder for plots and figures")
    parser.add_argument("--record", action="store_true", help=f"also write the figures to {RECORD}")
    args = parser.parse_args()

    def demo() -> None:
        report = run(args.bundle, args.images, args.seed, args.threshold, args.out, Console())
        if args.record:
            command.write_json(RECORD, report)

    return command.execute("demo", demo)


def run(bundle_path: Path, count: int, seed: int, asked: int | None, out: Path, console: Console) -> dict:
    """Run the demo, write accuracy.png, images.png and report.json to `out`, and return the report.

    `asked` is the threshold from which the board sends its answer, None for the default. Raises HostError if the bundle
    cannot have one, or if, without bit errors, a frame is lost or differs from what TFLite's reference kernels give.
    """
    from benchmarks.demo.plots import draw_accuracy, draw_images

    started = time.monotonic()
    bundle = load_bundle(bundle_path)
    threshold = _threshold(bundle, asked)
    test = images_for(bundle, count, console.print)
    images, labels = test.images, test.labels
    console.print(f"Building the firmware for {TARGET} from {bundle_path} (model {bundle.model_id})")
    elf = build(TARGET, bundle=bundle_path, build_dir=BUILD_DIR)
    size = measure(elf)
    info, per_image = count_instructions(elf, TARGET, bundle, images[:COUNTED_IMAGES])
    console.print(
        f"Booted {info.target} in QEMU, engine {info.engine}: {per_image / 1e6:.2f} M instructions per image, "
        f"model {size.model_flash_bytes:,} bytes of flash, encoder {size.encoder_ram_bytes:,} bytes of RAM"
    )
    if threshold is not None:
        console.print(_policy(bundle, threshold))
    results = _send_all(elf, bundle, threshold, images, labels, seed, console)
    console.print("Comparing with TFLite's reference kernels")
    with progress_bar(console) as bar:
        encoded = encode(bundle, images, bar)
    clean = results["0"].frames
    mismatches = sum(not is_as_computed(frame, encoded, i) for i, frame in clean.items())
    answered = {k: r.by_board.delivered / max(1, r.metrics.delivered) for k, r in results.items()}
    report = {
        "target": info.target,
        "engine": info.engine,
        "bundle": bundle.name,
        "model_id": bundle.model_id,
        "dataset": bundle.manifest["dataset"],
        "images": len(images),
        "threshold": threshold,
        "payload_bytes": bundle.chunk_bytes(0),
        "frame_bytes": bundle.chunk_layout(0).serial_size,
        "accuracy": {k: r.metrics.accuracy for k, r in results.items()},
        "accuracy_sent": {k: r.metrics.accuracy_sent for k, r in results.items()},
        "accuracy_float_clean": bundle.manifest["accuracy_float_clean"],
        "answered": answered,
        "accuracy_answered": {k: r.by_board.accuracy for k, r in results.items()},
        "mean_frame_bytes": {k: mean_frame_bytes(bundle, share) for k, share in answered.items()},
        "mean_air_time_s": {k: _mean_air_time_s(bundle, share) for k, share in answered.items()},
        "air_time_features_s": _mean_air_time_s(bundle, 0.0),
        "frames_lost": {k: r.metrics.frames_lost for k, r in results.items()},
        "ber_estimated": {k: r.metrics.ber_estimated for k, r in results.items()},
        "parity_mismatches": mismatches,
        "instructions_per_image": per_image,
        "model_flash_bytes": size.model_flash_bytes,
        "flash_bytes": size.flash_bytes,
        "ram_bytes": size.ram_bytes,
        "encoder_ram_bytes": size.encoder_ram_bytes,
        "encoder_macs": bundle.manifest["encoder_macs"],
        "command": f"python -m benchmarks.demo --bundle {bundle_path} --images {count} --seed {seed}"
        + (f" --threshold {asked}" if asked is not None else ""),
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }
    out.mkdir(parents=True, exist_ok=True)
    draw_accuracy(out / "accuracy.png", report, bundle)
    draw_images(out / "images.png", [results["0"].shown, results["0.1"].shown], bundle)
    command.write_json(out / "report.json", report)
    console.print(table(report))
    console.print(_summary(report))
    console.print(f"Plots: {out}/accuracy.png, {out}/images.png; figures: {out}/report.json")
    if mismatches or len(clean) < len(images):
        raise HostError(f"at BER 0, {len(images) - len(clean)} frames were lost and {mismatches} differ from TFLite's")
    return report


def _send_all(
    elf: Path,
    bundle: Bundle,
    threshold: int | None,
    images: np.ndarray,
    labels: np.ndarray,
    seed: int,
    console: Console,
) -> dict[str, Result]:
    from benchmarks.demo.plots import ShownImage

    results = {}
    with qemu(elf) as board, progress_bar(console, lasting=True) as bar:
        if threshold is not None:
            with Board.open(board, bundle, timeout=TIMEOUT_S) as connected:
                connected.mode(ModeSetting(Mode.ADAPTIVE, threshold))
        for ber in BERS:
            task = bar.add_task(f"BER {ber:<5g}", total=len(images))
            classifier, result = Classifier.of([bundle]), Result()
            with (
                Proxy(board, BitFlips(ber), seed) as proxy,
                Board.open(proxy.url, bundle, timeout=TIMEOUT_S) as connected,
            ):
                for i, (image, label) in enumerate(zip(images, labels, strict=True)):
                    frame, _ = connected.run_by_mode(image)
                    if frame is None:
                        result.metrics.lost()
                    else:
                        reading = classifier.read(frame)
                        result.metrics.arrived(reading, int(label))
                        if reading.answered_by == AnsweredBy.BOARD:
                            result.by_board.arrived(reading, int(label))
                        result.frames[i] = frame
                        result.shown.append(ShownImage(i, image, int(label), reading, ber))
                    bar.update(task, advance=1, description=f"BER {ber:<5g} {100 * result.metrics.accuracy:5.1f} %")
            results[f"{ber:g}"] = result
    return results


def _threshold(bundle: Bundle, asked: int | None) -> int | None:
    """Return the threshold of the demo; None if the bundle has only answers or only features."""
    if bundle.answer and bundle.heads:
        return asked if asked is not None else bundle.threshold or BOTH_KINDS
    if asked is not None:
        raise HostError(f"bundle {bundle.path}: --threshold needs a bundle with both features and answers")
    return None


def _policy(bundle: Bundle, threshold: int) -> str:
    """Say from which threshold on the board answers, and whether the bundle itself would do the same."""
    text = f"The board answers itself from confidence level {threshold} on, of 0 to 15; the host decides the rest"
    if threshold == bundle.threshold:
        return text
    always = ", which always answers" if bundle.threshold == 0 else ""
    return f"{text} (the bundle's own threshold: {bundle.threshold}{always})"


def _mean_air_time_s(bundle: Bundle, answered: float) -> float:
    """Return the mean air time by LoRa, with explicit header and coding rate 4/5, given the share of answers."""
    answer, features = (air_time_s(size, SPREADING_FACTOR) for size in (HEADER_BYTES, bundle.chunk_layout(0).size))
    return answered * answer + (1 - answered) * features


def table(report: dict) -> Table:
    """Return the table of a report, one row per BER."""
    dataset = title(report["dataset"])
    shown = Table(title=f"{report['images']} {dataset} test images at each BER")
    for heading in ("BER", "by board %", "accuracy %", "of all sent %", "lost", "bytes", "air, ms"):
        shown.add_column(heading, justify="right")
    for ber in report["accuracy"]:
        shown.add_row(
            ber,
            f"{100 * report['answered'][ber]:.1f}",
            f"{100 * report['accuracy'][ber]:.1f}",
            f"{100 * report['accuracy_sent'][ber]:.1f}",
            str(report["frames_lost"][ber]),
            f"{report['mean_frame_bytes'][ber]:.1f}",
            f"{1e3 * report['mean_air_time_s'][ber]:.0f}",
        )
    return shown


def _summary(report: dict) -> str:
    clean = next(iter(report["accuracy"]))
    return (
        f"By board: answered by the board itself, {100 * report['accuracy_answered'][clean]:.1f} % of these correctly "
        f"without bit errors; the host decided the rest. Bytes, air: means of answers ({ANSWER_FRAME_BYTES} "
        f"bytes) and features ({report['frame_bytes']} bytes), air time by LoRa at SF{SPREADING_FACTOR}; features "
        f"alone would take {1e3 * report['air_time_features_s']:.0f} ms per image.\n"
        f"Float encoder, clean, features of all test images: {100 * report['accuracy_float_clean']:.1f} %. Frames that "
        f"differ from TFLite's reference kernels: {report['parity_mismatches']}. {report['seconds']:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())

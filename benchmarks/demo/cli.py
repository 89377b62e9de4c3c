"""The main job end to end: images -> int8 encoder on an emulated STM32 -> noisy serial line -> class on the host."""

import argparse
import datetime
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import command
from benchmarks.demo.plots import ShownImage, draw_accuracy, draw_images
from benchmarks.device.measure import COUNTED_IMAGES, count_instructions
from benchmarks.images import images_for, title
from benchmarks.metrics import Metrics
from benchmarks.progress import progress_bar
from channel_sim.channels.bsc import BitFlips
from channel_sim.live.proxy import Proxy
from export.reference import ReferenceEncoder
from firmware.tools.build import build
from firmware.tools.emulator import qemu
from firmware.tools.footprint import measure
from host.board.board import Board
from host.classify.classifier import Classifier
from host.errors import HostError
from wire.bundle import Bundle
from wire.bundle import load as load_bundle

BERS = (0.0, 1e-2, 5e-2, 1e-1)
TARGET = "qemu_stm32f405"
BUILD_DIR = Path("build/demo/firmware")  # apart from .pio/build, which may hold another bundle
TIMEOUT_S = 20.0  # an emulated board on a busy machine may be slow
RECORD = command.RESULTS / "demo.json"


@dataclass
class Result:
    """The outcome of sending all images at one BER."""

    metrics: Metrics
    symbols: dict[int, np.ndarray]  # by image
    shown: list[ShownImage]


def main() -> int:
    """Parse the command line and run the demo. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--images", 300, "test images at each BER")
    command.add_seed(parser, 1, "random seed of the bit flips")
    command.add_path(parser, "--out", "build/demo", "folder for plots and figures")
    parser.add_argument("--record", action="store_true", help=f"also write the figures to {RECORD}")
    args = parser.parse_args()

    def demo() -> None:
        report = run(args.bundle, args.images, args.seed, args.out, Console())
        if args.record:
            command.write_json(RECORD, report)

    return command.execute("demo", demo)


def run(bundle_path: Path, count: int, seed: int, out: Path, console: Console) -> dict:
    """Run the demo, write accuracy.png, images.png and report.json to `out`, and return the report.

    Raises HostError if, without bit errors, a frame is lost or a symbol differs from TFLite's.
    """
    started = time.monotonic()
    bundle = load_bundle(bundle_path)
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
    results = _send_all(elf, bundle, images, labels, seed, console)
    console.print("Comparing with TFLite's reference kernels")
    expected = bundle.symbols(ReferenceEncoder(bundle.encoder_path).latents(images))
    clean = results["0"].symbols
    mismatches = sum(not np.array_equal(clean[i], expected[i]) for i in clean)
    report = {
        "target": info.target,
        "engine": info.engine,
        "bundle": bundle.name,
        "model_id": bundle.model_id,
        "dataset": bundle.manifest["dataset"],
        "images": len(images),
        "payload_bytes": bundle.chunk_bytes(0),
        "frame_bytes": bundle.chunk_layout(0).serial_size,
        "accuracy": {k: r.metrics.accuracy for k, r in results.items()},
        "accuracy_sent": {k: r.metrics.accuracy_sent for k, r in results.items()},
        "accuracy_float_clean": bundle.manifest["accuracy_float_clean"],
        "frames_lost": {k: r.metrics.frames_lost for k, r in results.items()},
        "ber_estimated": {k: r.metrics.ber_estimated for k, r in results.items()},
        "parity_mismatches": mismatches,
        "instructions_per_image": per_image,
        "model_flash_bytes": size.model_flash_bytes,
        "flash_bytes": size.flash_bytes,
        "ram_bytes": size.ram_bytes,
        "encoder_ram_bytes": size.encoder_ram_bytes,
        "encoder_macs": bundle.manifest["encoder_macs"],
        "command": f"python -m benchmarks.demo --bundle {bundle_path} --images {count} --seed {seed}",
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }
    out.mkdir(parents=True, exist_ok=True)
    draw_accuracy(out / "accuracy.png", report, bundle)
    draw_images(out / "images.png", [results["0"].shown, results["0.1"].shown], bundle)
    command.write_json(out / "report.json", report)
    _print_table(console, report)
    console.print(f"Plots: {out}/accuracy.png, {out}/images.png; figures: {out}/report.json")
    if mismatches or len(clean) < len(images):
        raise HostError(f"at BER 0, {len(images) - len(clean)} frames were lost and {mismatches} differ from TFLite's")
    return report


def _send_all(
    elf: Path, bundle: Bundle, images: np.ndarray, labels: np.ndarray, seed: int, console: Console
) -> dict[str, Result]:
    results = {}
    with qemu(elf) as board, progress_bar(console, lasting=True) as bar:
        for ber in BERS:
            task = bar.add_task(f"BER {ber:<5g}", total=len(images))
            classifier, result = Classifier.of([bundle]), Result(Metrics(), {}, [])
            with (
                Proxy(board, BitFlips(ber), seed) as proxy,
                Board.open(proxy.url, bundle, timeout=TIMEOUT_S) as connected,
            ):
                for i, (image, label) in enumerate(zip(images, labels, strict=True)):
                    frame, _ = connected.run(image)
                    if frame is None:
                        result.metrics.lost()
                    else:
                        reading = classifier.read(frame)
                        result.metrics.arrived(reading, int(label))
                        result.symbols[i] = frame.symbols
                        result.shown.append(ShownImage(i, image, int(label), reading.prediction, frame.payload, ber))
                    bar.update(task, advance=1, description=f"BER {ber:<5g} {100 * result.metrics.accuracy:5.1f} %")
            results[f"{ber:g}"] = result
    return results


def _print_table(console: Console, report: dict) -> None:
    dataset = title(report["dataset"])
    table = Table(title=f"{report['images']} {dataset} test images at each BER, {report['payload_bytes']} bytes each")
    for heading in ("BER", "accuracy %", "of all sent %", "frames lost", "BER estimated"):
        table.add_column(heading, justify="right")
    for ber in report["accuracy"]:
        table.add_row(
            ber,
            f"{100 * report['accuracy'][ber]:.1f}",
            f"{100 * report['accuracy_sent'][ber]:.1f}",
            str(report["frames_lost"][ber]),
            f"{report['ber_estimated'][ber]:.4f}",
        )
    console.print(table)
    console.print(
        f"float encoder, clean, all test images: {100 * report['accuracy_float_clean']:.1f} %; symbols that differ "
        f"from TFLite's reference kernels: {report['parity_mismatches']} images; {report['seconds']:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())

"""Cost of the encoder on an emulated Cortex-M4 and RV32IMC, by engine: instructions, flash, RAM and stack.

Besides bundles, it measures any classifier in an int8 .tflite file, as a board that answers alone. Figures of other
networks in the folder --out stay.
"""

import argparse
import os
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import command
from benchmarks.device import baseline as device_baseline
from benchmarks.device.baseline import Baseline, Measured
from benchmarks.device.classifier import bundle_of
from benchmarks.device.measure import TARGETS, Variant, compiler_version, measure
from benchmarks.device.page import ROWS, programs
from benchmarks.encoding import encode
from benchmarks.progress import progress_bar
from firmware.tools.build import build
from train.data.datasets import PUBLIC
from train.data.datasets import load as load_data
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle

DEFAULT = command.BUNDLE
BUILDS = Path("build/device")  # apart from .pio/build, which holds one engine only
COMMAND = "python -m benchmarks.device"
FLAGS = "PLATFORMIO_BUILD_FLAGS"
TFLM_HEADER = "tensorflow/lite/micro/micro_interpreter.h"


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__)
    parser.add_argument(
        "bundles",
        nargs="*",
        type=Path,
        default=[DEFAULT],
        metavar="PATH",
        help=f"bundles, or .tflite files of classifiers (default: {DEFAULT})",
    )
    parser.add_argument("--dataset", choices=PUBLIC, help="test images on which .tflite files are evaluated")
    command.add_path(parser, "--out", command.RESULTS, "folder for device.json and device_details.json")
    parser.add_argument("--accept", action="store_true", help=f"save the costs of {DEFAULT} as the new baseline")
    args = parser.parse_args()
    if args.accept and args.bundles != [DEFAULT]:
        parser.error(f"--accept works with {DEFAULT} only")
    console = Console(soft_wrap=True, highlight=False)
    return command.execute("device", lambda: run(args.bundles, args.out, args.accept, console, args.dataset))


def run(paths: list[Path], out: Path, accept: bool, console: Console, dataset: str | None = None) -> None:
    """Measure each bundle, write device.json and device_details.json to `out`, and print the tables."""
    baseline = device_baseline.load()
    # Figures of other networks stay. They are read first: a damaged file must not cost what was measured.
    files = (out / "device.json", out / "device_details.json")
    kept = {file: command.read_json(file) if file.exists() else {} for file in files}
    costs: dict[str, dict] = {}
    details: dict[str, dict] = {}
    for path in paths:
        if path.suffix == ".tflite":
            bundle, facts = _classifier(path, dataset, console)
            arguments = (f" --dataset {dataset}" if dataset else "") + f" {command.shown_path(path)}"
        else:
            bundle = load_bundle(path)
            facts = _facts(bundle)
            arguments = "" if path == DEFAULT else f" {command.shown_path(path)}"
        measured = _measure(bundle, arguments, console)
        costs[bundle.name] = {
            target: {variant: asdict(entry.cost) for variant, entry in variants.items()}
            for target, variants in measured.items()
        }
        details[bundle.name] = {"model_id": bundle.model_id, **facts, "measured": _sources(measured)}
        console.print(_table(bundle.name, costs, details[bundle.name], baseline))
        if accept:
            device_baseline.save(device_baseline.accept(baseline, bundle.name, bundle.model_id, measured))
            console.print(f"New baseline: {device_baseline.FILE}")
    for file, measured_now in zip(kept, (costs, details), strict=True):
        command.write_json(file, kept[file] | measured_now)
    console.print(f"Figures: {out}/device.json, {out}/device_details.json")


def _classifier(file: Path, dataset: str | None, console: Console) -> tuple[Bundle, dict]:
    """Return a .tflite file as a bundle, and its facts for device_details.json."""
    data = load_data(dataset, None, False, console.print) if dataset else None
    bundle = load_bundle(bundle_of(file, BUILDS / "classifiers" / file.stem, list(data.classes) if data else None))
    accuracy = None
    if data:
        with progress_bar(console) as bar:
            accuracy = float(np.mean(encode(bundle, data.x_test, bar).classes == data.y_test))
    return bundle, {"dataset": dataset, "encoder_macs": None, "accuracy": accuracy, "accuracy_board": accuracy}


def _measure(bundle: Bundle, arguments: str, console: Console) -> dict[str, dict[str, Measured]]:
    """Return the costs by target and variant, with the command that measures them again.

    An engine whose library PlatformIO cannot find is left out.
    """
    measured: dict[str, dict[str, Measured]] = {}
    for name, target in TARGETS.items():
        measured[name] = {}
        for key, variant in target.variants.items():
            if variant.engine == "tflm" and not tflm_available():
                console.print(f"{name}, {variant.title}: not measured, no TFLite Micro in PLATFORMIO_LIB_EXTRA_DIRS")
                continue
            with console.status(f"{name}, {variant.title}"):
                elf = _build(target.environment, bundle, key, variant)
                cost = measure(elf, target.environment, variant.engine, bundle)
            libraries = "PLATFORMIO_LIB_EXTRA_DIRS=DIR " if variant.engine == "tflm" else ""
            used = f"{libraries}{COMMAND}{arguments}"
            measured[name][key] = Measured(cost, compiler_version(target), time.strftime("%Y-%m-%d"), used)
    return measured


def _build(environment: str, bundle: Bundle, key: str, variant: Variant) -> Path:
    """Build a variant in a folder of its own, with its flags added to those that the user gives PlatformIO."""
    flags = f"{os.environ.get(FLAGS, '')} {variant.flags}".strip() if variant.flags else ""
    return build(environment, bundle=bundle.path, build_dir=BUILDS / key, engine=variant.engine, flags=flags)


def tflm_available() -> bool:
    """Return True if a folder in PLATFORMIO_LIB_EXTRA_DIRS holds a library with TFLite Micro's headers."""
    folders = os.environ.get("PLATFORMIO_LIB_EXTRA_DIRS", "").replace(os.pathsep, ",").split(",")
    return any(any(Path(folder.strip()).glob(f"*/**/{TFLM_HEADER}")) for folder in folders if folder.strip())


def _sources(measured: dict[str, dict[str, Measured]]) -> dict:
    """Return how each cost was measured."""
    return {
        target: {
            variant: {"compiler": entry.compiler, "date": entry.date, "command": entry.command}
            for variant, entry in variants.items()
        }
        for target, variants in measured.items()
    }


def _facts(bundle: Bundle) -> dict:
    """Return the facts about a bundle that a reader of device.json needs."""
    try:
        facts = {key: bundle.manifest[key] for key in ("dataset", "encoder_macs")}
        accuracy = None if bundle.embedding else bundle.manifest["accuracy"]["0"]
    except (KeyError, TypeError) as error:
        raise BundleError(f"bundle {bundle.path}: bundle.json has no {error}") from None
    payload_bytes = bundle.chunk_bytes(0) if bundle.chunks else None
    board = bundle.manifest.get("accuracy_board")
    return facts | {"accuracy": accuracy, "accuracy_board": board, "payload_bytes": payload_bytes}


def _table(bundle: str, costs: dict, details: dict, baseline: Baseline) -> Table:
    """Return a table with one column per program."""
    shown = programs(bundle, costs, details, baseline)
    table = Table(title=f"{bundle}, model {details['model_id']}; flash, RAM, arena and stack in bytes")
    table.add_column("")
    for program in shown:
        table.add_column(program.title, justify="right")
    for row, text in ROWS.items():
        table.add_row(text.split(": a")[0], *[program.text(row) for program in shown])
    return table

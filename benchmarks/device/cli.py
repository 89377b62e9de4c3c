"""The encoder's cost on a Cortex-M4 and an RV32IMC, by engine: instructions, flash, RAM, stack; no board needed."""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.device import baseline as device_baseline
from benchmarks.device.baseline import Baseline, Measured
from benchmarks.device.measure import TARGETS, compiler_version, measure
from benchmarks.device.page import ROWS, programs
from firmware.tools.build import BuildError, build
from firmware.tools.emulator import EmulatorError
from firmware.tools.footprint import FootprintError
from host.errors import HostError
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle

FAULTS = (BundleError, BuildError, EmulatorError, FootprintError, HostError, OSError)
DEFAULT = Path("bundles/cifar10")
BUILDS = Path("build/device")  # apart from the usual builds, which have one engine each
COMMAND = "make bench-device"
TFLM_HEADER = "tensorflow/lite/micro/micro_interpreter.h"


def main() -> int:
    """Parse the command line, measure, write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__)
    parser.add_argument("bundles", nargs="*", type=Path, default=[DEFAULT], help=f"default: {DEFAULT}")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="default: %(default)s")
    parser.add_argument("--accept", action="store_true", help=f"make what {DEFAULT} costs now the committed baseline")
    args = parser.parse_args()
    if args.accept and args.bundles != [DEFAULT]:
        parser.error(f"--accept is for {DEFAULT} alone")
    try:
        run(args.bundles, args.out, args.accept, Console(soft_wrap=True, highlight=False))
    except FAULTS as error:
        print(f"device: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndevice: interrupted", file=sys.stderr)
        return 130
    return 0


def run(paths: list[Path], out: Path, accept: bool, console: Console) -> None:
    """Measure each bundle, write device.json and device_details.json to `out`, show the tables."""
    baseline = device_baseline.load()
    costs: dict[str, dict] = {}
    details: dict[str, dict] = {}
    for path in paths:
        bundle = load_bundle(path)
        measured = _measure(bundle, console)
        costs[bundle.name] = {
            target: {engine: asdict(found.cost) for engine, found in engines.items()}
            for target, engines in measured.items()
        }
        details[bundle.name] = _details(bundle, measured)
        console.print(_table(bundle.name, costs, details[bundle.name], baseline))
        if accept:
            device_baseline.save(device_baseline.accept(baseline, bundle.name, bundle.model_id, measured))
            console.print(f"Accepted: {device_baseline.FILE}")
    out.mkdir(parents=True, exist_ok=True)
    (out / "device.json").write_text(json.dumps(costs, indent=1) + "\n", encoding="utf-8")
    (out / "device_details.json").write_text(json.dumps(details, indent=1) + "\n", encoding="utf-8")
    console.print(f"Figures: {out}/device.json, {out}/device_details.json")


def _measure(bundle: Bundle, console: Console) -> dict[str, dict[str, Measured]]:
    """By target and engine, as far as the engine's library is in PlatformIO's reach."""
    measured: dict[str, dict[str, Measured]] = {}
    for name, target in TARGETS.items():
        measured[name] = {}
        for engine, words in target.engines.items():
            if engine == "tflm" and not tflm_in_reach():
                console.print(f"{name}, {words}: no TFLite Micro in PLATFORMIO_LIB_EXTRA_DIRS, not measured now")
                continue
            with console.status(f"{name}, {words}"):
                elf = build(target.environment, bundle=bundle.path, build_dir=BUILDS / engine, engine=engine)
                cost = measure(elf, target.environment, engine, bundle)
            command = f"{'PLATFORMIO_LIB_EXTRA_DIRS=DIR ' if engine == 'tflm' else ''}{COMMAND}"
            measured[name][engine] = Measured(cost, compiler_version(target), time.strftime("%Y-%m-%d"), command)
    return measured


def tflm_in_reach() -> bool:
    """Whether a folder in PLATFORMIO_LIB_EXTRA_DIRS holds a library with TFLite Micro's headers."""
    folders = os.environ.get("PLATFORMIO_LIB_EXTRA_DIRS", "").replace(os.pathsep, ",").split(",")
    return any(any(Path(folder.strip()).glob(f"*/**/{TFLM_HEADER}")) for folder in folders if folder.strip())


def _details(bundle: Bundle, measured: dict[str, dict[str, Measured]]) -> dict:
    """What a reader of device.json must know besides."""
    how = {
        target: {
            engine: {"compiler": found.compiler, "date": found.date, "command": found.command}
            for engine, found in engines.items()
        }
        for target, engines in measured.items()
    }
    try:
        told = {key: bundle.manifest[key] for key in ("dataset", "encoder_macs")}
        accuracy = bundle.manifest["accuracy"]["0"]
    except (KeyError, TypeError) as error:
        raise BundleError(f"bundle {bundle.path}: bundle.json has no {error}") from None
    common = {"model_id": bundle.model_id, "accuracy": accuracy, "payload_bytes": bundle.chunk_bytes(0)}
    return common | told | {"measured": how}


def _table(bundle: str, costs: dict, details: dict, baseline: Baseline) -> Table:
    """A program a column: with seven figures each, that is the narrower way."""
    shown = programs(bundle, costs, details, baseline)
    table = Table(title=f"{bundle}, model {details['model_id']}; flash, RAM, arena and stack in bytes")
    table.add_column("")
    for program in shown:
        table.add_column(program.title, justify="right")
    for row, text in ROWS.items():
        table.add_row(text.split(": a")[0], *[program.cell(row) for program in shown])
    return table


if __name__ == "__main__":
    sys.exit(main())

"""The receiver at its limits, over random bit flips, and in a soak of proxy and receiver.

Measures lost headers, false frames in noise, the BER estimate, and the speed of the simulated LoRa channel. The
accuracy that estimating the BER costs is read from the figures of `make bench-codec`. With --secured, the devices have
keys; what does not depend on keys is left out. What comes before the soak is kept, and so is the soak: run the same
command again to resume, and delete the folder --kept after a change of the code.
"""

import argparse
import datetime
import json
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import command
from benchmarks.progress import progress_bar
from benchmarks.receiver.measure import SPREADING_FACTORS, Settings, lora_speed, measure
from benchmarks.receiver.page import FILE, SECURED_FILE, rows
from benchmarks.receiver.soak import soak
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiver", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--frames", 100_000, "frames per BER")
    command.add_count(parser, "--noise", 100_000_000, "random bytes per number of known devices")
    command.add_count(parser, "--runs", 1000, "runs of the BER estimator per BER")
    command.add_count(parser, "--soak", 1_000_000, "frames of the soak")
    command.add_seed(parser)
    command.add_path(parser, "--codec", command.RESULTS / "codec.json", "figures of make bench-codec")
    parser.add_argument("--secured", action="store_true", help="the devices have keys")
    command.add_path(parser, "--kept", "build/bench/receiver", "folder of what was measured before")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="file (default: receiver.json or receiver_secured.json)"
    )
    args = parser.parse_args()
    return command.execute("receiver", lambda: run(args, Console()), resumable=True)


def run(args: argparse.Namespace, console: Console) -> None:
    """Measure, write the figures and print them."""
    figures = measure_all(args, console)
    out = args.out or command.RESULTS / (SECURED_FILE if args.secured else FILE)
    command.write_json(out, figures)
    console.print(_table(figures))
    console.print(f"Figures: {out}, {figures['seconds']:.0f} s")


def measure_all(args: argparse.Namespace, console: Console) -> dict:
    """Return all figures, and how they were measured."""
    bundle = load_bundle(args.bundle)
    secured = " --secured" if args.secured else ""
    kept = args.kept / f"{command.kept_name(bundle)}-{args.seed}{'-secured' if args.secured else ''}"

    def limits() -> dict:
        started = time.monotonic()
        plain = {} if args.secured else _without_keys(args, bundle, console)
        settings = Settings(bundle, args.frames, args.noise, args.runs, args.seed, args.secured)
        return {**measure(settings, console), **plain, "seconds": time.monotonic() - started}

    def soaked() -> dict:
        return soak(bundle.path, args.soak, args.seed, console, args.secured)

    figures = command.kept_figures(kept / f"limits-{args.frames}-{args.noise}-{args.runs}.json", limits)
    figures["soak"] = command.kept_figures(kept / f"soak-{args.soak}.json", soaked)
    return {
        **figures,
        "frames": args.frames,
        "noise_bytes": args.noise,
        "runs": args.runs,
        "seed": args.seed,
        "model_id": bundle.model_id,
        "command": f"python -m benchmarks.receiver --bundle {bundle.path} --frames {args.frames} --noise {args.noise} "
        f"--runs {args.runs} --soak {args.soak} --seed {args.seed}{secured}",
        "date": datetime.date.today().isoformat(),
        "seconds": round(figures["seconds"] + figures["soak"]["seconds"], 1),
    }


def _without_keys(args: argparse.Namespace, bundle: Bundle, console: Console) -> dict:
    """Return the figures that do not depend on keys."""
    cost, cost_by_ber = cost_of_estimating(args.codec, bundle)
    with progress_bar(console) as bar:
        task = bar.add_task("LoRa, SF7 to SF12", total=len(SPREADING_FACTORS))
        speeds = lora_speed(args.seed, lambda steps: bar.advance(task, steps))
    return {
        "lora_frames_per_minute": min(speeds.values()),
        "lora_frames_per_minute_by_sf": speeds,
        "accuracy_cost_of_estimated_ber": cost,
        "accuracy_cost_by_ber": cost_by_ber,
    }


def cost_of_estimating(file: Path, bundle: Bundle) -> tuple[float, dict[str, float]]:
    """Return the accuracy that estimating the BER costs, in points, for the whole payload: the largest, and by BER.

    Raises BundleError if `file` has no figures of this bundle.
    """
    try:
        codec = json.loads(file.read_text())
        if codec["model_id"] != bundle.model_id:
            raise BundleError(f"{file} is of model {codec['model_id']}, not {bundle.model_id}: run make bench-codec")
        by_ber = codec["payload_bytes"][str(bundle.chunk_bytes(0))]["by_ber"]
        costs = {ber: 100 * (row["accuracy_true_ber_given"] - row["accuracy"]) for ber, row in by_ber.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{file} has no figures of the codec ({error}): run make bench-codec") from None
    return max(costs.values()), costs


def _table(figures: dict) -> Table:
    table = Table(title="The receiver at its limits", show_header=False)
    for name, value in rows(figures).items():
        table.add_row(name, value)
    return table

"""Answer frames at their limits: lost, wrong, unsure and false answers of known and new devices, by bit error rate.

Beside them: layouts of 9 and 10 bytes, and one byte behind a CRC in no more than the same air time.
"""

import argparse
import datetime
import time

from rich.console import Console

from benchmarks import command
from benchmarks.answers.layouts import LAYOUTS, known_device, opponents
from benchmarks.answers.measure import BERS, CLASS_COUNTS, OnProgress, measure
from benchmarks.progress import progress_bar


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__)
    command.add_count(parser, "--frames", 10_000, "frames per BER")
    command.add_count(parser, "--noise", 200_000, "random packets per number of known devices")
    command.add_seed(parser)
    command.add_path(parser, "--out", command.RESULTS / "answers.json", "file for the figures")
    args = parser.parse_args()

    def run() -> None:
        command.write_json(args.out, measure_all(args.frames, args.noise, args.seed, Console()))
        print(f"Figures: {args.out}")

    return command.execute("answers", run)


def measure_all(frames: int, noise: int, seed: int, console: Console) -> dict:
    """Return all figures, and how they were measured."""
    started = time.monotonic()
    with progress_bar(console) as bar:

        def task(name: str, total: int) -> OnProgress:
            number = bar.add_task(name, total=total)
            return lambda steps: bar.advance(number, steps)

        figures = measure(frames, noise, seed, task)
        layouts = {
            f"{n_classes} classes, {layout.title}": {
                f"{ber:g}": known_device(
                    layout, n_classes, ber, frames, seed, task(f"{layout.title}, {n_classes} classes", frames)
                )
                for ber in BERS
            }
            for n_classes in CLASS_COUNTS[:2]
            for layout in LAYOUTS
        }
    return {
        **figures,
        "layouts": layouts,
        "opponents": opponents(),
        "frames": frames,
        "noise_packets": noise,
        "seed": seed,
        "command": f"python -m benchmarks.answers --frames {frames} --noise {noise} --seed {seed}",
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }

"""Fuzz the firmware and the receiver, or replay findings.

python -m tests.fuzz                                  # both, 30 minutes each, one after the other
python -m tests.fuzz receiver --minutes 5 --keep      # one; inputs with new coverage join its corpus
python -m tests.fuzz firmware --replay FILE ...       # repeat inputs, with all output of the target
"""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.command import execute
from firmware.tools.core_dir import ROOT
from tests.fuzz import firmware, fuzzer
from tests.fuzz.fuzzer import Target

NAMES = ("firmware", "receiver")
FOLDER = ROOT / "build" / "fuzz"


def target(name: str, folder: Path = FOLDER) -> Target:
    """Build and return the target of this name; its files go to a subfolder of `folder`."""
    folder = folder / name
    corpus = ROOT / "tests" / "fuzz" / "corpus" / name
    if name == "firmware":
        return Target(name, [str(firmware.build(folder / "program"))], corpus, folder, max_bytes=300)
    return Target(name, [sys.executable, "-m", f"tests.fuzz.{name}"], corpus, folder, max_bytes=150)


def main() -> int:
    """Parse the command line and fuzz. Return 1 if there is a finding."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the fuzzer's process as well
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="TARGET", help=f"{' or '.join(NAMES)} (default: both)")
    parser.add_argument("--minutes", type=float, default=30.0, help="time for each target (default: %(default)g)")
    parser.add_argument("--keep", action="store_true", help="add to the corpus in the repository")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="repeat these inputs only")
    args = parser.parse_args()
    if any(name not in NAMES for name in args.names) or (args.replay and len(args.names) != 1):
        parser.error(f"TARGET is {' or '.join(NAMES)}; --replay takes one")

    def run() -> int:
        targets = [target(name) for name in args.names or NAMES]
        if args.replay:
            return _replay(targets[0], args.replay)
        return max(fuzz(each, 60 * args.minutes, args.keep) for each in targets)

    return execute("fuzz", run)


def fuzz(target: Target, seconds: float, keep: bool) -> int:
    """Fuzz one target and print the outcome. Return 1 if there is a finding."""
    outcome = fuzzer.fuzz(target, seconds, lambda line: print(line, flush=True))
    figures = f"{outcome.executions:,} inputs in {outcome.seconds / 60:.1f} minutes"
    print(f"{target.name}: {figures}, coverage {outcome.coverage}, log {_shown(target.log)}", flush=True)
    if outcome.failed:
        print(f"{target.name}: FOUND {outcome.finding or 'a fault'}; see the end of the log", flush=True)
        if outcome.finding:
            print(f"repeat: make fuzz ARGS='{target.name} --replay {_shown(outcome.finding)}'", flush=True)
        return 1
    if keep:
        fuzzer.keep(target)
    return 0


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _replay(target: Target, inputs: list[Path]) -> int:
    done = fuzzer.replay(target, inputs)
    print(done.stdout + done.stderr, end="")
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())

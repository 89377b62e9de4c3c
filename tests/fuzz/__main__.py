"""Fuzzes the firmware and the receiver, or replays what was found.

python -m tests.fuzz                                  # both, 30 minutes each, one after the other
python -m tests.fuzz receiver --minutes 5 --keep      # one; what reaches something new goes into the corpus
python -m tests.fuzz firmware --replay FILE ...       # run inputs again, with all that the target says
"""

import argparse
import signal
import sys
from pathlib import Path

from firmware.tools.core_dir import ROOT
from firmware.tools.model import ModelError
from tests.fuzz import engine, firmware
from tests.fuzz.engine import Target
from tests.fuzz.firmware import FuzzError

NAMES = ("firmware", "receiver")
FOLDER = ROOT / "build" / "fuzz"


def target(name: str, folder: Path = FOLDER) -> Target:
    """The target of this name, built if need be; what it makes goes to a folder in `folder`."""
    folder = folder / name
    corpus = ROOT / "tests" / "fuzz" / "corpus" / name
    if name == "firmware":
        return Target(name, [str(firmware.build(folder / "program"))], corpus, folder, longest=300)
    return Target(name, [sys.executable, "-m", f"tests.fuzz.{name}"], corpus, folder, longest=150)


def main() -> int:
    """Parse the command line and fuzz; 1 when something was found."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the fuzzer is ended, too
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="TARGET", help=f"{' or '.join(NAMES)} (default: both)")
    parser.add_argument("--minutes", type=float, default=30.0, help="for each (default: %(default)g)")
    parser.add_argument("--keep", action="store_true", help="add to the corpus in the repository")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="run these inputs, and no others")
    args = parser.parse_args()
    if any(name not in NAMES for name in args.names) or (args.replay and len(args.names) != 1):
        parser.error(f"TARGET is {' or '.join(NAMES)}; --replay takes one")
    try:
        targets = [target(name) for name in args.names or NAMES]
        if args.replay:
            return _replay(targets[0], args.replay)
        return max(fuzz(each, 60 * args.minutes, args.keep) for each in targets)
    except (FuzzError, ModelError, OSError) as error:
        print(f"fuzz: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nfuzz: interrupted", file=sys.stderr)
        return 130


def fuzz(target: Target, seconds: float, keep: bool) -> int:
    """Fuzzes one target and says how it went; 1 when something was found."""
    outcome = engine.fuzz(target, seconds, lambda line: print(line, flush=True))
    figures = f"{outcome.executions:,} inputs in {outcome.seconds / 60:.1f} minutes"
    print(f"{target.name}: {figures}, coverage {outcome.coverage}, log {_shown(target.log)}", flush=True)
    if outcome.failed:
        print(f"{target.name}: FOUND {outcome.finding or 'a fault'}; the log's end tells what", flush=True)
        if outcome.finding:
            print(f"again: make fuzz ARGS='{target.name} --replay {_shown(outcome.finding)}'", flush=True)
        return 1
    if keep:
        engine.keep(target)
    return 0


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _replay(target: Target, inputs: list[Path]) -> int:
    done = engine.replay(target, inputs)
    print(done.stdout + done.stderr, end="")
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())

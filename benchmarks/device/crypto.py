"""Cost of secured frames on an emulated Cortex-M4 and RV32IMC, beside plain ones: instructions, flash, RAM and stack.

A program that only writes frames is measured, with a payload of 144 bytes.
"""

import argparse
import datetime
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import command
from benchmarks.device.measure import TARGETS, compiler_version
from benchmarks.markdown import table
from tests.wire.secure.frame_cost import PAYLOAD_BYTES, PIXELS, measure

COMMAND = "python -m benchmarks.device.crypto"
FILE = "crypto.json"
ROWS = {  # a row of the table -> its figure among the instructions
    "feature frame, payload of {payload_bytes} bytes": "features",
    "answer frame": "answer",
}
ONLY_SECURED = {
    "status frame: its tag": "tag of a status",
    "check of a sealed RUN with {pixels:,} pixels": "seal of a RUN",
    "keys, once per start": "keys",
}


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    command.add_path(parser, "--out", command.RESULTS / FILE, "file of the figures")
    args = parser.parse_args(arguments)
    return command.execute("crypto", lambda: run(args.out))


def run(out: Path) -> None:
    """Measure both processors, write the figures to `out`, and print the table."""
    figures: dict[str, Any] = {
        "command": COMMAND,
        "date": datetime.date.today().isoformat(),
        "payload_bytes": PAYLOAD_BYTES,
        "pixels": PIXELS,
        "targets": {},
    }
    for name, target in TARGETS.items():
        with tempfile.TemporaryDirectory(prefix="inkling-") as folder:
            cost = measure(target.environment, Path(folder))
        figures["targets"][name] = {"compiler": compiler_version(target), **cost._asdict()}
    command.write_json(out, figures)
    Console(soft_wrap=True, highlight=False, markup=False).print(section(figures))


def section(figures: dict[str, Any]) -> str:
    """Return the section of docs/RESULTS.md in Markdown."""
    targets = [figures["targets"][name] for name in TARGETS]
    kinds = [f"{TARGETS[name].title}, {kind}" for name in TARGETS for kind in ("plain", "secured")]
    rows = []
    for heading, key in ROWS.items():
        counts = [target["instructions"][f"{kind} {key}"] for target in targets for kind in ("plain", "secured")]
        rows.append([heading.format(**figures), *[f"{count:,}" for count in counts]])
    for heading, key in ONLY_SECURED.items():
        cells = [cell for target in targets for cell in ("-", f"{target['instructions'][key]:,}")]
        rows.append([heading.format(**figures), *cells])
    sizes = {
        "flash: code and constants, bytes": [sum(target["flash_bytes"].values()) for target in targets],
        "RAM: keys of a device, bytes": [target["keys_bytes"] for target in targets],
        "stack to write a secured feature frame, bytes": [target["stack_bytes"] for target in targets],
    }
    rows += [[heading, *[cell for size in each for cell in ("-", f"{size:,}")]] for heading, each in sizes.items()]
    compilers = "; ".join(dict.fromkeys(target["compiler"] for target in targets))
    text = (
        "Instructions to write each frame, counted by QEMU with `-icount`; bytes from the compiler's object files. The "
        "encoder is not included. AES has no tables and no branches that depend on keys or data, which costs "
        f"instructions. {compilers}; {figures['date']}, `{figures['command']}`.\n"
    )
    return table(f"## Secured frames on the device\n\n{text}", ["", *kinds], rows)


if __name__ == "__main__":
    sys.exit(main())

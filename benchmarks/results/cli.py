"""Write docs/RESULTS.md and its plots from the committed figures in benchmarks/results.

With --sections, only these are written; the others stay as they are.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.results.page import PAGE, RESULTS, SECTIONS, page, read_figures
from wire.errors import InklingError


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and write the page. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="default: all")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the figures (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGE, help="default: %(default)s")
    args = parser.parse_args(arguments)
    try:
        figures = read_figures(args.results, args.sections)
        old = args.out.read_text(encoding="utf-8") if args.out.exists() else ""
        args.out.write_text(page(figures, old), encoding="utf-8")
        drawn = [name for key, parts in figures.items() for name in SECTIONS[key].draw(args.out.parent, *parts)]
    except (InklingError, OSError) as error:
        print(f"results: {error}", file=sys.stderr)
        return 1
    print(f"Written: {', '.join([str(args.out), *drawn])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

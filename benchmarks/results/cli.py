"""Write docs/RESULTS.md and its plots from the committed figures in benchmarks/results.

With --sections, only these are written; the others stay as they are. The figures in docs/preview.md are written, too.
"""

import argparse
import sys

from benchmarks import command
from benchmarks.command import RESULTS
from benchmarks.preview import page as preview_page
from benchmarks.results.page import PAGE, SECTIONS, page, read_figures


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and write the page. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="default: all")
    command.add_path(parser, "--results", RESULTS, "folder of the figures")
    command.add_path(parser, "--out", PAGE, "page; its folder gets the plots")
    args = parser.parse_args(arguments)

    def run() -> None:
        figures = read_figures(args.results, args.sections)
        old = args.out.read_text(encoding="utf-8") if args.out.exists() else ""
        args.out.write_text(page(figures, old), encoding="utf-8")
        drawn = [name for key, parts in figures.items() for name in SECTIONS[key].draw(args.out.parent, *parts)]
        drawn += preview_page.refresh(args.results, args.out.parent)
        print(f"Written: {', '.join([str(args.out), *drawn])}")

    return command.execute("results", run)


if __name__ == "__main__":
    sys.exit(main())

"""Previews of test images, by payload and bit error rate: PSNR, SSIM, and the cosine of embeddings.

Symbols come from TFLite's reference kernels. Each image's frame passes through the binary symmetric channel into the
receiver, and the preview network gets the symbols and the bit error rate that the receiver estimates. The page and the
sheet of examples are written from the same previews.
"""

import argparse
from pathlib import Path

from rich.console import Console

from benchmarks import command
from benchmarks.preview import page
from wire.bundle import load as load_bundle

BUNDLE = Path("bundles/general64")


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, and write figures, page and sheet. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preview", description=__doc__)
    command.add_path(parser, "--bundle", BUNDLE, "folder of a general bundle with a preview network")
    command.add_count(parser, "--images", 1000, "test images")
    command.add_seed(parser, text="random seed of the bit flips")
    command.add_path(parser, "--out", command.RESULTS / page.FIGURES, "file for the figures")
    command.add_path(parser, "--docs", page.DOCS, f"folder of {page.PAGE}, in which the sheet is written, too")
    args = parser.parse_args(arguments)

    def run() -> None:
        from benchmarks.preview.measure import measure
        from benchmarks.preview.sheet import draw

        page.check(args.docs)  # before minutes of measuring
        figures, examples = measure(load_bundle(args.bundle), args.images, args.seed, Console())
        command.write_json(args.out, figures)
        draw(examples, args.docs / page.SHEET)
        page.write(figures, args.docs)
        print(f"written: {args.out}, {args.docs / page.PAGE}, {args.docs / page.SHEET}")

    return command.execute("preview", run)

"""Measure all schemes at all SNRs and spreading factors, and reduce them to frontiers and comparisons."""

import datetime
import time
from functools import partial

import numpy as np
from rich.console import Console
from rich.progress import Progress

from benchmarks.adaptive.prepare import Bench, Settings, prepare
from benchmarks.adaptive.reduce import CHIPS, reduce
from benchmarks.adaptive.schemes.cells import SNRS_DB, SPREADING_FACTORS, Cell, snr_name
from benchmarks.adaptive.schemes.modes import INKLING
from benchmarks.command import paths_option
from benchmarks.progress import progress_bar
from wire.answer import CONFIDENCES

CHECKED_CELLS = (Cell(7, -9.0), Cell(7, -11.0))  # in which a mixed stream is compared with its parts


def measure(settings: Settings) -> dict:
    """Return all figures, by SNR."""
    started, console = time.monotonic(), Console()
    by_snr = {}
    with progress_bar(console) as bar:
        bench = prepare(settings, console, bar)
        for snr_db in SNRS_DB:
            cells = [Cell(sf, snr_db) for sf in SPREADING_FACTORS]
            points = [point for cell in cells for point in bench.points(cell, bar) if point.accuracy > 0]
            by_snr[snr_name(snr_db)] = row = reduce(points)
            console.print(_line(snr_name(snr_db), row), highlight=False, soft_wrap=True)
        threshold = _even_threshold(bench)
        mixed = _mixed_streams(bench, settings, threshold, bar)
    return {
        "bundle": bench.bundle.name,
        "model_id": bench.bundle.model_id,
        "dataset": bench.bundle.manifest["dataset"],
        "images": len(bench.streams.test.labels),
        "held_out": len(bench.streams.held_out.labels),
        "draws": settings.draws,
        "seed": settings.seed,
        "coding_rates": settings.coding_rates,
        "lora_packets": settings.lora_packets,
        "coded_packets": settings.coded_packets,
        "energy": bench.modes.energy.as_json(),
        **bench.figures,
        "mixed_threshold": threshold,
        "mixed_streams": mixed,
        "by_snr": by_snr,
        "command": _command(settings),
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }


def _even_threshold(bench: Bench) -> int:
    """Return the threshold at which most nearly half of the held-out images are answered: the most mixed stream."""
    confidences = bench.modes.confidences.held_out
    return min(range(CONFIDENCES), key=lambda threshold: abs((confidences >= threshold).mean() - 0.5))


def _mixed_streams(bench: Bench, settings: Settings, threshold: int, bar: Progress) -> dict[str, dict[str, float]]:
    """Return the accuracy of mode adaptive in one mixed stream, beside that composed of two streams, by cell."""
    rate = min(settings.coding_rates)
    answers, features = (
        next(way for way in bench.ways if (way.chunk, way.header, way.coding_rate) == (chunk, True, rate))
        for chunk in (None, 0)
    )
    figures = {}
    for cell in CHECKED_CELLS:
        task = bar.add_task(f"mixed stream, {cell.name}", total=settings.draws * len(bench.streams.test.labels))
        on_progress = partial(bar.advance, task)
        mixed = bench.streams.mixed(cell, 0, threshold, rate, on_progress)
        answer, feature = (bench.streams.send(cell, way, on_progress).correct for way in (answers, features))
        composed = np.where(bench.modes.confidences.test >= threshold, answer, feature)
        figures[cell.name] = {"mixed": float(mixed.mean()), "composed": float(composed.mean())}
    return figures


def _command(settings: Settings) -> str:
    return (
        f"python -m benchmarks.adaptive --bundle {settings.bundle}{paths_option('--boards', settings.boards)} "
        f"--images {settings.images} --held-out {settings.held_out} --draws {settings.draws} --seed {settings.seed} "
        f"--coding-rates {' '.join(map(str, settings.coding_rates))} "
        f"--packets {settings.lora_packets} --coded-packets {settings.coded_packets}"
    )


def _line(snr: str, row: dict) -> str:
    compared = row["against"][INKLING]["air_s"].get(CHIPS, [])
    place = "clean link" if snr == "clean" else f"{snr} dB"
    if not compared:
        return f"{place}: nothing to compare"
    cost, lead, _ = min(compared, key=lambda each: each[1])
    return f"{place}: lead over all opponents on LoRa chips at least {100 * lead:+.2f} points, at {1e3 * cost:.0f} ms"

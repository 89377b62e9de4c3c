"""Everything that the comparison sends, ready to be measured cell by cell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from benchmarks.adaptive.frontier import Point
from benchmarks.adaptive.schemes import contents
from benchmarks.adaptive.schemes.cells import Cell, snr_name
from benchmarks.adaptive.schemes.conventional import AdaptiveCrc
from benchmarks.adaptive.schemes.energy import EnergyModel
from benchmarks.adaptive.schemes.modes import Confidences, Modes, Way
from benchmarks.adaptive.schemes.opponents import (
    Competitor,
    Content,
    answer_opponents,
    feature_opponents,
    packets_of,
)
from benchmarks.adaptive.schemes.packets import CODING_RATES, Simulation
from benchmarks.adaptive.schemes.streams import Images, RememberingDecoder, Streams
from benchmarks.adaptive.thresholds import thresholds
from benchmarks.command import kept_name
from benchmarks.encoding import classes_if_intact, encode
from benchmarks.images import held_out_for, images_for
from host.classify.decoder import Decoder
from wire.answer import CONFIDENCES
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle
from wire.frame import HEADER_BYTES


@dataclass(frozen=True)
class Settings:
    """Settings of the benchmark."""

    bundle: Path
    boards: list[Path]  # bundles whose boards answer, and classifiers in .tflite files
    images: int
    held_out: int
    draws: int
    seed: int
    coding_rates: list[int]  # of Inkling's answers; features have the lowest
    lora_packets: int
    coded_packets: int
    kept: Path  # folder of what was measured before
    compressed: Path  # folder of the classifiers of compressed images
    device: Path  # figures of make bench-device


@dataclass(frozen=True, eq=False)
class Bench:
    """All schemes, and the figures that need no link."""

    bundle: Bundle
    streams: Streams
    ways: list[Way]
    modes: Modes
    simulation: Simulation
    competitors: list[Competitor]
    figures: dict

    def points(self, cell: Cell, bar: Progress) -> Iterator[Point]:
        """Yield the operating points of all schemes in one cell."""
        frames = len(self.ways) * len(self.streams.test.labels) * self.streams.draws
        task = bar.add_task(f"SF{cell.sf}, {snr_name(cell.snr_db)} dB", total=frames)
        sent = [self.streams.send(cell, way, partial(bar.advance, task)) for way in self.ways]
        delivered = self.simulation.delivered(cell, packets_of(self.competitors))
        bar.remove_task(task)
        yield from self.modes.points(cell, sent)
        for competitor in self.competitors:
            yield competitor.point(cell, delivered, self.modes.energy)


def prepare(settings: Settings, console: Console, bar: Progress) -> Bench:
    """Load and encode everything. Raises BundleError if a bundle, its images or a board's costs are missing."""
    bundle = load_bundle(settings.bundle)
    if bundle.answer is None or not bundle.heads:
        raise BundleError(f"bundle {bundle.path}: the comparison needs one with features and answers")
    kept = settings.kept / f"{kept_name(bundle)}-{settings.images}-{settings.held_out}-{settings.seed}"
    kept.mkdir(parents=True, exist_ok=True)
    costs = contents.Costs.read(settings.device)
    test = images_for(bundle, settings.images, console.print)
    held_out_images, held_out_labels = held_out_for(bundle, settings.held_out, console.print)
    on_test = Images(encode(bundle, test.images, bar, kept / "test.npy"), test.labels)
    held_out = Images(encode(bundle, held_out_images, bar, kept / "held_out.npy"), held_out_labels)
    decoder = RememberingDecoder(Decoder(bundle))
    prefixes = [chunk for chunk, (first, _) in enumerate(bundle.chunks) if first == 0]
    own = contents.own_answers(bundle, on_test.encoded, test.labels, costs)
    boards = [own, *(contents.other_answers(path, test, own, costs, bar, kept) for path in settings.boards)]
    features = contents.features(bundle, decoder, on_test.encoded, test.labels, prefixes, costs)
    test_levels, held_out_levels = on_test.encoded.confidences, held_out.encoded.confidences
    assert test_levels is not None and held_out_levels is not None
    competitors: list[Competitor] = [
        *(opponent for board in boards for opponent in answer_opponents(board)),
        *(opponent for content in features for opponent in feature_opponents(content)),
        *contents.compressed(bundle.manifest["dataset"], settings.compressed, test.index, CODING_RATES, console.print),
        *_conventional(own, features, test_levels),
    ]
    hosts = {
        chunk: (content.correct, classes_if_intact(bundle, decoder, held_out.encoded, chunk) == held_out_labels)
        for chunk, content in zip(prefixes, features, strict=True)
    }
    packets = f"packets-{settings.lora_packets}-{settings.coded_packets}-{settings.seed}"
    return Bench(
        bundle,
        Streams(bundle, decoder, on_test, held_out, settings.draws, settings.seed, kept),
        _ways(bundle, prefixes, settings.coding_rates),
        Modes(Confidences(test_levels, held_out_levels), own.instructions, EnergyModel.default()),
        Simulation(settings.lora_packets, settings.coded_packets, settings.seed, settings.kept / packets),
        competitors,
        {
            "boards": {
                board.scheme: {"accuracy": float(board.correct.mean()), "instructions": board.instructions}
                for board in boards
            },
            "thresholds": thresholds(bundle, hosts, on_test, held_out),
        },
    )


def _ways(bundle: Bundle, prefixes: Sequence[int], coding_rates: Sequence[int]) -> list[Way]:
    """Return Inkling's ways to send.

    By LoRa, answers at all coding rates, and features at the lowest: they tolerate errors, and redundancy costs them
    most. Headers are explicit; answers are sent with implicit ones, too. And both on the soft radio.
    """
    lowest, features = min(coding_rates), [(chunk, bundle.chunk_layout(chunk).size) for chunk in prefixes]
    return [
        *(Way(None, HEADER_BYTES, rate, True) for rate in coding_rates),
        Way(None, HEADER_BYTES, lowest, False),
        *(Way(chunk, size, lowest, True) for chunk, size in features),
        *(Way(chunk, size, 0, False, soft=True) for chunk, size in ((None, HEADER_BYTES), *features)),
    ]


def _conventional(own: Content, features: Sequence[Content], confidences: np.ndarray) -> Iterator[AdaptiveCrc]:
    for content in features:
        for rate in CODING_RATES:
            for threshold in range(1, CONFIDENCES):
                yield AdaptiveCrc(own, content, confidences, threshold, rate)

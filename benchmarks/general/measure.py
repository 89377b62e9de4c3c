"""Measure all schemes on all image sets."""

import datetime
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from benchmarks.command import kept_array, kept_name
from benchmarks.encoding import encode
from benchmarks.general.data.problems import ImageSet, Problem, problems
from benchmarks.general.data.sets import load as load_set
from benchmarks.general.schemes import names, pretrained, scratch
from benchmarks.general.schemes.heads import accuracies
from benchmarks.general.schemes.inkling import Taught, prefixes
from benchmarks.general.schemes.trunk import feature_maps, readable
from benchmarks.progress import progress_bar
from train import settings as train_settings
from train.classifiers import embedding
from train.config import EmbeddingConfig
from train.errors import TrainError
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle

BERS = (0.0, 1e-2, 5e-2, 1e-1)
RESOLUTION_SHOTS = 20  # images per class that choose the resolution of compressed images


@dataclass(frozen=True)
class Settings:
    """Settings of the benchmark."""

    bundle: Path
    sets: Sequence[str]
    seeds: int
    kept: Path  # folder of what was measured before


@dataclass(frozen=True, eq=False)
class Bench:
    """The bundle, its trunk as a classifier, and the pretrained network, which all data sets have in common."""

    bundle: Bundle
    layers: tuple[str, ...]
    embedder: pretrained.Embedder
    network: str  # identifies the pretrained network in names of folders
    console: Console
    bar: Progress

    @classmethod
    def of(cls, bundle: Bundle, console: Console, bar: Progress) -> "Bench":
        """Load what a bundle's recipe names. Raises BundleError if it names nothing, TrainError if it is not there."""
        if bundle.embedding is None:
            raise BundleError(f"bundle {bundle.path} has classes of its own: the comparison needs a general bundle")
        try:
            recipe = bundle.manifest["recipe"]
            config = train_settings.build(EmbeddingConfig, recipe["embedding"], "recipe.embedding")
            layers = scratch.board_layers(recipe["encoder"]["layers"])
        except (KeyError, TypeError, TrainError) as error:
            raise BundleError(f"bundle {bundle.path}: its recipe names no network or no layers ({error})") from None
        network, identity = embedding.load(config)
        name = hashlib.sha256(identity + repr(config.size).encode()).hexdigest()[:8]
        return cls(bundle, layers, pretrained.Embedder(network, config.size), name, console, bar)


def measure(settings: Settings) -> dict[str, Any]:
    """Return all figures, by image set."""
    started, console = time.monotonic(), Console()
    bundle = load_bundle(settings.bundle)
    with progress_bar(console) as bar:
        bench = Bench.of(bundle, console, bar)
        sets = {key: _Measured(bench, key, settings).figures() for key in settings.sets}
    return {
        "bundle": bundle.name,
        "model_id": bundle.model_id,
        "network": bundle.manifest["recipe"]["embedding"]["network"],
        "network_size": bench.embedder.size,
        "layers": list(bench.layers),
        "payload_bytes": list(prefixes(bundle)),
        "resolutions": list(pretrained.RESOLUTIONS),
        "seeds": settings.seeds,
        "sets": sets,
        "command": f"python -m benchmarks.general --bundle {settings.bundle} --sets {' '.join(settings.sets)} "
        f"--seeds {settings.seeds}",
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }


class _Measured:
    """The schemes' figures of one image set. An accuracy has one value for each problem of a number of images."""

    def __init__(self, bench: Bench, key: str, settings: Settings) -> None:
        self.bench, self.seeds = bench, settings.seeds
        self.images: ImageSet = load_set(key, bench.bundle, bench.console.print)
        self.problems: list[Problem] = problems(self.images, settings.seeds)
        self.folder = settings.kept / f"{key}-{self.images.digest}"
        self.own = self.folder / kept_name(bench.bundle)
        self.own.mkdir(parents=True, exist_ok=True)
        self.schemes: dict[str, dict[str, Any]] = {}

    def figures(self) -> dict[str, Any]:
        """Measure all schemes."""
        images = self.images
        seconds = self._inkling()
        self._refitted()
        self._pretrained()
        self._compressed()
        self._scratch()
        first = self.problems[0]
        return {
            "title": images.title,
            "classes": first.n_classes,
            "class_draws": len(images.draws),
            "pool_per_class": images.least,
            "test_images": len(first.test),
            "runs": [[problem.draw, problem.seed] for problem in self._of(first.shots)],
            "teach_cpu_s": seconds,
            "schemes": self.schemes,
        }

    def _of(self, shots: int) -> list[Problem]:
        return [problem for problem in self.problems if problem.shots == shots]

    @property
    def _shots(self) -> list[int]:
        return list(dict.fromkeys(problem.shots for problem in self.problems))

    @contextmanager
    def _progress(self, text: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show the progress of a part; yield what to call with the amount done since the last call."""
        task = self.bench.bar.add_task(f"{self.images.key}: {text}", total=total)
        yield partial(self.bench.bar.advance, task)
        self.bench.bar.remove_task(task)

    def _add(self, name: str, accuracy: np.ndarray, **facts: Any) -> None:  # noqa: ANN401 - whatever json can write
        """Add a scheme without a link: accuracy (P,) by problem."""
        by_shots = {str(shots): {"0": {"accuracy": self._values(accuracy, shots)}} for shots in self._shots}
        self._keep(name, by_shots, facts)

    def _keep(self, name: str, by_shots: dict[str, Any], facts: dict[str, Any]) -> None:
        self.schemes[name] = {**facts, "by_shots": by_shots}
        shown = ", ".join(
            f"{shots} per class {100 * np.mean(by_ber['0']['accuracy']):.1f} %" for shots, by_ber in by_shots.items()
        )
        self.bench.console.print(f"{self.images.key}  {name}: {shown}", highlight=False, soft_wrap=True)

    def _values(self, by_problem: np.ndarray, shots: int) -> list[float]:
        found = zip(self.problems, by_problem.tolist(), strict=True)
        return [round(value, 4) for problem, value in found if problem.shots == shots]

    def _inkling(self) -> dict[str, float]:
        """Measure Inkling; return the CPU time of teaching, in seconds by images per class."""
        bundle, images = self.bench.bundle, self.images
        symbols = encode(bundle, images.images, self.bench.bar, self.own / "outputs.npy").symbols
        taught = Taught(bundle, symbols, images, self.problems, self.own)
        with self._progress("teaching", len(self.problems)) as on_progress:
            taught.teach(on_progress)
        chunks = prefixes(bundle)
        with self._progress("sending", images.n_test * len(chunks) * len(BERS) * self.seeds) as on_progress:
            for size, chunk in chunks.items():
                self._keep(names.inkling(size), self._sent(taught, chunk, on_progress), {"bytes": size})
        return {str(shots): round(taught.seconds(self._of(shots)[0]), 2) for shots in self._shots}

    def _sent(self, taught: Taught, chunk: int, on_progress: Callable[[int], None]) -> dict[str, Any]:
        """Return the accuracies of one prefix, by images per class and BER."""
        by_shots: dict[str, Any] = {str(shots): {} for shots in self._shots}
        for ber in BERS:
            seeds = range(self.seeds) if ber else [0] * self.seeds  # without flips, all are equal
            counts = np.stack([taught.counts(chunk, ber, seed, on_progress) for seed in seeds])
            own = counts[[problem.seed for problem in self.problems], np.arange(len(self.problems))]  # (P, 3)
            for shots in self._shots:
                by_shots[str(shots)][f"{ber:g}"] = {
                    "accuracy": self._values(own[:, 0] / own[:, 1], shots),
                    "accuracy_sent": self._values(own[:, 0] / own[:, 2], shots),
                }
        return by_shots

    def _refitted(self) -> None:
        images = self.images.images
        with self._progress("trunk", len(images)) as on_progress:
            maps = _kept_maps(self.own, self.bench.bundle.encoder_path, images, lambda: on_progress(1))
        with self._progress(names.REFITTED, len(self.problems)) as on_progress:
            accuracy, used = accuracies(readable(maps), self.problems, lambda: on_progress(1))
        features = {name: used.count(name) for name in readable(maps)}
        self._add(names.REFITTED, accuracy, features=features)

    def _pretrained(self) -> None:
        with self._progress("embeddings", len(self.images.images)) as on_progress:
            file = self.folder / f"embeddings-{self.bench.network}.npy"
            rows = pretrained.perfect(self.bench.embedder, self.images, file, on_progress)
        self._add(names.PERFECT, self._fitted(names.PERFECT, rows))

    def _fitted(self, name: str, rows: np.ndarray) -> np.ndarray:
        with self._progress(name, len(self.problems)) as on_progress:
            return accuracies({name: rows}, self.problems, lambda: on_progress(1))[0]

    def _compressed(self) -> None:
        tested = np.unique(np.concatenate([problem.test for problem in self.problems]))
        for kind in pretrained.KINDS:
            for budget in prefixes(self.bench.bundle):
                resolution, rows = self._files(kind, budget)
                sizes = {field: round(float(rows[field][tested].mean()), 1) for field in ("bare_bytes", "file_bytes")}
                name = names.compressed(kind, budget)
                accuracy = self._fitted(name, rows["embedding"])
                self._add(name, accuracy, bytes=budget, resolution=resolution, **sizes)

    def _files(self, kind: str, budget: int) -> tuple[int, np.ndarray]:
        """Return the resolution that the first problem chooses, and the files of all images; both are kept."""
        images, embedder = self.images, self.bench.embedder
        choosing = next((p for p in self.problems if p.shots == RESOLUTION_SHOTS), self.problems[0])
        name = f"{names.compressed(kind, budget)}-{self.bench.network}"
        text = names.compressed(kind, budget)
        with self._progress(f"{text}, resolution", len(choosing.taught) * len(pretrained.RESOLUTIONS)) as on_progress:
            best = partial(pretrained.best_resolution, embedder, images, choosing, kind, budget, on_progress)
            resolution = int(kept_array(self.folder / f"{name}-resolution.npy", lambda: np.array(best())))
        with self._progress(text, len(images.images)) as on_progress:
            make = partial(pretrained.compressed, embedder, images.images, kind, budget, resolution, on_progress)
            return resolution, kept_array(self.folder / f"{name}.npy", make)

    def _scratch(self) -> None:
        layers = self.bench.layers
        folder = self.folder / f"scratch-{hashlib.sha256(repr(layers).encode()).hexdigest()[:8]}"
        with self._progress(names.SCRATCH, len(self.problems)) as on_progress:
            accuracy, steps = scratch.accuracies(layers, self.images, self.problems, folder, lambda: on_progress(1))
        self._add(names.SCRATCH, accuracy, steps=steps)


def _kept_maps(folder: Path, encoder: Path, images: np.ndarray, on_progress: Callable[[], None]) -> list[np.ndarray]:
    """Return the feature maps of images, by one file for all."""

    def make() -> np.ndarray:
        maps = feature_maps(encoder, images, on_progress)
        rows = np.empty(
            len(images), [(str(number), np.float16, values.shape[1:]) for number, values in enumerate(maps)]
        )
        for number, values in enumerate(maps):
            rows[str(number)] = values
        return rows

    rows = kept_array(folder / "maps.npy", make)
    assert rows.dtype.names is not None
    return [rows[name].astype(np.float32) for name in rows.dtype.names]

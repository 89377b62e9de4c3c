"""Measure all schemes over all links; every experiment is kept as soon as it is measured."""

import datetime
import json
import time
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from benchmarks.command import kept_name, write_json
from benchmarks.encoding import encode
from benchmarks.goodput.baselines import Outcome, Scheme
from benchmarks.goodput.links import LINKS
from benchmarks.goodput.schemes import feature_schemes, fits, image_schemes, is_compressed, values_of
from benchmarks.images import images_for
from benchmarks.progress import progress_bar
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle
from wire.lora import DUTY_CYCLE, messages_per_hour


@dataclass(frozen=True)
class Settings:
    """Settings of the benchmark."""

    bundle: Path
    images: int
    seed: int
    links: list[str]
    experiments: Path  # folder of the kept experiments
    compressed: Path  # folder of the classifiers of compressed images
    earlier: Path | None = None  # figures whose JPEG and WebP are taken over, if there are no such classifiers


@dataclass(frozen=True)
class Experiment:
    """One scheme over one link in one state."""

    key: str  # of the scheme
    scheme: Scheme
    link: str
    value: float  # the state
    seed: int

    def run(self, folder: Path, bar: Progress) -> dict[str, float]:
        """Return the figures, read from `folder` if they are kept there, else measured and kept."""
        file = folder / f"{self.link}_{self.value:g}_{self.key}.json"
        if file.is_file():
            return json.loads(file.read_text())
        started = time.monotonic()
        task = bar.add_task(f"{self.link} {self.value:g}  {self.scheme.title}")
        rng = np.random.default_rng([self.seed, zlib.crc32(file.stem.encode())])
        outcome = self.scheme.send(LINKS[self.link], self.value, rng, partial(bar.advance, task))
        bar.remove_task(task)
        row = figures_of(outcome) | {"seconds": round(time.monotonic() - started, 2)}
        write_json(file, row)
        return row


def measure(settings: Settings) -> dict:
    """Return all figures, by link, scheme and state."""
    bundle, console, seed = load_bundle(settings.bundle), Console(), settings.seed
    test = images_for(bundle, settings.images, console.print)
    images, labels = test.images, test.labels
    folder = settings.experiments / f"{kept_name(bundle)}-{len(images)}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, dict] = {}
    seconds = 0.0
    with progress_bar(console) as bar:
        schemes = feature_schemes(bundle, encode(bundle, images, bar, folder / "outputs.npy"), labels)
        compressed, reports = image_schemes(bundle.manifest["dataset"], settings.compressed, test.index, console.print)
        schemes |= compressed
        earlier = earlier_compressed(settings.earlier, bundle, len(images), seed) if settings.earlier else {}
        for name in settings.links:
            link, rows_by_scheme = LINKS[name], {}
            for key, scheme in schemes.items():
                if not fits(scheme, link):
                    continue
                experiments = [Experiment(key, scheme, name, value, seed) for value in values_of(key, link)]
                rows = {f"{experiment.value:g}": experiment.run(folder, bar) for experiment in experiments}
                seconds += sum(row["seconds"] for row in rows.values())
                rows_by_scheme[key] = {"title": scheme.title, "rows": rows}
                console.print(_line(name, scheme, rows), highlight=False, soft_wrap=True)
            for key, scheme_figures in earlier.get("links", {}).get(name, {}).items():
                rows_by_scheme.setdefault(key, scheme_figures)
            figures[name] = {"title": link.title, "state": link.state, "schemes": rows_by_scheme}
    return {
        "bundle": bundle.name,
        "model_id": bundle.model_id,
        "images": len(images),
        "seed": seed,
        "duty_cycle": DUTY_CYCLE,
        "links": figures,
        "compressed": earlier.get("compressed", {}) | reports,
        "seconds": round(seconds, 1),
        "command": f"python -m benchmarks.goodput --bundle {settings.bundle} --images {settings.images} --seed {seed}",
        "date": datetime.date.today().isoformat(),
    }


def earlier_compressed(file: Path, bundle: Bundle, images: int, seed: int) -> dict[str, dict]:
    """Return the figures of JPEG and WebP in earlier figures: reports under `compressed`, schemes under `links`.

    Raises BundleError if they are of another model, number of images or seed.
    """
    try:
        values = json.loads(file.read_text())
        found = values["model_id"], values["images"], values["seed"]
        if found != (bundle.model_id, images, seed):
            raise BundleError(f"{file} is of model {found[0]}, {found[1]} images and seed {found[2]}, not of this run")
        links = {
            name: {key: rows for key, rows in link["schemes"].items() if is_compressed(key)}
            for name, link in values["links"].items()
        }
        return {"compressed": values["compressed"], "links": links}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{file} has no figures of this benchmark ({error})") from None


def figures_of(outcome: Outcome) -> dict[str, float]:
    """Return the reported figures of an outcome. `accuracy_sent` counts lost images as wrong."""
    delivered, air_s = int(outcome.arrived.sum()), float(outcome.air_s.mean())
    accuracy_sent = float(outcome.correct.mean())
    return {
        "accuracy": int(outcome.correct.sum()) / delivered if delivered else 0.0,
        "accuracy_sent": accuracy_sent,
        "lost": len(outcome.arrived) - delivered,
        "air_time_s": air_s,
        "correct_per_hour": messages_per_hour(air_s) * accuracy_sent,
        **outcome.extra,
    }


def _line(name: str, scheme: Scheme, rows: dict[str, dict]) -> str:
    shown = "  ".join(f"{value}: {100 * row['accuracy_sent']:.1f}" for value, row in rows.items())
    return f"{name}  {scheme.title}  accuracy of all sent, %  {shown}"

"""The committed costs of the default encoder, and the check that they do not grow."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.command import write_json
from benchmarks.device.measure import Cost
from host.errors import HostError

FILE = Path(__file__).parents[1] / "results" / "device_baseline.json"
GROWTH = 0.05  # by which a cost may grow before the tests fail


@dataclass(frozen=True)
class Measured:
    """A cost, and how it was measured."""

    cost: Cost
    compiler: str
    date: str
    command: str


@dataclass(frozen=True)
class Baseline:
    """The costs of one model by target and variant. `whole_model` is a classifier that runs on the board alone."""

    bundle: str
    model_id: str
    measured: dict[str, dict[str, Measured]]
    whole_model: dict

    def find(self, target: str, variant: str, model_id: str) -> Measured | None:
        """Return the cost of this model; None if it is of another model or was not measured."""
        return self.measured.get(target, {}).get(variant) if model_id == self.model_id else None


def load(file: Path = FILE) -> Baseline:
    """Return the committed baseline. Raises HostError if it cannot be read."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        measured = {
            target: {
                variant: Measured(Cost(**entry["cost"]), entry["compiler"], entry["date"], entry["command"])
                for variant, entry in variants.items()
            }
            for target, variants in data["measured"].items()
        }
        return Baseline(data["bundle"], data["model_id"], measured, data["whole_model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HostError(f"baseline {file}: {error!r}") from None


def save(baseline: Baseline, file: Path = FILE) -> None:
    """Write a baseline as `load` reads it."""
    write_json(file, asdict(baseline))


def accept(old: Baseline, bundle: str, model_id: str, new: dict[str, dict[str, Measured]]) -> Baseline:
    """Return the old baseline updated by the new costs; the costs of another model are dropped."""
    kept = old.measured if model_id == old.model_id else {}
    merged = {target: kept.get(target, {}) | new.get(target, {}) for target in [*kept, *new]}
    return Baseline(bundle, model_id, merged, old.whole_model)


def grown(old: Cost, new: Cost, limit: float = GROWTH) -> list[str]:
    """Return a line for each figure that has grown by more than the limit."""
    pairs = [(name, before, getattr(new, name)) for name, before in asdict(old).items()]
    return [
        f"{name} grew from {before:,} to {now:,} ({100 * (now / before - 1):+.1f} %)"
        for name, before, now in pairs
        if now > before * (1 + limit)
    ]

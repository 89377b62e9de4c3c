"""The experiments of the comparison under equal terms: a TOML file in configs/systems each, and a committed JSON each."""

import json
from dataclasses import dataclass
from pathlib import Path

from train import settings
from train.errors import TrainError

CONFIGS, RESULTS = Path("configs/systems"), Path("benchmarks/results/accuracy")
INKLING, PLAIN = "inkling", "plain"


@dataclass(frozen=True)
class Experiment:
    """One system on one data set. `config` is its TOML file; that of the base classifier for `plain`."""

    name: str
    system: str  # a file of train/codecs, "inkling" or "plain"
    dataset: str
    config: Path
    classifier: Path | None  # the base classifier's TOML file; Inkling has none

    @property
    def title(self) -> str:
        """The name without the data set."""
        return self.name.removeprefix(f"{self.dataset}-")

    @property
    def ablation(self) -> str | None:
        """What follows the system in the name, as "noxai" does."""
        _, _, rest = self.name.replace("_", "-").partition(self.system.replace("_", "-"))
        return rest.strip("-") or None


def experiments(folder: Path = CONFIGS) -> list[Experiment]:
    """One of each config, and `plain` on each base classifier that they name. TrainError when there is none."""
    found, plain = [], {}
    for file in sorted(folder.glob("*.toml")):
        values = settings.read(file)
        try:
            dataset, classifier = values["data"]["name"], values.get("classifier")
            base = Path(classifier) if "system" in values else None
        except (KeyError, TypeError):
            raise TrainError(f"{file}: names no data set, or no base classifier for its system") from None
        found.append(Experiment(values["name"], values.get("system", INKLING), dataset, file, base))
        if base is not None:
            plain[base] = Experiment(f"{base.stem}-{PLAIN}", PLAIN, dataset, base, base)
    if not found:
        raise TrainError(f"{folder} has no configs of systems")
    return sorted([*found, *plain.values()], key=lambda cell: (cell.dataset, cell.name))


def stored(folder: Path = RESULTS) -> dict[str, dict]:
    """What was measured, by the name of the cell. TrainError for a file that is no JSON object."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        try:
            found[file.stem] = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise TrainError(f"{file} cannot be read: {error}") from None
    return found

"""The experiments of the comparison under equal terms: one config in configs/systems and one committed JSON each."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import command
from train import settings
from train.errors import TrainError

CONFIGS, RESULTS = Path("configs/systems"), command.RESULTS / "accuracy"
INKLING, BOARD, PLAIN = "inkling", "board", "plain"
UNFROZEN = "unfrozen"  # ends the name of a system whose base classifier is trained, too, which is no ablation

Figures = dict[str, Any]  # the JSON of one experiment


@dataclass(frozen=True)
class Experiment:
    """One system on one data set. `config` is its TOML file; for `plain`, that of the base classifier."""

    name: str
    system: str  # a split codec, "inkling", "board" (Inkling's encoder that only answers) or "plain"
    dataset: str
    config: Path
    classifier: Path | None  # the base classifier's TOML file; Inkling has none

    @property
    def title(self) -> str:
        """The name without the data set."""
        return self.name.removeprefix(f"{self.dataset}-")

    @property
    def ablation(self) -> str | None:
        """The part of the name that follows the system, such as "noxai"; None for a complete system."""
        _, _, rest = self.name.replace("_", "-").partition(self.system.replace("_", "-"))
        return rest.strip("-").removesuffix(UNFROZEN).strip("-") or None


def experiments(folder: Path = CONFIGS) -> list[Experiment]:
    """Return an experiment for each config, and `plain` on each base classifier that a config names.

    Raises TrainError if the folder has no configs or one of them is incomplete.
    """
    named: list[Experiment] = []
    plain: dict[Path, Experiment] = {}
    for file in sorted(folder.glob("*.toml")):
        values = settings.read_toml(file)
        try:
            dataset = values["data"]["name"]
            base = Path(values["classifier"]) if "system" in values else None
            own = INKLING if base or any("head" in line for line in values["encoder"]["layers"]) else BOARD
        except (KeyError, TypeError):
            raise TrainError(
                f"{file}: names no data set, or neither an encoder nor a system with its base classifier"
            ) from None
        named.append(Experiment(values["name"], values.get("system", own), dataset, file, base))
        if base is not None:
            plain[base] = Experiment(f"{base.stem}-{PLAIN}", PLAIN, dataset, base, base)
    if not named:
        raise TrainError(f"{folder} has no configs of systems")
    return sorted([*named, *plain.values()], key=lambda experiment: (experiment.dataset, experiment.name))


def stored(folder: Path = RESULTS) -> dict[str, Figures]:
    """Return the measured figures by the experiment's name. Raises TrainError for a file that is no JSON object."""
    figures = {}
    for file in sorted(folder.glob("*.json")):
        try:
            figures[file.stem] = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise TrainError(f"{file} cannot be read: {error}") from None
    return figures

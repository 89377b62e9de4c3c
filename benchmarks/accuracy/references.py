"""What stands beside the comparison: costs on the emulated board, and the bundles that ship with their own recipe."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy.experiments import Figures
from benchmarks.command import read_json
from benchmarks.device.curve import least_cost
from wire.answer import ANSWER_BITS

DEVICE = Path("accuracy", "device")  # folder of `python -m benchmarks.device` for the comparison's own encoders


@dataclass(frozen=True)
class Reference:
    """A bundle or a board alone that was trained by the recipe of the bundles that ship."""

    name: str
    kind: str
    dataset: str
    images: int  # test images
    payload_bytes: int
    raw_bytes: int  # of an image
    macs: int
    instructions: int | None  # per image on the emulated Cortex-M4; None if not measured
    epochs: int | None  # None if not known
    accuracy: dict[str, float]  # of the frames delivered, by BER
    accuracy_sent: dict[str, float]  # of all sent, by BER


def instructions_of(results: Path, folder: Path = Path()) -> dict[str, int]:
    """Return the instructions per image on the emulated Cortex-M4 by network, from a folder's device.json if any.

    Raises ResultsError if the file is damaged.
    """
    file = results / folder / "device.json"
    costs = {name: least_cost(targets) for name, targets in (read_json(file) if file.exists() else {}).items()}
    return {name: cost["instructions"] for name, cost in costs.items() if cost}


def with_instructions(measured: dict[str, Figures], results: Path) -> dict[str, Figures]:
    """Return the figures of the experiments, with the key `instructions` where the encoder was run on the board."""
    counted = instructions_of(results, DEVICE)
    return {name: row | ({"instructions": counted[name]} if name in counted else {}) for name, row in measured.items()}


def references(results: Path) -> list[Reference]:
    """Return the bundles that `make bench-codec` measured, and the boards alone beside them.

    Raises ResultsError if figures are damaged.
    """
    details = results / "device_details.json"
    macs = {name: facts["encoder_macs"] for name, facts in (read_json(details) if details.exists() else {}).items()}
    counted = instructions_of(results)
    return [
        reference
        for file in sorted(results.glob("codec*.json"))
        for reference in _of_codec(read_json(file), macs, counted)
        if reference.name in macs
    ]


def _of_codec(codec: dict[str, Any], macs: dict[str, int], counted: dict[str, int]) -> Iterator[Reference]:
    epochs = sum(value for key, value in codec["training"].items() if key.endswith("epochs"))
    whole = max(codec["payload_bytes"], key=int)
    ways = [(codec["bundle"], "the bundle", int(whole), epochs, codec["payload_bytes"][whole]["by_ber"])]
    for name, board in codec["boards"].items():
        ways.append((name, "a board alone", ANSWER_BITS // 8, None, board["by_ber"]))
    for name, kind, size, trained, by_ber in ways:
        yield Reference(
            name=name,
            kind=kind,
            dataset=codec["dataset"],
            images=codec["images"],
            payload_bytes=size,
            raw_bytes=codec["raw_bytes"],
            macs=macs.get(name, 0),
            instructions=counted.get(name),
            epochs=trained,
            accuracy={ber: row["accuracy"] for ber, row in by_ber.items()},
            accuracy_sent={ber: row["accuracy_sent"] for ber, row in by_ber.items()},
        )

"""The host's accuracy and the board's over the cost on the device: what offloading gains, from device.json."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.images import title
from benchmarks.plots import finish

mpl.use("Agg")

TARGET = "cortex-m4"
SAME_COST = 1.1  # a board may take so many times the instructions of the encoder that it is compared with
BLUE, ORANGE = "#1f5fa8", "#c4691c"


class Network(NamedTuple):
    """A network that was measured: its instructions per image, and its accuracies over a clean link, if it has them."""

    name: str
    instructions: int
    host: float | None
    board: float | None


def least_cost(targets: dict) -> dict | None:
    """Return a network's cost on TARGET with the engine that takes the fewest instructions; None if not measured."""
    return min(targets.get(TARGET, {}).values(), key=lambda cost: cost["instructions"], default=None)


def networks(device: dict, details: dict) -> dict[str, list[Network]]:
    """Return the networks of each data set, cheapest first."""
    by_dataset: dict[str, list[Network]] = {}
    for name, targets in device.items():
        cost, facts = least_cost(targets), details[name]
        if cost and facts["dataset"]:
            host = facts["accuracy"] if facts.get("payload_bytes") else None
            network = Network(name, cost["instructions"], host, facts.get("accuracy_board"))
            by_dataset.setdefault(facts["dataset"], []).append(network)
    return {dataset: sorted(found, key=lambda each: each.instructions) for dataset, found in by_dataset.items()}


def gains(found: list[Network]) -> Iterator[tuple[Network, Network]]:
    """Yield each network with a host, and the best board, its own included, at no higher device cost."""
    for network in found:
        affordable = [
            board for board in found
            if board.board is not None and board.instructions <= SAME_COST * network.instructions
        ]  # fmt: skip
        if network.host is not None and affordable:
            yield network, max(affordable, key=lambda board: board.board or 0.0)


def section(device: dict, details: dict) -> list[str]:
    """Return the lines in Markdown: per data set, the host's lead over the best board at the same device cost."""
    lines = []
    for dataset, found in networks(device, details).items():
        rows = list(gains(found))
        if not rows:
            continue
        lines += [
            f"What offloading gains on {title(dataset)}: the host behind the whole payload over a clean link, and the "
            f"best board alone with at most {SAME_COST:g} times the instructions:\n",
            "| network | instructions | host | best board alone | instructions | board | host - board |",
            "| --- | ---: | ---: | --- | ---: | ---: | ---: |",
        ]
        for network, board in rows:
            host, alone = network.host or 0.0, board.board or 0.0
            lines.append(
                f"| {network.name} | {network.instructions / 1e6:.2f} M | {100 * host:.2f} % | {board.name} "
                f"| {board.instructions / 1e6:.2f} M | {100 * alone:.2f} % | {100 * (host - alone):+.2f} points |"
            )
        lines.append("")
        if len(rows) > 1:
            lines.append(f"![accuracy against instructions]({plot_name(dataset)})\n")
    return lines


def plot_name(dataset: str) -> str:
    """Return the file name of a data set's plot."""
    return f"device-{dataset.replace(':', '-').replace('/', '-')}.png"


def draw(folder: Path, device: dict, details: dict) -> list[str]:
    """Draw the accuracies against instructions, one plot per data set with several hosts, and return the names."""
    drawn = []
    for dataset, found in networks(device, details).items():
        if len(list(gains(found))) < 2:
            continue
        figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
        hosts = [(each.instructions / 1e6, 100 * each.host) for each in found if each.host is not None]
        boards = [(each.instructions / 1e6, 100 * each.board) for each in found if each.board is not None]
        for points, colour, marker, name in ((hosts, BLUE, "o", "host"), (boards, ORANGE, "s", "board alone")):
            best: list[tuple[float, float]] = []
            for place, height in points:
                if not best or height > best[-1][1]:
                    best.append((place, height))
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, linewidth=0, label=name)
            label = f"best {name} up to this cost"  # nothing was measured between two points: no slope
            axes.plot(*zip(*best, strict=True), color=colour, linewidth=1.5, drawstyle="steps-post", label=label)
        cost, file = "million instructions per image, Cortex-M4", folder / plot_name(dataset)
        finish(figure, axes, file, title(dataset), "accuracy, clean link, %", legend_below=True, xlabel=cost)
        drawn.append(plot_name(dataset))
    return drawn

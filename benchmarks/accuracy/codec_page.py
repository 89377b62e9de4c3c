"""The sections of docs/RESULTS.md on the bundles that ship, and their plots."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from benchmarks.images import title
from benchmarks.plots import finish

COLOURS = ("#1f5fa8", "#5b9bd5", "#9dc3e6", "#c4691c")
ANSWERS = "#8a8f98"
STYLES: dict[str, dict[str, Any]] = {
    "answers": {"color": ANSWERS},
    "adaptive": {"color": "#1b7f4b", "linestyle": "--"},
    "board alone": {"color": "#7a4fa3", "linestyle": ":"},
}
BOARD_ALONE = "*Board alone* is a network trained to classify on the board, without features. "


def section(codec: dict) -> str:
    """Return the section in Markdown, from codec.json."""
    training = codec["training"]
    phases = {
        "of the board alone": "board_epochs",
        "float": "epochs",
        "of balance": "balance_epochs",
        "int8": "qat_epochs",
    }
    epochs = ", ".join(f"{training[key]} {phase}" for phase, key in phases.items() if training[key])
    total = sum(training[key] for key in phases.values())
    lines = [
        f"## The bundle {codec['bundle']}\n",
        f"Model {codec['model_id']}; {codec['images']:,} {title(codec['dataset'])} test images. The int8 encoder's "
        "symbols and answers are those that the firmware computes. Each frame passes through the receiver, and the "
        f"decoder is given the estimated BER. Mean of {codec['draws']} draws of bit flips, seeds from "
        f"{codec['seed']}; {codec['date']}, `{codec['command']}`.\n",
        f"Training: {total} epochs ({epochs}), "
        f"{'with' if training['teacher'] else 'without'} a teacher. Accuracy of the float encoder over a clean link: "
        f"{100 * codec['accuracy_float_clean']:.2f} %.\n",
        f"![accuracy against bit error rate]({plot_name(codec)})\n",
        "*Answers* are what the board decides alone. *Adaptive* sends the answer where its confidence level is at "
        "least the bundle's threshold, and the whole payload elsewhere. "
        f"{BOARD_ALONE if codec['boards'] else ''}In brackets: standard deviation over draws.\n",
        "| sent | frame | BER | accuracy | of all sent | accuracy, true BER given | frames lost | BER estimated |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, way in _ways(codec):
        for ber, row in way["by_ber"].items():
            given = row.get("accuracy_true_ber_given")
            lines.append(
                f"| {name} | {_bytes(way['frame_bytes'])} | {ber} | {_accuracy(row, 'accuracy')} "
                f"| {_accuracy(row, 'accuracy_sent')} | {'-' if given is None else f'{100 * given:.2f} %'} "
                f"| {row['frames_lost']:.0f} | {row['ber_estimated']:.4f} |"
            )
    lines += _seeds(codec)
    raw, floats = codec["raw_bytes"], codec["float_feature_bytes"]
    lines += [
        "",
        "| payload | compression against raw uint8 pixels | against the latent as float32 |",
        "| ---: | ---: | ---: |",
        *[
            f"| {payload} bytes | {raw / int(payload):.0f} : 1 | {floats / int(payload):.1f} : 1 |"
            for payload in codec["payload_bytes"]
        ],
    ]
    return "\n".join(lines) + "\n"


def _seeds(codec: dict) -> list[str]:
    """Return the table of accuracies over training seeds; no lines if there is one seed."""
    if not codec["seeds"]:
        return []
    runs = [dict(_own_ways(figures)) for figures in (codec, *codec["seeds"].values())]
    seeds = ", ".join(map(str, [codec["training_seed"], *codec["seeds"]]))
    lines = [
        "",
        f"Training seeds {seeds}, accuracy of all sent: mean, and in brackets the standard deviation over seeds.\n",
        "| sent | BER | accuracy of all sent | each seed |",
        "| --- | ---: | ---: | --- |",
    ]
    for names in zip(*runs, strict=True):  # of mode adaptive, the name holds the bundle's own threshold
        name = names[0].partition(",")[0]
        for ber in runs[1][names[1]]["by_ber"]:
            values = [100 * run[each]["by_ber"][ber]["accuracy_sent"] for run, each in zip(runs, names, strict=True)]
            each_seed = ", ".join(f"{value:.2f}" for value in values)
            lines.append(
                f"| {name} | {ber} | {statistics.mean(values):.2f} % ({statistics.stdev(values):.2f}) | {each_seed} |"
            )
    return lines


def plot_name(codec: dict) -> str:
    """Return the file name of a bundle's plot."""
    return f"accuracy-{codec['bundle']}.png"


def draw(folder: Path, codec: dict) -> list[str]:
    """Draw accuracy of all sent against BER, one line per way to send, and return the file name."""
    figure, axes = plt.subplots(figsize=(7, 4.8), layout="constrained")
    features, shown = iter(COLOURS), [100 * codec["accuracy_float_clean"]]
    for name, way in _ways(codec):
        heights = [100 * row["accuracy_sent"] for row in way["by_ber"].values()]
        shown += heights
        style = next((style for start, style in STYLES.items() if name.startswith(start)), None)
        style = style or {"color": next(features, ANSWERS)}
        axes.plot(list(way["by_ber"]), heights, marker="o", linewidth=2, label=name, **style)
    axes.axhline(
        100 * codec["accuracy_float_clean"], color="#8a8f98", linestyle=":", label="float encoder, clean, whole payload"
    )
    axes.set_ylim(max(0, 5 * (min(shown) // 5) - 5), min(100, 5 * (max(shown) // 5) + 10))
    heading = f"{title(codec['dataset'])}, {codec['images']:,} test images, int8 encoder, estimated BER"
    finish(figure, axes, folder / plot_name(codec), heading, "accuracy of all sent, %", legend_below=True)
    return [plot_name(codec)]


def _ways(codec: dict) -> Iterator[tuple[str, dict]]:
    """Yield the title and the figures of each way to send, and of each board alone."""
    yield from _own_ways(codec)
    for name, board in codec["boards"].items():
        yield f"board alone, {name}", board


def _own_ways(codec: dict) -> Iterator[tuple[str, dict]]:
    """Yield the title and the figures of each way in which the bundle's board can send."""
    for payload, way in codec["payload_bytes"].items():
        yield f"{payload} bytes", way
    if "answers" in codec:
        yield "answers", codec["answers"]
    if "adaptive" in codec:
        adaptive = codec["adaptive"]
        answered = f"{100 * adaptive['answered']:.0f} % answered"
        yield f"adaptive, threshold {adaptive['threshold']}: {answered}", adaptive


def _bytes(size: float) -> str:
    return f"{size:.0f} bytes" if float(size).is_integer() else f"{size:.1f} bytes"


def _accuracy(row: dict[str, float], key: str) -> str:
    return f"{100 * row[key]:.2f} % ({100 * row[f'{key}_std']:.2f})"

"""The section of docs/RESULTS.md on systems under equal terms, and its plots."""

import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib import pyplot as plt

from benchmarks.accuracy.experiments import BOARD, INKLING, PLAIN, Experiment, Figures
from benchmarks.accuracy.findings import complete, difference, findings
from benchmarks.accuracy.references import DEVICE, Reference
from benchmarks.images import title
from benchmarks.plots import finish
from channel_sim.channels.bsc import BER_GRID

GRID = [f"{ber:g}" for ber in BER_GRID]
MISSING = "not measured yet"
# On CIFAR-100; the paper gives none for CIFAR-10.
PAPERS_ACCURACY = {("cifar100", "resnet50"): 0.6791, ("cifar100", "mobilenet_v2"): 0.5826}
COLOURS = {
    INKLING: "#1f5fa8",
    "semanticnn": "#1b7f4b",
    "semanticnn_device": "#7a4fa3",
    "adjscc": "#c4691c",
    "deepcod": "#b3344a",
    "bottlenetpp": "#5f7a1f",
    "agilenn": "#c95fa8",
    "semanticnn_inkling": "#2f9e8f",
    "inkling_frozen": "#5b8fd6",
    BOARD: "#3a3f47",
    PLAIN: "#8a6d3b",
}
OTHER = "#3f8f9b"  # a user's own system
DASHES = ("-", "--", "-.", ":")  # one per base classifier
RULES = f"""Names are those of the configs in `configs/systems`, without the data set; [systems.md](systems.md)
describes each system.

- *Training*: all systems are trained on the same images and through the same channel, those on one base classifier with
  the same small budget; the tables give the epochs of the base classifier and of the system itself. Longer training may
  raise the accuracies, and not all by the same amount.
- *Split codecs* share one base classifier and split it after its stem. The table tells whether the base classifier is
  *frozen* or *trained* in the last epochs, too; `semanticnn-device` and `agilenn` always train a stem of their own.
  `inkling` has neither a base classifier nor a teacher here. Its encoder is that of the bundle `cifar10-features`,
  which was trained for longer and with a teacher. The default bundle above has another encoder, whose board also
  answers. `equal-inkling` has a smaller one, at the bytes and MACs of the split codecs on ResNet-20.
- `semanticnn-inkling` has Inkling's encoder, `inkling-frozen` Inkling's encoder and host, both around the frozen
  classifier: they show which part of a difference comes from where. `equal-board` has the trunk of `equal-inkling`, but
  classifies on the board, and sends answers only.
- The last rows, *by the recipe of the bundles*, are no part of the comparison: a teacher, another number of epochs, and
  fewer test images. They tell what the project ships.
- `resnet20` on CIFAR-10 is a public checkpoint. It was trained on all training images, also on those held out here.
- *Encoders* run in float, in PyTorch. Where *int8* stands next to the MACs, they are rounded as in training.
- *Link*: payloads travel in Inkling's frames through the binary symmetric channel to the host's receiver. Each decoder
  is given the BER that the receiver estimates. An encoder that uses the BER (`adjscc`, `bottlenetpp`) is given the
  latest estimate before each 500 images.
- `plain` (int8 features, Huffman code, one CRC-16 per channel) drops damaged packets. Its packets need no header and
  always count as delivered, both in its favour.
- *Accuracy* is in percent of the frames delivered, unless the table says otherwise. *Features* are the float32 features
  behind the stem, as in the paper; for Inkling, which has no stem, its own latent as float32. *MACs* are per image, on
  the device. *Instructions* are those of an image on the emulated Cortex-M4, where a board can run the encoder and it
  was run: `make bench-device` with the exported bundle and `--out benchmarks/results/{DEVICE}`. No choice was made
  on test images.
"""
CLAIMS = """The claims are those of SemanticNN's paper ([arXiv 2511.11038](https://arxiv.org/abs/2511.11038)). One that
does not show here is *not seen at this budget*: longer training may still show it. Differences are in points, mean over
the BER grid: the first system minus the second, the complete system minus the ablated one. *Margin*: 1.96 standard
errors of the difference between two proportions of this many test images. It treats the two sets of images as
independent, which overestimates it. Another training seed may also shift an accuracy.
"""


def section(expected: list[Experiment], measured: dict[str, Figures], references: Sequence[Reference] = ()) -> str:
    """Return the section in Markdown. Figures of experiments that have no config any more are left out."""
    measured = {one.name: measured[one.name] for one in expected if one.name in measured}
    parts = ["## Systems under equal terms\n", *_circumstances(measured), RULES]
    for dataset in dict.fromkeys(one.dataset for one in expected):
        beside = [one for one in references if one.dataset == dataset]
        parts += _dataset(dataset, [one for one in expected if one.dataset == dataset], measured, beside)
    parts += _ablations(expected, measured)
    paragraphs = findings(measured, {one.name: one.ablation for one in expected})
    parts += ["### The paper's claims\n", CLAIMS, "\n".join(paragraphs) + "\n"]
    return "\n".join(parts)


def _circumstances(measured: dict[str, Figures]) -> list[str]:
    if not measured:
        return ["Nothing is measured yet: `make bench-accuracy`.\n"]
    rows = list(measured.values())
    counts = "; ".join(
        dict.fromkeys(
            f"{row['images']:,} test images, {row['draws']} draws of bit flips, "
            f"training seed{'s' if len(row['seeds']) > 1 else ''} {', '.join(map(str, row['seeds']))}"
            for row in rows
        )
    )
    hardware = "; ".join(dict.fromkeys(row["hardware"] for row in rows))
    dates = sorted(row["date"] for row in rows)
    span = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    one_seed = " One training seed does not show how much seeds differ."
    return [
        f"{counts}; {hardware}; {span}, `python -m benchmarks.accuracy`. The JSON of each experiment in "
        "`benchmarks/results/accuracy` holds its full command."
        f"{one_seed if min(len(row['seeds']) for row in rows) < 2 else ''}\n"
    ]


def _dataset(
    dataset: str, expected: list[Experiment], measured: dict[str, Figures], references: list[Reference]
) -> list[str]:
    shown = [one for one in expected if not one.ablation]
    rows = [measured[one.name] for one in shown if one.name in measured]
    lines = [f"### {title(dataset)}\n", *_base_classifiers(dataset, rows)]
    if rows:
        lines.append(f"![accuracy against bit error rate, {title(dataset)}]({plot_name(dataset)})\n")
    heads = (
        "| system | base classifier | payload, bytes | RGB : payload | features : payload | MACs | instructions "
        "| epochs, base + own | training, min |"
    )
    lines += [
        f"{heads} {' | '.join(f'BER {ber}' for ber in GRID)} |",
        "| --- | --- |" + " ---: |" * (7 + len(GRID)),
        *[_row(one, measured.get(one.name)) for one in shown],
        *map(_reference, references),
        "",
    ]
    if rows:
        lines += [
            "Accuracy of all sent, %; frames that the receiver did not find count as wrong:\n",
            f"| system | {' | '.join(f'BER {ber}' for ber in GRID)} |",
            "| --- |" + " ---: |" * len(GRID),
            *[
                f"| `{one.title}` | {_percents(measured[one.name]['accuracy_sent'])} |"
                for one in shown
                if one.name in measured
            ],
            *[f"| {_name(one)} | {_percents(one.accuracy_sent)} |" for one in references],
            "",
            *_boards([one for one in shown if one.name in measured], measured),
            *_spreads(rows),
        ]
    return lines


def _base_classifiers(dataset: str, rows: list[Figures]) -> list[str]:
    accuracies = {row["classifier"]: row["classifier_accuracy"] for row in rows if row["classifier"]}
    parts = []
    for name, accuracy in accuracies.items():
        paper = PAPERS_ACCURACY.get((dataset, name))
        beside = f" (in the paper: {100 * paper:.2f} %)" if paper else ""
        parts.append(f"`{name}` {100 * accuracy:.2f} %{beside}")
    return [f"Base classifier alone, without a codec and a link: {'; '.join(parts)}.\n"] if parts else []


def _row(experiment: Experiment, figures: Figures | None) -> str:
    if figures is None:
        return f"| `{experiment.title}` | {MISSING} |" + " |" * (7 + len(GRID))
    epochs, seconds = figures["epochs_by_part"], figures["training_seconds"]
    minutes = f"{sum(seconds['system']) / len(seconds['system']) / 60:.0f}" if "system" in seconds else "-"
    state = "trained" if figures.get("base_trained") else "frozen"
    cost = [
        f"`{figures['classifier']}`, {state}" if figures["classifier"] else "-",
        f"{figures['payload_bytes']:,.0f}",
        f"{figures['ratio_rgb']:.1f}",
        f"{figures['ratio_float_features']:.1f}",
        f"{figures['encoder_macs']:,}{' int8' if figures['encoder_arithmetic'] == 'int8' else ''}",
        _instructions(figures.get("instructions")),
        f"{epochs.get('classifier', 0)} + {epochs.get('system', 0)}",
        minutes,
    ]
    return f"| `{experiment.title}` | {' | '.join(cost)} | {_percents(figures['accuracy'])} |"


def _reference(one: Reference) -> str:
    cost = [
        "-",
        f"{one.payload_bytes}",
        f"{one.raw_bytes / one.payload_bytes:.1f}",
        "-",
        f"{one.macs:,} int8",
        _instructions(one.instructions),
        "-" if one.epochs is None else f"0 + {one.epochs}",
        "-",
    ]
    return f"| {_name(one)} | {' | '.join(cost)} | {_percents(one.accuracy)} |"


def _name(one: Reference) -> str:
    return f"{one.kind} `{one.name}`, by the recipe of the bundles, {one.images:,} images"


def _instructions(count: int | None) -> str:
    return "-" if count is None else f"{count / 1e6:.2f} M"


def _boards(shown: list[Experiment], measured: dict[str, Figures]) -> list[str]:
    """Return a paragraph about the boards that answer, on their own answers without bit errors."""
    parts = [
        f"`{one.title}` {100 * measured[one.name]['accuracy_board']['0']:.2f} %"
        for one in shown
        if "accuracy_board" in measured[one.name]
    ]
    return [f"The board's own answers, which travel with the symbols: {'; '.join(parts)}.\n"] if parts else []


def _percents(accuracy: dict[str, float]) -> str:
    return " | ".join(f"{100 * accuracy[ber]:.2f}" for ber in GRID)


def _spreads(rows: list[Figures]) -> list[str]:
    parts = []
    for over in ("draws", "seeds"):
        same = [row for row in rows if row["accuracy_std_over"] == over]
        stds = [std for row in same for std in row["accuracy_std"].values() if std is not None]
        if stds:
            parts.append(f"The standard deviation of an accuracy over {over} is at most {100 * max(stds):.2f} points.")
    given = [row for row in rows if "accuracy_true_ber_given" in row]
    if given:
        most = max(abs(row["accuracy_true_ber_given"][ber] - row["accuracy"][ber]) for row in given for ber in GRID)
        parts.append(f"Giving the decoder the true BER changes an accuracy by at most {100 * most:.2f} points.")
    return [" ".join(parts) + "\n"] if parts else []


def _ablations(expected: list[Experiment], measured: dict[str, Figures]) -> list[str]:
    ablated = [one for one in expected if one.ablation]
    if not ablated:
        return []
    whole = [row for row in measured.values() if not row["ablation"]]
    lines = [
        "### Ablations\n",
        "*Loss*: accuracy of the complete system minus that of the ablated one, in points, mean over the BER grid.\n",
        f"| data set | system | {' | '.join(f'BER {ber}' for ber in GRID)} | loss |",
        "| --- | --- |" + " ---: |" * (len(GRID) + 1),
    ]
    for one in ablated:
        figures = measured.get(one.name)
        if figures is None:
            lines.append(f"| {title(one.dataset)} | `{one.title}` | {MISSING} |" + " |" * len(GRID))
            continue
        against = next((w for w in whole if complete(w, [figures])), None)
        loss = f"{100 * difference(against, figures)[0]:+.2f}" if against else "-"
        lines.append(f"| {title(one.dataset)} | `{one.title}` | {_percents(figures['accuracy'])} | {loss} |")
    return [*lines, ""]


def plot_name(dataset: str) -> str:
    """Return the file name of a data set's plot."""
    return f"systems-{re.sub('[^a-z0-9]+', '-', dataset.lower())}.png"


def draw(folder: Path, measured: dict[str, Figures]) -> list[str]:
    """Draw accuracy against BER, one plot per data set and one line per system, and return the file names."""
    drawn = []
    for dataset in dict.fromkeys(row["dataset"] for row in measured.values()):
        lines = {n: row for n, row in measured.items() if row["dataset"] == dataset and not row["ablation"]}
        if lines:
            _plot(folder / plot_name(dataset), dataset, lines)
            drawn.append(plot_name(dataset))
    return drawn


def _plot(file: Path, dataset: str, lines: dict[str, Figures]) -> None:
    figure, axes = plt.subplots(figsize=(7, 5.4), layout="constrained")
    split = [row for row in lines.values() if row["classifier"]]
    accuracies = {row["classifier"]: row["classifier_accuracy"] for row in split}
    bases = sorted(accuracies)
    for name, row in lines.items():
        axes.plot(
            GRID,
            [100 * row["accuracy"][ber] for ber in GRID],
            color=COLOURS.get(row["system"], OTHER),
            linestyle=DASHES[bases.index(row["classifier"]) % len(DASHES)] if row["classifier"] else "-",
            linewidth=2.4 if row["system"] == INKLING else 1.6,
            marker="o",
            label=f"{name.removeprefix(f'{dataset}-')}, {row['payload_bytes']:,.0f} bytes",
        )
    for name, accuracy in accuracies.items():
        axes.axhline(100 * accuracy, color="#8a8f98", linestyle=":", label=f"{name} alone")
    images = " and ".join(f"{n:,}" for n in sorted({row["images"] for row in lines.values()}))
    heading = f"{title(dataset)}, {images} test images, estimated BER"
    finish(figure, axes, file, heading, "accuracy of the frames delivered, %", legend_below=True)

"""The section of docs/RESULTS.md on systems under equal terms, from the JSONs in benchmarks/results.

Run by itself it rewrites this section of the page and its pictures, and leaves all else as it is.
"""

import argparse
import re
import sys
from pathlib import Path

from matplotlib import pyplot as plt

from benchmarks.accuracy.experiments import CONFIGS, INKLING, PLAIN, RESULTS, Experiment, experiments, stored
from benchmarks.accuracy.findings import complete, difference, findings, title
from benchmarks.delivery import BERS
from benchmarks.plots import finish
from train.errors import TrainError

HEADING = "## Systems under equal terms\n"
PAGE = Path("docs/RESULTS.md")
GRID = [f"{ber:g}" for ber in BERS]
MISSING = "not measured yet"
CHANCE = """What *chance may make*: 1.96 standard errors of a difference of two proportions of so many test images, as
if the two systems had seen different ones, which makes it the larger. Another training seed may move an accuracy, too.
"""
# On CIFAR-100; the paper gives none for CIFAR-10.
PAPERS_ACCURACY = {("cifar100", "resnet50"): 0.6791, ("cifar100", "mobilenet_v2"): 0.5826}
COLOURS = {
    INKLING: "#1f5fa8",
    "semanticnn": "#1b7f4b",
    "semanticnn_device": "#7a4fa3",
    "adjscc": "#c4691c",
    "deepcod": "#b3344a",
    PLAIN: "#8a6d3b",
}
OTHER = "#3f8f9b"  # a system of one's own
DASHES = ("-", "--", "-.", ":")  # a base classifier each
RULES = """Names are those of the configs in `configs/systems`, without the data set; [systems.md](systems.md) says
what each is. The systems split the same frozen base classifier behind its stem (`semanticnn-device` trains the stem
on) and are trained on the same pictures through the same channel; Inkling's default has no base classifier and no
teacher here, and trains for as many epochs as base classifier and system together. Budgets are small, as the epochs
in the tables say: longer trainings may raise the systems, and not all alike. Encoders are measured in float, in
PyTorch, unless *int8* stands at their MACs: these as training rounds them. Payloads travel in Inkling's frames
through the binary symmetric channel into `host.receive.stream`, and each decoder is told the BER that the receiver
estimates; an encoder that wants to know it (`adjscc`) is told the newest estimate before each 500 images. `plain`
(int8 features, Huffman code, a CRC-16 for each channel) drops what is damaged; its packets need no header here and
count as delivered, in its favour. Accuracies are in percent, first of the frames delivered. *Features*: the float32
features behind the stem, the paper's measure; for Inkling its own latent as float32, since it has no stem. MACs are
those of one picture on the device. Test images chose nothing.
"""


def main() -> int:
    """Parse the command line and rewrite the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.page", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    parser.add_argument("--configs", type=Path, default=CONFIGS, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=PAGE, help="default: %(default)s")
    args = parser.parse_args()
    try:
        expected, measured = experiments(args.configs), stored(args.results)
        page = replaced(args.out.read_text(encoding="utf-8"), section(expected, measured))
    except (TrainError, OSError) as error:
        print(f"results: {error}", file=sys.stderr)
        return 1
    args.out.write_text(page, encoding="utf-8")
    print(f"written: {', '.join([str(args.out), *draw(args.out.parent, measured)])}")
    return 0


def replaced(page: str, section: str) -> str:
    """The page with its section renewed, up to the next heading of its level; put last where there was none."""
    start = page.find(HEADING)
    if start < 0:
        return f"{page.rstrip()}\n\n{section}"
    end = page.find("\n## ", start)
    return page[:start] + section + (page[end:] if end >= 0 else "")


def section(expected: list[Experiment], measured: dict[str, dict]) -> str:
    """The whole section, in Markdown. Cells without a config any more are left out."""
    measured = {cell.name: measured[cell.name] for cell in expected if cell.name in measured}
    parts = [HEADING, *_circumstances(measured), RULES]
    for dataset in dict.fromkeys(cell.dataset for cell in expected):
        parts += _dataset(dataset, [cell for cell in expected if cell.dataset == dataset], measured)
    parts += _ablations(expected, measured)
    said = findings(measured, {cell.name: cell.ablation for cell in expected})
    parts += ["### What it says of the paper's claims\n", CHANCE, "\n".join(said) + "\n"]
    return "\n".join(parts)


def _circumstances(measured: dict[str, dict]) -> list[str]:
    if not measured:
        return ["Nothing is measured yet: `make bench-accuracy`.\n"]
    every = list(measured.values())
    counts = "; ".join(
        dict.fromkeys(
            f"{c['images']:,} test images, {c['draws']} draws of bit flips, "
            f"training seed{'s' if len(c['seeds']) > 1 else ''} {', '.join(map(str, c['seeds']))}"
            for c in every
        )
    )
    hardware = "; ".join(dict.fromkeys(c["hardware"] for c in every))
    dates = sorted(c["date"] for c in every)
    span = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    alone = (
        " One training seed does not show what another would give." if min(len(c["seeds"]) for c in every) < 2 else ""
    )
    return [
        f"{counts}; {hardware}; {span}, `python -m benchmarks.accuracy`. The command of each cell stands with its "
        f"figures in `benchmarks/results`.{alone}\n"
    ]


def _dataset(dataset: str, expected: list[Experiment], measured: dict[str, dict]) -> list[str]:
    shown = [cell for cell in expected if not cell.ablation]
    there = [measured[cell.name] for cell in shown if cell.name in measured]
    lines = [f"### {title(dataset)}\n", *_bases(dataset, there)]
    if there:
        lines.append(f"![accuracy against bit error rate, {title(dataset)}]({picture(dataset)})\n")
    heads = (
        "| system | payload, bytes | RGB : payload | features : payload | MACs | epochs, base + own | trained, min |"
    )
    lines += [
        f"{heads} {' | '.join(f'BER {ber}' for ber in GRID)} |",
        "| --- |" + " ---: |" * (6 + len(GRID)),
        *[_row(cell, measured.get(cell.name)) for cell in shown],
        "",
    ]
    if there:
        lines += [
            "Of all sent, %; frames that the receiver did not find count as wrong:\n",
            f"| system | {' | '.join(f'BER {ber}' for ber in GRID)} |",
            "| --- |" + " ---: |" * len(GRID),
            *[
                f"| `{cell.title}` | {_percents(measured[cell.name]['accuracy_sent'])} |"
                for cell in shown
                if cell.name in measured
            ],
            "",
            *_spreads(there),
        ]
    return lines


def _bases(dataset: str, there: list[dict]) -> list[str]:
    found = {c["classifier"]: c["classifier_accuracy"] for c in there if c["classifier"]}
    said = []
    for name, accuracy in found.items():
        paper = PAPERS_ACCURACY.get((dataset, name))
        beside = f" (the paper's: {100 * paper:.2f} %)" if paper else ""
        said.append(f"`{name}` {100 * accuracy:.2f} %{beside}")
    return [f"Base classifier alone, no codec and no link: {'; '.join(said)}.\n"] if said else []


def _row(cell: Experiment, figures: dict | None) -> str:
    if figures is None:
        return f"| `{cell.title}` | {MISSING} |" + " |" * (5 + len(GRID))
    parts, seconds = figures["epochs_by_part"], figures["training_seconds"]
    own = f"{sum(seconds['system']) / len(seconds['system']) / 60:.0f}" if "system" in seconds else "-"
    cost = [
        f"{figures['payload_bytes']:,.0f}",
        f"{figures['ratio_rgb']:.1f}",
        f"{figures['ratio_float_features']:.1f}",
        f"{figures['encoder_macs']:,}{' int8' if figures['encoder_arithmetic'] == 'int8' else ''}",
        f"{parts.get('classifier', 0)} + {parts.get('system', 0)}",
        own,
    ]
    return f"| `{cell.title}` | {' | '.join(cost)} | {_percents(figures['accuracy'])} |"


def _percents(accuracy: dict[str, float]) -> str:
    return " | ".join(f"{100 * accuracy[ber]:.2f}" for ber in GRID)


def _spreads(there: list[dict]) -> list[str]:
    said = []
    for over in ("draws", "seeds"):
        stds = [s for c in there if c["accuracy_std_over"] == over for s in c["accuracy_std"].values() if s is not None]
        if stds:
            said.append(f"Standard deviation of an accuracy over {over}: at most {100 * max(stds):.2f} points.")
    told = [c for c in there if "accuracy_true_ber_told" in c]
    if told:
        worst = max(abs(c["accuracy_true_ber_told"][ber] - c["accuracy"][ber]) for c in told for ber in GRID)
        said.append(f"A decoder that is told the true BER differs by at most {100 * worst:.2f} points.")
    return [" ".join(said) + "\n"] if said else []


def _ablations(expected: list[Experiment], measured: dict[str, dict]) -> list[str]:
    ablated = [cell for cell in expected if cell.ablation]
    if not ablated:
        return []
    whole = [c for c in measured.values() if not c["ablation"]]
    lines = [
        "### Ablations\n",
        "*Loss*: accuracy of the complete system less this one's, in points, mean over the BER grid.\n",
        f"| data set | system | {' | '.join(f'BER {ber}' for ber in GRID)} | loss |",
        "| --- | --- |" + " ---: |" * (len(GRID) + 1),
    ]
    for cell in ablated:
        figures = measured.get(cell.name)
        if figures is None:
            lines.append(f"| {title(cell.dataset)} | `{cell.title}` | {MISSING} |" + " |" * len(GRID))
            continue
        against = next((w for w in whole if complete(w, [figures])), None)
        loss = f"{100 * difference(against, figures)[0]:+.2f}" if against else "-"
        lines.append(f"| {title(cell.dataset)} | `{cell.title}` | {_percents(figures['accuracy'])} | {loss} |")
    return [*lines, ""]


def picture(dataset: str) -> str:
    """The name of a data set's picture."""
    return f"systems-{re.sub('[^a-z0-9]+', '-', dataset.lower())}.png"


def draw(folder: Path, measured: dict[str, dict]) -> list[str]:
    """A picture a data set: accuracy against BER, one line a system, ablations left out."""
    drawn = []
    for dataset in dict.fromkeys(c["dataset"] for c in measured.values()):
        lines = {n: c for n, c in measured.items() if c["dataset"] == dataset and not c["ablation"]}
        if lines:
            _plot(folder / picture(dataset), dataset, lines)
            drawn.append(picture(dataset))
    return drawn


def _plot(file: Path, dataset: str, lines: dict[str, dict]) -> None:
    figure, axes = plt.subplots(figsize=(7, 5.4), layout="constrained")
    bases = sorted({c["classifier"] for c in lines.values() if c["classifier"]})
    for name, c in lines.items():
        axes.plot(
            GRID,
            [100 * c["accuracy"][ber] for ber in GRID],
            color=COLOURS.get(c["system"], OTHER),
            linestyle=DASHES[bases.index(c["classifier"]) % len(DASHES)] if c["classifier"] else "-",
            linewidth=2.4 if c["system"] == INKLING else 1.6,
            marker="o",
            label=f"{name.removeprefix(f'{dataset}-')}, {c['payload_bytes']:,.0f} bytes",
        )
    for name, accuracy in {
        c["classifier"]: c["classifier_accuracy"] for c in lines.values() if c["classifier"]
    }.items():
        axes.axhline(100 * accuracy, color="#8a8f98", linestyle=":", label=f"{name} alone")
    images = " and ".join(f"{n:,}" for n in sorted({c["images"] for c in lines.values()}))
    heading = f"{title(dataset)}, {images} test images, estimated BER"
    finish(figure, axes, file, heading, "accuracy of the frames delivered, %", legend_below=True)


if __name__ == "__main__":
    sys.exit(main())

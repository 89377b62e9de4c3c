"""The device part of docs/RESULTS.md: the encoder's cost by processor and engine, beside a whole classifier there."""

from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.device.baseline import Baseline
from benchmarks.device.measure import TARGETS

mpl.use("Agg")

PLOT = "device.png"
BLUE, ORANGE, GREY = "#1f5fa8", "#c4691c", "#8a8f98"
COLOURS = {"aot": BLUE, "tflm": ORANGE}
ROWS = {
    "instructions": "instructions an image",
    "model_flash_bytes": "model flash: weights, kernels, tables, engine",
    "encoder_ram_bytes": "encoder RAM: arena, input, output, scratch",
    "arena_bytes": "of which arena in use",
    "firmware_flash_bytes": "whole firmware: flash",
    "static_ram_bytes": "whole firmware: static RAM",
    "stack_bytes": "deepest stack",
}
PANELS = {  # what is drawn: figure, its unit, divisor
    "instructions": ("million instructions an image", 1e6),
    "firmware_flash_bytes": ("whole firmware: flash, kB", 1e3),
    "encoder_ram_bytes": ("encoder RAM, kB", 1e3),
}


@dataclass(frozen=True)
class Program:
    """What runs on a board: its figures by ROWS (as far as they are known), and how they came about."""

    title: str
    target: str
    figures: dict[str, int]
    accuracy: float  # clean link, all test images
    how: str
    colour: str

    def cell(self, row: str) -> str:
        """A figure, or a dash where it is not known."""
        return f"{self.figures[row]:,}" if row in self.figures else "-"


def programs(bundle: str, device: dict, details: dict, baseline: Baseline) -> list[Program]:
    """The bundle's programs as device.json has them; those not measured now as the baseline has them.

    Last the classifier that runs on the board alone, if it is of the bundle's data set.
    """
    found = []
    for target, about in TARGETS.items():
        for engine, words in about.engines.items():
            title = f"{about.title}: {words}"
            if figures := device[bundle].get(target, {}).get(engine):
                how = details["measured"][target][engine]
                told = f"{how['compiler']}, {how['date']}, `{how['command']}`"
            elif earlier := baseline.find(target, engine, details["model_id"]):
                figures = asdict(earlier.cost)
                title += " (earlier)"
                told = f"measured earlier: {earlier.compiler}, {earlier.date}, `{earlier.command}`"
            else:
                continue
            found.append(Program(title, target, figures, details["accuracy"], told, COLOURS[engine]))
    if details["dataset"] == baseline.whole_model["dataset"]:
        found.append(whole_model(baseline.whole_model))
    return found


def whole_model(whole: dict) -> Program:
    """The classifier that runs on the board alone."""
    figures = {
        "instructions": whole["instructions"],
        "encoder_ram_bytes": whole["arena_bytes"],  # TFLM's arena holds input, output and scratch
        "arena_bytes": whole["arena_bytes"],
        "firmware_flash_bytes": whole["flash_bytes"],
    }
    title = f"{TARGETS[whole['target']].title}: {whole['name']}, {whole['engine']}"
    return Program(title, whole["target"], figures, whole["accuracy"], whole["note"], GREY)


def section(bundle: str, device: dict, details: dict, baseline: Baseline) -> str:
    """The subsection in Markdown."""
    shown = programs(bundle, device, details, baseline)
    lines = [
        "Instructions by QEMU with `-icount`, of the encoder alone; bytes from the linked program. The symbols "
        "that the encoders made were those of TFLite's reference kernels. "
        f"{details['encoder_macs']:,} multiply-accumulates an image.\n",
        f"![the encoder's cost]({PLOT})\n",
        f"| | {' | '.join(program.title for program in shown)} |",
        "| --- |" + " ---: |" * len(shown),
        *[f"| {text} | {' | '.join(program.cell(row) for program in shown)} |" for row, text in ROWS.items()],
        f"| accuracy, clean link, all test images | {' | '.join(f'{100 * each.accuracy:.2f} %' for each in shown)} |",
        "",
        *[f"- {program.title}: {program.how}." for program in shown],
    ]
    aot, other, whole = shown[0], shown[1], shown[-1]
    if other.target == aot.target and other.colour == COLOURS["tflm"]:
        lines += ["", _engines(aot, other)]
    if whole.colour == GREY:
        lines += ["", _offloading(aot, whole, details["payload_bytes"])]
    return "\n".join(lines) + "\n"


def _engines(aot: Program, tflm: Program) -> str:
    """The ahead-of-time engine against TFLite Micro on the same file."""
    share = {row: f"{aot.figures[row] / tflm.figures[row]:.2f}" for row in ROWS}
    return (
        f"`aot` takes {share['instructions']} x the instructions, {share['model_flash_bytes']} x the model flash and "
        f"{share['encoder_ram_bytes']} x the RAM of TFLite Micro with CMSIS-NN, on the same file."
    )


def _offloading(ours: Program, whole: Program, payload_bytes: int) -> str:
    """What it buys to leave the rest of the classifier to the host."""
    times = {row: f"{whole.figures[row] / ours.figures[row]:.1f}" for row in PANELS}
    points = 100 * (whole.accuracy - ours.accuracy)
    return (
        f"Against the whole classifier on the board, the encoder takes {times['instructions']} times fewer "
        f"instructions, {times['firmware_flash_bytes']} times less flash (all of the firmware) and "
        f"{times['encoder_ram_bytes']} times less RAM. With the host's decoder it is right {points:.1f} points less "
        f"often, from {payload_bytes} bytes."
    )


def draw(folder: Path, bundle: str, device: dict, details: dict, baseline: Baseline) -> list[str]:
    """device.png: instructions, flash and RAM, a bar a program."""
    shown = programs(bundle, device, details, baseline)
    figure, axes = plt.subplots(1, len(PANELS), figsize=(10.5, 0.55 * len(shown) + 1.5), sharey=True)
    places = range(len(shown))
    for side, (row, (label, divisor)) in zip(axes, PANELS.items(), strict=True):
        values = [program.figures[row] / divisor for program in shown]
        bars = side.barh(places, values, color=[program.colour for program in shown], height=0.6)
        side.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, fontsize=9)
        side.set_xlim(0, 1.18 * max(values))
        side.set_title(label, fontsize=10)
        side.xaxis.set_visible(False)
        side.tick_params(left=False)
        side.spines[["top", "right", "bottom"]].set_visible(False)
    labels = [each.title.replace(", TFLite", ",\nTFLite").replace(": ", ":\n", 1) for each in shown]
    axes[0].set_yticks(places, labels, fontsize=9)
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(folder / PLOT, dpi=110)
    plt.close(figure)
    return [PLOT]

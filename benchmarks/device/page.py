"""The section of docs/RESULTS.md on the device: the encoder's cost by processor and engine, beside a classifier's."""

from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.device import curve
from benchmarks.device.baseline import Baseline
from benchmarks.device.measure import TARGETS

mpl.use("Agg")

PLOT = "device.png"
BLUE, LIGHT_BLUE, ORANGE, GREY = "#1f5fa8", "#8fb1d8", "#c4691c", "#8a8f98"
COLOURS = {"aot": BLUE, "aot_bakenn_add": LIGHT_BLUE, "tflm": ORANGE}
WHOLE_MODEL = "whole_model"
ROWS = {
    "instructions": "instructions per image",
    "model_flash_bytes": "model flash: weights, kernels, tables, engine",
    "encoder_ram_bytes": "encoder RAM: arena, input, output, scratch",
    "arena_bytes": "of which arena in use",
    "firmware_flash_bytes": "whole firmware: flash",
    "static_ram_bytes": "whole firmware: static RAM",
    "stack_bytes": "maximum stack",
}
PANELS = {  # of the plot: figure -> its unit, and the divisor to it
    "instructions": ("million instructions per image", 1e6),
    "firmware_flash_bytes": ("whole firmware: flash, kB", 1e3),
    "encoder_ram_bytes": ("encoder RAM, kB", 1e3),
}


@dataclass(frozen=True)
class Program:
    """A program on a board: its known figures by ROWS, and how they were measured."""

    title: str
    target: str
    variant: str  # of the target, or WHOLE_MODEL
    figures: dict[str, int]
    accuracy: float | None  # clean link, all test images
    source: str

    @property
    def colour(self) -> str:
        return COLOURS.get(self.variant, GREY)

    def text(self, row: str) -> str:
        """Return a figure as text, or a dash if it is unknown."""
        return f"{self.figures[row]:,}" if row in self.figures else "-"


def programs(bundle: str, device: dict, details: dict, baseline: Baseline) -> list[Program]:
    """Return the bundle's programs as in device.json, or as in the baseline if they were not measured now.

    The last one is the classifier that runs on the board alone, if it is of the bundle's data set.
    """
    shown = []
    for name, target in TARGETS.items():
        for key, variant in target.variants.items():
            title = f"{target.title}: {variant.title}"
            if figures := device[bundle].get(name, {}).get(key):
                now = details["measured"][name][key]
                source = f"{now['compiler']}, {now['date']}, `{now['command']}`"
            elif earlier := baseline.find(name, key, details["model_id"]):
                figures = asdict(earlier.cost)
                title += " (earlier)"
                source = f"measured earlier: {earlier.compiler}, {earlier.date}, `{earlier.command}`"
            else:
                continue
            shown.append(Program(title, name, key, figures, details["accuracy"], source))
    if details["dataset"] == baseline.whole_model["dataset"]:
        shown.append(whole_model(baseline.whole_model))
    return shown


def whole_model(whole: dict) -> Program:
    """Return the classifier that runs on the board alone."""
    figures = {
        "instructions": whole["instructions"],
        "encoder_ram_bytes": whole["arena_bytes"],  # TFLM's arena holds input, output and scratch
        "arena_bytes": whole["arena_bytes"],
        "firmware_flash_bytes": whole["flash_bytes"],
    }
    title = f"{TARGETS[whole['target']].title}: {whole['name']}, {whole['engine']}"
    return Program(title, whole["target"], WHOLE_MODEL, figures, whole["accuracy"], whole["note"])


def section(bundle: str, device: dict, all_details: dict, baseline: Baseline) -> str:
    """Return the section in Markdown, without its heading."""
    details = all_details[bundle]
    shown = programs(bundle, device, details, baseline)
    lines = [
        "Instructions counted by QEMU with `-icount`, of the encoder alone; bytes from the linked program. All "
        "encoders produced the symbols of TFLite's reference kernels. "
        f"{details['encoder_macs']:,} multiply-accumulates per image.\n",
        f"![cost of the encoder]({PLOT})\n",
        f"| | {' | '.join(program.title for program in shown)} |",
        "| --- |" + " ---: |" * len(shown),
        *[f"| {text} | {' | '.join(program.text(row) for program in shown)} |" for row, text in ROWS.items()],
        f"| accuracy, clean link, all test images | {' | '.join(_percent(each.accuracy) for each in shown)} |",
        "",
        *[f"- {program.title}: {program.source}." for program in shown],
    ]
    cortex_m4 = {program.variant: program for program in shown if program.target == "cortex-m4"}
    if "aot" in cortex_m4 and "tflm" in cortex_m4:
        lines += ["", _engines(cortex_m4["aot"], cortex_m4.get("aot_bakenn_add"), cortex_m4["tflm"])]
    if "aot" in cortex_m4 and (whole := cortex_m4.get(WHOLE_MODEL)):
        lines += ["", _offloading(cortex_m4["aot"], cortex_m4.get("tflm"), whole, details)]
    return "\n".join([*lines, "", *_boards(device, all_details), "", *curve.section(device, all_details)]) + "\n"


def _boards(device: dict, all_details: dict) -> list[str]:
    """Return a table of all networks that were measured, with the accuracies of the board alone and of the host."""
    lines = [
        "All networks on Cortex-M4, each with the engine that takes the fewest instructions; *host* is behind the "
        "whole payload, over a clean link:\n",
        "| network | data set | board alone | host | payload | instructions | model flash | encoder RAM |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, targets in device.items():
        cost, details = curve.least_cost(targets), all_details[name]
        if cost:
            payload = details.get("payload_bytes")
            lines.append(
                f"| {name} | {details['dataset'] or '-'} | {_percent(details.get('accuracy_board'))} "
                f"| {_percent(details['accuracy'] if payload else None)} | {f'{payload} bytes' if payload else '-'} "
                f"| {cost['instructions']:,} | {cost['model_flash_bytes']:,} | {cost['encoder_ram_bytes']:,} |"
            )
    return lines


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _engines(aot: Program, bakenn_add: Program | None, tflm: Program) -> str:
    """Compare the ahead-of-time engine with TFLite Micro on the same file."""
    share = {row: f"{aot.figures[row] / tflm.figures[row]:.2f}" for row in ROWS}
    text = (
        f"On the same file, `aot` takes {share['instructions']} x the instructions, {share['model_flash_bytes']} x the "
        f"model flash and {share['encoder_ram_bytes']} x the RAM of TFLite Micro with CMSIS-NN."
    )
    if bakenn_add is None:
        return text
    count = bakenn_add.figures["instructions"]
    return (
        f"{text} The difference in instructions is due to our own ADD kernel (`firmware/lib/encoder/aot_add.c`): with "
        f"BakeNN's ADD, `aot` takes {count / 1e6:.1f} million instructions instead of "
        f"{aot.figures['instructions'] / 1e6:.1f} million, {count / tflm.figures['instructions']:.2f} x those of "
        "TFLite Micro. The savings in flash and RAM do not depend on it."
    )


def _offloading(aot: Program, tflm: Program | None, whole: Program, details: dict) -> str:
    """Compare the encoder with a whole classifier on the board."""
    points = 100 * ((aot.accuracy or 0.0) - (whole.accuracy or 0.0))
    board = details.get("accuracy_board")
    alone = f" The encoder's own answers have {_percent(board)}, the whole classifier {_percent(whole.accuracy)}."
    same_engine = f"; with TFLite Micro for both, {_times(tflm, whole)}" if tflm else ""
    return (
        f"Compared with the whole classifier on the board under TFLite Micro, the encoder under `aot` takes "
        f"{_times(aot, whole)}{same_engine}. The accuracy with the host's decoder, from {details['payload_bytes']} "
        f"bytes over a clean link, differs by {points:+.1f} points.{alone if board else ''}"
    )


def _times(encoder: Program, whole: Program) -> str:
    times = {row: f"{whole.figures[row] / encoder.figures[row]:.1f}" for row in PANELS}
    return (
        f"{times['instructions']} times fewer instructions, {times['firmware_flash_bytes']} times less flash (of the "
        f"whole firmware) and {times['encoder_ram_bytes']} times less RAM"
    )


def draw(folder: Path, bundle: str, device: dict, all_details: dict, baseline: Baseline) -> list[str]:
    """Draw device.png, instructions, flash and RAM with one bar per program, and the curves; return the names."""
    shown = programs(bundle, device, all_details[bundle], baseline)
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
    return [PLOT, *curve.draw(folder, device, all_details)]

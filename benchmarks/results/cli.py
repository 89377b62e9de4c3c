"""docs/RESULTS.md from the figures of the other benchmarks: `make bench`, bench-link, goodput, bench-device, demo.

The systems under equal terms need no more than the committed JSONs of benchmarks/results; for their section alone,
where nothing else has been measured here: `python -m benchmarks.accuracy.page`.
"""

import argparse
import json
import sys
from pathlib import Path

from matplotlib import pyplot as plt

from benchmarks.accuracy import page as accuracy_results
from benchmarks.accuracy.experiments import experiments, stored
from benchmarks.device.baseline import load as load_baseline
from benchmarks.device.page import draw as draw_device
from benchmarks.device.page import section as device_costs
from benchmarks.goodput.page import section as goodput_section
from benchmarks.goodput.plots import draw_lora, draw_serial
from benchmarks.plots import finish
from benchmarks.receiver.cli import section as limits_section
from host.errors import HostError
from train.errors import TrainError

HEAD = """# Results

Made by `make results` from what `make bench`, `make bench-link`, `make goodput`, `make bench-device`, `make demo` and
`make bench-accuracy` measured; nothing here is typed by hand.
Accuracy is of the frames delivered; *of all sent* counts lost frames as wrong. BER: bit error rate, true bit flips,
each bit independent, over the whole frame (sync and header too). 1 kB = 1000 bytes.
"""
PLOT = Path("accuracy.png")
COLOURS = ("#1f5fa8", "#c4691c", "#1b7f4b")


def main() -> int:
    """Parse the command line and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("--codec", type=Path, default=Path("build/bench/codec.json"), help="default: %(default)s")
    parser.add_argument("--link", type=Path, default=Path("build/bench/link.json"), help="default: %(default)s")
    parser.add_argument("--goodput", type=Path, default=Path("build/bench/goodput.json"), help="default: %(default)s")
    parser.add_argument("--device", type=Path, default=Path("build/bench/device.json"), help="default: %(default)s")
    parser.add_argument("--demo", type=Path, default=Path("build/demo/report.json"), help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("docs/RESULTS.md"), help="default: %(default)s")
    args = parser.parse_args()
    try:
        files = (args.codec, args.link, args.goodput, args.demo)
        codec, link, goodput, demo = (json.loads(file.read_text()) for file in files)
        name = codec["bundle"]
        device = json.loads(args.device.read_text())
        details_file = args.device.with_name("device_details.json")
        details = json.loads(details_file.read_text())[name]
        baseline = load_baseline()
        systems, measured = experiments(), stored()
    except TrainError as error:
        print(f"results: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError, KeyError, HostError) as error:
        first = "run make bench, bench-link, goodput, bench-device and demo first"
        alone = "python -m benchmarks.accuracy.page writes the systems' section without"
        print(f"results: {error}; {first} ({alone})", file=sys.stderr)
        return 1
    for file, figures in zip((*files[1:], details_file), (link, goodput, demo, details), strict=True):
        if codec["model_id"] != figures["model_id"]:
            found = f"{args.codec} is of model {codec['model_id']}, {file} of {figures['model_id']}"
            print(f"results: {found}", file=sys.stderr)
            return 1
    device_section = _device(demo, device_costs(name, device, details, baseline))
    sections = [_accuracy(codec), limits_section(link), goodput_section(goodput), device_section]
    sections.append(accuracy_results.section(systems, measured))
    args.out.write_text("\n".join([HEAD, *sections]))
    folder = args.out.parent
    _plot(folder / PLOT, codec)
    drawn = [str(PLOT), *draw_lora(folder, goodput), *draw_serial(folder, goodput)]
    drawn += draw_device(folder, name, device, details, baseline) + accuracy_results.draw(folder, measured)
    print(f"written: {args.out}, {', '.join(drawn)}")
    return 0


def _accuracy(codec: dict) -> str:
    lines = [
        "## The default codec on CIFAR-10\n",
        f"Bundle `{codec['bundle']}`, model {codec['model_id']}; {codec['images']:,} test images, int8 encoder, "
        "symbols as the firmware makes them, each frame through the receiver, estimated BER at the decoder. One draw "
        f"of flips, seed {codec['seed']}; {codec['date']}, `{codec['command']}`.\n",
        f"Float encoder, clean: {100 * codec['accuracy_float_clean']:.2f} %.\n",
        f"![accuracy against bit error rate]({PLOT})\n",
        "| payload | frame | BER | accuracy | of all sent | accuracy, true BER told | frames lost | BER estimated |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for payload, chunk in codec["payload_bytes"].items():
        for ber, row in chunk["by_ber"].items():
            lines.append(
                f"| {payload} bytes | {chunk['frame_bytes']} bytes | {ber} | {100 * row['accuracy']:.2f} % "
                f"| {100 * row['accuracy_sent']:.2f} % | {100 * row['accuracy_true_ber_told']:.2f} % "
                f"| {row['frames_lost']} | {row['ber_estimated']:.4f} |"
            )
    raw, floats = codec["raw_bytes"], codec["float_feature_bytes"]
    lines += [
        "",
        "| payload | against raw uint8 pixels | against the latent as float32 |",
        "| ---: | ---: | ---: |",
        *[
            f"| {payload} bytes | {raw / int(payload):.0f} : 1 | {floats / int(payload):.1f} : 1 |"
            for payload in codec["payload_bytes"]
        ],
    ]
    return "\n".join(lines) + "\n"


def _device(demo: dict, costs: str) -> str:
    lines = [
        "## On the device\n",
        costs,
        f"The demo's {demo['images']} images, live through QEMU ({demo['target']}, engine {demo['engine']}) and the "
        f"proxy, symbols of {demo['parity_mismatches']} images unlike TFLite's; `make demo`:\n",
        "| BER | accuracy | of all sent | frames lost | BER estimated |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for ber, value in demo["accuracy"].items():
        lines.append(
            f"| {ber} | {100 * value:.1f} % | {100 * demo['accuracy_sent'][ber]:.1f} % "
            f"| {demo['frames_lost'][ber]} | {demo['ber_estimated'][ber]:.4f} |"
        )
    return "\n".join(lines) + "\n"


def _plot(file: Path, codec: dict) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for colour, (payload, chunk) in zip(COLOURS, codec["payload_bytes"].items(), strict=False):
        names = list(chunk["by_ber"])
        rows = list(chunk["by_ber"].values())
        axes.plot(names, [100 * r["accuracy"] for r in rows], color=colour, marker="o", linewidth=2,
                  label=f"{payload} bytes, of the frames delivered")  # fmt: skip
        axes.plot(names, [100 * r["accuracy_sent"] for r in rows], color=colour, linestyle="--", linewidth=1.2,
                  label=f"{payload} bytes, of all sent")  # fmt: skip
    axes.axhline(
        100 * codec["accuracy_float_clean"], color="#8a8f98", linestyle=":", label="float encoder, clean, whole payload"
    )
    axes.set_ylim(50, 100)
    finish(figure, axes, file, f"CIFAR-10, {codec['images']:,} test images, int8 encoder, estimated BER", "accuracy, %")


if __name__ == "__main__":
    sys.exit(main())

"""The section of docs/RESULTS.md on the demo."""

from benchmarks.images import title


def section(demo: dict) -> str:
    """Return the section in Markdown, from demo.json."""
    lines = [
        "## The demo\n",
        f"{demo['images']} {title(demo['dataset'])} test images at each BER, encoded by the firmware on an emulated "
        f"board ({demo['target']} in QEMU, engine {demo['engine']}) and sent through the live proxy; model "
        f"{demo['model_id']}; {demo['date']}, `{demo['command']}`. The symbols of {demo['parity_mismatches']} images "
        "differ from those of TFLite's reference kernels.\n",
        "| BER | accuracy | of all sent | frames lost | BER estimated |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for ber, value in demo["accuracy"].items():
        lines.append(
            f"| {ber} | {100 * value:.1f} % | {100 * demo['accuracy_sent'][ber]:.1f} % "
            f"| {demo['frames_lost'][ber]} | {demo['ber_estimated'][ber]:.4f} |"
        )
    return "\n".join(lines) + "\n"

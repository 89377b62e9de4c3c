"""The section of docs/RESULTS.md on the demo."""

from benchmarks.images import title


def section(demo: dict) -> str:
    """Return the section in Markdown, from demo.json."""
    lines = [
        "## The demo\n",
        f"{demo['images']} {title(demo['dataset'])} test images at each BER, encoded by the firmware on an emulated "
        f"board ({demo['target']} in QEMU, engine {demo['engine']}) and sent through the live proxy; model "
        f"{demo['model_id']}; {demo['date']}, `{demo['command']}`. The board answers itself from confidence level "
        f"{demo['threshold']} on; other images are decided by the host. The frames of {demo['parity_mismatches']} "
        "images differ from what TFLite's reference kernels give.\n",
        "| BER | answered by the board | correct of these | accuracy | of all sent | frames lost | mean bytes "
        "| mean air time | BER estimated |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for ber, value in demo["accuracy"].items():
        lines.append(
            f"| {ber} | {100 * demo['answered'][ber]:.1f} % | {100 * demo['accuracy_answered'][ber]:.1f} % "
            f"| {100 * value:.1f} % | {100 * demo['accuracy_sent'][ber]:.1f} % | {demo['frames_lost'][ber]} "
            f"| {demo['mean_frame_bytes'][ber]:.1f} | {1e3 * demo['mean_air_time_s'][ber]:.0f} ms "
            f"| {demo['ber_estimated'][ber]:.4f} |"
        )
    lines.append(
        f"\nAir times are those of LoRa at SF7 for the same mix; features alone would take "
        f"{1e3 * demo['air_time_features_s']:.0f} ms per image."
    )
    return "\n".join(lines) + "\n"

"""The section of docs/RESULTS.md on the default codec, and its plot."""

from pathlib import Path

from matplotlib import pyplot as plt

from benchmarks.images import title
from benchmarks.plots import finish

PLOT = "accuracy.png"
COLOURS = ("#1f5fa8", "#c4691c", "#1b7f4b")


def section(codec: dict) -> str:
    """Return the section in Markdown, from codec.json."""
    training = codec["training"]
    epochs = training["epochs"] + training["qat_epochs"]
    lines = [
        "## The default codec\n",
        f"Bundle `{codec['bundle']}`, model {codec['model_id']}; {codec['images']:,} {title(codec['dataset'])} test "
        "images. The int8 encoder's symbols are those that the firmware computes. Each frame passes through the "
        "receiver, and the decoder is given the estimated BER. One draw of bit flips, seed "
        f"{codec['seed']}; {codec['date']}, `{codec['command']}`.\n",
        f"Training: {epochs} epochs ({training['epochs']} float, {training['qat_epochs']} int8), "
        f"{'with' if training['teacher'] else 'without'} a teacher. Accuracy of the float encoder over a clean link: "
        f"{100 * codec['accuracy_float_clean']:.2f} %.\n",
        f"![accuracy against bit error rate]({PLOT})\n",
        "| payload | frame | BER | accuracy | of all sent | accuracy, true BER given | frames lost | BER estimated |",
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
        "| payload | compression against raw uint8 pixels | against the latent as float32 |",
        "| ---: | ---: | ---: |",
        *[
            f"| {payload} bytes | {raw / int(payload):.0f} : 1 | {floats / int(payload):.1f} : 1 |"
            for payload in codec["payload_bytes"]
        ],
    ]
    return "\n".join(lines) + "\n"


def draw(folder: Path, codec: dict) -> list[str]:
    """Draw accuracy against BER, two lines per payload, and return the file name."""
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
    heading = f"{title(codec['dataset'])}, {codec['images']:,} test images, int8 encoder, estimated BER"
    finish(figure, axes, folder / PLOT, heading, "accuracy, %")
    return [PLOT]

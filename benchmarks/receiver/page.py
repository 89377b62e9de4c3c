"""The section of docs/RESULTS.md on the receiver at its limits, from receiver.json and receiver_secured.json."""

from pathlib import Path

from benchmarks.command import ResultsError, read_json
from benchmarks.receiver.measure import DEVICES, HEADER_BERS, STEADY_FRAMES

FILE, SECURED_FILE = "receiver.json", "receiver_secured.json"
NOT_MEASURED = "-"  # of secured frames: it does not depend on keys


def read(results: Path) -> tuple[dict, dict | None]:
    """Return the figures of plain and of secured frames; None if the latter are not measured yet.

    Raises ResultsError if a file is damaged, the first is missing, or they are of different models.
    """
    plain, file = read_json(results / FILE), results / SECURED_FILE
    if not file.is_file():
        return plain, None
    secured = read_json(file)
    if (model := secured.get("model_id")) != plain.get("model_id"):
        raise ResultsError(f"{file} is of model {model}, not {plain.get('model_id')}, the one of {FILE}")
    return plain, secured


def rows(figures: dict) -> dict[str, str]:
    """Return the value of each figure as text, by its name."""
    soak, overhead = figures["soak"], figures["overhead_bytes"]
    header_losses = [
        ("known device", figures["header_loss"]),
        (f"known device, {DEVICES} known", figures["header_loss_50_devices"]),
        ("new device", figures["header_loss_new_device"]),
    ]
    shown = {
        "overhead of a frame": f"{overhead['serial']} bytes serial, {overhead['lora']} bytes LoRa",
        **{
            f"frames not found at BER {ber}, {of}": f"{100 * loss:.2f} %"
            for of, losses in header_losses
            for ber, loss in losses.items()
        },
        **{
            f"false frames per 1e7 bytes: {of}": f"{count:.2g}"
            for of, count in figures["false_frames_per_1e7_bytes_of"].items()
        },
        f"frames of new devices at BER {HEADER_BERS[-1]:g} that are taken for one of {DEVICES} known devices": (
            f"{100 * figures['new_devices_mistaken']:.2f} %"
        ),
        **{
            f"BER {ber}: estimate after {STEADY_FRAMES} frames, mean (rmse)": f"{e['mean']:.2g} ({e['rmse']:.1g})"
            for ber, e in figures["ber_estimate"].items()
        },
        **{
            f"BER from {step}: mean estimate, by number of frames after the step": ", ".join(
                f"{n}: {ber:.2g}" for n, ber in means.items()
            )
            for step, means in figures["ber_after_step"].items()
        },
    }
    if "lora_frames_per_minute" in figures:
        shown |= {
            "largest loss of accuracy by estimating the BER instead of knowing it": (
                f"{figures['accuracy_cost_of_estimated_ber']:.2f} points"
            ),
            "simulated LoRa frames per minute, slowest SF": f"{figures['lora_frames_per_minute']:,}",
        }
    return shown | {
        "soak": f"{soak['frames']:,} frames, {soak['unharmed']:,} arrived undamaged, {soak['lost_clean']} of them "
        f"missed, {soak['crashes']} crashes, {soak['board_resets'] + soak['host_resets']} resets, memory "
        f"{soak['rss_growth_bytes'] / 1e6:+.1f} MB",
    }


def section(figures: dict, secured: dict | None) -> str:
    """Return the section in Markdown, with a column for secured frames if they are measured."""
    known, new = (100 * figures[key][f"{HEADER_BERS[-1]:g}"] for key in ("header_loss", "header_loss_new_device"))
    lines = [
        "## The receiver at its limits\n",
        f"Frames with the whole payload through random bit flips and `host.receive`: {figures['frames']:,} frames per "
        f"BER, {figures['noise_bytes']:,} random bytes per number of known devices, {figures['runs']:,} runs of the "
        f"estimator per BER; seed {figures['seed']}; {figures['date']}, `{figures['command']}`.\n",
        "A *known device* has sent one clean frame before. A *new device* has sent nothing before, and the receiver "
        f"knows no other device. At BER {HEADER_BERS[-1]:g} the receiver loses {known:.1f} % of the frames of a known "
        f"device and {new:.0f} % of those of a new one.\n",
        "*Damaged frames* counts every frame found that was not sent, including false locks inside payloads and "
        "headers taken for those of another frame, per bytes sent at these BERs together. "
        f"The soak: {DEVICES} devices on one line, through `{figures['soak']['channel']}`, garbage, and resets of "
        "either end.\n",
        *(_about(secured) if secured else []),
        *(_both(rows(figures), rows(secured)) if secured else _one(rows(figures))),
    ]
    return "\n".join(lines) + "\n"


def _about(secured: dict) -> list[str]:
    return [
        f"*Secured*: the devices have keys, and the receiver holds them: {secured['frames']:,} frames per BER, "
        f"{secured['noise_bytes']:,} random bytes, {secured['runs']:,} runs; seed {secured['seed']}; "
        f"{secured['date']}, `{secured['command']}`. A frame whose header tag is refused counts as not found. The new "
        f"device is at one of its first 65,536 images ({secured['frames_new_device']:,} frames per BER). The frames of "
        "new devices that might be taken for known ones are plain. The soak counts frames as undamaged that are "
        "authentic to the last bit.\n"
    ]


def _one(plain: dict[str, str]) -> list[str]:
    return ["| figure | value |", "| --- | ---: |", *[f"| {name} | {value} |" for name, value in plain.items()]]


def _both(plain: dict[str, str], secured: dict[str, str]) -> list[str]:
    lines = [f"| {name} | {value} | {secured.get(name, NOT_MEASURED)} |" for name, value in plain.items()]
    return ["| figure | plain | secured |", "| --- | ---: | ---: |", *lines]

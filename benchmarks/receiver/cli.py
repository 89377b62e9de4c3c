"""The receiver at its limits: `make bench-link` prints the figures and writes build/bench/link.json.

Headers lost, frames seen in nothing but noise, the estimate of the bit error rate, the speed of the LoRa channel, and a
soak of proxy and receiver. All through the real receiver, over random flips (binary symmetric channel). What it costs
that the rate is estimated comes from `make bench`, over all test images.
"""

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.receiver.soak import soak
from channel_sim.channels.bsc import BitFlips
from channel_sim.channels.lora import LoRa
from channel_sim.live.proxy import ProxyError
from host.classify.ber import BerEstimator
from host.receive.events import FeatureFrame
from host.receive.headers import SEQUENCES
from host.receive.stream import StreamReceiver
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle
from wire.frame import ANY_DEVICE, HEADER_BYTES, SYNC, FrameType, Header

HEADER_BERS = (0.01, 0.05, 0.1)
ESTIMATE_BERS = (1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1)
STEADY_FRAMES = 20
STEP = (1e-3, 5e-2)
AFTER_STEP = (1, 2, 3, 5, 10, 20)
DEVICES = 50
NOISE_PIECE = 1 << 20
LORA_BYTES, LORA_BATCH = 64, 1000
SFS = range(7, 13)

Tick = Callable[[int], None]


class Sender:
    """Frames of the whole payload with random levels, as devices send them one after the other."""

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self._bundle, self._rng = bundle, np.random.default_rng(seed)
        count, bits = bundle.chunk_symbols(0)[1], bundle.bits_per_symbol
        self._levels = [self._rng.integers(0, 1 << bits, count) for _ in range(256)]
        self._sequence = [0] * DEVICES

    def next(self, device: int = 0) -> tuple[bytes, tuple[int, int, int]]:
        """The device's next frame, and what a receiver should make of its header: device, sequence, chunk."""
        sequence = self._sequence[device] = (self._sequence[device] + 1) % SEQUENCES
        levels = self._levels[int(self._rng.integers(len(self._levels)))]
        return self._bundle.frame(levels, device, sequence), (device, sequence, 0)


def acquainted(bundle: Bundle, sender: Sender, devices: int) -> StreamReceiver:
    """A receiver that has heard each of these devices once, clean."""
    receiver = StreamReceiver([bundle])
    for device in range(devices):
        receiver.feed(sender.next(device)[0])
    return receiver


def header_loss(bundle: Bundle, ber: float, devices: int, frames: int, seed: int, tick: Tick) -> tuple[float, int]:
    """Share of frames not found at all, and how many were found that nobody sent."""
    sender, rng, channel = Sender(bundle, seed), np.random.default_rng([seed, 1]), BitFlips(ber)
    receiver = acquainted(bundle, sender, devices)
    found = false = 0
    for _ in range(frames):
        sent, expected = sender.next(int(rng.integers(devices)))
        events = [*receiver.feed(channel.corrupt(sent, rng) or b""), *receiver.flush()]
        got = [(e.device, e.sequence, e.chunk) for e in events if isinstance(e, FeatureFrame)]
        found += expected in got
        false += len(got) - (expected in got)
        tick(1)
    return 1 - found / frames, false


def mistaken(bundle: Bundle, ber: float, frames: int, seed: int, tick: Tick) -> float:
    """Share of the frames of devices that nobody has heard of which are taken for a known one's, with 50 known."""
    sender, rng, channel = Sender(bundle, seed), np.random.default_rng([seed, 4]), BitFlips(ber)
    receiver, wrong = acquainted(bundle, sender, DEVICES), 0
    for n in range(frames):
        stranger = DEVICES + n % (ANY_DEVICE - DEVICES)
        header = Header(FrameType.FEATURE, stranger, n % SEQUENCES, bundle.model_bits, 0)
        block = channel.corrupt(SYNC + header.encode(), rng) or b""
        wrong += any(
            isinstance(event, FeatureFrame) and event.device < DEVICES
            for event in [*receiver.feed(block + bytes(bundle.chunk_layout(0).size - HEADER_BYTES)), *receiver.flush()]
        )
        tick(1)
    return wrong / frames


def false_frames(bundle: Bundle, devices: int, size: int, seed: int, tick: Tick) -> int:
    """Frames that a receiver who knows so many devices finds in random bytes."""
    receiver, rng = acquainted(bundle, Sender(bundle, seed), devices), np.random.default_rng([seed, 2])
    found = 0
    for first in range(0, size, NOISE_PIECE):
        piece = rng.bytes(min(NOISE_PIECE, size - first))
        found += sum(isinstance(event, FeatureFrame) for event in receiver.feed(piece))
        tick(len(piece))
    return found + sum(isinstance(event, FeatureFrame) for event in receiver.flush())


def estimates(bundle: Bundle, bers: list[float], runs: int, seed: int, tick: Tick) -> np.ndarray:
    """The estimate after each frame, (runs, frames), over a link that has these bit error rates one after the other."""
    out = np.empty((runs, len(bers)))
    for run in range(runs):
        sender, rng = Sender(bundle, seed + run), np.random.default_rng([seed, run, 3])
        receiver, estimator = acquainted(bundle, sender, 1), BerEstimator()
        for n, ber in enumerate(bers):
            for event in receiver.feed(BitFlips(ber).corrupt(sender.next()[0], rng) or b""):
                if isinstance(event, FeatureFrame):
                    estimator.update(event)
            out[run, n] = estimator.estimate
        tick(1)
    return out


def lora_speed(seed: int, tick: Tick) -> dict[str, int]:
    """64-byte frames a minute on one core, by spreading factor; header and 4/5, at an SNR that leaves some errors."""
    frames = np.zeros((LORA_BATCH, LORA_BYTES), np.uint8)
    speeds = {}
    for sf in SFS:
        radio, rng = LoRa(-9 - 2.5 * (sf - 7), sf), np.random.default_rng(seed)
        started, done = time.process_time(), 0
        while (spent := time.process_time() - started) < 1 or not done:
            radio.transmit(frames, rng)
            done += LORA_BATCH
        speeds[str(sf)] = round(60 * done / spent)
        tick(1)
    return speeds


def cost_of_estimating(file: Path, bundle: Bundle) -> tuple[float, dict]:
    """The most points that the estimate costs at any rate, whole payload; and by rate. BundleError without figures."""
    try:
        codec = json.loads(file.read_text())
        if codec["model_id"] != bundle.model_id:
            raise BundleError(f"{file} is of model {codec['model_id']}, not {bundle.model_id}: run make bench")
        rows = codec["payload_bytes"][str(bundle.chunk_bytes(0))]["by_ber"]
        by_ber = {ber: 100 * (row["accuracy_true_ber_told"] - row["accuracy"]) for ber, row in rows.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{file} has no figures of the codec ({error}): run make bench") from None
    return max(by_ber.values()), by_ber


def measure(bundle: Bundle, args: argparse.Namespace, console: Console) -> dict:
    """Everything that `main` prints."""
    cost, cost_by_ber = cost_of_estimating(args.codec, bundle)
    started, layout, seed = time.monotonic(), bundle.chunk_layout(0), args.seed
    columns = (TextColumn("{task.description:<36}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:

        def tick(name: str, total: int) -> Tick:
            task = bar.add_task(name, total=total)
            return lambda steps: bar.advance(task, steps)

        loss, many, inside = {}, {}, 0
        for ber in HEADER_BERS:
            name = f"{ber:g}"
            each = tick(f"headers, BER {name}", args.frames)
            loss[name], false = header_loss(bundle, ber, 1, args.frames, seed, each)
            inside += false
            many[name], false = header_loss(
                bundle, ber, DEVICES, args.frames, seed, tick(f"headers, BER {name}, {DEVICES} devices", args.frames)
            )
            inside += false
        sent_bytes = 2 * len(HEADER_BERS) * args.frames * layout.serial_size
        strangers = mistaken(bundle, HEADER_BERS[-1], args.frames, seed, tick("strangers", args.frames))
        noise = {
            str(devices): false_frames(bundle, devices, args.noise, seed, tick(f"noise, {devices} known", args.noise))
            for devices in (0, 1, DEVICES)
        }
        ber_estimate = {}
        for ber in ESTIMATE_BERS:
            each = tick(f"estimate of {ber:g}", args.runs)
            last = estimates(bundle, [ber] * STEADY_FRAMES, args.runs, seed, each)[:, -1]
            rmse = float(np.sqrt(np.mean((last - ber) ** 2)))
            ber_estimate[f"{ber:g}"] = {"mean": float(last.mean()), "rmse": rmse}
        steps = {}
        for before, after in (STEP, STEP[::-1]):
            bers = [before] * STEADY_FRAMES + [after] * max(AFTER_STEP)
            name = f"{before:g} to {after:g}"
            mean = estimates(bundle, bers, args.runs, seed, tick(f"step, {name}", args.runs)).mean(axis=0)
            steps[name] = {str(n): float(mean[STEADY_FRAMES - 1 + n]) for n in (0, *AFTER_STEP)}
        speeds = lora_speed(seed, tick("LoRa, SF7 to SF12", len(SFS)))
    per_1e7 = {
        **{f"random bytes, {devices} devices known": 1e7 * count / args.noise for devices, count in noise.items()},
        f"damaged frames of 1 and {DEVICES} devices": 1e7 * inside / sent_bytes,
    }
    return {
        "overhead_bytes": {
            "serial": layout.serial_size - layout.payload_bytes,
            "lora": layout.size - layout.payload_bytes,
        },
        "header_loss": loss,
        "header_loss_50_devices": many,
        "false_frames_per_1e7_bytes": max(per_1e7.values()),
        "false_frames_per_1e7_bytes_of": per_1e7,
        "strangers_mistaken": strangers,
        "ber_estimate": ber_estimate,
        "ber_after_step": steps,
        "accuracy_cost_of_estimated_ber": cost,
        "accuracy_cost_by_ber": cost_by_ber,
        "lora_frames_per_minute": min(speeds.values()),
        "lora_frames_per_minute_by_sf": speeds,
        "soak": soak(bundle.path, args.soak, seed, console),
        "frames": args.frames,
        "noise_bytes": args.noise,
        "runs": args.runs,
        "seed": seed,
        "model_id": bundle.model_id,
        "command": f"python -m benchmarks.receiver --bundle {bundle.path} --frames {args.frames} --noise {args.noise} "
        f"--runs {args.runs} --soak {args.soak} --seed {seed}",
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
    }


def show(figures: dict, console: Console) -> None:
    """The figures as tables."""
    table = Table(title="The receiver at its limits", show_header=False)
    for name, value in rows(figures):
        table.add_row(name, value)
    console.print(table)


def rows(figures: dict) -> list[tuple[str, str]]:
    """Each figure's name and value, as a person reads them."""
    soaked, around = figures["soak"], figures["overhead_bytes"]
    one, many, false = (
        figures[key] for key in ("header_loss", "header_loss_50_devices", "false_frames_per_1e7_bytes_of")
    )
    return [
        ("bytes around a payload", f"{around['serial']} serial, {around['lora']} LoRa"),
        *[(f"frames not found at BER {ber}, known device", f"{100 * loss:.2f} %") for ber, loss in one.items()],
        *[(f"frames not found at BER {ber}, {DEVICES} devices", f"{100 * loss:.2f} %") for ber, loss in many.items()],
        *[(f"false frames in 1e7 bytes: {of}", f"{count:.2g}") for of, count in false.items()],
        (
            f"frames at BER {HEADER_BERS[-1]:g} of devices not heard before, taken for one of {DEVICES} known",
            f"{100 * figures['strangers_mistaken']:.2f} %",
        ),
        *[
            (f"BER {ber}: estimate after {STEADY_FRAMES} frames, mean (rmse)", f"{e['mean']:.2g} ({e['rmse']:.1g})")
            for ber, e in figures["ber_estimate"].items()
        ],
        *[
            (f"BER from {step}: mean estimate n frames later", ", ".join(f"{n}: {b:.2g}" for n, b in means.items()))
            for step, means in figures["ber_after_step"].items()
        ],
        ("most accuracy that the estimate costs", f"{figures['accuracy_cost_of_estimated_ber']:.2f} points"),
        ("LoRa frames a minute, slowest SF", f"{figures['lora_frames_per_minute']:,}"),
        (
            "soak",
            f"{soaked['frames']:,} frames, {soaked['unharmed']:,} came unharmed, {soaked['lost_clean']} of them not "
            f"counted, {soaked['crashes']} crashes, {soaked['board_resets'] + soaked['host_resets']} resets, memory "
            f"{soaked['rss_growth_bytes'] / 1e6:+.1f} MB",
        ),
    ]


def section(figures: dict) -> str:
    """The section of docs/RESULTS.md."""
    lines = [
        "## The receiver at its limits\n",
        f"Frames of the whole payload through random flips and `host.receive`: {figures['frames']:,} frames at each "
        f"BER, {figures['noise_bytes']:,} random bytes for each number of devices known, {figures['runs']:,} runs of "
        f"the estimator at each BER; seed {figures['seed']}; {figures['date']}, `make bench-link`. A known device has "
        "been heard clean once. *Damaged frames*: any frame that is found and was not sent, false locks inside "
        "payloads and headers taken for another's included, by the bytes sent at these BERs together. The soak: "
        f"{DEVICES} devices on one line, through `{figures['soak']['channel']}`, garbage, and resets of either end.\n",
        "| figure | value |",
        "| --- | ---: |",
        *[f"| {name} | {value} |" for name, value in rows(figures)],
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Parse the command line, measure, show and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiver", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/cifar10"), help="default: %(default)s")
    parser.add_argument("--frames", type=int, default=100_000, help="at each BER (default: %(default)s)")
    parser.add_argument("--noise", type=int, default=100_000_000, help="random bytes a state (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=1000, help="of the estimator at each BER (default: %(default)s)")
    parser.add_argument("--soak", type=int, default=1_000_000, help="frames to soak with (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything (default: %(default)s)")
    parser.add_argument("--codec", type=Path, default=Path("build/bench/codec.json"), help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("build/bench/link.json"), help="default: %(default)s")
    args = parser.parse_args()
    if min(args.frames, args.noise, args.runs, args.soak) < 1 or args.seed < 0:
        parser.error("counts must be at least 1, --seed at least 0")
    console = Console()
    try:
        figures = measure(load_bundle(args.bundle), args, console)
    except (BundleError, ProxyError) as error:
        print(f"limits: {error}", file=sys.stderr)
        return 1
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(figures, indent=1) + "\n")
    show(figures, console)
    console.print(f"figures: {args.out}, {figures['seconds']:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

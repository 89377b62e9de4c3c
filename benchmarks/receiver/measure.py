"""Measure the receiver at its limits: headers lost, false frames, the BER estimate, the speed of the LoRa channel.

All frames pass the real receiver, over random bit flips (binary symmetric channel). Those of devices with keys are
secured; of these, the receiver accepts only frames that are authentic.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from rich.console import Console

from benchmarks.encoding import ANSWER
from benchmarks.progress import progress_bar
from channel_sim.channels.bsc import BER_GRID, BitFlips
from channel_sim.channels.lora import LoRa
from host.classify.ber import BerEstimator
from host.keys.policy import DevicePolicy
from host.receive.events import AnswerFrame, Event, FeatureFrame
from host.receive.secured.devices import WINDOW
from host.receive.stream import StreamReceiver
from wire.answer import Answer
from wire.bundle import Bundle
from wire.frame import ANY_DEVICE, HEADER_BYTES, SEQUENCES, SYNC, FrameType, Header
from wire.secure.frames import SecuredDevice, SecuredLayout
from wire.secure.keys import Keys

KEY_BYTES = 16
HEADER_BERS = (0.01, 0.05, 0.1)
ESTIMATE_BERS = BER_GRID[1:]
STEADY_FRAMES = 20
STEP = (1e-3, 5e-2)
AFTER_STEP = (1, 2, 3, 5, 10, 20)
DEVICES = 50
NOISE_PIECE_BYTES = 1 << 20
LORA_BYTES, LORA_BATCH = 64, 1000
SPREADING_FACTORS = range(7, 13)

OnProgress = Callable[[int], None]  # called with the number of steps done since the last call


@dataclass(frozen=True)
class Settings:
    """Size of the benchmark."""

    bundle: Bundle
    frames: int  # per BER
    noise_bytes: int  # random bytes per number of known devices
    runs: int  # of the BER estimator, per BER
    seed: int
    secured: bool = False  # the devices have keys, and the receiver holds them

    @property
    def new_frames(self) -> int:
        """Frames of new devices per BER."""
        return max(1, self.frames // 10) if self.secured else self.frames


class Sender:
    """Devices that send frames of the whole payload, with random symbols, one after the other."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self._bundle, self._rng, self._secured = settings.bundle, np.random.default_rng(seed), settings.secured
        count, bits = self._bundle.chunk_symbols(0)[1], self._bundle.bits_per_symbol
        self._symbols = [self._rng.integers(0, 1 << bits, count) for _ in range(256)]
        self._answer = Answer(0, 0) if self._bundle.answer else None
        self._number = [0] * ANY_DEVICE

    def next(self, device: int = 0) -> tuple[bytes, tuple[int, int, int]]:
        """Return the device's next frame, and its device, sequence and chunk."""
        self._number[device] += 1
        return self.frame(device, self._number[device])

    def frame(self, device: int, number: int) -> tuple[bytes, tuple[int, int, int]]:
        """Return the frame of an image with this number, and its device, sequence and chunk."""
        bundle, sequence = self._bundle, number % SEQUENCES
        symbols = self._symbols[int(self._rng.integers(len(self._symbols)))]
        if self._secured:
            sender = SecuredDevice(device_keys(device), device, bundle.number, bundle.class_count)
            payload = bundle.payload(symbols, self._answer)
            return sender.feature_frame(number, 0, payload, bundle.chunk_bits(0)), (device, sequence, 0)
        return bundle.frame(symbols, device, sequence, answer=self._answer), (device, sequence, 0)


@cache
def device_keys(device: int) -> Keys:
    """Return the keys of a device."""
    return Keys.derive(bytes([device] * KEY_BYTES))


def policies(settings: Settings, devices: Iterable[int]) -> dict[int, DevicePolicy]:
    """Return what a receiver demands of devices: nothing, unless they have keys."""
    return {device: DevicePolicy(device_keys(device)) for device in devices} if settings.secured else {}


def knowing_receiver(settings: Settings, sender: Sender, devices: int) -> StreamReceiver:
    """Return a receiver that has received one clean frame of each of so many devices, and holds their keys."""
    receiver = StreamReceiver([settings.bundle], policies=policies(settings, range(devices)))
    for device in range(devices):
        receiver.feed(sender.next(device)[0])
    return receiver


def header_loss(settings: Settings, ber: float, devices: int, on_progress: OnProgress) -> tuple[float, int]:
    """Return the share of frames of known devices that are not found, and the number of frames found but never sent."""
    seed = settings.seed
    sender, rng, channel = Sender(settings, seed), np.random.default_rng([seed, 1]), BitFlips(ber)
    receiver = knowing_receiver(settings, sender, devices)
    found = false = 0
    for _ in range(settings.frames):
        sent, expected = sender.next(int(rng.integers(devices)))
        received = _headers([*receiver.feed(channel.corrupt(sent, rng) or b""), *receiver.flush()])
        found += expected in received
        false += len(received) - (expected in received)
        on_progress(1)
    return 1 - found / settings.frames, false


def header_loss_new_device(settings: Settings, ber: float, on_progress: OnProgress) -> float:
    """Return the share of first frames that are not found, each sent to a receiver that knows no device.

    One that holds a device's key has not heard the device yet, which may be at any of the first 65,536 images.
    `settings.new_frames` are sent, since a receiver with a key takes milliseconds to set up.
    """
    seed = settings.seed
    sender, rng, channel = Sender(settings, seed), np.random.default_rng([seed, 5]), BitFlips(ber)
    found = 0
    for n in range(settings.new_frames):
        device, number = n % ANY_DEVICE, int(rng.integers(WINDOW)) if settings.secured else 1 + n // ANY_DEVICE
        sent, expected = sender.frame(device, number)
        receiver = StreamReceiver([settings.bundle], policies=policies(settings, [device]))
        found += expected in _headers([*receiver.feed(channel.corrupt(sent, rng) or b""), *receiver.flush()])
        on_progress(1)
    return 1 - found / settings.new_frames


def mistaken(settings: Settings, ber: float, on_progress: OnProgress) -> float:
    """Return the share of plain frames of new devices that are taken for those of one of DEVICES known ones."""
    bundle, seed = settings.bundle, settings.seed
    sender, rng, channel = Sender(settings, seed), np.random.default_rng([seed, 4]), BitFlips(ber)
    receiver, wrong = knowing_receiver(settings, sender, DEVICES), 0
    rest = bytes(bundle.chunk_layout(0).size - HEADER_BYTES)
    for n in range(settings.frames):
        device = DEVICES + n % (ANY_DEVICE - DEVICES)
        header = Header(FrameType.FEATURE, device, n % SEQUENCES, bundle.model_bits, 0)
        block = channel.corrupt(SYNC + header.encode(), rng) or b""
        received = _headers([*receiver.feed(block + rest), *receiver.flush()])
        wrong += any(device < DEVICES for device, _, _ in received)
        on_progress(1)
    return wrong / settings.frames


def false_frames(settings: Settings, devices: int, on_progress: OnProgress) -> int:
    """Return the number of frames that a receiver that knows so many devices finds in random bytes."""
    receiver = knowing_receiver(settings, Sender(settings, settings.seed), devices)
    rng, found = np.random.default_rng([settings.seed, 2]), 0
    for first in range(0, settings.noise_bytes, NOISE_PIECE_BYTES):
        piece = rng.bytes(min(NOISE_PIECE_BYTES, settings.noise_bytes - first))
        found += len(_headers(receiver.feed(piece)))
        on_progress(len(piece))
    return found + len(_headers(receiver.flush()))


def estimates(settings: Settings, bers: Sequence[float], on_progress: OnProgress) -> np.ndarray:
    """Return the BER estimate after each frame, (runs, frames), over a link with one BER per frame."""
    seed = settings.seed
    out = np.empty((settings.runs, len(bers)))
    for run in range(settings.runs):
        sender, rng = Sender(settings, seed + run), np.random.default_rng([seed, run, 3])
        receiver, estimator = knowing_receiver(settings, sender, 1), BerEstimator()
        for n, ber in enumerate(bers):
            for event in receiver.feed(BitFlips(ber).corrupt(sender.next()[0], rng) or b""):
                if isinstance(event, FeatureFrame):
                    estimator.update(event)
            out[run, n] = estimator.estimate
        on_progress(1)
    return out


def lora_speed(seed: int, on_progress: OnProgress) -> dict[str, int]:
    """Return simulated 64-byte frames per minute on one core, by spreading factor.

    With header and coding rate 4/5, at an SNR that leaves some errors.
    """
    frames = np.zeros((LORA_BATCH, LORA_BYTES), np.uint8)
    speeds = {}
    for sf in SPREADING_FACTORS:
        radio, rng = LoRa(-9 - 2.5 * (sf - 7), sf), np.random.default_rng(seed)
        started, done = time.process_time(), 0
        while (spent := time.process_time() - started) < 1 or not done:
            radio.transmit(frames, rng)
            done += LORA_BATCH
        speeds[str(sf)] = round(60 * done / spent)
        on_progress(1)
    return speeds


def measure(settings: Settings, console: Console) -> dict:
    """Return all figures of this module."""
    frames, runs, bundle = settings.frames, settings.runs, settings.bundle
    layout = SecuredLayout(bundle.chunk_bits(0)) if settings.secured else bundle.chunk_layout(0)
    with progress_bar(console) as bar:

        def task(name: str, total: int) -> OnProgress:
            number = bar.add_task(name, total=total)
            return lambda steps: bar.advance(number, steps)

        known: dict[str, float] = {}
        many: dict[str, float] = {}
        new: dict[str, float] = {}
        false = 0
        for ber in HEADER_BERS:
            name = f"{ber:g}"
            for losses, devices in ((known, 1), (many, DEVICES)):
                on_progress = task(f"headers, BER {name}, {devices} known", frames)
                losses[name], false_count = header_loss(settings, ber, devices, on_progress)
                false += false_count
            on_progress = task(f"headers, BER {name}, new device", settings.new_frames)
            new[name] = header_loss_new_device(settings, ber, on_progress)
        sent_bytes = 2 * len(HEADER_BERS) * frames * layout.serial_size
        new_mistaken = mistaken(settings, HEADER_BERS[-1], task("new devices beside known ones", frames))
        noise = {
            devices: false_frames(settings, devices, task(f"noise, {devices} known", settings.noise_bytes))
            for devices in (0, 1, DEVICES)
            if devices or not settings.secured
        }
        ber_estimate = {}
        for ber in ESTIMATE_BERS:
            last = estimates(settings, [ber] * STEADY_FRAMES, task(f"estimate of BER {ber:g}", runs))[:, -1]
            rmse = float(np.sqrt(np.mean((last - ber) ** 2)))
            ber_estimate[f"{ber:g}"] = {"mean": float(last.mean()), "rmse": rmse}
        steps = {}
        for before, after in (STEP, STEP[::-1]):
            bers = [before] * STEADY_FRAMES + [after] * max(AFTER_STEP)
            name = f"{before:g} to {after:g}"
            mean = estimates(settings, bers, task(f"BER step from {name}", runs)).mean(axis=0)
            steps[name] = {str(n): float(mean[STEADY_FRAMES - 1 + n]) for n in (0, *AFTER_STEP)}
    per_1e7 = {
        **{f"random bytes, {devices} known": 1e7 * count / settings.noise_bytes for devices, count in noise.items()},
        f"damaged frames of 1 and {DEVICES} devices": 1e7 * false / sent_bytes,
    }
    return {
        "overhead_bytes": {
            "serial": layout.serial_size - layout.payload_bytes,
            "lora": layout.size - layout.payload_bytes,
        },
        "header_loss": known,
        "header_loss_50_devices": many,
        "header_loss_new_device": new,
        "frames_new_device": settings.new_frames,
        "false_frames_per_1e7_bytes": max(per_1e7.values()),
        "false_frames_per_1e7_bytes_of": per_1e7,
        "new_devices_mistaken": new_mistaken,
        "ber_estimate": ber_estimate,
        "ber_after_step": steps,
    }


def _headers(events: Sequence[Event]) -> list[tuple[int, int, int]]:
    """Return device, sequence and chunk of the feature frames, and of answers, whose chunk is ANSWER."""
    found = [event for event in events if isinstance(event, FeatureFrame | AnswerFrame)]
    return [(e.device, e.sequence, e.chunk if isinstance(e, FeatureFrame) else ANSWER) for e in found]

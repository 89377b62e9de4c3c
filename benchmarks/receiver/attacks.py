"""Attacks on a site, without keys or with them: frames that anybody can send, beside those of honest devices.

Three devices send an image a minute over a line that flips bits; a rogue station's frames arrive undamaged. Measured
are the images delivered and their classes, the forged readings shown, and the losses counted wrongly.
"""

import argparse
import datetime
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from benchmarks import command
from benchmarks.markdown import table
from benchmarks.progress import progress_bar
from benchmarks.receiver.secured_site import SecuredSite
from benchmarks.receiver.site import DEVICES, Sent, Site
from channel_sim.channels.bsc import BitFlips
from host.classify.classifier import Classifier
from host.receive.events import FeatureFrame
from host.receive.frames import FrameParser
from host.receive.stream import StreamReceiver
from wire.bundle import Bundle
from wire.bundle import load as load_bundle
from wire.frame import ANY_DEVICE, SEQUENCES

BERS = (0.0, 0.05, 0.1)
INTERVAL_S, JITTER_S = 60.0, 0.5
WARM_UP = 50  # images of each device before the attack, undamaged
OTHER = 0.25  # share of different payload bits from which a frame is another one: damaged ones differ in 10 %

OnProgress = Callable[[int], None]


class Forged(NamedTuple):
    """A frame of the rogue station, and when it arrives: seconds after the honest frame, before it if negative."""

    after_s: float
    frame: bytes


def no_attack(site: Site, sent: Sent) -> Iterator[Forged]:
    """Send nothing."""
    yield from ()


def rogue_station(site: Site, sent: Sent) -> Iterator[Forged]:
    """Send the next image of the device, half an interval before the device does."""
    yield Forged(INTERVAL_S / 2, site.forge(sent.device, sent.number + 1, site.other(sent.image)))


def replay(site: Site, sent: Sent) -> Iterator[Forged]:
    """Repeat one of the device's last 30 frames, five seconds before the next one."""
    own = site.history[-len(DEVICES) :: -len(DEVICES)]
    yield Forged(-5.0, own[int(site.rng.integers(1, 30))])


def header_flood(site: Site, sent: Sent) -> Iterator[Forged]:
    """Send a frame of the device with a random sequence number, one second before each of its own."""
    number = int(site.rng.integers(SEQUENCES))
    yield Forged(-1.0, site.forge(sent.device, number, site.other(sent.image)))


def id_flood(site: Site, sent: Sent) -> Iterator[Forged]:
    """Send as all other devices: two frames of each at the beginning, then one frame before each honest one."""
    others = [device for device in range(ANY_DEVICE) if device not in DEVICES]
    if len(site.history) == WARM_UP * len(DEVICES) + 1:
        for device in others:
            yield from (Forged(-10.0, site.forge(device, number, 0)) for number in (0, 1))
    yield Forged(-1.0, site.forge(int(site.rng.choice(others)), int(site.rng.integers(SEQUENCES)), 0))


def other_copy(site: Site, sent: Sent) -> Iterator[Forged]:
    """Send another image with the number of the one just sent."""
    yield Forged(1.0, site.copy(sent, site.packed(site.other(sent.image))))


def changed_copy(site: Site, sent: Sent) -> Iterator[Forged]:
    """Send the image just sent with some of its bits changed, so that it passes for a copy of a damaged frame."""
    yield Forged(1.0, site.copy(sent, site.changed(sent.image)))


Attack = Callable[[Site, Sent], Iterator[Forged]]
ATTACKS: dict[str, Attack] = {
    "none": no_attack,
    "rogue station": rogue_station,
    "replay": replay,
    "header flood": header_flood,
    "id flood": id_flood,
    "other image as a copy": other_copy,
    "changed copy": changed_copy,
}


@dataclass
class Outcome:
    """Counts of one experiment."""

    sent: int = 0
    delivered: int = 0
    wrong: int = 0  # of the images delivered: the class at last, after all copies
    forged_shown: int = 0  # readings of an honest device that are none of its images, shown as new images
    forged_marked: int = 0  # the same, marked as unexpected
    false_losses: int = 0  # counted, but delivered, or the other way round
    decode_ms: float = 0.0  # CPU time of the receiver per honest frame

    def figures(self) -> dict[str, float]:
        """Return the figures of the JSON file."""
        return {
            "delivered": self.delivered / self.sent,
            "wrong": self.wrong / max(1, self.delivered),
            "forged_shown": self.forged_shown / self.sent,
            "forged_marked": self.forged_marked / self.sent,
            "false_losses": self.false_losses / self.sent,
            "decode_ms": round(self.decode_ms, 3),
        }


class Host:
    """A receiver on a simulated clock, and the frames that it found."""

    def __init__(self, site: Site) -> None:
        self.now = 0.0
        self.parser = FrameParser([site.bundle], lambda: self.now, site.policies)
        self._receiver = StreamReceiver([site.bundle], self.parser)
        self.frames: list[tuple[FeatureFrame, Sent | None]] = []  # with the image that was sent, unless it is forged

    def receive(self, now: float, data: bytes, sent: Sent | None, payload: np.ndarray | None) -> bool:
        """Receive a frame. Return True if it is the honest one that was sent."""
        self.now = max(self.now, now)
        found = False
        for event in [*self._receiver.feed(data), *self._receiver.flush()]:
            if isinstance(event, FeatureFrame) and event.device in DEVICES:
                own = sent is not None and payload is not None and _is_own(event, sent, payload)
                self.frames.append((event, sent if own else None))
                found |= own
        return found


def _is_own(frame: FeatureFrame, sent: Sent, payload: np.ndarray) -> bool:
    if (frame.device, frame.sequence) != (sent.device, sent.number % SEQUENCES):
        return False
    received = frame.bits >= 0
    return float((frame.bits != payload)[received].mean()) < OTHER


def simulate(site: Site, attack: Attack, ber: float, images: int, seed: int, done: OnProgress) -> tuple[Host, Outcome]:
    """Send images of each device, under attack after the warm-up, and return what the host received."""
    host, outcome, channel, flips = Host(site), Outcome(), BitFlips(ber), np.random.default_rng([seed, 2])
    spent = 0.0
    for number in range(WARM_UP + images):
        attacked = number >= WARM_UP
        for device in DEVICES:
            image = int(site.rng.integers(len(site.symbols)))
            sent, at = Sent(device, number, image), INTERVAL_S * (number + device / len(DEVICES))
            at += float(site.rng.normal(0, JITTER_S))
            frame, payload = site.frame(*sent), site.payload(image)
            site.history.append(frame)
            forged = [*attack(site, sent)] if attacked else []
            for each in (one for one in forged if one.after_s < 0):
                host.receive(at + each.after_s, each.frame, None, None)
            data = (channel.corrupt(frame, flips) or b"") if attacked else frame
            started = time.process_time()
            found = host.receive(at, data, sent, payload)
            spent += time.process_time() - started if attacked else 0.0
            outcome.sent += attacked
            outcome.delivered += attacked and found
            for each in (one for one in forged if one.after_s > 0):
                host.receive(min(at + each.after_s, at + INTERVAL_S / 2 / len(DEVICES)), each.frame, None, None)
        done(attacked)
    outcome.decode_ms = 1e3 * spent / outcome.sent
    lost = sum(source.lost for (device, _), source in host.parser.sources.items() if device in DEVICES)
    outcome.false_losses = abs(lost - (outcome.sent - outcome.delivered))
    return host, outcome


def measure_one(site: Site, attack: Attack, ber: float, images: int, seed: int, done: OnProgress) -> Outcome:
    """Return the outcome of an attack at one bit error rate."""
    host, outcome = simulate(site, attack, ber, images, seed, done)
    readings = Classifier.of([site.bundle]).read_all([frame for frame, _ in host.frames])
    last: dict[tuple[int, int], int] = {}  # device, image number -> class
    for reading in readings:
        last[reading.frame.device, reading.frame.image_number] = reading.prediction.index
    for reading, (frame, sent) in zip(readings, host.frames, strict=True):
        if sent is None:
            is_new = not (frame.place.duplicate or frame.place.late)
            outcome.forged_shown += is_new and not frame.place.unexpected
            outcome.forged_marked += is_new and frame.place.unexpected
        elif sent.number >= WARM_UP:
            outcome.wrong += last[frame.device, reading.frame.image_number] != site.classes[sent.image]
    return outcome


def measure(
    bundle: Bundle, secured: bool, images: int, seed: int, console: Console
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures by attack and bit error rate."""
    kind = SecuredSite if secured else Site
    results: dict[str, dict[str, dict[str, float]]] = {}
    with progress_bar(console) as bar:
        for name, attack in ATTACKS.items():
            results[name] = {}
            for ber in BERS:
                task = bar.add_task(f"{name}, BER {ber:g}", total=images)
                done = lambda steps, task=task: bar.advance(task, steps)  # noqa: E731
                results[name][f"{ber:g}"] = measure_one(kind(bundle, seed), attack, ber, images, seed, done).figures()
    return results


def section(figures: dict) -> str:
    """Return the table of docs/security.md in Markdown."""
    columns = {
        "delivered": "delivered",
        "wrong": "wrong class",
        "forged_shown": "forged, shown",
        "forged_marked": "forged, marked",
        "false_losses": "losses counted wrongly",
    }
    rows = [
        [f"{name}, BER {ber}", *[f"{100 * row[key]:.1f} %" for key in columns], f"{row['decode_ms']:.2f} ms"]
        for name, by_ber in figures["attacks"].items()
        for ber, row in by_ber.items()
    ]
    return table("", ["attack", *columns.values(), "CPU time per frame"], rows)


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiver.attacks", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--images", 1000, "images per device, attack and BER")
    command.add_seed(parser)
    parser.add_argument("--secured", action="store_true", help="the devices hold keys, and the attacker has none")
    command.add_path(parser, "--out", "", "file for the figures (default: by --secured)")
    args = parser.parse_args()
    option, kind = (" --secured", "_secured") if args.secured else ("", "")
    out = args.out if args.out.name else command.RESULTS / f"attacks{kind}.json"

    def run() -> None:
        console, started, bundle = Console(), time.monotonic(), load_bundle(args.bundle)
        figures = {
            "attacks": measure(bundle, args.secured, args.images, args.seed, console),
            "images": args.images,
            "devices": len(DEVICES),
            "seed": args.seed,
            "model_id": bundle.model_id,
            "command": f"python -m benchmarks.receiver.attacks{option} --bundle {Path(args.bundle)} "
            f"--images {args.images} --seed {args.seed}",
            "date": datetime.date.today().isoformat(),
            "seconds": round(time.monotonic() - started, 1),
        }
        command.write_json(out, figures)
        console.print(section(figures), markup=False, highlight=False, soft_wrap=True)
        console.print(f"Figures: {out}, {figures['seconds']:.0f} s", soft_wrap=True)

    return command.execute("attacks", run)


if __name__ == "__main__":
    sys.exit(main())

"""Frames of a known device that a host does not accept, secured and plain, over random bit flips.

Each secured frame is lost for one of two reasons: sync or header has too many flips to be found, or the header tag has
too many to be authentic. The frames have random symbols and answers.
"""

import argparse
import datetime
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks import command
from benchmarks.markdown import table
from benchmarks.progress import progress_bar
from channel_sim.channels.bsc import BitFlips
from host.keys.policy import Auth, DevicePolicy
from host.receive.events import AnswerFrame, Event, FeatureFrame
from host.receive.radio import PacketReceiver
from host.receive.stream import StreamReceiver
from wire.answer import CONFIDENCES, Answer
from wire.bundle import Bundle
from wire.bundle import load as load_bundle
from wire.frame import HEADER_BYTES, SEQUENCES, SYNC
from wire.secure.frames import TAGGED_HEADER_BYTES, SecuredDevice
from wire.secure.keys import Keys
from wire.secure.limits import max_tag_flips

BERS = (0.01, 0.05, 0.1)
LINKS, KINDS = ("line", "radio"), ("features", "answers")
DEVICE = 1
KEYS = Keys.derive(bytes(range(16)))

OnProgress = Callable[[int], None]


@dataclass(frozen=True)
class Case:
    """What is sent, and how."""

    link: str
    kind: str
    secured: bool
    ber: float

    @property
    def has_sync(self) -> bool:
        """True on a line."""
        return self.link == "line"


@dataclass
class Losses:
    """Counts of one case."""

    sent: int = 0
    not_found: int = 0  # too many flips in sync or header, or a tie
    refused: int = 0  # too many flips in the header tag
    full: int = 0  # accepted, with a correct payload tag
    wrong: int = 0  # accepted, but of another image
    milliseconds: float = 0.0  # CPU time of the receiver per frame

    def figures(self) -> dict[str, float]:
        """Return the figures of the JSON file: shares of the frames sent."""
        counts = {"not_found": self.not_found, "refused": self.refused, "full": self.full, "wrong": self.wrong}
        shares = {name: count / self.sent for name, count in counts.items()}
        return {**shares, "milliseconds": round(self.milliseconds, 3)}


class Sender:
    """A device whose frames have random symbols and answers."""

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self._bundle, self._rng = bundle, np.random.default_rng(seed)
        self._secured = SecuredDevice(KEYS, DEVICE, bundle.number, bundle.class_count)

    def frame(self, case: Case, number: int) -> bytes:
        """Return the frame of an image."""
        bundle, rng = self._bundle, self._rng
        answer = Answer(int(rng.integers(bundle.class_count)), int(rng.integers(CONFIDENCES)))
        if case.kind == "answers":
            if case.secured:
                return self._secured.answer_frame(number, answer, case.has_sync)
            return bundle.answer_frame(answer, DEVICE, number % SEQUENCES, sync=case.has_sync)
        symbols = rng.integers(0, 1 << bundle.bits_per_symbol, bundle.chunk_symbols(0)[1])
        if case.secured:
            payload = bundle.payload(symbols, answer)
            return self._secured.feature_frame(number, 0, payload, bundle.chunk_bits(0), case.has_sync)
        return bundle.frame(symbols, DEVICE, number % SEQUENCES, answer=answer, sync=case.has_sync)


class Receiver:
    """A host that has received one undamaged frame of the device."""

    def __init__(self, bundle: Bundle, case: Case) -> None:
        policies = {DEVICE: DevicePolicy(KEYS)} if case.secured else None
        self._line = StreamReceiver([bundle], policies=policies) if case.has_sync else None
        self._radio = PacketReceiver([bundle], policies=policies)

    def receive(self, data: bytes) -> list[FeatureFrame | AnswerFrame]:
        """Return the frames of images in the bytes of one frame."""
        events: list[Event | None] = [*self._line.feed(data), *self._line.flush()] if self._line else []
        events += [] if self._line else [self._radio.take(data)]
        return [event for event in events if isinstance(event, FeatureFrame | AnswerFrame)]


def measure_case(bundle: Bundle, case: Case, frames: int, seed: int, done: OnProgress) -> Losses:
    """Return the losses of one case."""
    losses, rng, channel = Losses(), np.random.default_rng([seed, 1]), BitFlips(case.ber)
    sender, receiver = Sender(bundle, seed), Receiver(bundle, case)
    receiver.receive(sender.frame(case, 0))
    spent = 0.0
    for number in range(1, frames + 1):
        sent = sender.frame(case, number)
        received = channel.corrupt(sent, rng) or b""
        started = time.process_time()
        found = receiver.receive(received)
        spent += time.process_time() - started
        own = [one for one in found if one.sequence == number % SEQUENCES]
        losses.sent += 1
        losses.wrong += len(found) - len(own)
        losses.full += bool(own) and own[0].auth == Auth.FULL
        if not own:
            refused = case.secured and _tag_flips(sent, received, case) > max_tag_flips(1)
            losses.refused += refused
            losses.not_found += not refused
        done(1)
    losses.milliseconds = 1e3 * spent / frames
    return losses


def _tag_flips(sent: bytes, received: bytes, case: Case) -> int:
    """Return the number of bits of the header tag that the channel flipped."""
    start = len(SYNC) if case.has_sync else 0
    place = slice(start + HEADER_BYTES, start + TAGGED_HEADER_BYTES)
    return (int.from_bytes(sent[place], "big") ^ int.from_bytes(received[place], "big")).bit_count()


def measure(bundle: Bundle, frames: int, seed: int, console: Console) -> list[dict]:
    """Return the figures of all cases."""
    results: list[dict] = []
    with progress_bar(console) as bar:
        for link in LINKS:
            for kind in KINDS:
                for ber in BERS:
                    for secured in (False, True):
                        case = Case(link, kind, secured, ber)
                        name = f"{link}, {'secured' if secured else 'plain'} {kind}, BER {ber:g}"
                        task = bar.add_task(name, total=frames)
                        done = lambda steps, task=task: bar.advance(task, steps)  # noqa: E731
                        results.append({**vars(case), **measure_case(bundle, case, frames, seed, done).figures()})
    return results


def section(figures: dict) -> str:
    """Return the table of docs/secured.md in Markdown."""
    plain = {(row["link"], row["kind"], row["ber"]): row for row in figures["cases"] if not row["secured"]}
    rows = []
    for row in figures["cases"]:
        if row["secured"]:
            before = plain[row["link"], row["kind"], row["ber"]]
            shares = (before["not_found"], row["not_found"], row["refused"], row["full"])
            times = (before["milliseconds"], row["milliseconds"])
            rows.append(
                [
                    f"{row['kind']}, {row['link']}, BER {row['ber']:g}",
                    *[f"{100 * share:.2f} %" for share in shares],
                    *[f"{milliseconds:.2f} ms" for milliseconds in times],
                ]
            )
    names = ["plain: not found", "secured: not found", "secured: not authentic", "secured: full"]
    return table("", ["frames", *names, "CPU time, plain", "CPU time, secured"], rows)


def main() -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiver.secured", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--frames", 20_000, "frames per link, kind and BER")
    command.add_seed(parser)
    command.add_path(parser, "--out", command.RESULTS / "secured.json", "file for the figures")
    args = parser.parse_args()

    def run() -> None:
        console, started, bundle = Console(), time.monotonic(), load_bundle(args.bundle)
        figures = {
            "cases": measure(bundle, args.frames, args.seed, console),
            "frames": args.frames,
            "seed": args.seed,
            "model_id": bundle.model_id,
            "command": f"python -m benchmarks.receiver.secured --bundle {Path(args.bundle)} --frames {args.frames} "
            f"--seed {args.seed}",
            "date": datetime.date.today().isoformat(),
            "seconds": round(time.monotonic() - started, 1),
        }
        command.write_json(args.out, figures)
        console.print(section(figures), markup=False, highlight=False, soft_wrap=True)
        console.print(f"Figures: {args.out}, {figures['seconds']:.0f} s", soft_wrap=True)

    return command.execute("secured", run)


if __name__ == "__main__":
    sys.exit(main())

"""The host's fuzz target: its corpus passes and detects planted faults; a short fuzzing run.

`make fuzz` fuzzes longer: docs/fuzzing.md.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from host.classify import classifier
from host.classify.combine import ImageBits
from host.keys.policy import Auth
from host.receive import events, frames, stream
from host.receive.answers import AnswerDecoder
from host.receive.matching import BEHIND
from host.receive.secured import devices, search
from host.receive.secured.devices import KeyedDevice
from host.receive.secured.gate import Gate
from host.receive.secured.search import SecuredSearch
from host.receive.stream import StreamReceiver
from tests.fuzz import fuzzer, script_runner
from tests.fuzz.__main__ import target
from wire.answer import Answer
from wire.control import Control
from wire.replies.status import Status

MORE_EXECUTIONS = 100  # than inputs in the corpus
MAX_SECONDS = 600


def corpus() -> list[Path]:
    return sorted((Path(__file__).parent / "corpus" / "receiver").iterdir())


def parse_any_status(control: Control) -> Status:
    """Return the status in a control frame without regard to its tag."""
    return Status.unpack(control.data)


def accept_as_newest(self: KeyedDevice, counter: int, now: float) -> None:
    """Accept a frame, and take its counter for the largest one."""
    self._images.setdefault(counter, now)
    self.counter = counter


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_corpus_passes(path: Path) -> None:
    script_runner.run(path.read_bytes())


@pytest.mark.slow  # all cases together
@pytest.mark.parametrize(
    ("where", "name", "wrong"),
    [
        (stream, "MAX_REPLY_BYTES", 5000),
        (stream, "MIN_RECEIVED_SHARE", -1.0),
        (StreamReceiver, "_incomplete", lambda self, body, header: False),
        (StreamReceiver, "flush", lambda self: []),
        (frames, "is_clean", lambda body, header, bundle: False),
        (AnswerDecoder, "decode_by_code", lambda self, block, sync_flips=None: None),
        (events, "nearest_answer", lambda costs: (Answer(0, 0), 9.0)),
        (classifier, "payload_ber", lambda frame, ber: 0.0),
        (search, "max_tag_flips", lambda candidates, rate=0.0: 64),
        (frames, "_is_whole_and_authentic", lambda body, proof, chunk: True),
        (frames, "_is_whole_and_authentic", lambda body, proof, chunk: False),
        (SecuredSearch, "_nearest", lambda self, block, sync_flips, size: None),
        (SecuredSearch, "in_window", lambda self, *frame: None),
        (Gate, "refusal", lambda self, match: None),
        (Gate, "refusal_with", lambda self, proof, auth: None),
        (KeyedDevice, "is_replay", lambda self, counter, now: False),
        (KeyedDevice, "is_replay", lambda self, counter, now: counter < self.counter - BEHIND),
        (KeyedDevice, "accept", accept_as_newest),
        (KeyedDevice, "window", lambda self, sequence: np.arange(self.counter + 1 + sequence, self.counter + 99, 32)),
        (devices, "open_status", lambda keys, control, number: parse_any_status(control)),
        (KeyedDevice, "open_status", lambda self, control: parse_any_status(control)),
        (ImageBits, "auth", lambda self: Auth.FULL),
    ],
)
def test_corpus_detects_a_planted_fault(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, wrong: object
) -> None:
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises((ArithmeticError, AssertionError, ValueError)):
        for path in corpus():
            script_runner.run(path.read_bytes())


def test_keep_adds_inputs_with_new_coverage_to_the_corpus(tmp_path: Path) -> None:
    receiver = replace(target("receiver", tmp_path), corpus=tmp_path / "kept")
    receiver.corpus.mkdir()
    receiver.new_inputs.mkdir(parents=True)
    for path in corpus()[-8:]:
        shutil.copy(path, receiver.new_inputs)
    fuzzer.keep(receiver)
    assert 0 < len(list(receiver.corpus.iterdir())) <= 8


@pytest.mark.slow
def test_short_fuzzing_finds_nothing(tmp_path: Path) -> None:
    receiver = target("receiver", tmp_path)
    executions = len(corpus()) + MORE_EXECUTIONS
    outcome = fuzzer.fuzz(receiver, MAX_SECONDS, print, executions)
    assert not outcome.failed, f"{outcome.finding}\n{receiver.log.read_text(errors='replace')[-5000:]}"
    assert outcome.executions >= executions

"""The host under the fuzzer: its corpus goes through and tells planted faults; some fuzzing finds nothing.

`make fuzz` does the same for longer: docs/fuzzing.md.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from host.classify import classifier as reader
from host.receive import frames
from host.receive import stream as receiver
from host.receive.stream import StreamReceiver
from tests.fuzz import engine, host_line
from tests.fuzz.__main__ import target

SECONDS = 20


def corpus() -> list[Path]:
    return sorted((Path(__file__).parent / "corpus" / "receiver").iterdir())


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_the_corpus_goes_through(path: Path) -> None:
    host_line.run(path.read_bytes())


@pytest.mark.parametrize(
    ("where", "name", "wrong"),
    [
        (receiver, "MAX_REPLY_BYTES", 5000),
        (receiver, "MIN_RECEIVED_SHARE", -1.0),
        (StreamReceiver, "_incomplete", lambda self, body, header: False),
        (StreamReceiver, "flush", lambda self: []),
        (frames, "is_clean", lambda body, header, bundle: False),
        (reader, "payload_ber", lambda frame, ber: 0.0),
    ],
)
def test_a_planted_fault_is_told(monkeypatch: pytest.MonkeyPatch, where: object, name: str, wrong: object) -> None:
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises((ArithmeticError, AssertionError, ValueError)):
        for path in corpus():
            host_line.run(path.read_bytes())


def test_what_reaches_something_new_is_kept(tmp_path: Path) -> None:
    fuzzer = replace(target("receiver", tmp_path), corpus=tmp_path / "kept")
    fuzzer.corpus.mkdir()
    fuzzer.found.mkdir(parents=True)
    for path in corpus()[-8:]:
        shutil.copy(path, fuzzer.found)
    engine.keep(fuzzer)
    assert 0 < len(list(fuzzer.corpus.iterdir())) <= 8


def test_some_fuzzing_finds_nothing(tmp_path: Path) -> None:
    fuzzer = target("receiver", tmp_path)
    outcome = engine.fuzz(fuzzer, SECONDS, print)
    assert not outcome.failed, f"{outcome.finding}\n{fuzzer.log.read_text(errors='replace')[-5000:]}"
    assert outcome.executions > len(corpus())

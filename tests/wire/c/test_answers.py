"""The answers of the C implementation against the Python: equal vectors, equal words and frames, refused fields."""

import json
from ctypes import CDLL, c_int8

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import wire_c
from tests.support.wire_c import BAD_FIELD, NO_ROOM, OK, GuardedBuffer
from tests.wire import make_vectors
from wire import bch
from wire.answer import BOUNDS, Answer, AnswerHead
from wire.frame import AnswerHeader, answer_frame

VECTORS = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> CDLL:
    return wire_c.compile_library(tmp_path_factory.mktemp("wire"))


def model(classes: int, number: int = 0, weights: list[int] = VECTORS["answer_weights"]) -> wire_c.Model:
    """Return a model without latent heads."""
    return wire_c.model(number, [], [], [], 1, weights, classes)


def answer_of(c: CDLL, scores: list[int], weights: list[int] = VECTORS["answer_weights"]) -> Answer:
    found = c.wire_answer_of(model(len(scores), weights=weights), (c_int8 * len(scores))(*scores))
    return Answer(found.index, found.confidence)


def send(
    c: CDLL, answer: Answer, number: int, device: int, sequence: int, classes: int = 4096, capacity: int = 12,
    sync: bool = True,
) -> tuple[int, int, GuardedBuffer]:  # fmt: skip
    """Call wire_answer_frame with a guarded buffer. Returns length, status and the buffer."""
    out, sent = GuardedBuffer(capacity), wire_c.Answer(answer.index, answer.confidence)
    result = c.wire_answer_frame(out.start, capacity, model(classes, number), device, sequence, sent, sync)
    return result.length, result.status, out


def test_answer_codes_match_vectors(c: CDLL) -> None:
    for vector in VECTORS["answer_bch"]:
        assert wire_c.encode_answer(c, vector["word"]).hex() == vector["block"]
        assert wire_c.read_answer(c, bytes.fromhex(vector["block"])) == vector["word"]
    for vector in VECTORS["answer_words"]:
        assert c.wire_answer_word(wire_c.Answer(vector["index"], vector["confidence"])) == vector["word"]


def test_answers_match_vectors(c: CDLL) -> None:
    for vector in VECTORS["confidences"]:
        assert answer_of(c, vector["scores"]) == Answer(vector["index"], vector["confidence"])


def test_answer_frames_match_vectors(c: CDLL) -> None:
    for vector in VECTORS["answer_frames"]:
        answer = Answer(vector["index"], vector["confidence"])
        fields = vector["model_number"], vector["device"], vector["sequence"]
        length, status, out = send(c, answer, *fields)
        assert (length, status, out.bytes().hex()) == (12, OK, vector["frame"])
        length, status, out = send(c, answer, *fields, sync=False, capacity=8)
        assert (length, status, out.bytes().hex()) == (8, OK, vector["frame"][8:])


@given(st.integers(0, (1 << 36) - 1))
def test_encode_answer_matches_python(c: CDLL, word: int) -> None:
    block = wire_c.encode_answer(c, word)
    assert block == bch.ANSWER.encode(word)
    assert wire_c.read_answer(c, block) == word


@given(st.integers(0, (1 << 36) - 1), st.integers(0, 63))
def test_read_answer_refuses_single_flip(c: CDLL, word: int, position: int) -> None:
    block = int.from_bytes(bch.ANSWER.encode(word), "big") ^ 1 << position
    assert wire_c.read_answer(c, block.to_bytes(8, "big")) is None


@given(st.binary(min_size=8, max_size=8))
def test_read_answer_refuses_garbage(c: CDLL, block: bytes) -> None:
    word = wire_c.read_answer(c, block)
    assert word is None or bch.ANSWER.encode(word) == block


def test_answer_words_match_python(c: CDLL) -> None:
    for index in range(4096):
        confidence = index % 16
        assert c.wire_answer_word(wire_c.Answer(index, confidence)) == Answer(index, confidence).word


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=300), st.floats(0.5, 100))
def test_answers_match_python(c: CDLL, scores: list[int], steps_per_unit: float) -> None:
    weights = np.round(32768 * np.exp(-np.arange(256) / steps_per_unit)).astype(np.uint16)
    index, confidence = AnswerHead(weights, np.zeros(16)).answers(np.array([scores], np.int8))
    assert answer_of(c, scores, weights.tolist()) == Answer(int(index[0]), int(confidence[0]))


@pytest.mark.parametrize("level", range(3, 16))
def test_level_begins_at_its_bound(c: CDLL, level: int) -> None:
    for more, expected in ((0, level), (1, level - 1)):
        weights = [32768, min(BOUNDS[level - 1] - 32768 + more, 32768), more * (level == 3)] + [0] * 253
        assert answer_of(c, [9, 8, 7], weights).confidence == expected


def test_answer_of_most_classes(c: CDLL) -> None:
    assert answer_of(c, [-128] * 4096) == Answer(0, 0)
    assert answer_of(c, [*[-128] * 4095, 127]) == Answer(4095, 15)


@given(st.integers(0, 4095), st.integers(0, 15), st.integers(0, (1 << 32) - 1), st.integers(0, 255), st.integers(0, 31))
def test_answer_frame_matches_python(
    c: CDLL, index: int, confidence: int, number: int, device: int, sequence: int
) -> None:
    answer = Answer(index, confidence)
    length, status, out = send(c, answer, number, device, sequence)
    assert (length, status) == (12, OK) and out.intact(length)
    assert out.bytes() == answer_frame(AnswerHeader(device, sequence, number & 31, answer))


@pytest.mark.parametrize(("sync", "needed"), [(True, 12), (False, 8)])
def test_answer_frame_respects_capacity(c: CDLL, sync: bool, needed: int) -> None:
    for capacity in range(needed + 4):
        length, status, out = send(c, Answer(3, 4), 0, 0, 0, capacity=capacity, sync=sync)
        assert (length, status) == ((needed, OK) if capacity >= needed else (0, NO_ROOM))
        assert out.intact(length)


@pytest.mark.parametrize(
    ("index", "confidence", "sequence", "classes"),
    [(0, 0, 0, 0), (9, 0, 0, 9), (4095, 0, 0, 4095), (0, 16, 0, 9), (0, 255, 0, 9), (0, 0, 32, 9), (0, 0, 255, 9)],
)
def test_answer_frame_refuses_wrong_fields(c: CDLL, index: int, confidence: int, sequence: int, classes: int) -> None:
    out = GuardedBuffer(20)
    answer = wire_c.Answer(index, confidence)
    result = c.wire_answer_frame(out.start, 20, model(classes), 7, sequence, answer, True)
    assert (result.length, result.status) == (0, BAD_FIELD) and out.intact(0)

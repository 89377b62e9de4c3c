"""firmware/src/send.c and mode.c on a simulated board: answers or features, on the line and by radio."""

from ctypes import byref, c_int8
from pathlib import Path

import pytest

from tests.firmware.radio.simulated_node import (
    AIR,
    ANSWER,
    BUCKET,
    NUMBER,
    PACKET_BYTES,
    SURE,
    UNSURE,
    Node,
    Report,
    Request,
    outputs_with,
)
from tests.support import wire_c
from wire.answer import Answer
from wire.control import ErrorCode, Mode
from wire.frame import AnswerHeader
from wire.lora import air_time_s


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_node_send_sends_the_answer_without_sync_and_reports_it(node: Node) -> None:
    node.set(micros=1000, air_micros=AIR[ANSWER])
    error, report = node.send_answer(Answer(4, 11), sequence=53)
    assert error == 0
    assert (report.sent.chunk, report.sent.air_micros, report.ready_cycles) == (ANSWER, AIR[ANSWER], 1000)
    assert report.sent.left_micros == BUCKET - AIR[ANSWER] + AIR[ANSWER] * 9 // 1000
    assert node.packet() == AnswerHeader(7, 21, NUMBER & 31, Answer(4, 11)).encode()


@pytest.mark.parametrize(
    ("mode", "sure", "unsure"), [(Mode.FEATURES, 0, 0), (Mode.ANSWER, ANSWER, ANSWER), (Mode.ADAPTIVE, ANSWER, 0)]
)
def test_send_image_follows_the_mode(node: Node, mode: Mode, sure: int, unsure: int) -> None:
    node.set_mode(mode)
    assert node.send_image(SURE) == (0, sure)
    assert node.send_image(UNSURE) == (0, unsure)
    assert node.send_image(UNSURE, chunk=1) == (0, 1 if unsure == 0 else ANSWER)
    refused = (ErrorCode.BAD_ARGUMENT, 0)
    assert node.send_image(SURE, chunk=4) == (refused if mode != Mode.ANSWER else (0, ANSWER))


def test_adaptive_mode_has_the_confidence_of_the_scores(node: Node) -> None:
    answer = node.c.wire_answer_of
    answer.restype = wire_c.Answer
    model = wire_c.Model.in_dll(node.c, "inkling_model")
    for scores in (SURE, UNSURE, [-128] * 4 + [127], [127] * 5, [0, 5, 9, 3, 60], [40, 0, 0, 0, 0]):
        found = answer(byref(model), (c_int8 * 5)(*scores))
        for threshold in (0, 7, 15):
            node.set_mode(Mode.ADAPTIVE, threshold)
            assert node.send_image(scores) == (0, ANSWER if found.confidence >= threshold else 0)


def test_adaptive_mode_sends_a_shorter_prefix_and_then_the_answer_as_air_time_runs_out(node: Node) -> None:
    for left, sent in ((AIR[0], 0), (AIR[0] - 10, 1), (AIR[1], 1), (AIR[1] - 10, ANSWER), (AIR[ANSWER], ANSWER)):
        node.leave(left)
        assert node.send_image(UNSURE) == (0, sent)
    node.leave(AIR[ANSWER] - 10)
    for scores in (SURE, UNSURE):
        assert node.send_image(scores)[0] == ErrorCode.AIR_TIME
    node.leave(AIR[1] - 10)
    assert node.send_image(UNSURE, chunk=0) == (0, ANSWER), "also where a chunk is asked for"


def test_features_mode_sends_no_answer_as_air_time_runs_out(node: Node) -> None:
    node.set_mode(Mode.FEATURES)
    node.leave(AIR[1] - 10)
    assert node.send_image(SURE)[0] == ErrorCode.AIR_TIME
    node.set_mode(Mode.ANSWER)
    assert node.send_image(UNSURE) == (0, ANSWER)


def test_mode_survives_deep_sleep_but_not_a_reset(node: Node) -> None:
    node.set_mode(Mode.ANSWER)
    node.set(woke=True)
    node.c.mode_start()
    assert node.send_image(UNSURE) == (0, ANSWER)
    node.set(woke=False)
    node.c.mode_start()
    assert node.send_image(UNSURE) == (0, 0)


@pytest.mark.parametrize("by_mode", [False, True])
def test_send_image_on_the_line_follows_the_mode_if_asked_to(node: Node, by_mode: bool) -> None:
    node.set(starts=False)  # the line needs no radio
    for mode in Mode:
        node.set_mode(mode)
        for scores in (SURE, UNSURE):
            request, report = Request(3, 2, False, by_mode), Report()
            assert node.c.send_check(byref(request)) == 0
            assert node.c.send_image(byref(request), outputs_with(scores), byref(report)) == 0
            answers = by_mode and (mode == Mode.ANSWER or (mode == Mode.ADAPTIVE and scores is SURE))
            assert node.get("line_chunk") == (ANSWER if answers else 2)
    assert node.get("started") == 0


@pytest.mark.parametrize("chunk", [1, ANSWER])
def test_adaptive_mode_with_implicit_header_sends_what_has_its_length(tmp_path: Path, chunk: int) -> None:
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1", f"-DINKLING_LORA_CHUNK={chunk}")
    assert node.send_image(SURE) == node.send_image(UNSURE) == (0, chunk)
    implicit_s = air_time_s(PACKET_BYTES[chunk], 7, explicit_header=False)
    error, report = node.send_answer(Answer(0, 0)) if chunk == ANSWER else node.send(1)
    assert (error, report.sent.air_micros) == (0, round(1e6 * implicit_s))
    other = Mode.FEATURES if chunk == ANSWER else Mode.ANSWER
    node.set_mode(other)
    assert node.send_image(SURE)[0] == ErrorCode.BAD_ARGUMENT

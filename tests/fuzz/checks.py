"""Invariants of the host's output for any input, however damaged."""

import json
from dataclasses import fields, is_dataclass

import numpy as np

from host.classify.classifier import AnsweredBy, Reading
from host.receive.events import AnswerFrame, Event, FeatureFrame
from host.receive.matching import KNOWN_HEADER_MAX_FLIPS
from tests.fuzz.script import Sent
from wire.answer import CONFIDENCES
from wire.bundle import Bundle
from wire.frame import FrameType
from wire.model import MAX_BER, MIN_BER, Model

ROUNDING = 1e-9


def outline(value: object) -> object:
    """Return an event as plain values that can be compared, whatever fields it has."""
    if isinstance(value, Bundle):
        return value.model_id
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [outline(item) for item in value]
    if is_dataclass(value):
        return type(value).__name__, [outline(getattr(value, field.name)) for field in fields(value)]
    return value


def check_event(event: Event) -> None:
    """Check that a frame's values lie within the limits of its model."""
    if isinstance(event, AnswerFrame):
        check_answer(event)
    if not isinstance(event, FeatureFrame):
        return
    first, count = event.model.chunk_symbols(event.chunk)
    check_symbols(event.symbols, event.model)
    elsewhere = np.ones(len(event.symbols), bool)
    elsewhere[first : first + count] = False
    assert (event.symbols[elsewhere] == -1).all(), "symbols of another chunk"
    assert 0 < event.received_bits <= event.model.chunk_bits(event.chunk)
    assert event.whole or not event.crc_ok, "a truncated frame is marked as clean"
    assert event.lost >= 0


def check_answer(event: AnswerFrame) -> None:
    """Check that an answer is one that its model can give, and the nearest."""
    assert event.distances.shape == (event.model.class_count * CONFIDENCES,)
    assert event.header.type == FrameType.ANSWER and event.header.model == event.model.model_bits
    answer = event.answer
    assert event.distances[answer.index * CONFIDENCES + answer.confidence] == event.distances.min()
    tag_flips = event.match.proof.tag_flips if event.match.proof else 0
    assert event.header_flips <= KNOWN_HEADER_MAX_FLIPS
    assert event.distances.min() == event.header_flips + tag_flips
    assert event.lost >= 0


def check_symbols(symbols: np.ndarray, model: Model) -> None:
    """Check that symbols are levels of this model or -1."""
    assert symbols.shape == (model.n_symbols,)
    assert symbols.min() >= -1 and symbols.max() < 1 << model.bits_per_symbol


def check_reading(reading: Reading) -> None:
    """Check that a reading is valid and can be logged."""
    check_ber(reading.ber)
    check_symbols(reading.symbols, reading.frame.model)
    assert 0 < reading.prediction.confidence <= 1 + ROUNDING
    assert isinstance(reading.frame.model, Bundle) and reading.prediction.label in reading.frame.model.classes
    by_board = isinstance(reading.frame, AnswerFrame) and (reading.symbols < 0).all()
    assert by_board or reading.answered_by == AnsweredBy.HOST, "answered by the board although there are features"
    json.dumps(reading.as_json(), allow_nan=False)


def check_ber(ber: float) -> None:
    """Check that an estimate lies within its limits."""
    assert MIN_BER * (1 - ROUNDING) <= ber <= MAX_BER * (1 + ROUNDING), ber


def is_found(events: list[Event], sent: Sent) -> bool:
    """Return True if one of the events is this frame, clean."""
    if sent.is_answer:
        return any(
            event.header == sent.header and event.answer == sent.answer and not event.unsure and not event.header_flips
            for event in events
            if isinstance(event, AnswerFrame)
        )
    first, count = sent.bundle.chunk_symbols(sent.header.chunk)
    return any(
        event.crc_ok
        and event.header == sent.header
        and event.model is sent.bundle
        and (sent.answer is None or event.payload[:2] == sent.answer.word.to_bytes(2, "big"))
        and tuple(event.symbols[first : first + count].tolist()) == sent.symbols
        for event in events
        if isinstance(event, FeatureFrame)
    )

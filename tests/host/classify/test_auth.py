"""Authenticity of readings: what an image is worth of which copies, chunks and answers were combined."""

import numpy as np
import pytest

from channel_sim import BitFlips
from host.classify.ber import BerEstimator, payload_ber
from host.classify.classifier import Classifier, Reading
from host.keys.policy import Auth
from host.receive.events import AnswerFrame, FeatureFrame
from host.receive.secured.devices import Refusal
from tests.host.secured import Host, SecuredBoard, refusals
from tests.support.host import images, make_frame, symbols_of
from wire.bundle import Bundle
from wire.frame import SYNC
from wire.secure.frames import SecuredLayout

START = len(SYNC) + 16


def damaged(frame: bytes, ber: float = 0.1, seed: int = 0) -> bytes:
    """Return a frame with flips in payload and payload tag only."""
    return frame[:START] + (BitFlips(ber).corrupt(frame[START:], np.random.default_rng(seed)) or b"")


def read(bundle: Bundle, *data: bytes) -> list[Reading]:
    """Return the readings of a line."""
    host = Host(bundle)
    return Classifier.of([bundle]).read_all([frame for one in data for frame in images(host.receive(one))])


def test_reading_is_what_its_only_frame_is(adaptive: Bundle) -> None:
    board = SecuredBoard(adaptive)
    readings = read(
        adaptive, board.frame(0), damaged(board.frame(1)), board.answer(2), make_frame(adaptive, 0, device=3)
    )
    assert [reading.auth for reading in readings] == [Auth.FULL, Auth.HEADER, Auth.FULL, Auth.NONE]
    assert [reading.as_json()["auth"] for reading in readings] == ["full", "header", "full", "none"]


def test_full_copy_outweighs_all_others_before_and_after_it(adaptive: Bundle) -> None:
    board = SecuredBoard(adaptive)
    bad = [damaged(board.frame(0), 0.02, seed) for seed in range(6)]
    readings = read(adaptive, *bad[:3], board.frame(0), *bad[3:])
    assert [reading.auth for reading in readings] == [Auth.HEADER] * 3 + [Auth.FULL] * 4
    for reading in readings[3:]:
        assert reading.symbols.tolist() == symbols_of(adaptive, 0).tolist()
        assert reading.payload_ber < 1e-3


def test_forged_copy_is_header_and_outweighed_by_a_full_one(adaptive: Bundle) -> None:
    """Whoever knows the payload knows the keystream: header and tag of an honest frame, and a payload of his choice."""
    board, layout = SecuredBoard(adaptive), SecuredLayout(adaptive.chunk_bits(0))
    honest, payload = board.frame(0), slice(START, START + layout.payload_bytes)
    wanted, sent = board.frame(0, image=55), np.frombuffer(honest, np.uint8)
    forged = honest[: payload.start] + wanted[payload] + honest[payload.stop :]
    assert (np.frombuffer(forged, np.uint8) != sent).any()
    alone = read(adaptive, forged)
    assert alone[0].auth == Auth.HEADER and alone[0].symbols.tolist() == symbols_of(adaptive, 55).tolist()
    for order in ([forged, honest, forged, forged], [honest, forged, forged, forged]):
        last = read(adaptive, *order)[-1]
        assert (last.auth, last.frames) == (Auth.FULL, order.index(honest) + 1), "later forged copies are refused"
        assert last.symbols.tolist() == symbols_of(adaptive, 0).tolist()
    assert [frame.auth for frame in images(Host(adaptive, require=Auth.FULL).receive(forged + honest))] == [Auth.FULL]


def test_many_forged_copies_change_nothing_in_a_full_one(adaptive: Bundle) -> None:
    honest = SecuredBoard(adaptive).frame(0)
    forged = honest[: START + 10] + bytes([honest[START + 10] ^ 0xFF]) + honest[START + 11 :]
    for order in ([honest, *[forged] * 30], [*[forged] * 30, honest]):
        last = read(adaptive, *order)[-1]
        assert (last.auth, last.frames) == (Auth.FULL, 31)
        assert last.symbols.tolist() == symbols_of(adaptive, 0).tolist()


def test_damaged_frame_that_is_unlike_its_image_is_refused(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    honest, other = board.frame(0), board.frame(0, image=55)
    forged = honest[:START] + other[START:-4] + honest[-4:]
    chunk = board.frame(0, 1)
    assert len(images(host.receive(damaged(honest)))) == 1
    assert refusals(host.receive(forged)) == [Refusal.CONTRADICTION]
    assert len(images(host.receive(damaged(honest, seed=1)) + host.receive(damaged(chunk, 0.05)))) == 2
    assert len(images(host.receive(damaged(board.frame(1, image=55))))) == 1, "the next image may be any"


def test_image_of_a_full_and_a_damaged_chunk_is_header(adaptive: Bundle) -> None:
    board = SecuredBoard(adaptive)
    first, both, complete = read(adaptive, board.frame(0, 1), damaged(board.frame(0, 2)), board.frame(0))
    assert (first.auth, both.auth, complete.auth) == (Auth.FULL, Auth.HEADER, Auth.FULL)


def test_damaged_features_after_an_answer_are_header(adaptive: Bundle) -> None:
    board = SecuredBoard(adaptive)
    answer, features, whole = read(adaptive, board.answer(0), damaged(board.frame(0)), board.frame(0))
    assert (answer.auth, features.auth, whole.auth) == (Auth.FULL, Auth.HEADER, Auth.FULL)


@pytest.mark.parametrize("kind", ["frame", "answer"])
@pytest.mark.parametrize("ber", [1e-3, 1e-2, 5e-2])
def test_bit_error_rate_is_estimated_from_secured_frames(adaptive: Bundle, kind: str, ber: float) -> None:
    rng, estimates = np.random.default_rng(0), []
    for _ in range(20):
        host, board, estimator = Host(adaptive), SecuredBoard(adaptive), BerEstimator()
        for counter in range(20):
            for frame in images(host.receive(BitFlips(ber).corrupt(getattr(board, kind)(counter), rng) or b"")):
                assert isinstance(frame, FeatureFrame | AnswerFrame)
                estimator.update(frame)
        estimates.append(estimator.estimate)
    assert ber / 1.6 < np.mean(estimates) < ber * 1.6


def test_full_payload_is_certain_at_a_rate_where_a_crc_is_not(adaptive: Bundle) -> None:
    (secured,) = images(Host(adaptive).receive(SecuredBoard(adaptive).frame(0)))
    (plain,) = images(Host(adaptive, {}).receive(make_frame(adaptive, 0)))
    assert payload_ber(secured, 0.03) < 1e-4 * 1.01 < payload_ber(plain, 0.03)

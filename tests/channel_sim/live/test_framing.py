"""Tests of the framer and of channels that need whole frames, however the stream is cut."""

from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips, ByteLoss, Channel, Compose, Duplicate, FrameLoss, LoRa, Stream, Truncation
from channel_sim.live.framing import Framer, Piece
from tests.host.secured import SecuredBoard, make_status
from tests.support.host import make_answer, make_bundle, make_frame
from wire.answer import Answer
from wire.bundle import Bundle
from wire.control import REPLY_BIT, Opcode, reply
from wire.frame import SYNC
from wire.replies.key_state import KeyState, key_flags
from wire.replies.status import status_frame

BOOT = b"boot: ok\r\n" + SYNC + b" is no header\x1a\xcf"
REPLY = reply(0x82, 5, SYNC + bytes(12), device=7, model_number=1)  # a sync inside the data is data


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("framing") / "model")


@pytest.fixture(scope="module")
def adaptive(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The model of a board that sends answers or features."""
    return make_bundle(tmp_path_factory.mktemp("framing") / "adaptive", seed=2, answer=True)


def cut(data: bytes, seed: int) -> list[bytes]:
    """Split the data into pieces of 1 to 40 bytes."""
    rng, pieces = np.random.default_rng(seed), []
    while data:
        size = int(rng.integers(1, 41))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def split(framer: Framer, pieces: list[bytes]) -> list[Piece]:
    """Return the pieces of a framer, adjacent bytes between frames joined."""
    merged: list[Piece] = []
    for piece in [p for data in pieces for p in framer.feed(data)] + framer.flush():
        if merged and not piece.is_frame and not merged[-1].is_frame:
            merged[-1] = Piece(merged[-1].data + piece.data, False)
        else:
            merged.append(piece)
    return merged


def as_pieces(parts: list[bytes]) -> list[Piece]:
    """Return the pieces of a stream of these parts: BOOT and REPLY pass, all others are frames of images."""
    return [Piece(part, part not in (BOOT, REPLY)) for part in parts]


def test_framer_finds_frames_between_other_bytes(bundle: Bundle) -> None:
    frames = [make_frame(bundle, n, chunk=n % 3) for n in range(6)]
    parts = [BOOT, *frames[:2], REPLY, *frames[2:4], BOOT, frames[4], REPLY, frames[5]]
    stream, expected = b"".join(parts), as_pieces(parts)
    assert split(Framer([bundle]), [stream]) == expected
    for seed in range(30):
        assert split(Framer([bundle]), cut(stream, seed)) == expected
    assert split(Framer([bundle]), [bytes((byte,)) for byte in stream]) == expected


def test_framer_finds_answers_between_other_frames(adaptive: Bundle) -> None:
    answers = [make_answer(adaptive, n) for n in range(4)]
    parts = [BOOT, *answers[:2], REPLY, make_frame(adaptive, 9), answers[2], BOOT, answers[3]]
    stream, expected = b"".join(parts), as_pieces(parts)
    for pieces in ([stream], [bytes((byte,)) for byte in stream], *(cut(stream, seed) for seed in range(20))):
        framer = Framer([adaptive])
        assert split(framer, pieces) == expected and framer.cut == framer.unknown == framer.held_bytes == 0


def test_framer_takes_only_answers_that_a_model_can_give(adaptive: Bundle, bundle: Bundle) -> None:
    impossible = make_answer(adaptive, 1, Answer(10, 0))
    assert split(Framer([adaptive]), [impossible]) == [Piece(impossible, False)]
    damaged = bytearray(make_answer(adaptive, 1))
    damaged[-1] ^= 1
    assert split(Framer([adaptive]), [bytes(damaged)]) == [Piece(bytes(damaged), False)]
    framer = Framer([bundle])
    assert split(framer, [make_answer(adaptive, 1)]) == [Piece(make_answer(adaptive, 1), False)]
    assert framer.unknown == 1


@pytest.mark.parametrize("size", range(12, 64))
def test_framer_keeps_answer_after_truncated_frame(adaptive: Bundle, size: int) -> None:
    truncated, answer, frame = make_frame(adaptive, 0)[:size], make_answer(adaptive, 1), make_frame(adaptive, 2)
    framer = Framer([adaptive])
    assert split(framer, [truncated + answer + frame]) == [
        Piece(truncated, False), Piece(answer, True), Piece(frame, True)
    ]  # fmt: skip
    assert framer.cut == 1


def test_framer_passes_frame_with_its_last_byte(bundle: Bundle) -> None:
    framer, frame = Framer([bundle]), make_frame(bundle, 1)
    assert framer.feed(frame[:-1]) == [] and framer.held_bytes == len(frame) - 1
    assert framer.feed(frame[-1:]) == [Piece(frame, True)] and framer.held_bytes == 0


@pytest.mark.parametrize("size", range(1, 62))
def test_framer_keeps_frame_after_truncated_one(bundle: Bundle, size: int) -> None:
    first, second, third = (make_frame(bundle, n) for n in range(3))
    stream = first[:size] + second + third
    for pieces in ([stream], [bytes((byte,)) for byte in stream]):
        framer = Framer([bundle])
        assert split(framer, pieces) == [Piece(first[:size], False), Piece(second, True), Piece(third, True)]
        assert framer.cut == (size >= len(SYNC) + 8)


def test_framer_flush_returns_held_bytes(bundle: Bundle) -> None:
    framer, frame = Framer([bundle]), make_frame(bundle, 1)
    inner = REPLY + frame[:20]
    assert framer.feed(frame[:30]) == []
    assert framer.flush() == [Piece(frame[:30], False)] and framer.cut == 1
    assert split(framer, [frame[:20] + REPLY + b"x"])[-1].data.endswith(REPLY + b"x")
    assert split(framer, [inner]) == [Piece(inner, False)] and framer.held_bytes == 0


def test_framer_counts_frame_damaged_before(bundle: Bundle) -> None:
    frame = bytearray(make_frame(bundle, 1))
    frame[30] ^= 4
    assert split(Framer([bundle]), [bytes(frame) * 2]) == [Piece(bytes(frame), True)] * 2


def test_framer_counts_and_passes_unknown_model(bundle: Bundle, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", seed=1)
    assert other.model_bits != bundle.model_bits
    framer, frame = Framer([bundle]), make_frame(other, 1)
    assert split(framer, [frame]) == [Piece(frame, False)] and framer.unknown == 1
    assert split(Framer([bundle, other]), [frame]) == [Piece(frame, True)]


def test_framer_refuses_ambiguous_models(bundle: Bundle, tmp_path: Path) -> None:
    models = (make_bundle(tmp_path / f"b{n}", n, n_symbols=64) for n in range(1, 500))
    alike = next(other for other in models if other.model_bits == bundle.model_bits)
    with pytest.raises(ValueError, match=f"bundles model and {alike.name} have equal model bits: give one"):
        Framer([bundle, alike])


CHANNELS = [
    FrameLoss(0.3),
    Truncation(0.3),
    Duplicate(0.3),
    LoRa(-9.0),
    Compose(BitFlips(0.01), FrameLoss(0.2), ByteLoss(0.01), Truncation(0.2)),
]


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: type(channel).__name__)
def test_stream_damage_is_independent_of_cuts(adaptive: Bundle, channel: Channel) -> None:
    frames = [make_frame(adaptive, n) if n % 3 else make_answer(adaptive, n) for n in range(60)]
    stream = b"".join(frame + (REPLY + BOOT) * (n % 5 == 0) for n, frame in enumerate(frames))
    whole = Stream(channel, 3, [adaptive])
    expected = whole.feed(stream) + whole.flush()
    for seed in range(5):
        other = Stream(channel, 3, [adaptive])
        assert b"".join(other.feed(piece) for piece in cut(stream, seed)) + other.flush() == expected
        assert other.statistics == whole.statistics
    assert whole.statistics.frames == 60 and expected != stream
    assert whole.statistics.bytes_in == len(stream) and whole.statistics.bytes_out == len(expected)


def test_stream_counts_frames_exactly(bundle: Bundle) -> None:
    frames = [make_frame(bundle, n) for n in range(200)]
    stream = Stream(Compose(FrameLoss(0.2), BitFlips(0.001)), 1, [bundle])
    out = [stream.feed(frame) for frame in frames]
    statistics = stream.statistics
    assert statistics.frames == 200
    assert statistics.frames_lost == out.count(b"") > 10
    assert statistics.frames_damaged == sum(bool(o) and o != f for o, f in zip(out, frames, strict=True)) > 10
    assert statistics.bytes_lost == sum(map(len, frames)) - sum(map(len, out))
    flips = [int.from_bytes(o, "big") ^ int.from_bytes(f, "big") for o, f in zip(out, frames, strict=True) if o]
    assert statistics.bits_flipped == sum(flip.bit_count() for flip in flips)
    assert statistics.ber == statistics.bits_flipped / (8 * statistics.bytes_in)


def test_stream_counts_duplicate_as_undamaged(bundle: Bundle) -> None:
    stream, frame = Stream(Duplicate(1.0), 0, [bundle]), make_frame(bundle, 1)
    assert stream.feed(frame) == 2 * frame
    assert (stream.statistics.frames_damaged, stream.statistics.bytes_lost) == (0, 0)


def test_stream_radio_gets_frames_without_sync_only(bundle: Bundle) -> None:
    frame, radio = make_frame(bundle, 1), LoRa(-9.0)
    rng = np.random.default_rng(4).spawn(1)[0]
    stream, received, expected = Stream(radio, 4, [bundle]), b"", b""
    for _ in range(50):
        received += stream.feed(frame + REPLY)
        packet = radio.corrupt(frame[len(SYNC) :], rng)
        expected += (SYNC + packet if packet else b"") + REPLY
    assert received == expected and stream.statistics.frames_damaged > 0


def test_stream_counts_and_damages_answers_as_frames(adaptive: Bundle) -> None:
    lost, duplicated = Stream(FrameLoss(1.0), 0, [adaptive]), Stream(Duplicate(1.0), 0, [adaptive])
    answer = make_answer(adaptive, 3)
    assert lost.feed(answer + REPLY) == REPLY and duplicated.feed(answer) == 2 * answer
    assert (lost.statistics.frames, lost.statistics.frames_lost) == (1, 1)
    assert (duplicated.statistics.frames, duplicated.statistics.frames_damaged) == (1, 0)
    cut_short = Stream(Truncation(1.0), 0, [adaptive])
    assert answer.startswith(cut_short.feed(answer)) and cut_short.statistics.bytes_lost > 0


def test_stream_radio_gets_answers_as_packets_of_8_bytes(adaptive: Bundle) -> None:
    answer, radio, rng = make_answer(adaptive, 1), LoRa(-9.5), np.random.default_rng(4).spawn(1)[0]
    stream, received, expected = Stream(radio, 4, [adaptive]), b"", b""
    for _ in range(100):
        received += stream.feed(answer)
        packet = radio.corrupt(answer[len(SYNC) :], rng)
        expected += SYNC + packet if packet else b""
    assert received == expected and stream.statistics.frames_damaged > 0


def test_stream_whole_frames_need_bundle() -> None:
    with pytest.raises(ValueError, match="FrameLoss needs whole frames: give the bundle of the board's model"):
        Stream(Compose(BitFlips(0.1), FrameLoss(0.1)), 0)


def key_reply(has_key: bool) -> bytes:
    """Return what device 7 says of its key."""
    return reply(Opcode.KEY | REPLY_BIT, 5, KeyState(key_flags(has_key, True), 0).pack(), 7, 1)


@pytest.mark.parametrize("by_status", [True, False])
def test_framer_finds_secured_frames_of_a_board_that_shows_its_key(adaptive: Bundle, by_status: bool) -> None:
    board = SecuredBoard(adaptive)
    shown = board.status(0) if by_status else key_reply(True)
    gone = status_frame(make_status(9), 7, adaptive.number) if by_status else key_reply(False)
    frames = [board.frame(0), board.answer(1), board.frame(2, chunk=1), board.answer(3), board.answer(4)]
    others = [make_frame(adaptive, 0, device=3), make_answer(adaptive, 1, device=3)]
    plain = [make_frame(adaptive, 0), make_answer(adaptive, 1)]
    expected = [
        Piece(shown, False), *(Piece(part, True) for part in [*frames[:3], *others, *frames[3:]]),
        Piece(gone, False), *(Piece(part, True) for part in plain),
    ]  # fmt: skip
    stream = b"".join(piece.data for piece in expected)
    for seed in range(30):
        assert split(Framer([adaptive]), cut(stream, seed)) == expected


def test_secured_frame_that_is_cut_short_hides_no_other(adaptive: Bundle) -> None:
    board, framer = SecuredBoard(adaptive), Framer([adaptive])
    torn, whole = board.frame(0)[:-9], board.frame(1)
    assert split(framer, [board.status(0) + torn + whole])[-1] == Piece(whole, True) and framer.cut == 1

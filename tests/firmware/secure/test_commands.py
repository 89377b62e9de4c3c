"""Boards with a device key: sealed commands, secured frames, refusals, over the line of every board."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.firmware.secure.keyed_board import DEVICE, KEY, OTHER_KEY, KeyedBoard
from tests.support.firmware import TARGETS, RunningBoard, boot
from wire.control import SEALED_BIT, ErrorCode, Mode, ModeSetting, Opcode, command, run_data
from wire.frame import SYNC
from wire.secure.commands import sealed_command

pytestmark = pytest.mark.emulated

COUNTER_BITS = 1 << 31


@pytest.fixture(scope="module", params=TARGETS)
def board(request: pytest.FixtureRequest) -> Iterator[RunningBoard]:
    with boot(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def keyed(board: RunningBoard) -> KeyedBoard:
    """The board with KEY. Without permanent memory, it has it until it restarts."""
    keyed = KeyedBoard(board)
    before = keyed.key_state()
    assert (before.has_key, before.is_permanent) == (False, False)
    plain = board.info().max_data
    state = keyed.set_key()
    assert (state.has_key, state.is_permanent, state.counter) == (True, False, before.counter)
    assert keyed.key_state() == state
    assert board.info().max_data == plain + 12
    return keyed


def test_sealed_run_gives_the_secured_frame_of_python(keyed: KeyedBoard) -> None:
    """For every chunk: the same symbols as a plain RUN gives, secured with the counter of the image."""
    for chunk in range(len(keyed.board.bundle.chunks)):
        keyed.run(chunk, chunk)


def test_sealed_run_by_mode_gives_the_secured_answer_of_python(keyed: KeyedBoard) -> None:
    if keyed.board.bundle.answer is None:
        pytest.skip("the bundle has no answer head")
    keyed.mode(Mode.ANSWER)
    for n in range(3):
        keyed.run(n, by_mode=True)
    keyed.mode(Mode.FEATURES)
    keyed.run(0, by_mode=True)


def test_counters_of_images_cross_the_sequence_numbers(keyed: KeyedBoard) -> None:
    """The sequence in the header is the counter modulo 32, not the request."""
    for _ in range(34 if keyed.board.info().target == "native" else 3):
        keyed.board.request += 3
        keyed.run(1)


@pytest.mark.parametrize("opcode", [Opcode.RUN, Opcode.CAPTURE, Opcode.PIXELS, Opcode.KEY])
def test_plain_command_that_moves_images_or_sets_a_key_is_refused(keyed: KeyedBoard, opcode: int) -> None:
    data = {Opcode.RUN: run_data(0, keyed.images[0]), Opcode.CAPTURE: run_data(0, b""), Opcode.KEY: OTHER_KEY}
    keyed.send(opcode, data.get(Opcode(opcode), b""), sealed=False)
    assert keyed.refused() == (opcode, keyed.counter)
    keyed.run(2)


def test_plain_commands_that_move_nothing_still_work(keyed: KeyedBoard) -> None:
    for sealed in (False, True):
        keyed.send(Opcode.INFO, sealed=sealed)
        keyed.reply(Opcode.INFO)
        keyed.send(Opcode.BENCH, b"\x01", sealed=sealed)
        keyed.reply(Opcode.BENCH)
        keyed.send(Opcode.MODE, ModeSetting(Mode.FEATURES, 3).pack(), sealed=sealed)
        assert ModeSetting.unpack(keyed.reply(Opcode.MODE).data) == ModeSetting(Mode.FEATURES, 3)
        keyed.send(Opcode.KEY, sealed=sealed)
        assert keyed.key_reply().counter == keyed.counter


def test_replayed_command_is_refused(keyed: KeyedBoard) -> None:
    sent = keyed.send(Opcode.RUN, run_data(0, keyed.images[3]))
    keyed.board.frame(len(keyed.feature_frame(3)))
    keyed.counter += 1
    keyed.board.send(sent)
    assert keyed.refused() == (Opcode.RUN | SEALED_BIT, keyed.counter)


@pytest.mark.parametrize("change", [1, -1, COUNTER_BITS])
def test_command_sealed_for_another_counter_is_refused(keyed: KeyedBoard, change: int) -> None:
    keyed.send(Opcode.PIXELS, counter=(keyed.counter + change) % 2**32)
    assert keyed.refused() == (Opcode.PIXELS | SEALED_BIT, keyed.counter)


def test_command_with_a_flipped_bit_in_seal_or_data_is_refused(keyed: KeyedBoard) -> None:
    board = keyed.board
    board.request += 1
    whole = sealed_command(keyed.keys, DEVICE, keyed.counter, Opcode.MODE, board.request, b"\x00\x02")
    data = bytearray(whole[16:-4])
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        board.send(command(Opcode.MODE | SEALED_BIT, board.request, bytes(data), DEVICE))
        assert keyed.refused() == (Opcode.MODE | SEALED_BIT, keyed.counter)
        data[bit // 8] ^= 1 << bit % 8
    board.send(whole)
    keyed.reply(Opcode.MODE)


def test_command_sealed_with_another_key_is_refused(keyed: KeyedBoard) -> None:
    keyed.use(OTHER_KEY)
    keyed.send(Opcode.CAPTURE, run_data(0, b""))
    keyed.use(KEY)
    assert keyed.refused() == (Opcode.CAPTURE | SEALED_BIT, keyed.counter)


def test_sealed_command_that_is_too_short_has_a_bad_length(keyed: KeyedBoard) -> None:
    keyed.board.send(keyed.board.command(Opcode.PIXELS | SEALED_BIT, bytes(11)))
    assert keyed.error() == (ErrorCode.BAD_LENGTH, Opcode.PIXELS | SEALED_BIT)


def test_failed_run_and_capture_use_up_their_counter(keyed: KeyedBoard) -> None:
    """A command that was accepted cannot be repeated, and its error is that of a plain one."""
    for opcode, data, code in (
        (Opcode.RUN, run_data(99, keyed.images[0]), ErrorCode.BAD_ARGUMENT),
        (Opcode.RUN, run_data(0, keyed.images[0])[:-1], ErrorCode.BAD_LENGTH),
        (Opcode.CAPTURE, run_data(0, b""), ErrorCode.CAMERA),
        (Opcode.RUN, run_data(0, keyed.images[0], by_radio=True), ErrorCode.RADIO),
    ):
        sent = keyed.send(opcode, data)
        assert keyed.error() == (code, opcode)
        keyed.counter += 1
        keyed.board.send(sent)
        assert keyed.refused() == (opcode | SEALED_BIT, keyed.counter)


def test_sealed_pixels_use_up_no_counter(keyed: KeyedBoard) -> None:
    keyed.run(4)
    sent = keyed.send(Opcode.PIXELS)
    assert keyed.reply(Opcode.PIXELS).data == keyed.images[4]
    keyed.board.send(sent)
    assert keyed.reply(Opcode.PIXELS).data == keyed.images[4]
    assert keyed.key_state().counter == keyed.counter


@pytest.mark.parametrize("size", [1, 2, 15, 17])
def test_key_of_another_size_has_a_bad_length(keyed: KeyedBoard, size: int) -> None:
    for sealed in (False, True):
        keyed.send(Opcode.KEY, bytes(size), sealed=sealed)
        assert keyed.error() == (ErrorCode.BAD_LENGTH, Opcode.KEY)
    keyed.run(0)


def test_key_is_replaced_by_a_sealed_one(keyed: KeyedBoard) -> None:
    old = keyed.counter
    state = keyed.set_key(OTHER_KEY, sealed=True)
    assert state.has_key and state.counter >= old
    keyed.run(5)
    keyed.use(KEY)
    keyed.send(Opcode.KEY, KEY)
    assert keyed.refused()[0] == Opcode.KEY | SEALED_BIT, "the old key is of no use"
    keyed.use(OTHER_KEY)
    keyed.set_key(KEY, sealed=True)
    keyed.run(5)


def test_pixels_do_not_show_a_key(keyed: KeyedBoard) -> None:
    """A command's data are received into the encoder's input: also those of a KEY that is refused or damaged."""
    for sealed in (False, True):
        keyed.send(Opcode.KEY, KEY, sealed=sealed)
        keyed.board.reply()
        keyed.counter = keyed.key_state().counter
        keyed.send(Opcode.PIXELS)
        assert KEY[2:6] not in keyed.reply(Opcode.PIXELS).data
    whole = bytearray(keyed.board.command(Opcode.KEY, KEY))
    whole[-1] ^= 1
    keyed.board.send(bytes(whole))
    assert keyed.error() == (ErrorCode.BAD_CRC, Opcode.KEY)
    keyed.send(Opcode.PIXELS)
    assert KEY[2:6] not in keyed.reply(Opcode.PIXELS).data


def test_asking_for_the_key_leaves_the_image_alone(keyed: KeyedBoard) -> None:
    keyed.run(6)
    keyed.key_state()
    keyed.send(Opcode.PIXELS)
    assert keyed.reply(Opcode.PIXELS).data == keyed.images[6]


def test_secured_frames_of_one_image_share_nothing(keyed: KeyedBoard) -> None:
    """The same image twice: header tag, payload and payload tag differ as random bits do."""
    frames = [np.frombuffer(keyed.run(7), np.uint8)[len(SYNC) + 8 :] for _ in range(2)]
    differing = np.unpackbits(frames[0] ^ frames[1]).mean()
    assert 0.4 < differing < 0.6


def test_board_without_a_key_does_not_know_sealed_commands() -> None:
    with boot("native") as board:
        keyed = KeyedBoard(board)
        for opcode, data in ((Opcode.RUN, run_data(0, keyed.images[0])), (Opcode.PIXELS, b""), (Opcode.KEY, KEY)):
            keyed.send(opcode, data)
            assert keyed.error() == (ErrorCode.UNKNOWN_COMMAND, opcode | SEALED_BIT)
        board.send(board.command(Opcode.PIXELS | SEALED_BIT, bytes(3)))
        assert keyed.error() == (ErrorCode.UNKNOWN_COMMAND, Opcode.PIXELS | SEALED_BIT)
        frame, _ = board.run(keyed.images[0])
        assert frame == board.golden_frame(0)
        assert not keyed.key_state().has_key


@pytest.mark.parametrize("target", TARGETS)
def test_board_without_permanent_memory_restarts_without_key_and_counter(target: str) -> None:
    with boot(target) as board:
        keyed = KeyedBoard(board)
        first = keyed.set_key().counter
        keyed.run(0)
        assert keyed.key_state().counter == first + 1
    with boot(target) as board:
        state = KeyedBoard(board).key_state()
        assert (state.has_key, state.counter) == (False, first)
        assert board.run(keyed.images[0])[0] == board.golden_frame(0)

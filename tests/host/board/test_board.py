"""The client of a board, against the real firmware as a process, over clean and noisy lines."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips, ByteLoss, Compose
from channel_sim.live.proxy import Proxy
from firmware.tools import emulator
from host.board.board import FIRST_REQUEST, Board
from host.board.errors import BoardError, DeviceError, GarbledReplyError, SilentBoardError, WrongModelError
from host.board.port import Port
from host.errors import PortError
from tests.support import firmware as firmware_tools
from tests.support.host import make_bundle, make_frame
from tests.support.lines import answers, fake_line, sends, stays_silent, unused_port
from wire.bundle import Bundle, compute_model_id, load
from wire.control import Control, ErrorCode, ErrorReply, Info, Opcode, reply


def raises(kind: type[Exception], pattern: str) -> AbstractContextManager[pytest.ExceptionInfo]:
    """pytest.raises, shorter."""
    return pytest.raises(kind, match=pattern)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with emulator.native(firmware_tools.program("native")) as url:
        yield url


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(firmware_tools.bundle_path())


@pytest.fixture(scope="module")
def images(bundle: Bundle) -> np.ndarray:
    return np.load(bundle.golden_path)["images"]


def test_info_and_bench(url: str, bundle: Bundle) -> None:
    with Board.open(url, bundle) as device:
        info = device.info()
        device.check(info)
        assert (info.model_id, info.input_shape, info.target) == (bundle.model_id, bundle.input_shape, "native")
        assert device.number == 1
        result = device.bench(3)
        assert result.repeats == 3 and 0 < result.min_cycles <= result.mean_cycles <= result.max_cycles


@pytest.mark.parametrize("cost", [False, True])
def test_pictures_come_back_as_the_symbols_of_the_bundle(
    url: str, bundle: Bundle, images: np.ndarray, cost: bool
) -> None:
    golden = np.load(bundle.golden_path)["symbols"]
    with Board.open(url, bundle) as device:
        for n in range(8):
            for chunk, (first, count) in enumerate(bundle.chunks):
                frame, paid = device.run(images[n], chunk, cost)
                assert frame and frame.crc_ok and frame.chunk == chunk
                assert np.array_equal(frame.symbols[first : first + count], golden[n][first : first + count])
                assert (paid is not None) == cost
                assert paid is None or 0 < paid.encode_cycles <= paid.total_cycles


NOISE = [(0.0, None, 0), (0.01, None, 0), (0.05, None, 6), (0.1, None, 24), (0.1, 1, 24)]


@pytest.mark.parametrize(("ber", "number", "most_lost"), NOISE)
def test_pictures_come_through_noise(
    url: str, bundle: Bundle, images: np.ndarray, ber: float, number: int | None, most_lost: int
) -> None:
    """At 1e-1 no answer is ever clean, so that the board's number stays unknown unless it is given."""
    golden = np.load(bundle.golden_path)["symbols"]
    lost, wrong, start = 0, [], time.monotonic()
    with Proxy(url, BitFlips(ber), seed=1) as proxy, Board.open(proxy.url, bundle, number=number) as device:
        for n in range(200):
            frame, _ = device.run(images[n % len(images)])
            lost += frame is None
            if frame:
                wrong.append((frame.symbols != golden[n % len(images)]).mean())
    print(f"BER {ber:g}: {lost} of 200 lost")
    assert lost <= most_lost
    assert np.mean(wrong) == pytest.approx(1 - (1 - ber) ** bundle.bits_per_symbol, abs=0.02)
    assert time.monotonic() - start < 15, "a lost answer must not cost a whole timeout"


def test_lost_bytes_do_not_stop_it(url: str, bundle: Bundle, images: np.ndarray) -> None:
    channel = Compose(BitFlips(0.01), ByteLoss(0.005))
    with Proxy(url, channel, seed=2) as proxy, Board.open(proxy.url, bundle, timeout=0.3) as device:
        frames = [device.run(images[n % len(images)])[0] for n in range(40)]
    assert 25 <= sum(frame is not None for frame in frames) < 40
    assert sum(bool(frame and frame.crc_ok) for frame in frames) < 25


def test_a_reply_that_noise_has_garbled_is_asked_for_again(url: str, bundle: Bundle) -> None:
    with Proxy(url, BitFlips(0.0008), seed=5) as proxy, Board.open(proxy.url) as device:
        asked = [proxy.bytes_down]
        for _ in range(20):  # a reply is clean with probability 0.57
            with suppress(GarbledReplyError):
                assert device.info().model_id == bundle.model_id
            asked.append(proxy.bytes_down)
    sent = np.diff(asked) // 20
    assert sent.min() == 1 and sent.max() == 3


def test_a_hopeless_reply_is_one_line(url: str) -> None:
    message = r"^socket://\S+: \d+ bytes came back, but no whole reply"
    with Proxy(url, BitFlips(0.1)) as proxy, raises(GarbledReplyError, message), Board.open(proxy.url) as device:
        device.info()


def test_the_boards_refusal_is_told_in_words(url: str) -> None:
    with Board.open(url) as device:
        with raises(BoardError, r"^the board refused: .* it does not have \(BAD_ARGUMENT\)$") as error:
            device.bench(0)
        assert error.value.code == ErrorCode.BAD_ARGUMENT
        assert device.info().wire_version == 1


def test_another_model_is_refused_with_both_ids(url: str, bundle: Bundle, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other")
    with Board.open(url, other) as device:
        with raises(WrongModelError, f"runs model {bundle.model_id}, .* is model {other.model_id}: "):
            device.check(device.info())
        # It takes pictures of 8 x 6, which this board has no use for.
        with raises(BoardError, "wrong length.*BAD_LENGTH"):
            device.run(np.zeros((8, 6, 3), np.uint8))


def test_frames_of_another_model_are_refused(url: str, bundle: Bundle, images: np.ndarray, tmp_path: Path) -> None:
    """The same pictures, but another table of symbols: told without INFO, by the frames themselves."""
    shutil.copytree(bundle.path, tmp_path / "other")
    manifest, table = dict(bundle.manifest), bundle.symbol_table.copy()
    encoder = bundle.encoder_path.read_bytes()
    for n in range(256):
        table[n] = 0
        manifest["model_id"] = compute_model_id(encoder, table, bundle.bits_per_symbol, bundle.symbol_order)
        if (int(manifest["model_id"], 16) - bundle.number) % 32:
            break
    manifest["symbol_table"] = table.tolist()
    (tmp_path / "other" / "bundle.json").write_text(json.dumps(manifest))
    message = f"does not run model {manifest['model_id']}"
    with Board.open(url, load(tmp_path / "other")) as device, raises(WrongModelError, message):
        device.run(images[0])


def test_a_board_is_left_alone_that_has_another_number(url: str) -> None:
    message = "the board is silent"
    with Board.open(url, number=9, timeout=0.2) as device, raises(SilentBoardError, message):
        device.info()


def test_pictures_of_another_shape_are_a_mistake_of_the_caller(url: str, bundle: Bundle) -> None:
    with Board.open(url, bundle) as device:
        with raises(ValueError, "a picture of its shape"):
            device.run(np.zeros((1, 2, 3), np.uint8))
        with raises(ValueError, "a picture of its shape"):
            device.run(np.zeros(bundle.input_shape, np.int8))


def test_late_answers_are_not_taken_for_new_ones(url: str, bundle: Bundle, images: np.ndarray) -> None:
    """With no patience at all every answer is late; the next command must not take it for its own."""
    golden = np.load(bundle.golden_path)["symbols"]
    with Board.open(url, bundle, timeout=0) as device:
        for n in range(30):
            device.port.baud = 10**9  # no time for sending either
            try:
                frame, _ = device.run(images[n % 8])
            except SilentBoardError:
                continue
            assert frame is None or np.array_equal(frame.symbols, golden[n % 8])
        time.sleep(0.3)
    with Board.open(url, bundle) as device:
        frame, _ = device.run(images[5])
        assert frame and np.array_equal(frame.symbols, golden[5])


def test_a_silent_line_is_told_in_bounded_time(bundle: Bundle, images: np.ndarray) -> None:
    with fake_line(stays_silent) as url, Board.open(url, bundle, timeout=0.1) as device:
        start = time.monotonic()
        for ask in (device.info, lambda: device.bench(1), lambda: device.run(images[0])):
            with raises(SilentBoardError, f"^{url}: the board is silent"):
                ask()
        assert time.monotonic() - start < 3


def test_an_unplugged_line_is_told_at_once(bundle: Bundle, images: np.ndarray) -> None:
    def unplugged(connection: socket.socket) -> None:
        connection.recv(1)

    for ask in ("info", "run"):
        with fake_line(unplugged) as url, Board.open(url, bundle) as device, raises(PortError, f"^lost {url}: "):
            device.info() if ask == "info" else device.run(images[0])


def test_a_missing_port_is_one_line() -> None:
    url = unused_port()
    with raises(PortError, f"^cannot open {url}: Connection refused$"):
        Board.open(url)
    with raises(PortError, "^cannot open /dev/no-such-port: No such file or directory$"):
        Port("/dev/no-such-port")
    with raises(PortError, "^cannot open nonsense://x: .*protocol"):
        Port("nonsense://x")


def test_other_firmware_is_told(bundle: Bundle) -> None:
    """Replies that no firmware of today makes, played from a line."""
    old = reply(Opcode.INFO | 0x80, FIRST_REQUEST, b"\x01\x00\x01\x00", 1, 0)
    later = Info(2, (9, 0, 0), 1, "e", "t", (1, 1, 1), 1, 1, 1, 0, 0, 0, 0, 0).pack()
    newer = reply(Opcode.INFO | 0x80, FIRST_REQUEST, later, 1, 0)
    unknown = reply(Opcode.ERROR, FIRST_REQUEST, ErrorReply(77, 0).pack(), 1, 0)
    for said, message in [
        (old, "does not fit this program"),
        (newer, "speaks wire version 2, this program version 1"),
        (unknown, "^the board refused: unknown error 77$"),
    ]:
        with fake_line(sends(said, hold=True)) as url, Board.open(url) as device, raises(DeviceError, message):
            device.info()


INFO = Info(1, (0, 1, 0), 7, "aot", "native", (8, 6, 3), 128, 3, 3, 0, 0, 0, 1, 999)


def unasked(code: ErrorCode, opcode: int = 0) -> bytes:
    return reply(Opcode.ERROR, 0, ErrorReply(code, opcode).pack(), 1, 0)


def tells(command: Control) -> bytes:
    """The INFO of a board that can do nothing else."""
    if command.opcode == Opcode.INFO:
        return reply(Opcode.INFO | 0x80, command.request, INFO.pack(), 1, 0)
    return reply(Opcode.ERROR, command.request, ErrorReply(ErrorCode.MODEL_ARENA, command.opcode).pack(), 1, 0)


@pytest.mark.parametrize("code", [ErrorCode.MODEL_ARENA, ErrorCode.RADIO])
def test_what_a_board_says_at_its_start_refuses_nothing(code: ErrorCode) -> None:
    with fake_line(answers(tells, unasked(code))) as url, Board.open(url) as device:
        assert device.info() == INFO
        with raises(BoardError, "MODEL_ARENA"):
            device.bench(1)


def test_a_command_broken_before_its_number_is_sent_again() -> None:
    said = iter([unasked(ErrorCode.BAD_HEADER)])
    with fake_line(answers(lambda command: next(said, tells(command)))) as url, Board.open(url, timeout=5) as device:
        start = time.monotonic()
        assert device.info() == INFO
        assert time.monotonic() - start < 4


def test_what_a_watching_camera_complains_of_refuses_no_capture(tmp_path: Path) -> None:
    """Nor does it count as a part of the answer, which may take its time all the same."""
    bundle = make_bundle(tmp_path / "small")

    def takes(command: Control) -> bytes:
        time.sleep(0.6)
        return make_frame(bundle, command.request, device=1, chunk=1)

    said = unasked(ErrorCode.AIR_TIME, Opcode.CAPTURE)
    with fake_line(answers(takes, said)) as url, Board.open(url, bundle) as device:
        frame, _ = device.capture(chunk=1)
        assert frame and frame.crc_ok


def test_requests_are_never_0_and_frames_sequences_have_no_gap() -> None:
    asked: list[int] = []

    def notes(command: Control) -> bytes:
        asked.append(command.request)
        return tells(command)

    with fake_line(answers(notes)) as url, Board.open(url) as device:
        for _ in range(300):
            device.info()
    assert 0 not in asked and [n % 32 for n in asked] == [n % 32 for n in range(300)]

"""The client of a board, with native firmware over clean and noisy lines, and with fake boards."""

import json
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips, ByteLoss, Compose
from channel_sim.live.proxy import Proxy
from host.board.board import Board
from host.board.command_line import FIRST_REQUEST
from host.board.errors import BoardError, DeviceError, GarbledReplyError, SilentBoardError, WrongModelError
from host.board.port import Port
from host.errors import HostError, PortError
from host.receive.events import AnswerFrame
from tests.host.board.conftest import raises
from tests.support.host import make_answer, make_bundle, make_frame, make_info
from tests.support.lines import answers, fake_line, sends, stays_silent, unused_port
from wire.bundle import Bundle, compute_model_id, load
from wire.control import Control, ErrorCode, ErrorReply, Opcode, reply
from wire.replies.status import Status, status_frame


def test_info_and_bench_report_the_board(url: str, bundle: Bundle) -> None:
    with Board.open(url, bundle) as board:
        info = board.info()
        board.check(info)
        assert (info.model_id, info.input_shape, info.target) == (bundle.model_id, bundle.input_shape, "native")
        assert board.device == 1
        result = board.bench(3)
        assert result.repeats == 3 and 0 < result.min_cycles <= result.mean_cycles <= result.max_cycles


@pytest.mark.parametrize("cost", [False, True])
def test_run_returns_the_golden_symbols_and_the_cost(url: str, bundle: Bundle, images: np.ndarray, cost: bool) -> None:
    golden = np.load(bundle.golden_path)["symbols"]
    with Board.open(url, bundle) as board:
        for n in range(8):
            for chunk, (first, count) in enumerate(bundle.chunks):
                frame, run_cost = board.run(images[n], chunk, cost)
                assert frame and frame.crc_ok and frame.chunk == chunk
                assert np.array_equal(frame.symbols[first : first + count], golden[n][first : first + count])
                assert (run_cost is not None) == cost
                assert run_cost is None or 0 < run_cost.encode_cycles <= run_cost.total_cycles


NOISE = [(0.0, None, 0), (0.01, None, 0), (0.05, None, 6), (0.1, None, 24), (0.1, 1, 24)]


@pytest.mark.parametrize(("ber", "device", "most_lost"), NOISE)
def test_run_returns_frames_through_noise(
    url: str, bundle: Bundle, images: np.ndarray, ber: float, device: int | None, most_lost: int
) -> None:
    """At 1e-1 no answer is ever clean, so the device number stays unknown unless it is given."""
    golden = np.load(bundle.golden_path)["symbols"]
    lost, wrong, start = 0, [], time.monotonic()
    with Proxy(url, BitFlips(ber), seed=1) as proxy, Board.open(proxy.url, bundle, device=device) as board:
        for n in range(200):
            frame, _ = board.run(images[n % len(images)])
            lost += frame is None
            if frame:
                wrong.append((frame.symbols != golden[n % len(images)]).mean())
    print(f"BER {ber:g}: {lost} of 200 lost")
    assert lost <= most_lost
    assert np.mean(wrong) == pytest.approx(1 - (1 - ber) ** bundle.bits_per_symbol, abs=0.02)
    assert time.monotonic() - start < 15, "a lost answer must not cost a whole timeout"


def test_run_continues_after_lost_bytes(url: str, bundle: Bundle, images: np.ndarray) -> None:
    channel = Compose(BitFlips(0.01), ByteLoss(0.005))
    with Proxy(url, channel, seed=2) as proxy, Board.open(proxy.url, bundle, timeout=0.3) as board:
        frames = [board.run(images[n % len(images)])[0] for n in range(40)]
    assert 25 <= sum(frame is not None for frame in frames) < 40
    assert sum(bool(frame and frame.crc_ok) for frame in frames) < 25


def test_info_is_requested_again_after_a_garbled_reply(url: str, bundle: Bundle) -> None:
    with Proxy(url, BitFlips(0.0008), seed=5) as proxy, Board.open(proxy.url) as board:
        sent = [proxy.bytes_down]
        for _ in range(20):  # a reply is clean with probability 0.57
            with suppress(GarbledReplyError):
                assert board.info().model_id == bundle.model_id
            sent.append(proxy.bytes_down)
    commands = np.diff(sent) // 20
    assert commands.min() == 1 and commands.max() == 3


def test_info_reports_noise_in_one_line(url: str) -> None:
    message = r"^socket://\S+: received \d+ bytes but no valid reply: check the baud rate \(115200\)"
    with Proxy(url, BitFlips(0.1)) as proxy, raises(GarbledReplyError, message), Board.open(proxy.url) as board:
        board.info()


def test_bench_reports_the_boards_error(url: str) -> None:
    with Board.open(url) as board:
        with raises(BoardError, r"^the board reported an error: .* out of range \(BAD_ARGUMENT\)$") as error:
            board.bench(0)
        assert error.value.code == ErrorCode.BAD_ARGUMENT
        assert board.info().wire_version == 1


def test_check_refuses_another_model_with_both_ids(url: str, bundle: Bundle, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other")
    with Board.open(url, other) as board:
        with raises(WrongModelError, f"runs model {bundle.model_id}, .* is model {other.model_id}: "):
            board.check(board.info())
        # Its images are 8 x 6, unlike this board's.
        with raises(BoardError, "wrong length.*BAD_LENGTH"):
            board.run(np.zeros((8, 6, 3), np.uint8))


def test_run_refuses_frames_of_another_model(url: str, bundle: Bundle, images: np.ndarray, tmp_path: Path) -> None:
    """The bundle has the same input, but another symbol table: only the frames show it."""
    shutil.copytree(bundle.path, tmp_path / "other")
    manifest, table = dict(bundle.manifest), bundle.symbol_table.copy()
    encoder, weights = bundle.encoder_path.read_bytes(), bundle.answer.weights if bundle.answer else None
    for n in range(256):
        table[n] = 0
        manifest["model_id"] = compute_model_id(encoder, table, bundle.bits_per_symbol, bundle.symbol_order, weights)
        if (int(manifest["model_id"], 16) - bundle.number) % 32:
            break
    manifest["symbol_table"] = table.tolist()
    (tmp_path / "other" / "bundle.json").write_text(json.dumps(manifest))
    message = f"does not run model {manifest['model_id']}"
    with Board.open(url, load(tmp_path / "other")) as board, raises(WrongModelError, message):
        board.run(images[0])


def test_info_addresses_only_the_given_device(url: str) -> None:
    message = "the board does not respond"
    with Board.open(url, device=9, timeout=0.2) as board, raises(SilentBoardError, message):
        board.info()


def test_run_refuses_images_of_another_shape_or_type(url: str, bundle: Bundle) -> None:
    with Board.open(url, bundle) as board:
        with raises(ValueError, r"image must be uint8 \(32, 32, 3\), got uint8 \(1, 2, 3\)"):
            board.run(np.zeros((1, 2, 3), np.uint8))
        with raises(ValueError, "image must be uint8 .*, got int8"):
            board.run(np.zeros(bundle.input_shape, np.int8))


def test_run_ignores_late_answers_to_earlier_commands(url: str, bundle: Bundle, images: np.ndarray) -> None:
    """With a timeout of 0, every answer is late; the next command must not take it for its own."""
    golden = np.load(bundle.golden_path)["symbols"]
    with Board.open(url, bundle, timeout=0) as board:
        for n in range(30):
            board.port.baud = 10**9  # no time for sending either
            try:
                frame, _ = board.run(images[n % 8])
            except SilentBoardError:
                continue
            assert frame is None or np.array_equal(frame.symbols, golden[n % 8])
        time.sleep(0.3)
    with Board.open(url, bundle) as board:
        frame, _ = board.run(images[5])
        assert frame and np.array_equal(frame.symbols, golden[5])


def test_commands_report_a_silent_board_in_bounded_time(bundle: Bundle, images: np.ndarray) -> None:
    with fake_line(stays_silent) as url, Board.open(url, bundle, timeout=0.1) as board:
        start = time.monotonic()
        for ask in (board.info, lambda: board.bench(1), lambda: board.run(images[0])):
            with raises(SilentBoardError, f"^{url}: the board does not respond"):
                ask()
        assert time.monotonic() - start < 3


def test_commands_report_a_disconnected_line(bundle: Bundle, images: np.ndarray) -> None:
    def unplugged(connection: socket.socket) -> None:
        connection.recv(1)

    for ask in ("info", "run"):
        with fake_line(unplugged) as url, Board.open(url, bundle) as board, raises(PortError, f"^lost {url}: "):
            board.info() if ask == "info" else board.run(images[0])


def test_open_reports_a_missing_port_in_one_line() -> None:
    url = unused_port()
    with raises(PortError, f"^cannot open {url}: Connection refused$"):
        Board.open(url)
    with raises(PortError, "^cannot open /dev/no-such-port: No such file or directory$"):
        Port("/dev/no-such-port")
    with raises(HostError, "^cannot open nonsense://x: .*protocol"):
        Port("nonsense://x")


def test_info_reports_incompatible_firmware(bundle: Bundle) -> None:
    """A fake board sends replies that no firmware sends today."""
    old = reply(Opcode.INFO | 0x80, FIRST_REQUEST, b"\x01\x00\x01\x00", 1, 0)
    later = make_info(wire_version=2).pack()
    newer = reply(Opcode.INFO | 0x80, FIRST_REQUEST, later, 1, 0)
    unknown = reply(Opcode.ERROR, FIRST_REQUEST, ErrorReply(77, 0).pack(), 1, 0)
    for sent, message in [
        (old, "not compatible with this program"),
        (newer, "uses wire version 2, this program version 1: "),
        (unknown, "^the board reported an error: unknown error 77$"),
    ]:
        with fake_line(sends(sent, hold=True)) as url, Board.open(url) as board, raises(DeviceError, message):
            board.info()


INFO = make_info()


def unsolicited(code: ErrorCode, opcode: int = 0) -> bytes:
    return reply(Opcode.ERROR, 0, ErrorReply(code, opcode).pack(), 1, 0)


def reply_to(command: Control) -> bytes:
    """Return the reply of a board that supports only INFO."""
    if command.opcode == Opcode.INFO:
        return reply(Opcode.INFO | 0x80, command.request, INFO.pack(), 1, 0)
    return reply(Opcode.ERROR, command.request, ErrorReply(ErrorCode.MODEL_ARENA, command.opcode).pack(), 1, 0)


@pytest.mark.parametrize("code", [ErrorCode.MODEL_ARENA, ErrorCode.RADIO])
def test_info_and_bench_ignore_unsolicited_errors(code: ErrorCode) -> None:
    with fake_line(answers(reply_to, unsolicited(code))) as url, Board.open(url) as board:
        assert board.info() == INFO
        with raises(BoardError, "MODEL_ARENA"):
            board.bench(1)


def test_info_is_sent_again_after_an_error_without_request_number() -> None:
    replies = iter([unsolicited(ErrorCode.BAD_HEADER)])
    with (
        fake_line(answers(lambda command: next(replies, reply_to(command)))) as url,
        Board.open(url, timeout=5) as board,
    ):
        start = time.monotonic()
        assert board.info() == INFO
        assert time.monotonic() - start < 4


def test_capture_ignores_errors_of_a_watching_camera(tmp_path: Path) -> None:
    """The error does not count as part of the answer, which may arrive later."""
    bundle = make_bundle(tmp_path / "small")

    def capture(command: Control) -> bytes:
        time.sleep(0.6)
        return make_frame(bundle, command.request, device=1, chunk=1)

    error = unsolicited(ErrorCode.AIR_TIME, Opcode.CAPTURE)
    with fake_line(answers(capture, error)) as url, Board.open(url, bundle) as board:
        frame, _ = board.capture(chunk=1)
        assert frame and frame.crc_ok


def test_capture_waits_for_an_answer_that_is_shorter_than_an_unsolicited_status_frame(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "adaptive", answer=True)

    def capture(command: Control) -> bytes:
        time.sleep(0.6)
        return make_answer(bundle, command.request % 32, device=1)

    status = status_frame(Status(1, 2, 3, 4, 0, 0, 0, 60), 1, bundle.number)
    with fake_line(answers(capture, status)) as url, Board.open(url, bundle) as board:
        frame, _ = board.capture_by_mode()
        assert isinstance(frame, AnswerFrame)


def test_request_numbers_skip_0_and_have_no_gap_modulo_32() -> None:
    requests: list[int] = []

    def record(command: Control) -> bytes:
        requests.append(command.request)
        return reply_to(command)

    with fake_line(answers(record)) as url, Board.open(url) as board:
        for _ in range(300):
            board.info()
    assert 0 not in requests and [n % 32 for n in requests] == [n % 32 for n in range(300)]

"""Boards that say in plain text why they do not reply, and lines that echo."""

import socket
from collections.abc import Callable

import numpy as np
import pytest

from host.board.board import Board
from host.board.errors import DeviceError, GarbledReplyError
from tests.support.host import make_bundle, make_info
from tests.support.lines import answers, fake_line
from wire.bundle import Bundle
from wire.control import Control, Opcode, reply

PANIC = b"Guru Meditation Error: Core  0 panic'ed (StoreProhibited). Exception was unhandled.\r\n"
RESTART = b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "small")


def says(data: bytes) -> Callable[[socket.socket], None]:
    """Return the script of a board that says this whenever it receives something."""

    def script(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(data)

    return script


def echoes(connection: socket.socket) -> None:
    """Script of a line that returns what it gets."""
    while data := connection.recv(65536):
        connection.sendall(data)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (says(PANIC + b"Rebooting...\r\n"), "the board says \"Guru Meditation Error: Core  0 panic'ed"),
        (says(b"Brownout detector was triggered\r\n"), "the board says 'Brownout detector was triggered': its supply"),
        (says(b"waiting for download\r\n"), "the board says 'waiting for download': it waits in its boot loader"),
        (
            says(b"Debian GNU/Linux 12 rpi ttyS0\r\nrpi login: \r\n"),
            "but text at the right baud rate (115200), such as 'rpi login:'",
        ),
        (says(bytes(range(128, 228))), "no valid reply: check the baud rate (115200), and the line for noise"),
        (echoes, "only this program's own command comes back: the line echoes"),
    ],
    ids=["panic", "brown-out", "boot loader", "other program", "noise", "echo"],
)
@pytest.mark.parametrize("command", ["info", "bench", "run", "run_by_radio"])
def test_commands_report_why_a_board_does_not_reply(
    bundle: Bundle, script: Callable[[socket.socket], None], message: str, command: str
) -> None:
    image = np.zeros(bundle.input_shape, np.uint8)
    with fake_line(script) as url, Board.open(url, bundle, timeout=0.2) as board:
        arguments = {"info": (), "bench": (1,)}.get(command, (image,))
        if command == "run" and "board says" not in message:
            assert board.run(image) == (None, None), "bit errors may have taken the frame"
            return
        with pytest.raises(GarbledReplyError) as error:
            getattr(board, command)(*arguments)
    assert message in str(error.value) and str(error.value).startswith(f"{url}: ") and str(error.value).isprintable()


def test_commands_report_what_a_board_said_before_it_fell_silent(bundle: Bundle) -> None:
    """As one that restarts when its port is opened, and hangs."""

    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(RESTART)
        while connection.recv(65536):
            pass

    with fake_line(script) as url, Board.open(url, bundle, timeout=0.2) as board, pytest.raises(DeviceError) as error:
        board.info()
    assert "the board says 'rst:0x1 (POWERON_RESET)': it has restarted" in str(error.value)


def test_commands_ignore_text_if_the_board_replies(bundle: Bundle) -> None:
    """Also what was said before an earlier reply is no reason for a later failure."""
    info = make_info(model_number=bundle.number)

    def reply_to(command: Control) -> bytes:
        if command.opcode != Opcode.INFO:
            return bytes(range(128, 228))
        return RESTART + reply(Opcode.INFO | 0x80, command.request, info.pack(), 1, 0)

    with fake_line(answers(reply_to, first=PANIC)) as url, Board.open(url, bundle, timeout=0.2) as board:
        assert board.info() == info
        with pytest.raises(GarbledReplyError, match="check the baud rate"):
            board.bench(1)

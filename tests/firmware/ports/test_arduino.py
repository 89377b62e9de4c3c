"""The Arduino port, compiled for every board with that board's own flags, linked, and run as a process.

The frameworks are mocks (tests/firmware/arduino); no real core is used.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firmware.tools.model import generate
from tests.firmware.camera import camera_library
from tests.firmware.ports import mock_arduino
from tests.firmware.ports.mock_arduino import BOARDS, CROSS, HOST, check
from tests.firmware.secure.keyed_board import KeyedBoard
from tests.support.firmware import REPLY_SECONDS, RunningBoard, bundle_path
from wire.control import REPLY_BIT, ErrorCode, ErrorReply, Mode, Opcode
from wire.frame import SYNC

pytestmark = pytest.mark.emulated

SIZE = (120, 160)  # of the camera's frames, for an encoder of 32 x 32


def log(file: Path) -> list[str]:
    return file.read_text().splitlines()


@pytest.mark.parametrize("name", BOARDS)
def test_port_compiles_without_warnings_for_32_bit_types(encoder: Path, name: str) -> None:
    assert check(name, encoder / mock_arduino.LIBRARY, CROSS) == ""


def test_tflm_engine_compiles_with_the_pinned_librarys_names(tmp_path: Path) -> None:
    generate(bundle_path(), tmp_path / "model", "portable", "tflm")
    assert mock_arduino.check_tflm(tmp_path / "model") == ""
    newer = ["-DTfLiteRegistration=TFLMRegistration"]  # the name in later versions
    assert mock_arduino.check_tflm(tmp_path / "model", newer) == ""


@pytest.mark.parametrize(
    ("name", "pin"),
    [("heltec_wifi_lora_32_V3", "BUSY"), ("ttgo-lora32", "DIO0"), ("nucleo_wl55jc", "TCXO_MILLIVOLTS")],
)
def test_missing_pin_is_named_by_the_compiler(encoder: Path, name: str, pin: str) -> None:
    messages = check(name, encoder / mock_arduino.LIBRARY, HOST, [f"-UINKLING_LORA_{pin}"])
    assert re.search(rf"error: .*needs INKLING_LORA_.*{pin}", messages)


@pytest.mark.parametrize("name", BOARDS)
def test_port_runs_and_encodes_byte_exactly(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    with mock_arduino.run(program(name), log=str(tmp_path / "log")) as board:
        info = board.info()
        assert info.target == name[:24]
        assert info.model_number == board.bundle.number
        assert info.clock_hz == (240_000_000 if name.startswith(("esp", "ttgo", "heltec")) else 180_000_000)
        golden = np.load(board.bundle.golden_path)
        for chunk in range(len(board.bundle.chunks)):
            frame, cost = board.run(golden["images"][chunk].tobytes(), chunk)
            assert frame == board.golden_frame(chunk, chunk)
            assert 0 < cost.encode_cycles < cost.total_cycles
        board.mode(Mode.ANSWER)
        answer = board.golden_answer(1)
        assert answer is not None
        sent = board.run_by_mode(golden["images"][1].tobytes())
        assert sent == board.bundle.answer_frame(answer, 1, board.request % 32)
    usb = name == "blackpill_f411ce"
    assert ("usb" if usb else "serial 115200") in log(tmp_path / "log")
    if name.startswith(("esp", "ttgo", "heltec")):
        lines = log(tmp_path / "log")
        assert ("idle watchdog off" in lines) == (name == "esp32-c3-devkitm-1")
        started = lines.index("watchdog 60 s, restarts")
        assert started < lines.index("watchdog watches the loop") < lines.index("watchdog fed")


@pytest.mark.parametrize("name", ["esp32dev", "nucleo_f446re"])
def test_board_keeps_its_key_and_sends_secured_frames(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    flash = str(tmp_path / "flash")
    with mock_arduino.run(program(name), flash=flash) as line:
        board = KeyedBoard(line)
        assert board.set_key().is_permanent
        board.run(0)
    with mock_arduino.run(program(name), flash=flash) as line:
        board = KeyedBoard(line)
        state = board.key_state()
        assert state.has_key and state.is_permanent and state.counter == 224
        board.counter = state.counter
        board.run(1)


@pytest.mark.parametrize(("name", "stack"), [("esp32dev", 3000), ("nucleo_f446re", 1200), ("blackpill_f411ce", 7900)])
def test_info_gives_the_deepest_stack(program: Callable[..., Path], name: str, stack: int) -> None:
    with mock_arduino.run(program(name), stack=str(stack)) as board:
        assert board.info().stack_bytes == stack


@pytest.mark.parametrize(("name", "room"), [("esp32dev", 4096), ("nucleo_f446re", 2047)])
def test_lost_bytes_are_reported(program: Callable[..., Path], name: str, room: int) -> None:
    with mock_arduino.run(program(name), rush="1") as board:
        board.info()
        board.send(bytes(room // 8))
        assert board.is_silent()
        for _ in range(20):  # on a loaded machine, a burst may arrive in parts that fit
            board.send(board.command(Opcode.INFO) + bytes(2 * room))
            reply = board.reply()
            if reply.opcode == Opcode.ERROR:
                break
        assert ErrorReply.unpack(reply.data).code == ErrorCode.OVERRUN
        board.send(board.command(Opcode.INFO))
        while (reply := board.reply()).request != board.request:
            assert reply.opcode == Opcode.INFO | REPLY_BIT, "one error per burst"


def test_usb_blocks_the_host_instead_of_losing_bytes(program: Callable[..., Path]) -> None:
    with mock_arduino.run(program("blackpill_f411ce")) as board:
        board.send(board.command(Opcode.BENCH, b"\x02") + bytes(3000))
        assert board.reply().opcode == Opcode.BENCH | REPLY_BIT
        assert board.info().wire_version == 1


@pytest.mark.parametrize("fault", [{"smashed": "1"}, {"stack": "7980"}, {"stack": "8180"}])
def test_overwritten_stack_resets_an_stm32(program: Callable[..., Path], tmp_path: Path, fault: dict[str, str]) -> None:
    with mock_arduino.run(program("nucleo_f446re"), log=str(tmp_path / "log"), **fault) as board:
        assert board.process.wait(REPLY_SECONDS) == 0
    assert log(tmp_path / "log")[-1] == "reset"


# The camera


def capture(board: RunningBoard) -> bytes:
    """Take a photo and return the encoder's input as pixels."""
    board.send(board.command(Opcode.CAPTURE, b"\x00\x00"))
    board.frame(board.bundle.chunk_layout(0).serial_size)
    board.send(board.command(Opcode.PIXELS))
    return board.reply().data


def test_camera_gives_the_current_frame(program: Callable[..., Path], tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    scenes = [np.ascontiguousarray(np.kron(scene[::8, ::8], np.ones((8, 8, 1), np.uint8))) for scene in noise]
    frames = [camera_library.pack(scene, camera_library.RGB565) for scene in scenes]
    file = tmp_path / "frame"
    file.write_bytes(frames[0])
    with mock_arduino.run(program("esp32cam"), frame=str(file), log=str(tmp_path / "log")) as board:
        for frame in frames:
            file.write_bytes(frame)
            expected = camera_library.fit(frame, SIZE, camera_library.RGB565, board.bundle.input_shape)
            assert capture(board) == expected.tobytes()
    assert "camera 160x120 rgb565, power 32, clock 0" in log(tmp_path / "log")


@pytest.mark.parametrize("fault", ["broken", "mute"])
def test_camera_that_fails_is_reported_and_powered_down(
    program: Callable[..., Path], tmp_path: Path, fault: str
) -> None:
    with mock_arduino.run(program("esp32cam"), log=str(tmp_path / "log"), **{fault: "1"}) as board:
        board.send(board.command(Opcode.CAPTURE, b"\x00\x00"))
        assert board.error() == (ErrorCode.CAMERA, Opcode.CAPTURE, board.request)
        assert board.info().wire_version == 1
    lines = [line for line in log(tmp_path / "log") if line != "watchdog fed"]
    assert lines.count("no frame") == (fault == "mute")  # each one takes 4 s
    assert lines[-3:] == ["camera off", "pin 32 1", "hold 32"]


@pytest.mark.parametrize("kind", ["cut", "jpeg", "wide", "huge", "null"])
def test_camera_frame_that_differs_from_the_settings_is_refused(program: Callable[..., Path], kind: str) -> None:
    with mock_arduino.run(program("esp32cam"), odd=kind) as board:
        for _ in range(2):
            board.send(board.command(Opcode.CAPTURE, b"\x00\x00"))
            assert board.error() == (ErrorCode.CAMERA, Opcode.CAPTURE, board.request)
        assert board.info().wire_version == 1


ASLEEP = ("-DINKLING_PERIOD_S=60", "-DINKLING_DEEP_SLEEP=1", "-DINKLING_AWAKE_S=1")


def test_board_woken_by_the_timer_sends_an_image_and_sleeps_again(program: Callable[..., Path], tmp_path: Path) -> None:
    frame = camera_library.pack(np.full((*SIZE, 3), 90, np.uint8), camera_library.RGB565)
    (tmp_path / "frame").write_bytes(frame)
    started = time.monotonic()
    watcher = program("esp32cam", *ASLEEP)
    with mock_arduino.run(watcher, woke="1", frame=str(tmp_path / "frame"), log=str(tmp_path / "log")) as board:
        sent = board.frame(board.bundle.chunk_layout(0).serial_size)
        assert sent.startswith(SYNC)
        assert board.rest() == b""
    lines = log(tmp_path / "log")
    assert lines.index("camera off") < lines.index("pin 32 1") < lines.index("hold 32") < lines.index("deep sleep")
    assert lines.index("let go 32") < lines.index("camera 160x120 rgb565, power 32, clock 0")
    slept = int(next(line for line in lines if line.startswith("timer ")).removeprefix("timer "))
    assert 60_000_000 - 1e6 * (time.monotonic() - started) < slept <= 60_000_000

"""The Arduino port: compiled for every board with that board's own flags, linked, and run as a process.

Against the stand-ins of tests/firmware/arduino; a real core has never seen it here.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firmware.tools.model import generate
from tests.firmware.camera import camera_c
from tests.firmware.ports import arduino_host
from tests.firmware.ports.arduino_host import CROSS, HOST, boards, check
from tests.support.firmware import RunningBoard, bundle_path
from wire.control import REPLY_BIT, Control, ErrorCode, Opcode, Packet, RadioReport, RunCost, run_data
from wire.frame import SYNC

SIZE = (120, 160)  # of the camera's frames, for an encoder of 32 x 32
RUN_COST_BYTES = 12
NO_LIMIT = "-DINKLING_LORA_DUTY_PERMILLE=1000"  # a node may send at once
PACKET = bytes(range(40, 98))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return arduino_host.build_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def program(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """program(environment, *flags): the linked firmware, built once."""
    built: dict[tuple[str, ...], Path] = {}

    def build(name: str, *flags: str) -> Path:
        key = (name, *flags)
        if key not in built:
            built[key] = arduino_host.build(name, encoder, tmp_path_factory.mktemp("firmware"), list(flags))
        return built[key]

    return build


def log(file: Path) -> list[str]:
    return file.read_text().splitlines()


@pytest.mark.parametrize("name", sorted(boards()))
def test_compiles_without_a_warning_where_words_have_32_bits(encoder: Path, name: str) -> None:
    assert check(name, encoder / arduino_host.LIBRARY, CROSS) == ""


def test_the_engine_tflm_compiles_with_the_names_of_the_pinned_library(tmp_path: Path) -> None:
    generate(bundle_path(), tmp_path / "model", "portable", "tflm")
    assert arduino_host.check_tflm(tmp_path / "model") == ""
    newer = ["-DTfLiteRegistration=TFLMRegistration"]  # as later versions call it
    assert arduino_host.check_tflm(tmp_path / "model", newer) == ""


@pytest.mark.parametrize(
    ("name", "pin"),
    [("heltec_wifi_lora_32_V3", "BUSY"), ("ttgo-lora32", "DIO0"), ("nucleo_wl55jc", "TCXO_MILLIVOLTS")],
)
def test_a_pin_that_is_missing_is_named(encoder: Path, name: str, pin: str) -> None:
    said = check(name, encoder / arduino_host.LIBRARY, HOST, [f"-UINKLING_LORA_{pin}"])
    assert re.search(rf"error: .*needs INKLING_LORA_.*{pin}", said)


@pytest.mark.parametrize("name", sorted(boards()))
def test_runs_and_encodes_byte_exactly(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    with arduino_host.run(program(name), log=str(tmp_path / "log")) as board:
        info = board.info()
        assert info.target == name[:24]
        assert info.model_number == board.bundle.number
        assert info.clock_hz == (240_000_000 if name.startswith(("esp", "ttgo", "heltec")) else 180_000_000)
        golden = np.load(board.bundle.golden_path)
        for chunk, (first, count) in enumerate(board.bundle.chunks):
            frame, cost = board.run(golden["images"][chunk].tobytes(), chunk)
            levels = golden["symbols"][chunk][first : first + count]
            assert frame == board.bundle.frame(levels, 1, board.request % 32, chunk)
            assert 0 < cost.encode_cycles < cost.total_cycles
    usb = name == "blackpill_f411ce"
    assert ("usb" if usb else "serial 115200") in log(tmp_path / "log")
    assert ("watchdog off" in log(tmp_path / "log")) == (name == "esp32-c3-devkitm-1")


@pytest.mark.parametrize(("name", "stack"), [("esp32dev", 3000), ("nucleo_f446re", 0)])
def test_tells_the_stack_where_the_core_knows_it(program: Callable[..., Path], name: str, stack: int) -> None:
    with arduino_host.run(program(name)) as board:
        assert board.info().stack_bytes == stack


@pytest.mark.parametrize(("name", "room"), [("esp32dev", 4096), ("nucleo_f446re", 2047)])
def test_bytes_that_found_no_room_are_told(program: Callable[..., Path], name: str, room: int) -> None:
    with arduino_host.run(program(name), rush="1") as board:
        board.info()
        board.send(bytes(room // 2))
        assert board.silent(0.3)
        board.send(bytes(2 * room))
        assert board.error()[0] == ErrorCode.OVERRUN
        assert board.silent(0.3)
        assert board.info().wire_version == 1


def test_usb_holds_the_host_back(program: Callable[..., Path]) -> None:
    with arduino_host.run(program("blackpill_f411ce")) as board:
        board.send(board.command(Opcode.BENCH, b"\x02") + bytes(3000))
        assert board.reply().opcode == Opcode.BENCH | REPLY_BIT
        assert board.info().wire_version == 1


# The camera


def capture(board: RunningBoard) -> bytes:
    """Takes a picture; returns the pixels that the encoder got."""
    board.send(board.command(Opcode.CAPTURE, b"\x00\x00"))
    board.read(board.bundle.chunk_layout(0).serial_size)
    board.send(board.command(Opcode.PIXELS))
    return board.reply().data


def test_the_camera_shows_what_is_there_now(program: Callable[..., Path], tmp_path: Path) -> None:
    scenes = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    scenes = [np.ascontiguousarray(np.kron(scene[::8, ::8], np.ones((8, 8, 1), np.uint8))) for scene in scenes]
    frames = [camera_c.pack(scene, camera_c.RGB565) for scene in scenes]
    file = tmp_path / "frame"
    file.write_bytes(frames[0])
    with arduino_host.run(program("esp32cam"), frame=str(file), log=str(tmp_path / "log")) as board:
        for frame in frames:
            file.write_bytes(frame)
            expected = camera_c.fit(frame, SIZE, camera_c.RGB565, board.bundle.input_shape)
            assert capture(board) == expected.tobytes()
    assert "camera 160x120 rgb565, power 32, clock 0" in log(tmp_path / "log")


@pytest.mark.parametrize("fault", ["broken", "mute"])
def test_without_an_answer_from_the_camera_the_board_says_so_and_powers_it_down(
    program: Callable[..., Path], tmp_path: Path, fault: str
) -> None:
    with arduino_host.run(program("esp32cam"), log=str(tmp_path / "log"), **{fault: "1"}) as board:
        board.send(board.command(Opcode.CAPTURE, b"\x00\x00"))
        assert board.error() == (ErrorCode.CAMERA, Opcode.CAPTURE, board.request)
        assert board.info().wire_version == 1
    said = log(tmp_path / "log")
    assert said.count("no frame") == (fault == "mute")  # each one is a wait of 4 s
    assert said[-3:] == ["camera off", "pin 32 1", "hold 32"]


ASLEEP = ("-DINKLING_PERIOD_S=60", "-DINKLING_DEEP_SLEEP=1", "-DINKLING_AWAKE_S=1")


def test_a_board_that_the_timer_woke_sends_a_picture_and_sleeps_again(
    program: Callable[..., Path], tmp_path: Path
) -> None:
    frame = camera_c.pack(np.full((*SIZE, 3), 90, np.uint8), camera_c.RGB565)
    (tmp_path / "frame").write_bytes(frame)
    watcher = program("esp32cam", *ASLEEP)
    with arduino_host.run(watcher, woke="1", frame=str(tmp_path / "frame"), log=str(tmp_path / "log")) as board:
        sent = board.read(board.bundle.chunk_layout(0).serial_size)
        assert sent.startswith(SYNC)
        assert board.silent()
    said = log(tmp_path / "log")
    assert said.index("camera off") < said.index("pin 32 1") < said.index("hold 32") < said.index("deep sleep")
    assert said.index("let go 32") < said.index("camera 160x120 rgb565, power 32, clock 0")
    slept = int(next(line for line in said if line.startswith("timer ")).removeprefix("timer "))
    assert 50_000_000 < slept <= 60_000_000


# The radio


def send_by_radio(board: RunningBoard, chunk: int = 0) -> Control:
    image = np.load(board.bundle.golden_path)["images"][0]
    board.send(board.command(Opcode.RUN, run_data(chunk, image.tobytes(), by_radio=True)))
    return board.reply()


@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_a_node_sends_a_frame_by_radio(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    with arduino_host.run(program(name, NO_LIMIT), log=str(tmp_path / "log")) as board:
        reply = send_by_radio(board)
        golden = np.load(board.bundle.golden_path)
        assert (reply.opcode, reply.request) == (Opcode.RUN | REPLY_BIT, board.request)
        RunCost.unpack(reply.data[:RUN_COST_BYTES])
        assert RadioReport.unpack(reply.data[RUN_COST_BYTES:]).chunk == 0
        frame = board.bundle.frame(golden["symbols"][0], 1, board.request % 32, sync=False)
    assert f"sent {frame.hex()}" in log(tmp_path / "log")
    assert "limit 140 mA" in log(tmp_path / "log")


RADIOS = {
    "heltec_wifi_lora_32_V3": [
        "module 8 14 12 13",
        "spi 9 11 10 8",
        "begin 868.100 125.0 sf7 cr5 sync 12 14 dBm preamble 8 tcxo 1.8",
    ],
    "ttgo-lora32": ["module 18 26 23 33", "spi 5 19 27 18", "begin 868.100 125.0 sf7 cr5 sync 12 14 dBm preamble 8"],
    "nucleo_wl55jc": [
        "switch 23 33 32 4294967295",
        "begin 868.100 125.0 sf7 cr5 sync 12 14 dBm preamble 8 tcxo 1.7",
    ],
}


@pytest.mark.parametrize("name", sorted(RADIOS))
def test_a_radio_is_set_up_as_the_board_is_wired(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    with arduino_host.run(program(f"{name}_gateway"), log=str(tmp_path / "log")) as board:
        board.info()
    assert [line for line in log(tmp_path / "log") if line in RADIOS[name]] == RADIOS[name]


@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_without_an_answer_from_the_radio_the_board_says_so(program: Callable[..., Path], name: str) -> None:
    with arduino_host.run(program(name, NO_LIMIT), broken="1") as board:
        board.info()
        image = bytes(np.prod(board.bundle.input_shape))
        board.send(board.command(Opcode.RUN, run_data(0, image, by_radio=True)))
        assert board.error() == (ErrorCode.RADIO, Opcode.RUN, board.request)
    with arduino_host.run(program(f"{name}_gateway"), broken="1") as board:
        assert board.error() == (ErrorCode.RADIO, 0, 0)  # unasked
        assert board.info().wire_version == 1


def hear(board: RunningBoard) -> Packet:
    reply = board.reply()
    assert reply.opcode == Opcode.PACKET | REPLY_BIT
    return Packet.unpack(reply.data)


@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_a_gateway_hands_over_every_packet(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    air = tmp_path / "air"
    heard = [("ok", -97.5, 7.25, PACKET), ("bad", -121.0, -9.5, PACKET[::-1]), ("none", -130.25, -12.0, b"\x00")]
    air.write_text("".join(f"{crc} {rssi} {snr} {data.hex()}\n" for crc, rssi, snr, data in heard))
    with arduino_host.run(program(f"{name}_gateway"), air=str(air)) as board:
        for number, (crc, rssi, snr, data) in enumerate(heard):
            reply = board.reply()
            assert (reply.opcode, reply.request) == (Opcode.PACKET | REPLY_BIT, number)
            packet = Packet.unpack(reply.data)
            assert (packet.crc_ok, packet.rssi_dbm, packet.snr_db, packet.payload) == (crc == "ok", rssi, snr, data)


@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_packets_without_a_header_keep_the_verdict_of_their_crc(
    program: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    air = tmp_path / "air"
    air.write_text(f"ok -90 5 {PACKET.hex()}\nbad -125 -11 {PACKET.hex()}\n")
    gateway = program(f"{name}_gateway", "-DINKLING_LORA_IMPLICIT=1")
    with arduino_host.run(gateway, air=str(air), log=str(tmp_path / "log")) as board:
        for crc_ok in (True, False):
            packet = hear(board)
            assert (packet.crc_ok, packet.payload) == (crc_ok, PACKET)
        size = len(board.bundle.frame(np.zeros(len(board.bundle.symbol_order), np.uint8), 1, 0, sync=False))
    assert size == len(PACKET)
    assert f"implicit {size}" in log(tmp_path / "log")

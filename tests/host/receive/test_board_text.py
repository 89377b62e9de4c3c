"""Plain text of boards: restarts, crashes, boot loaders, other firmware."""

from pathlib import Path

import numpy as np
import pytest

from host.receive.board_text import MAX_LINE_BYTES, TextWatch, last_line, recognize
from tests.support.host import make_bundle, make_frame

BROWN_OUT = b"\r\nBrownout detector was triggered\r\n\r\nets Jul 29 2019 12:21:46\r\nrst:0xc (SW_CPU_RESET)\r\n"
RESTART = b"ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\nrst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\n"


@pytest.mark.parametrize(
    ("data", "said", "meaning"),
    [
        (BROWN_OUT, "Brownout detector was triggered", "supply voltage"),
        (b"rst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13 (SPI", "rst:0xf (RTCWDT_BROWN_OUT_RESET)", "supply voltage"),
        (b"rst:0xf (BROWNOUT_RST),boot:0x8", "rst:0xf (BROWNOUT_RST)", "supply voltage"),
        (
            b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1))\r\nwaiting for download\r\n",
            "boot:0x3 (DOWNLOAD_BOOT(UART0/UART1))",
            "boot loader",
        ),
        (
            b"rst:0x15 (USB_UART_CHIP_RESET),boot:0x7 (DOWNLOAD(USB/UART0))\r\n",
            "boot:0x7 (DOWNLOAD(USB/UART0))",
            "BOOT",
        ),
        (
            b"Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled.\r\nRebooting...\r\n",
            "Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled.",
            "crashes",
        ),
        (b"\x1b[0;31mabort() was called at PC 0x400d1 on core 0\x1b[0m\n", None, "crashes"),
        (b"***ERROR*** A stack overflow in task main has been detected.\n", None, "crashes"),
        (b"assert failed: xQueueSend queue.c:832 (pxQueue)\n", None, "crashes"),
        (b"rst:0x8 (TG1WDT_SYS_RST),boot:0xc (SPI", "rst:0x8 (TG1WDT_SYS_RST)", "watchdog"),
        (
            b"invalid header: 0xffffffff\r\ninvalid header: 0xffffffff\r\n",
            "invalid header: 0xffffffff",
            "no valid",
        ),
        (b"E (61) boot: No bootable app partitions in the partition table\n", None, "no valid firmware"),
        (b"MicroPython v1.22.2 on 2024-02-22; Generic ESP32 module\r\n>>> ", None, "other firmware"),
        (RESTART, "ESP-ROM:esp32c3-api1-20210207", "has restarted"),
        (b" ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n", None, "has restarted"),
    ],
)
def test_recognize_names_the_most_telling_text(data: bytes, said: str | None, meaning: str) -> None:
    frames = bytes(np.random.default_rng(0).integers(0, 256, 200, np.uint8))
    cause = recognize(frames + data + frames)
    assert cause and meaning in cause.meaning and cause.said.isprintable()
    assert said in (None, cause.said)
    assert str(cause) == f"the board says {cause.said!r}: {cause.meaning}"


def test_recognize_finds_nothing_in_frames_and_noise(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    frames = b"".join(make_frame(bundle, number) for number in range(32))
    noise = np.random.default_rng(1).integers(0, 256, 200_000, np.uint8).tobytes()
    for data in (frames, noise, b"", b"Soil moisture: 512\r\n"):
        assert recognize(data) is None
    assert last_line(frames) is None and last_line(noise[:1000]) is None


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"Soil moisture: 511\r\nSoil moisture: 512\r\n", "Soil moisture: 512"),
        ("23 °C, 40 %, кот\n".encode(), "23 °C, 40 %, кот"),
        (b"\x1b[0;32mI (31) boot: ESP-IDF v5.1\x1b[0m\r\n", "I (31) boot: ESP-IDF v5.1"),
        (b"a" * 500, "a" * 97 + "..."),
        (b"short\n", None),
        (b"\xe0\x9c\xf0" * 20, None),
        (b"\0" * 50, None),
    ],
)
def test_last_line_shows_text_only(data: bytes, line: str | None) -> None:
    assert last_line(data) == line


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_watch_finds_each_text_once_however_the_stream_is_divided(size: int) -> None:
    watch, stream = TextWatch(), BROWN_OUT + bytes(3 * MAX_LINE_BYTES) + b"\n" + RESTART[:-2]
    found = [cause for at in range(0, len(stream), size) for cause in watch.feed(stream[at : at + size])]
    assert [cause.said[:8] for cause in found] == ["Brownout", "ets Jul ", "rst:0xc ", "ESP-ROM:"]
    assert [cause.said for cause in watch.flush()] == ["rst:0x1 (POWERON)"] and watch.flush() == []

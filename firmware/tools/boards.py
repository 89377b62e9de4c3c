"""RAM and flash of the boards in platformio.ini, and the boards that an encoder fits. Imports no other module of ours.

`ram_bytes` is the memory that the linker places static data in: the chip's largest continuous RAM, less what the ROM
and the radio stack keep. `flash_bytes` is the room for the program: the chip's flash, or on an ESP32 the partition of
the application. An environment that ends in _gateway is the same board as the one without.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

GATEWAY = "_gateway"


@dataclass(frozen=True)
class Chip:
    """A chip under its Arduino core.

    The core, the rest of the firmware and the stack take `other_ram_bytes` and `other_flash_bytes`: estimates, rounded
    up, since no build for a board has been measured.
    """

    name: str
    ram_bytes: int
    other_ram_bytes: int
    other_flash_bytes: int


@dataclass(frozen=True)
class Board:
    """A board: its chip and the room for a program. Sizes in bytes."""

    chip: Chip
    flash_bytes: int

    @property
    def encoder_ram_bytes(self) -> int:
        """The RAM that is left for an encoder."""
        return self.chip.ram_bytes - self.chip.other_ram_bytes

    @property
    def encoder_flash_bytes(self) -> int:
        """The flash that is left for an encoder, its engine included."""
        return self.flash_bytes - self.chip.other_flash_bytes


# Espressif: dram0_0_seg in memory.ld of the Arduino core 2.0. It excludes what Bluetooth would need, and on the S3 and
# the C3 it also holds the code that runs from RAM.
_ESP_FLASH = 400_000
ESP32 = Chip("ESP32", 0x2C200 - 0xDB5C, 24_000, _ESP_FLASH)
ESP32_S3 = Chip("ESP32-S3", 0x403CC700 - 0x40378000, 96_000, _ESP_FLASH)
ESP32_C3 = Chip("ESP32-C3", 0x403CE710 - 0x40380000, 96_000, _ESP_FLASH)
# STMicroelectronics: data sheets DS10693, DS10198, DS12110, DS10314, DS13293. The L476's second RAM is elsewhere in its
# address space; of the H743's, the largest is counted.
_ST_RAM, _ST_FLASH = 8_000, 64_000
STM32F446 = Chip("STM32F446RE", 128 << 10, _ST_RAM, _ST_FLASH)
STM32L476 = Chip("STM32L476RG", 96 << 10, _ST_RAM, _ST_FLASH)
STM32H743 = Chip("STM32H743ZI", 512 << 10, _ST_RAM, _ST_FLASH)
STM32F411 = Chip("STM32F411CE", 128 << 10, _ST_RAM, _ST_FLASH)
STM32WL55 = Chip("STM32WL55JC", 64 << 10, _ST_RAM, _ST_FLASH)

# The core's partition tables: default.csv, default_8MB.csv, huge_app.csv.
_DEFAULT, _DEFAULT_8MB, _HUGE_APP = 0x140000, 0x330000, 0x300000

BOARDS: Mapping[str, Board] = MappingProxyType(
    {
        "esp32dev": Board(ESP32, _DEFAULT),
        "esp32-s3-devkitc-1": Board(ESP32_S3, _DEFAULT),
        "esp32-c3-devkitm-1": Board(ESP32_C3, _DEFAULT),
        "esp32cam": Board(ESP32, _HUGE_APP),
        "heltec_wifi_lora_32_V3": Board(ESP32_S3, _DEFAULT_8MB),
        "ttgo-lora32": Board(ESP32, _DEFAULT),
        "nucleo_f446re": Board(STM32F446, 512 << 10),
        "nucleo_l476rg": Board(STM32L476, 1024 << 10),
        "nucleo_h743zi": Board(STM32H743, 2048 << 10),
        "blackpill_f411ce": Board(STM32F411, 512 << 10),
        "nucleo_wl55jc": Board(STM32WL55, 256 << 10),
    }
)


@dataclass(frozen=True)
class Fit:
    """What an encoder needs, and the environments of platformio.ini with and without room for it."""

    ram_bytes: int
    flash_bytes: int
    fitting: tuple[str, ...]
    too_small: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line: "needs about 85 kB of RAM and 120 kB of flash: fits esp32dev; not nucleo_l476rg"."""
        ram, flash = (-(-size // 1000) for size in (self.ram_bytes, self.flash_bytes))
        start = f"needs about {ram} kB of RAM and {flash} kB of flash"
        if not self.fitting:
            return f"{start}: fits no board of platformio.ini"
        if not self.too_small:
            return f"{start}: fits every board of platformio.ini"
        return f"{start}: fits {', '.join(self.fitting)}; not {', '.join(self.too_small)}"


def fits(ram_bytes: int, flash_bytes: int) -> Fit:
    """Return the boards with room for an encoder.

    `ram_bytes` counts arena, input, outputs and scratch; `flash_bytes` weights, tables, kernels and the engine.
    """
    rooms = {name: _has_room(board, ram_bytes, flash_bytes) for name, board in BOARDS.items()}
    fitting = tuple(name for name, room in rooms.items() if room)
    return Fit(ram_bytes, flash_bytes, fitting, tuple(name for name, room in rooms.items() if not room))


def is_too_small(environment: str, ram_bytes: int, flash_bytes: int) -> bool:
    """Return True if the environment's board is known and has no room for an encoder."""
    board = BOARDS.get(environment.removesuffix(GATEWAY))
    return board is not None and not _has_room(board, ram_bytes, flash_bytes)


def _has_room(board: Board, ram_bytes: int, flash_bytes: int) -> bool:
    return ram_bytes <= board.encoder_ram_bytes and flash_bytes <= board.encoder_flash_bytes

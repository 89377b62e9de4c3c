"""Flash and RAM of a linked firmware, and the encoder's share of both.

    python -m firmware.tools.footprint .pio/build/qemu_stm32f405/firmware.elf

The totals come from the ELF file's sections, the encoder's share from the linker's map beside it: the linked parts of
the model's library (weights, kernels, tables), of the encoder's library (buffers and glue) and, with that engine, of
TFLite Micro. The C library functions that kernels call (memcpy) count to the total only.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from wire.errors import InklingError

ENCODER_ARCHIVES = ("libinkling_model.a", "libencoder.a")
_TFLM_ARCHIVE = re.compile(r"([^\s/\\]+\.a)\(micro_interpreter\.\w+\)")  # under any library name
MAP_NAME = "firmware.map"
MAP_START = "Linker script and memory map"
# An output section starts a line. An input section is indented by one blank; its size and file are on the same line
# or, after a long name, on the next.
_OUTPUT = re.compile(r"^([.\w]\S*)(?:\s|$)")
_INPUT = re.compile(r"^ \S+\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S.*)$")


class FootprintError(InklingError):
    """A firmware cannot be measured."""


@dataclass(frozen=True)
class Footprint:
    """Sizes in bytes. RAM is static RAM, without the stack."""

    flash_bytes: int
    ram_bytes: int
    model_flash_bytes: int  # weights + kernels + tables
    encoder_ram_bytes: int  # arena + input + output + scratch


def measure(elf: str | Path) -> Footprint:
    """Return the footprint of a linked firmware.

    Raises FootprintError if the ELF file or the map beside it is missing or not usable.
    """
    elf = Path(elf)
    try:
        with elf.open("rb") as file:
            sections = list(ELFFile(file).iter_sections())
        map_text = (elf.parent / MAP_NAME).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FootprintError(f"{error.filename}: {error.strerror}") from None
    except ELFError:
        raise FootprintError(f"{elf} is not an ELF file") from None
    kept = [section for section in sections if section["sh_flags"] & SH_FLAGS.SHF_ALLOC]
    flash = {section.name for section in kept if section["sh_type"] != "SHT_NOBITS"}
    ram = {section.name for section in kept if section["sh_flags"] & SH_FLAGS.SHF_WRITE}
    encoder = list(_encoder_parts(map_text))
    if not encoder:
        raise FootprintError(f"{elf.parent / MAP_NAME} does not list the encoder's libraries")
    return Footprint(
        flash_bytes=sum(section["sh_size"] for section in kept if section.name in flash),
        ram_bytes=sum(section["sh_size"] for section in kept if section.name in ram),
        model_flash_bytes=sum(size for section, size in encoder if section in flash),
        encoder_ram_bytes=sum(size for section, size in encoder if section in ram),
    )


def _encoder_parts(map_text: str) -> Iterator[tuple[str, int]]:
    """Yield the output section and the bytes of each linked part of the encoder."""
    section = ""
    _, _, body = map_text.partition(MAP_START)
    archives = {*ENCODER_ARCHIVES, *_TFLM_ARCHIVE.findall(body)}
    for line in re.sub(r"^( \S+)\n\s+0x", r"\1 0x", body, flags=re.MULTILINE).splitlines():
        if output := _OUTPUT.match(line):
            section = output[1]
        elif (piece := _INPUT.match(line)) and any(f"{name}(" in piece[2] for name in archives):
            yield section, int(piece[1], 16)


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit("usage: python -m firmware.tools.footprint ELF")
    try:
        print(json.dumps(asdict(measure(arguments[0])), indent=2))
    except FootprintError as error:
        sys.exit(f"inkling: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])

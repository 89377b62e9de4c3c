"""Tables of what each bundle needs and of the boards that it fits, written into docs/boards.md.

    python -m firmware.tools.board_table [BUNDLE ...]     # default: every bundle in bundles/

RAM is exact for the engine `aot`, and with `tflm` as large as the arena that is built in; flash is an estimate, and so
is the room on a board (firmware/tools/boards.py). Instructions are those that `make bench-device` has counted.
"""

import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firmware.tools.boards import BOARDS, Board
from firmware.tools.core_dir import ROOT
from firmware.tools.model import ModelError, Needs, generate, needs
from wire.bundle import Bundle, load

PAGE = ROOT / "docs" / "boards.md"
BEGIN = "<!-- Written by `python -m firmware.tools.board_table` -->\n"
END = "<!-- End of the tables -->\n"
RESULTS = ROOT / "benchmarks" / "results"
ENGINES = ("aot", "tflm")
KERNELS = {"STM32": "cmsis_nn", "ESP32": "portable"}  # by the start of a chip's name
PROCESSORS = {"cmsis_nn": "cortex-m4", "portable": "rv32imc"}  # whose instructions are counted with these kernels
TITLES = {"cmsis_nn": "CMSIS-NN (STM32)", "portable": "portable (ESP32)"}

Sizes = dict[tuple[str, str], Needs]  # by engine and kernels


@dataclass(frozen=True)
class Encoder:
    """A bundle's encoder: what it needs, and its instructions per image where they have been counted."""

    name: str
    sizes: Sizes
    counted: dict  # by processor and engine, as in device.json


def measure(path: Path) -> Encoder:
    """Return the encoder of a bundle. Raises ModelError."""
    sizes: Sizes = {}
    with tempfile.TemporaryDirectory(prefix="inkling-") as folder:
        for engine in ENGINES:
            for kernels in TITLES:
                library = Path(folder) / f"{engine}-{kernels}"
                generate(path, library, kernels, engine)
                sizes[engine, kernels] = needs(library)
    bundle = load(path)
    return Encoder(bundle.name, sizes, _counted(bundle))


def _counted(bundle: Bundle) -> dict:
    """Return the bundle's figures in device.json; nothing if they are of another model under its name."""
    try:
        figures, details = (json.loads((RESULTS / name).read_text()) for name in ("device.json", "device_details.json"))
    except OSError:
        return {}
    measured = details.get(bundle.name, {}).get("model_id")
    return figures.get(bundle.name, {}) if measured == bundle.model_id else {}


def section(encoders: list[Encoder]) -> str:
    """Return both tables in Markdown."""
    return "\n".join([*_encoder_rows(encoders), "", *_board_rows(encoders)]) + "\n"


def _encoder_rows(encoders: list[Encoder]) -> Iterable[str]:
    yield "| bundle | engine, kernels | RAM | flash | instructions per image |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for encoder in encoders:
        for (engine, kernels), size in encoder.sizes.items():
            if (engine, kernels) == ("tflm", "portable"):
                continue  # the same as with CMSIS-NN: the library brings its kernels
            title = f"aot, {TITLES[kernels]}" if engine == "aot" else "tflm"
            instructions = _instructions(encoder, engine, kernels)
            yield f"| `{encoder.name}` | {title} | {_kb(size.ram_bytes)} | {_kb(size.flash_bytes)} | {instructions} |"


def _board_rows(encoders: list[Encoder]) -> Iterable[str]:
    columns = [(encoder, engine) for encoder in encoders for engine in ENGINES]
    titles = "".join(f" `{encoder.name}`, {engine} |" for encoder, engine in columns)
    yield f"| environment | chip | RAM | flash |{titles}"
    yield "| --- | --- | ---: | ---: |" + " ---: |" * len(columns)
    for environment, board in BOARDS.items():
        room = f"{_kb(board.encoder_ram_bytes)} | {_kb(board.encoder_flash_bytes)}"
        kernels = next(kernels for start, kernels in KERNELS.items() if board.chip.name.startswith(start))
        cells = (_share(board, encoder.sizes[engine, kernels]) for encoder, engine in columns)
        yield f"| `{environment}` | {board.chip.name} | {room} | {' | '.join(cells)} |"


def _share(board: Board, size: Needs) -> str:
    """Return the share of the room on the board that an encoder takes."""
    ram, flash = size.ram_bytes / board.encoder_ram_bytes, size.flash_bytes / board.encoder_flash_bytes
    return f"{100 * ram:.0f} %, {100 * flash:.0f} %" if max(ram, flash) <= 1 else "does not fit"


def _instructions(encoder: Encoder, engine: str, kernels: str) -> str:
    figures = encoder.counted.get(PROCESSORS[kernels], {}).get(engine)
    return f"{figures['instructions'] / 1e6:.2f} M" if figures else "-"


def _kb(size: int) -> str:
    return f"{size / 1000:,.1f} kB"


def parts(page: str) -> tuple[str, str, str]:
    """Return the page before the tables, the tables, and the page after them. Raises ValueError if it has no place."""
    head, begin, rest = page.partition(BEGIN)
    tables, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has no lines {BEGIN.strip()} and {END.strip()}")
    return head + begin, tables, end + tail


def default_bundles() -> list[Path]:
    """Return the folders in bundles/."""
    return sorted(file.parent for file in ROOT.glob("bundles/*/bundle.json"))


def main(arguments: list[str]) -> None:
    try:
        encoders = [measure(path) for path in [Path(word) for word in arguments] or default_bundles()]
        head, _, tail = parts(PAGE.read_text(encoding="utf-8"))
    except (ModelError, OSError, ValueError) as error:
        sys.exit(f"inkling: {error}")
    PAGE.write_text(f"{head}\n{section(encoders)}\n{tail}", encoding="utf-8")
    print(f"{PAGE}: {', '.join(encoder.name for encoder in encoders)}")


if __name__ == "__main__":
    main(sys.argv[1:])

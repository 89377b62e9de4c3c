"""Tables of what each bundle needs and of the boards that it fits, written into docs/boards.md.

    python -m firmware.tools.board_table [BUNDLE ...]     # default: every bundle in bundles/

RAM is exact for the engine `aot`, and with `tflm` as large as the arena that is built in; flash is an estimate, and so
is the room on a board (firmware/tools/boards.py). Instructions are those that `make bench-device` has counted.
"""

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from firmware.tools.boards import BOARDS, Board
from firmware.tools.core_dir import ROOT
from firmware.tools.model import ModelError, Needs, generate, needs
from wire.bundle import load

PAGE = ROOT / "docs" / "boards.md"
BEGIN = "<!-- Written by `python -m firmware.tools.board_table` -->\n"
END = "<!-- End of the tables -->\n"
COUNTED = ROOT / "benchmarks" / "results" / "device.json"
ENGINES = ("aot", "tflm")
KERNELS = {"STM32": "cmsis_nn", "ESP32": "portable"}  # by the start of a chip's name
PROCESSORS = {"cmsis_nn": "cortex-m4", "portable": "rv32imc"}  # whose instructions are counted with these kernels
TITLES = {"cmsis_nn": "CMSIS-NN (STM32)", "portable": "portable (ESP32)"}

Sizes = dict[tuple[str, str], Needs]  # by engine and kernels


def measure(bundle: Path) -> tuple[str, Sizes]:
    """Return a bundle's name, and what its encoder needs. Raises ModelError."""
    sizes: Sizes = {}
    with tempfile.TemporaryDirectory(prefix="inkling-") as folder:
        for engine in ENGINES:
            for kernels in TITLES:
                library = Path(folder) / f"{engine}-{kernels}"
                generate(bundle, library, kernels, engine)
                sizes[engine, kernels] = needs(library)
    return load(bundle).name, sizes


def tables(bundles: dict[str, Sizes], counted: dict) -> str:
    """Return both tables in Markdown. `counted` is device.json."""
    return "\n".join([*_bundle_rows(bundles, counted), "", *_board_rows(bundles)]) + "\n"


def _bundle_rows(bundles: dict[str, Sizes], counted: dict) -> Iterable[str]:
    yield "| bundle | engine, kernels | RAM | flash | instructions per image |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for name, sizes in bundles.items():
        for (engine, kernels), size in sizes.items():
            if (engine, kernels) == ("tflm", "portable"):
                continue  # the same as with CMSIS-NN: the library brings its kernels
            title = f"aot, {TITLES[kernels]}" if engine == "aot" else "tflm"
            yield f"| `{name}` | {title} | {_kb(size.ram_bytes)} | {_kb(size.flash_bytes)} | " + (
                f"{_instructions(counted, name, engine, kernels)} |"
            )


def _board_rows(bundles: dict[str, Sizes]) -> Iterable[str]:
    columns = [(name, engine) for name in bundles for engine in ENGINES]
    yield "| environment | chip | RAM | flash |" + "".join(f" `{name}`, {engine} |" for name, engine in columns)
    yield "| --- | --- | ---: | ---: |" + " ---: |" * len(columns)
    for environment, board in BOARDS.items():
        room = f"{_kb(board.encoder_ram_bytes)} | {_kb(board.encoder_flash_bytes)}"
        kernels = next(kernels for start, kernels in KERNELS.items() if board.chip.name.startswith(start))
        cells = (_share(board, bundles[name][engine, kernels]) for name, engine in columns)
        yield f"| `{environment}` | {board.chip.name} | {room} | {' | '.join(cells)} |"


def _share(board: Board, size: Needs) -> str:
    """Return the share of the room on the board that an encoder takes."""
    ram, flash = size.ram_bytes / board.encoder_ram_bytes, size.flash_bytes / board.encoder_flash_bytes
    return f"{100 * ram:.0f} %, {100 * flash:.0f} %" if max(ram, flash) <= 1 else "does not fit"


def _instructions(counted: dict, name: str, engine: str, kernels: str) -> str:
    figures = counted.get(name, {}).get(PROCESSORS[kernels], {}).get(engine)
    return f"{figures['instructions'] / 1e6:.2f} M" if figures else "-"


def _kb(size: int) -> str:
    return f"{size / 1000:,.1f} kB"


def main(arguments: list[str]) -> None:
    paths = [Path(argument) for argument in arguments] or sorted(path.parent for path in ROOT.glob("bundles/*/*.json"))
    try:
        bundles = dict(measure(path) for path in paths)
    except ModelError as error:
        sys.exit(f"inkling: {error}")
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not tail:
        sys.exit(
            f"inkling: {PAGE} has lost the lines between which the tables stand: {BEGIN.strip()} ... {END.strip()}"
        )
    counted = json.loads(COUNTED.read_text(encoding="utf-8")) if COUNTED.is_file() else {}
    PAGE.write_text(f"{head}{BEGIN}\n{tables(bundles, counted)}\n{END}{tail}", encoding="utf-8")
    print(f"{PAGE}: {', '.join(bundles)}")


if __name__ == "__main__":
    main(sys.argv[1:])

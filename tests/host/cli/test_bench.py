"""`inkling bench`: a board's times, the energy modelled from them, and emulated boards."""

import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware.tools import core_dir
from host.board.energy import SPREADING_FACTORS, VOLTS, Chip, Radio, chip_of, chips, radio_of, radios
from tests.conftest import RunInkling
from tests.support.host import make_info
from wire.bundle import Bundle
from wire.control import REPLY_BIT, BenchResult, Opcode, reply
from wire.lora import air_time_s

OPCODE, REQUEST, REPEATS = 14, 15, 16  # their offsets in a command
CLOCK_HZ, CYCLES = 120_000_000, 6_000_000  # 50 ms per image


@contextmanager
def fake_board(bundle: Bundle, target: str) -> Iterator[str]:
    """The URL of a line to a fake board of this target, which answers INFO and BENCH."""
    info = make_info(model_number=bundle.number, target=target, clock_hz=CLOCK_HZ)

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            while command := connection.recv(4096):
                repeats = command[REPEATS]
                result = BenchResult(repeats, CYCLES - 5, CYCLES + 5, CYCLES, repeats * 50_000)
                data = info.pack() if command[OPCODE] == Opcode.INFO else result.pack()
                connection.sendall(reply(command[OPCODE] | REPLY_BIT, command[REQUEST], data, 9, bundle.number))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def rows(out: str, sent: str) -> dict[str, list[float]]:
    """Return the numbers by spreading factor of the table of what is sent."""
    lines = out[out.index(f", {sent}: ") :].splitlines()
    cells = [line.strip("│").split("│") for line in lines if line.startswith("│")][: len(SPREADING_FACTORS)]
    return {name.strip(): [float(cell) for cell in numbers] for name, *numbers in cells}


def test_bench_models_energy_as_current_times_voltage_times_time(run_inkling: RunInkling, built: Bundle) -> None:
    with fake_board(built, "heltec_wifi_lora_32_V3") as url:
        code, out, err = run_inkling("bench", "--port", url, "--bundle", built.path, "--repeats", 7)
    assert (code, err) == (0, "")
    assert "6,000,000 cycles per image (5,999,995 to 6,000,005 in 7 runs), 50.00 ms" in out
    chip, radio = chips()["esp32-s3"], radios()["sx1262"]
    assert chip.source in out and radio.source in out
    encoder = 3.3 * chip.ma * (120 / 240) * 0.050  # at half the clock, half the current
    for sent, packet_bytes, accuracy in (
        ("answer", 8, built.manifest["accuracy_board"]),
        ("chunk 0", built.chunk_layout(0).size, built.manifest["accuracy"]["0"]),
    ):
        assert f"{built.name}, {sent}: {packet_bytes} bytes by sx1262" in out
        table = rows(out, sent)
        assert list(table) == [f"SF{sf}" for sf in SPREADING_FACTORS]
        for sf in SPREADING_FACTORS:
            air_s = air_time_s(packet_bytes, sf)
            sending = 3.3 * radio.ma * air_s
            total = encoder + sending
            expected = [1e3 * air_s, encoder, sending, total, total / accuracy]
            assert table[f"SF{sf}"] == pytest.approx(expected, abs=0.51, rel=1e-3)
            assert table[f"SF{sf}"][1:] == pytest.approx(expected[1:], abs=0.0051)


def test_bench_shows_the_mean_over_answers_and_features(run_inkling: RunInkling, built: Bundle) -> None:
    with fake_board(built, "heltec_wifi_lora_32_V3") as url:
        code, out, err = run_inkling("bench", "--port", url, "--bundle", built.path, "--answers", "0.75", "--chunk", 1)
    mean_bytes = 0.75 * 8 + 0.25 * built.chunk_layout(1).size
    assert (code, err) == (0, "") and f"75% answers, else chunk 1: {mean_bytes:.1f} bytes by sx1262" in out
    sent = ("answer", "chunk 1", "75% answers, else chunk 1")
    answer, features, mean = (re.findall(r"SF9 │(.*)│ +\S+ │", out[out.index(f", {name}: ") :])[0] for name in sent)
    answer, features, mean = ([float(cell) for cell in row.split("│")] for row in (answer, features, mean))
    expected = [0.75 * a + 0.25 * f for a, f in zip(answer, features, strict=True)]
    assert mean == pytest.approx(expected, abs=0.8) and mean[1] == answer[1] == features[1]
    assert run_inkling("bench", "--port", url, "--bundle", built.path, "--answers", "2")[0] == 2


def test_bench_takes_the_names_of_chip_and_radio(run_inkling: RunInkling, built: Bundle) -> None:
    with fake_board(built, "my_own_board") as url:
        chip = ("--board", "stm32l476", "--radio", "sx1276", "--chunk", 1)
        code, out, err = run_inkling("bench", "--port", url, "--bundle", built.path, *chip)
    assert (code, err) == (0, "")
    assert chips()["stm32l476"].source in out and radios()["sx1276"].source in out
    assert f"chunk 1: {built.chunk_layout(1).size} bytes by sx1276" in out
    assert re.search(r"SF7 .*│ +- │", out)  # the bundle has no accuracy of this chunk by itself
    with fake_board(built, "my_own_board") as url:
        code, out, err = run_inkling("bench", "--port", url, "--bundle", built.path)
    assert code == 1 and "50.00 ms" in out
    assert err.startswith("inkling: no current is stated for my_own_board: name its chip with --board (esp32, ")


@pytest.mark.parametrize("accuracy", ["high", 0, 2, [0.5], True])
def test_bench_shows_no_energy_per_correct_answer_without_an_accuracy(
    run_inkling: RunInkling, built: Bundle, tmp_path: Path, accuracy: object
) -> None:
    shutil.copytree(built.path, tmp_path / "bundle")
    manifest = built.manifest | {"accuracy_board": accuracy, "accuracy": {"0": accuracy}}
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(manifest))
    with fake_board(built, "heltec_wifi_lora_32_V3") as url:
        code, out, err = run_inkling("bench", "--port", url, "--bundle", tmp_path / "bundle")
    assert (code, err) == (0, "")
    assert len(re.findall(r"SF7 .*│ +- │", out)) == 2  # answer and chunk 0


def test_bench_models_no_energy_of_an_emulated_board(run_inkling: RunInkling, native_url: str, built: Bundle) -> None:
    code, out, err = run_inkling("bench", "--port", native_url, "--bundle", built.path, "--repeats", 2)
    assert (code, err) == (0, "")
    times, note = out.splitlines()
    assert times.startswith("native, engine aot, 1000 MHz: ") and " in 2 runs), " in times
    assert note == "native is emulated: these are not the times of a chip, so no energy is modelled"


def test_bench_reports_impossible_numbers_in_one_line(run_inkling: RunInkling, built: Bundle) -> None:
    bench = ("bench", "--port", "unused", "--bundle", built.path)
    code, _, err = run_inkling(*bench, "--repeats", 101)
    assert (code, err) == (1, "inkling: --repeats must be at most 100, got 101\n")
    code, _, err = run_inkling(*bench, "--chunk", 9)
    assert (code, err) == (1, f"inkling: bundle {built.name} has chunks 0..{len(built.chunks) - 1}, not 9\n")


def test_energy_figures_have_sources_and_existing_targets() -> None:
    project = ConfigParser(interpolation=None, strict=False)
    project.read(core_dir.ROOT / "platformio.ini")
    figures: list[Chip | Radio] = [*chips().values(), *radios().values()]
    for figure in figures:
        assert 0 < figure.ma < 200 and figure.targets
        assert "datasheet" in figure.source.lower()
        assert all(project.has_section(f"env:{target}") for target in figure.targets)
    assert VOLTS == 3.3
    assert chip_of("ttgo-lora32") == chip_of("ttgo-lora32_gateway") == chips()["esp32"]
    assert radio_of("heltec_wifi_lora_32_V3_g") == radios()["sx1262"]  # as cut off in INFO
    assert chip_of("esp32dev2") is None and radio_of("esp32dev") is None

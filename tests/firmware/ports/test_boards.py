"""Every board environment of platformio.ini is whole: pinned, with an engine, and with the pins its radio needs."""

import configparser
import re
import shlex

import pytest

from tests.firmware.ports.arduino_host import ROOT, Options, boards, environments, macros

OWNED = {
    "esp32dev",
    "esp32-s3-devkitc-1",
    "esp32-c3-devkitm-1",
    "esp32cam",
    "heltec_wifi_lora_32_V3",
    "heltec_wifi_lora_32_V3_gateway",
    "ttgo-lora32",
    "ttgo-lora32_gateway",
    "nucleo_f446re",
    "nucleo_l476rg",
    "nucleo_h743zi",
    "blackpill_f411ce",
    "nucleo_wl55jc",
    "nucleo_wl55jc_gateway",
}
SPI_PINS = {"SCK", "MISO", "MOSI", "CS", "RESET"}
RADIO_PINS = {
    "sx1262": SPI_PINS | {"DIO1", "BUSY", "TCXO_MILLIVOLTS"},
    "sx1276": SPI_PINS | {"DIO0", "DIO1"},
    "stm32wl": {"TCXO_MILLIVOLTS"},
}
CHIPS = {"heltec_wifi_lora_32_V3": "sx1262", "ttgo-lora32": "sx1276", "nucleo_wl55jc": "stm32wl"}
TARGET_CHARACTERS = 24  # of the target's name that INFO has room for
PINNED = re.compile(r"[\w-]+(/[\w-]+)?@\d+\.\d+\.\d+")


def test_there_is_an_environment_for_each_board() -> None:
    assert set(boards()) == OWNED


def test_only_what_needs_no_board_is_built_by_default() -> None:
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "platformio.ini", encoding="utf-8")
    assert not set(re.split(r"[\s,]+", config["platformio"]["default_envs"])) & OWNED


@pytest.mark.parametrize("name", sorted(OWNED))
def test_a_board_is_complete(name: str) -> None:
    options = boards()[name]
    assert PINNED.fullmatch(str(options["platform"]))
    assert options["board"]
    assert options["custom_engine"] in ("tflm", "aot")
    assert options["custom_kernels"] in ("portable", "cmsis_nn")
    assert options["monitor_speed"] == 115200
    for library in options["lib_deps"]:
        assert PINNED.fullmatch(library), library
    assert ("Chirale_TensorFLowLite" in " ".join(options["lib_deps"])) == (options["custom_engine"] == "tflm")
    assert f'-DINKLING_TARGET="{name}"' in macros(name)


@pytest.mark.parametrize("name", sorted(OWNED))
def test_our_sources_are_compiled_with_warnings_as_errors_in_the_cores_dialect(name: str) -> None:
    words = shlex.split(" ".join(boards()[name]["build_src_flags"]))
    assert {"-Wall", "-Wextra", "-Wdouble-promotion", "-Werror", "-std=gnu11", "-std=gnu++17"} <= set(words)
    assert "-Werror" not in " ".join(boards()[name]["build_flags"])  # which the frameworks get, too


def defined(name: str) -> dict[str, str]:
    """Macros by name."""
    return dict(macro.removeprefix("-D").partition("=")[::2] for macro in macros(name))


@pytest.mark.parametrize("board", sorted(CHIPS))
def test_a_lora_board_is_a_node_or_a_gateway_with_the_same_pins(board: str) -> None:
    node, gateway = defined(board), defined(f"{board}_gateway")
    assert node["INKLING_RADIO"] == "1"
    assert gateway.pop("INKLING_GATEWAY") == "1"
    assert "INKLING_GATEWAY" not in node
    node.pop("INKLING_TARGET")
    gateway.pop("INKLING_TARGET")
    assert node == gateway
    for name in (board, f"{board}_gateway"):
        pins = {macro.removeprefix("INKLING_LORA_") for macro in defined(name) if macro.startswith("INKLING_LORA_")}
        assert pins == RADIO_PINS[CHIPS[board]]
        assert f"lora/{CHIPS[board]}/" in " ".join(boards()[name]["build_src_filter"])
        assert any(library.startswith("jgromes/RadioLib@") for library in boards()[name]["lib_deps"])


def test_only_lora_boards_have_a_radio_and_only_the_esp32cam_a_camera() -> None:
    with_radio = {name for name in OWNED if defined(name).get("INKLING_RADIO") == "1"}
    assert with_radio == {*CHIPS, *(f"{board}_gateway" for board in CHIPS)}
    assert {name for name in OWNED if defined(name).get("INKLING_CAMERA") == "1"} == {"esp32cam"}


def test_the_board_names_itself_unmistakably() -> None:
    names = [name[:TARGET_CHARACTERS] for name in environments()]
    assert len(set(names)) == len(names)


def test_every_filter_names_folders_that_are_there() -> None:
    for name, options in boards().items():
        for pattern in re.findall(r"\+<([^>]*)>", " ".join(options["build_src_filter"])):
            folder = ROOT / "firmware" / "src" / pattern.removesuffix("*")
            assert folder.is_dir(), f"{name}: {pattern}"


@pytest.mark.parametrize("option", ["platform", "lib_deps"])
def test_the_same_version_everywhere(option: str) -> None:
    versions: dict[str, set[str]] = {}
    for options in boards().values():
        for pinned in _listed(options, option):
            versions.setdefault(pinned.partition("@")[0], set()).add(pinned)
    assert all(len(pins) == 1 for pins in versions.values()), versions


def _listed(options: Options, option: str) -> list[str]:
    value = options[option]
    return [value] if isinstance(value, str) else list(value)


def test_public_ci_builds_every_board() -> None:
    workflow = (ROOT / ".github" / "workflows" / "boards.yml").read_text(encoding="utf-8")
    matrix = re.search(r"environment:\n((?:\s+- \S+\n)+)", workflow)
    assert matrix is not None
    assert set(re.findall(r"- (\S+)", matrix[1])) == OWNED


def test_the_documentation_lists_every_board() -> None:
    text = (ROOT / "docs" / "boards.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([\w-]+)` \| .* \| (?:tflm|aot) \|", text, re.MULTILINE))
    assert rows == OWNED

"""Every board environment of platformio.ini is complete: pinned versions, an engine, and the pins of its radio."""

import configparser
import re
import shlex

import pytest

from tests.firmware.ports.mock_arduino import BOARDS, ROOT, boards, environments, macros

SPI_PINS = {"SCK", "MISO", "MOSI", "CS", "RESET"}
RADIO_PINS = {
    "sx1262": SPI_PINS | {"DIO1", "BUSY", "TCXO_MILLIVOLTS"},
    "sx1276": SPI_PINS | {"DIO0", "DIO1"},
    "stm32wl": {"TCXO_MILLIVOLTS"},
}
CHIPS = {"heltec_wifi_lora_32_V3": "sx1262", "ttgo-lora32": "sx1276", "nucleo_wl55jc": "stm32wl"}
TARGET_CHARACTERS = 24  # size of the target's name in the INFO reply
PINNED = re.compile(r"[\w-]+(/[\w-]+)?@\d+\.\d+\.\d+(\+sha\.\w+)?")
# Packages of a platform that are on the board or write to it, unless the platform itself pins them.
PACKAGES = {
    "espressif32": {"framework-arduinoespressif32", "tool-esptoolpy"},
    "ststm32": {
        "framework-arduinoststm32", "framework-cmsis", "framework-cmsis-dsp", "toolchain-gccarmnoneeabi",
        "tool-openocd",
    },
}  # fmt: skip


def test_environments_cover_each_board() -> None:
    assert sorted(boards()) == sorted(BOARDS)


def test_default_environments_need_no_board() -> None:
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "platformio.ini", encoding="utf-8")
    assert not set(re.split(r"[\s,]+", config["platformio"]["default_envs"])) & set(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_environment_is_pinned_and_complete(name: str) -> None:
    options = boards()[name]
    assert PINNED.fullmatch(options["platform"])
    assert options["board"]
    assert options["custom_engine"] in ("tflm", "aot")
    assert options["custom_kernels"] in ("portable", "cmsis_nn")
    assert options["monitor_speed"] == 115200
    for library in options["lib_deps"]:
        assert PINNED.fullmatch(library), library
    packages = {package: re.sub(r"^platformio/|@.*", "", package) for package in options["platform_packages"]}
    assert all(PINNED.fullmatch(package) for package in packages), packages
    with_dfu = {"tool-dfuutil"} if options.get("upload_protocol") == "dfu" else set()
    assert set(packages.values()) == PACKAGES[options["platform"].partition("@")[0]] | with_dfu
    assert ("Chirale_TensorFLowLite" in " ".join(options["lib_deps"])) == (options["custom_engine"] == "tflm")
    assert f'-DINKLING_TARGET="{name}"' in macros(name)


@pytest.mark.parametrize("name", BOARDS)
def test_environment_treats_warnings_in_our_sources_as_errors_in_the_cores_dialect(name: str) -> None:
    words = shlex.split(" ".join(boards()[name]["build_src_flags"]))
    assert {"-Wall", "-Wextra", "-Wdouble-promotion", "-Werror", "-std=gnu11", "-std=gnu++17"} <= set(words)
    assert "-Werror" not in " ".join(boards()[name]["build_flags"])  # these also apply to the frameworks


def defined(name: str) -> dict[str, str]:
    """Return the values of an environment's macros by name."""
    return dict(macro.removeprefix("-D").partition("=")[::2] for macro in macros(name))


@pytest.mark.parametrize("board", sorted(CHIPS))
def test_lora_environments_of_node_and_gateway_have_the_same_pins(board: str) -> None:
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
    with_radio = {name for name in BOARDS if defined(name).get("INKLING_RADIO") == "1"}
    assert with_radio == {*CHIPS, *(f"{board}_gateway" for board in CHIPS)}
    assert {name for name in BOARDS if defined(name).get("INKLING_CAMERA") == "1"} == {"esp32cam"}


def test_environment_names_are_unique_in_the_info_reply() -> None:
    names = [name[:TARGET_CHARACTERS] for name in environments()]
    assert len(set(names)) == len(names)


def test_source_filters_name_existing_folders() -> None:
    for name, options in boards().items():
        for pattern in re.findall(r"\+<([^>]*)>", " ".join(options["build_src_filter"])):
            folder = ROOT / "firmware" / "src" / pattern.removesuffix("*")
            assert folder.is_dir(), f"{name}: {pattern}"


def test_environments_pin_one_version_of_each_package() -> None:
    versions: dict[str, set[str]] = {}
    for options in boards().values():
        for pinned in (options["platform"], *options["platform_packages"], *options["lib_deps"]):
            versions.setdefault(pinned.partition("@")[0], set()).add(pinned)
    assert all(len(pins) == 1 for pins in versions.values()), versions


def test_workflow_builds_every_board() -> None:
    workflow = (ROOT / ".github" / "workflows" / "boards.yml").read_text(encoding="utf-8")
    matrix = re.search(r"environment:\n((?:\s+- \S+\n)+)", workflow)
    assert matrix is not None
    assert sorted(re.findall(r"- (\S+)", matrix[1])) == sorted(BOARDS)


def test_documentation_lists_every_board() -> None:
    text = (ROOT / "docs" / "boards.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([\w-]+)` \| .* \| (?:tflm|aot) \|", text, re.MULTILINE))
    assert rows == set(BOARDS)

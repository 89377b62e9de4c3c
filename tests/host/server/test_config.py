"""Settings of `inkling serve`: what a file says, and one clear line for what is wrong with it."""

import re
from pathlib import Path

import pytest

from host.errors import HostError
from host.server.config import DeviceConfig, ServeConfig, load, with_options

STORE = Path("/default/readings.sqlite3")
SITE = '[sites.home]\nbundles = ["cifar10"]\nports = ["/dev/ttyUSB0"]\n'


def config_of(folder: Path, text: str) -> ServeConfig:
    file = folder / "inkling.toml"
    file.write_text(text)
    return load(file, STORE)


def test_load_takes_defaults_and_paths_beside_the_file(tmp_path: Path) -> None:
    config = config_of(tmp_path, SITE)
    (site,) = config.sites
    assert (site.name, site.bundles, site.ports) == ("home", (tmp_path / "cifar10",), ("/dev/ttyUSB0",))
    assert config.store.file == STORE
    assert (config.page.listen, config.page.token_file, config.mqtt) == ("127.0.0.1:8080", None, None)


def test_load_takes_every_setting_of_the_example() -> None:
    config = load(Path("deploy/inkling.toml"), STORE)
    (site,) = config.sites
    assert site.devices == {1: DeviceConfig("Front door", "Garden")}
    assert site.alerts == ("cat",)


def test_load_takes_the_settings_that_the_example_leaves_out(tmp_path: Path) -> None:
    text = Path("deploy/inkling.toml").read_text()
    settings = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    config = config_of(tmp_path, settings)
    assert config.mqtt is not None and config.mqtt.url == "mqtts://inkling@broker.example"
    assert config.page.token_file == Path("/var/lib/inkling/token")
    assert config.sites[0].gateways_over_mqtt
    assert config.sites[0].require_auth == "header"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"there is no site: add \[sites.home\]"),
        ("[sites.home", "is not TOML"),
        ('[sites.home]\nports = ["/dev/ttyUSB0"]', "site home has no bundles"),
        ('[sites.home]\nbundles = ["cifar10"]', "site home hears nothing"),
        (SITE + 'port = "/dev/ttyUSB1"', r"\[sites.home\]: there is no setting port; did you mean ports\?"),
        (SITE.replace("home", '"a/b"'), "site 'a/b' is no name"),
        (SITE + "baud = 0", "baud is 0, not an integer of at least 1"),
        (SITE + 'require_auth = "all"', "require_auth is 'all', not header or full"),
        (SITE + "settle_s = 60", "settle_s is 60, not a number from 0 to 10"),
        (SITE + "gateways_over_mqtt = true", r"there is no \[mqtt\] with the broker"),
        (SITE + 'decoded_over_mqtt = true\n[mqtt]\nurl = "mqtt://b"', "site home is decoded elsewhere"),
        (SITE + '[sites.home.devices.300]\nname = "x"', "300 is no number of a device, 0 to 254"),
        (SITE + "[sites.home.devices.3]\nname = 5", r"\[sites.home.devices.3\]: name is 5, not a text"),
        (SITE + '[sites.home.devices.3]\nname = "a\\nb"', "is no name: at most 64 printable characters"),
        (SITE + SITE.replace("home", "barn"), "/dev/ttyUSB0 belongs to site home and to site barn"),
        (SITE + "[page]\nlisten = 8080", r"\[page\]: listen is 8080, not a text"),
        (SITE + "[mqtt]\nhome_assistant = true", r"\[mqtt\]: url is missing"),
        (SITE + "[store]\ndays = -1", "days is -1, not a number from 0 to 36500"),
        (SITE + "[sotre]\ndays = 1", "there is no setting sotre; did you mean store"),
        ("sites = 3", "sites is 3, not a table"),
    ],
)
def test_load_refuses_wrong_settings_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(HostError, match=message) as refused:
        config_of(tmp_path, text)
    assert str(refused.value).startswith(str(tmp_path / "inkling.toml"))
    assert "\n" not in str(refused.value)


def test_load_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"none.toml cannot be read: No such file"):
        load(tmp_path / "none.toml", STORE)


def test_with_options_prefers_the_command(tmp_path: Path) -> None:
    config = with_options(config_of(tmp_path, SITE), "127.0.0.1:9", tmp_path / "s", None)
    assert (config.page.listen, config.store.file) == ("127.0.0.1:9", tmp_path / "s")

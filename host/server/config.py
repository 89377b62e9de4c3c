"""Settings of `inkling serve`: one TOML file, or the options of the command."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from host.errors import HostError
from host.mqtt import topics
from wire import BAUD
from wire.checks import is_int, shown
from wire.frame import ANY_DEVICE
from wire.text import printable

DEFAULT_SITE = "home"
DEFAULT_LISTEN = "127.0.0.1:8080"
MAX_NAME = 64  # characters
Values = dict[str, Any]


@dataclass(frozen=True)
class DeviceConfig:
    """What people call a device."""

    name: str | None = None
    area: str | None = None


@dataclass(frozen=True)
class SiteConfig:
    """One site: where its frames come from, and what they are read with."""

    name: str
    bundles: tuple[Path, ...]
    ports: tuple[str, ...] = ()
    baud: int = BAUD
    dtr_rts: bool = True
    gateways_over_mqtt: bool = False  # packets, which are decoded here
    decoded_over_mqtt: bool = False  # records of `inkling decode`, which are only stored and shown
    tasks: tuple[str, ...] = ()
    keys: Path | None = None
    require_auth: str | None = None
    settle_s: float = 0.25  # for the copies of other gateways
    devices: Mapping[int, DeviceConfig] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()  # classes


@dataclass(frozen=True)
class PageConfig:
    """The page and its API."""

    listen: str = DEFAULT_LISTEN
    token_file: Path | None = None


@dataclass(frozen=True)
class StoreConfig:
    """The store of readings. A limit that is None does not apply."""

    file: Path
    days: float | None = 365.0
    readings: int | None = None
    megabytes: int | None = None


@dataclass(frozen=True)
class MqttConfig:
    """A broker, to which records are published and from which packets of gateways may come."""

    url: str
    password_file: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    home_assistant: bool = True
    discovery_prefix: str = "homeassistant"


@dataclass(frozen=True)
class ServeConfig:
    """All settings."""

    sites: tuple[SiteConfig, ...]
    store: StoreConfig
    page: PageConfig = PageConfig()
    mqtt: MqttConfig | None = None
    state: Path | None = None  # folder of the sites' states; by default beside the store


def load(path: Path, store: Path) -> ServeConfig:
    """Return the settings in a file. Paths in it are relative to its folder; `store` is the default store.

    Raises HostError with one line if the file cannot be read or a setting is wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HostError(f"{path} is not TOML: {error}") from None
    config = _Table(path, "", values)
    sites = config.tables("sites")
    if not sites:
        raise HostError(f"{path}: there is no site: add [sites.{DEFAULT_SITE}] with ports and bundles")
    made = ServeConfig(
        tuple(_site(name, table) for name, table in sites.items()),
        _store(config.table("store"), store),
        _page(config.table("page")),
        _mqtt(config.table("mqtt")) if "mqtt" in values else None,
        config.path("state"),
    )
    config.done()
    return check(made, str(path))


def check(config: ServeConfig, where: str) -> ServeConfig:
    """Return the settings if they fit together. Raises HostError that begins with `where`."""
    ports: dict[str, str] = {}
    for site in config.sites:
        try:
            topics.check_name(site.name, "site")
        except HostError as error:
            raise HostError(f"{where}: {error}") from None
        hears = bool(site.ports or site.gateways_over_mqtt)
        if hears and not site.bundles:
            raise HostError(f"{where}: site {site.name} has no bundles: its frames could not be read")
        if not hears and not site.decoded_over_mqtt:
            raise HostError(
                f"{where}: site {site.name} hears nothing: give it ports, gateways_over_mqtt = true or "
                "decoded_over_mqtt = true"
            )
        if (site.gateways_over_mqtt or site.decoded_over_mqtt) and config.mqtt is None:
            raise HostError(f"{where}: site {site.name} comes over MQTT, but there is no [mqtt] with the broker")
        if site.decoded_over_mqtt and hears:
            raise HostError(f"{where}: site {site.name} is decoded elsewhere: it cannot be decoded here, too")
        for port in site.ports:
            if port in ports:
                raise HostError(f"{where}: {printable(port)} belongs to site {ports[port]} and to site {site.name}")
            ports[port] = site.name
    return config


def with_options(config: ServeConfig, listen: str | None, store: Path | None, token_file: Path | None) -> ServeConfig:
    """Return the settings with what the command's options say in their place."""
    page = replace(config.page, listen=listen or config.page.listen, token_file=token_file or config.page.token_file)
    return replace(config, page=page, store=replace(config.store, file=store) if store else config.store)


def _site(name: str, table: "_Table") -> SiteConfig:
    made = SiteConfig(
        name,
        tuple(table.path_of(one) for one in table.texts("bundles")),
        tuple(table.texts("ports")),
        table.integer("baud", 1) or BAUD,
        table.flag("dtr_rts", True),
        table.flag("gateways_over_mqtt", False),
        table.flag("decoded_over_mqtt", False),
        tuple(table.texts("tasks")),
        table.path("keys"),
        table.one_of("require_auth", ("header", "full")),
        table.number("settle_s", 0.0, 10.0, SiteConfig.settle_s),
        {table.device(number): _device(one) for number, one in table.tables("devices").items()},
        tuple(table.texts("alerts")),
    )
    table.done()
    return made


def _device(table: "_Table") -> DeviceConfig:
    name, area = table.text("name"), table.text("area")
    for text in (name, area):
        if text is not None:
            table.checked_name(text)
    table.done()
    return DeviceConfig(name, area)


def _page(table: "_Table") -> PageConfig:
    made = PageConfig(table.text("listen") or DEFAULT_LISTEN, table.path("token_file"))
    table.done()
    return made


def _store(table: "_Table", default: Path) -> StoreConfig:
    days = table.number("days", 0.0, 36_500.0, StoreConfig.days or 0.0)  # 0: no limit
    made = StoreConfig(
        table.path("file") or default, days or None, table.integer("readings", 1), table.integer("megabytes", 1)
    )
    table.done()
    return made


def _mqtt(table: "_Table") -> MqttConfig:
    url = table.text("url")
    if url is None:
        table.fail("url is missing: mqtt://HOST or mqtts://HOST")
    made = MqttConfig(
        url,
        table.path("password_file"),
        table.path("ca"),
        table.path("certificate"),
        table.path("key"),
        table.flag("home_assistant", True),
        table.text("discovery_prefix") or MqttConfig.discovery_prefix,
    )
    table.done()
    return made


class _Table:
    """A table of a TOML file, whose values are taken one by one; `done` names those that nobody took."""

    def __init__(self, file: Path, name: str, values: Values) -> None:
        self._file, self._name, self._values = file, name, values
        self._known: set[str] = set()

    def fail(self, text: str) -> NoReturn:
        """Raise HostError with the file and the table's name."""
        within = f" [{printable(self._name)}]" if self._name else ""
        raise HostError(f"{self._file}{within}: {text}")

    def done(self) -> None:
        """Raise HostError if there are settings that do not exist."""
        for key in self._values.keys() - self._known:
            near = difflib.get_close_matches(key, self._known, 1)
            self.fail(f"there is no setting {printable(key)}{f'; did you mean {near[0]}?' if near else ''}")

    def table(self, key: str) -> "_Table":
        """Return a table, an empty one if it is missing."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self.fail(f"{key} is {shown(value)}, not a table")
        return _Table(self._file, f"{self._name}.{key}".lstrip("."), value)

    def tables(self, key: str) -> dict[str, "_Table"]:
        """Return the tables in a table, by name."""
        table = self.table(key)
        return {name: table.table(name) for name in table._values}

    def text(self, key: str) -> str | None:
        """Return a text."""
        value = self._take(key, None)
        if value is not None and not (isinstance(value, str) and value.strip()):
            self.fail(f"{key} is {shown(value)}, not a text")
        return value

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            self.fail(f"{key} is {shown(value)}, not a list of texts")
        return value

    def path(self, key: str) -> Path | None:
        """Return a path, relative to the file's folder."""
        text = self.text(key)
        return None if text is None else self.path_of(text)

    def path_of(self, text: str) -> Path:
        """Return a path, relative to the file's folder."""
        return self._file.parent / Path(text).expanduser()

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            self.fail(f"{key} is {shown(value)}, not true or false")
        return value

    def integer(self, key: str, least: int) -> int | None:
        """Return an integer of at least `least`."""
        value = self._take(key, None)
        if value is not None and not (is_int(value) and value >= least):
            self.fail(f"{key} is {shown(value)}, not an integer of at least {least}")
        return value

    def number(self, key: str, least: float, most: float, default: float) -> float:
        """Return a number within these bounds."""
        value = self._take(key, default)
        if not (is_int(value) or isinstance(value, float)) or not least <= value <= most:
            self.fail(f"{key} is {shown(value)}, not a number from {least:g} to {most:g}")
        return float(value)

    def one_of(self, key: str, choices: tuple[str, ...]) -> str | None:
        """Return one of these texts."""
        value = self.text(key)
        if value is not None and value not in choices:
            self.fail(f"{key} is {shown(value)}, not {' or '.join(choices)}")
        return value

    def device(self, text: str) -> int:
        """Return the number of a device."""
        if not text.isdecimal() or not int(text) < ANY_DEVICE:
            self.fail(f"{printable(text)} is no number of a device, 0 to {ANY_DEVICE - 1}")
        return int(text)

    def checked_name(self, text: str) -> str:
        """Return a name that pages and topics can show."""
        if not text.isprintable() or len(text) > MAX_NAME:
            self.fail(f"{shown(text)} is no name: at most {MAX_NAME} printable characters")
        return text

    def _take(self, key: str, default: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
        self._known.add(key)
        return self._values.get(key, default)

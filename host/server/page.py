"""Address, token and names of the page of `inkling serve`."""

import ipaddress
import logging
import secrets
import socket
from importlib import metadata

from host.errors import HostError
from host.publish.home_assistant import DISTRIBUTION
from host.serve.settings import DeviceName, PageSettings
from host.server.config import PageConfig, ServeConfig
from wire.files import write_whole

log = logging.getLogger(__name__)


def page_settings(config: ServeConfig) -> PageSettings:
    """Return the settings of the page, with its token, which is made if its file is missing. Raises HostError."""
    names = {
        (site.name, number): DeviceName(device.name or f"device {number}", device.area)
        for site in config.sites
        for number, device in site.devices.items()
    }
    host, token = _address(config.page.listen)[0], _token(config.page)
    own = socket.gethostname()
    return PageSettings(version=_version(), names=names, hosts=frozenset({host, own, f"{own}.local"}), token=token)


def _version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:  # it runs in a clone
        return ""


def _token(page: PageConfig) -> str | None:
    """Return the token, which is made if its file is missing. Raises HostError if others can reach the page without."""
    if page.token_file is None:
        host = _address(page.listen)[0]
        if not _is_loopback(host):
            raise HostError(
                f"listening on {host}, others reach the page: name a file for the token that they need, with "
                "--token-file or token_file (it is made if it is missing)"
            )
        return None
    try:
        if not page.token_file.exists():
            write_whole(page.token_file, f"{secrets.token_urlsafe(24)}\n".encode(), private=True)
            log.warning("made a token for the page: %s", page.token_file)
        return page.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(f"cannot use the token file {page.token_file}: {error}") from None


def _address(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT or :PORT. Raises HostError."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 65535:
        raise HostError(f"cannot listen on {text!r}: expected HOST:PORT, such as 127.0.0.1:8080")
    return host.strip("[]") or "127.0.0.1", int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(page: PageConfig) -> socket.socket:
    """Return a socket that listens on the page's address. Raises HostError."""
    host, port = _address(page.listen)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise HostError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None

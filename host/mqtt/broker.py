"""The address of a broker: URL, password, TLS; and why a connection to it failed, in words."""

import os
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from host.errors import HostError

PORTS = {"mqtt": 1883, "mqtts": 8883}
PASSWORD = "INKLING_MQTT_PASSWORD"  # environment variable
MAX_PASSWORD_BYTES = 1 << 16


@dataclass(frozen=True)
class Broker:
    """A broker and how to log in. `tls` is None for a connection without TLS."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(
        cls,
        url: str,
        *,
        password_file: Path | None = None,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> "Broker":
        """Return the broker at mqtt://[USER@]HOST[:PORT] or, with TLS, mqtts://. Raises HostError.

        The password is the first line of a file, else that of the environment. ca: certificates of the authorities
        that are trusted, PEM, by default those of the system. certificate, key: of this client, PEM.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme, 0)
        except ValueError:
            raise HostError(f"{url!r} is no broker: expected mqtt://HOST:PORT or mqtts://HOST:PORT") from None
        if parts.password is not None:  # not repeated here: the message may end in a log
            raise HostError(
                f"other users of this machine can read a password in a URL: put it into a file for --password-file, or "
                f"into the environment variable {PASSWORD}"
            )
        if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise HostError(f"{url!r} is no broker: expected mqtt://HOST:PORT or mqtts://HOST:PORT")
        user = unquote(parts.username) if parts.username else None
        password = _read_password(password_file) if password_file else os.environ.get(PASSWORD)
        if password and user is None:
            raise HostError(f"a password needs a user: {parts.scheme}://USER@{parts.hostname}")
        if parts.scheme == "mqtts":
            return cls(parts.hostname, port, user, password, _context(ca, certificate, key))
        if ca or certificate or key:
            raise HostError(f"certificates need TLS: use mqtts://{parts.hostname}")
        return cls(parts.hostname, port, user, password)

    def __str__(self) -> str:
        """Return the URL, without the user."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def problem(self, error: OSError) -> str:
        """Return why no connection could be made."""
        if isinstance(error, socket.gaierror):
            return f"cannot find the broker {self.host}: check its name and the network"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"cannot trust the certificate of {self} ({error.verify_message}): check the name of the broker, the "
                "clock of this machine, and pass the certificate of its authority by --ca"
            )
        if isinstance(error, ssl.SSLError):
            return f"{self} does not speak TLS as expected ({error.reason or error}): check port and certificates"
        if isinstance(error, TimeoutError):
            return f"{self} does not answer: check address, port and firewall"
        return f"cannot connect to {self}: {error.strerror or error}"


def _read_password(path: Path) -> str:
    try:
        with path.open("rb") as file:
            line = file.read(MAX_PASSWORD_BYTES).split(b"\n", 1)[0].rstrip(b"\r")
        return line.decode()
    except OSError as error:
        raise HostError(f"cannot read the password in {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise HostError(f"cannot read the password in {path}: it is not UTF-8") from None


def _context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    if (certificate is None) != (key is None):
        raise HostError("a client certificate needs its key, and a key its certificate: pass --certificate and --key")
    named = ca
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate and key:
            named = certificate
            context.load_cert_chain(certificate, key, password=_refuse_passphrase)
    except ssl.SSLError as error:
        raise HostError(f"cannot use {named}: not a certificate with its key, in PEM ({error.reason})") from None
    except OSError as error:
        raise HostError(f"cannot read {named}: {error.strerror}") from None
    return context


def _refuse_passphrase() -> str:
    """OpenSSL would ask for it at the terminal."""
    raise HostError(
        "the key of the client certificate is encrypted: pass one without a passphrase, readable only by you"
    )

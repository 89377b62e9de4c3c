"""The address of a broker: URLs, passwords and certificates, and messages for what is wrong with them."""

from pathlib import Path

import pytest

from host.errors import HostError
from host.mqtt.broker import PASSWORD, Broker
from tests.support.mqtt.certificates import Authority


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD, raising=False)


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "shown"),
    [
        ("mqtt://localhost", "localhost", 1883, None, "mqtt://localhost:1883"),
        ("mqtt://ann%40home@10.0.0.1:1900/", "10.0.0.1", 1900, "ann@home", "mqtt://10.0.0.1:1900"),
        ("mqtts://broker.example", "broker.example", 8883, None, "mqtts://broker.example:8883"),
        ("mqtts://[::1]:99", "::1", 99, None, "mqtts://[::1]:99"),
    ],
)
def test_of_reads_url(url: str, host: str, port: int, user: str | None, shown: str) -> None:
    broker = Broker.of(url)
    assert (broker.host, broker.port, broker.user, str(broker)) == (host, port, user, shown)
    assert (broker.tls is not None) == url.startswith("mqtts")


@pytest.mark.parametrize("url", ["localhost", "http://localhost", "mqtt://", "mqtt://h:x", "mqtt://h/a", "mqtt://[::1"])
def test_of_refuses_what_is_no_broker(url: str) -> None:
    with pytest.raises(HostError, match="is no broker: expected mqtt://HOST:PORT"):
        Broker.of(url)


def test_of_refuses_password_in_url_and_does_not_repeat_it() -> None:
    with pytest.raises(HostError, match="--password-file") as error:
        Broker.of("mqtt://ann:s3cret@localhost")
    assert "s3cret" not in str(error.value)


def test_of_takes_password_from_file_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "from the environment")
    assert Broker.of("mqtt://ann@localhost").password == "from the environment"
    file = tmp_path / "password"
    file.write_bytes("päss wörd\r\nnext line\n".encode())
    broker = Broker.of("mqtt://ann@localhost", password_file=file)
    assert broker.password == "päss wörd" and "wörd" not in repr(broker)


def test_of_refuses_password_without_user(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x")
    with pytest.raises(HostError, match="needs a user: mqtt://USER@localhost"):
        Broker.of("mqtt://localhost", password_file=tmp_path / "password")


def test_of_reports_unusable_files(tmp_path: Path) -> None:
    missing, text, bytes_ = tmp_path / "missing", tmp_path / "text", tmp_path / "bytes"
    text.write_text("no certificate")
    bytes_.write_bytes(b"\xff\xfe")
    signed = Authority(tmp_path).sign("client")
    url = "mqtts://localhost"
    with pytest.raises(HostError, match=r"cannot read the password in .*missing: No such file"):
        Broker.of(url, password_file=missing)
    with pytest.raises(HostError, match="not UTF-8"):
        Broker.of(url, password_file=bytes_)
    with pytest.raises(HostError, match=r"cannot read .*missing: No such file"):
        Broker.of(url, ca=missing)
    with pytest.raises(HostError, match=r"cannot use .*text: not a certificate"):
        Broker.of(url, ca=text)
    with pytest.raises(HostError, match=r"cannot use .*client.pem: not a certificate with its key"):
        Broker.of(url, certificate=signed.certificate, key=text)
    with pytest.raises(HostError, match="pass --certificate and --key"):
        Broker.of(url, certificate=signed.certificate)
    with pytest.raises(HostError, match="certificates need TLS"):
        Broker.of("mqtt://localhost", ca=text)

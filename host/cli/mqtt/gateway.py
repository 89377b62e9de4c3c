"""`inkling gateway`: publish the packets of gateway boards and packet forwarders."""

import argparse
import logging
import os
import re
import socket
import sys
from pathlib import Path

from host.cli.mqtt.broker import broker_of
from host.cli.site.logs import logged
from host.errors import HostError
from host.gateway.service import GatewayService, GatewaySettings
from host.mqtt import topics
from host.mqtt.sender import Sender
from wire.system import stop_signals
from wire.text import printable

CHECK_S = 15.0
MB, DAY_S = 1_000_000, 86400


def run(options: argparse.Namespace) -> int:
    """Receive and publish until a signal, or only check. Return the exit status."""
    broker, settings = broker_of(options), settings_of(options)
    service = GatewayService(settings, broker)
    if options.check:
        try:
            return check(service)
        finally:
            service.close()
    with logged(), stop_signals(service.stopped.set):
        sources = [*settings.ports, *([f"UDP port {service.udp_port}"] if settings.udp else [])]
        topic = topics.packets(settings.site, settings.name)
        waiting = f"{service.buffer.waiting} packets wait in {settings.buffer}"
        logging.info("%s to %s, %s; %s", ", ".join(sources), broker, topic, waiting)
        service.run()
        logging.info("%s", service.summary())
    return 0


def settings_of(options: argparse.Namespace) -> GatewaySettings:
    """Return the settings of the command line. Raises HostError."""
    name = topics.check_name(options.name or socket.gethostname() or "gateway", "name")
    return GatewaySettings(
        site=options.site,
        name=name,
        buffer=options.buffer or default_buffer(name),
        buffer_bytes=options.buffer_mb * MB,
        buffer_s=options.buffer_days * DAY_S,
        ports=options.port,
        baud=options.baud,
        dtr_rts=options.dtr_rts,
        udp=options.semtech_udp,
        forwarders=dict(options.forwarder),
    )


def default_buffer(name: str) -> Path:
    """Return the file of the packets that wait, unless another is named."""
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
    else:
        folder = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(folder) / "inkling" / f"gateway-{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.sqlite"


def check(service: GatewayService) -> int:
    """Open all ports and connect to the broker, print what came of it, and return the exit status."""
    failed = False
    for reader in service.lines:
        try:
            reader.open().close()
            print(f"{printable(reader.url)}: opened")
        except HostError as error:
            print(printable(str(error)))
            failed = True
    if service.udp_port:
        print(f"UDP port {service.udp_port}: listening")
    print(f"{printable(service.settings.buffer)}: {service.buffer.waiting} packets wait")
    sender = Sender(service.sender.broker, f"{service.settings.client}-check", [], announced=False)
    sender.start()
    problem = sender.first_attempt(CHECK_S)
    print(printable(problem or f"{sender.broker}: connected"))
    sender.close()
    return int(failed or problem is not None)

"""`inkling serve`: receive, classify, remember, show and publish, until a signal."""

import argparse
import logging
from pathlib import Path

from host.board.port import Port
from host.cli.output import plain_console
from host.cli.site.logs import logged
from host.errors import HostError
from host.mqtt.sender import Sender
from host.server import config as settings
from host.server.config import MqttConfig, PageConfig, ServeConfig, SiteConfig, StoreConfig
from host.server.server import Server, broker_of
from wire.system import stop_signals
from wire.text import printable

CHECK_S = 15.0
FILE = Path("inkling.toml")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal, or only check. Return the exit status."""
    with logged(options.log_json):
        config = config_of(options)
        server = Server(config)
        if options.check:
            return check(config, server)
        for site in config.sites:
            heard = [*site.ports, *(["gateways over MQTT"] if site.gateways_over_mqtt else [])]
            heard += ["decoded elsewhere"] if site.decoded_over_mqtt else []
            logging.info("site %s: %s", site.name, ", ".join(heard))
        logging.info("readings go to %s", config.store.file)
        logging.info("the page is at %s", server.url)
        with stop_signals(server.stopped.set):
            server.run()
        return 1 if server.sink.missed else 0


def config_of(options: argparse.Namespace) -> ServeConfig:
    """Return the settings of the file and the command line. Raises HostError."""
    from_options = options.port or options.bundle
    file = options.config or (FILE if FILE.exists() and not from_options else None)
    if file and from_options:
        raise HostError(f"--port and --bundle make a site of their own: put them into {file}, or leave out --config")
    if file:
        config = settings.load(file, default_store())
    elif from_options:
        config = settings.check(_of_options(options), "inkling serve")
    else:
        raise HostError(f"nothing to serve: pass --port and --bundle, or write an {FILE} (docs/serve.md)")
    return settings.with_options(config, options.listen, options.store, options.token_file)


def default_store() -> Path:
    """Return the store that is used unless another is named."""
    from host.store.database import default_path

    return default_path()


def _of_options(options: argparse.Namespace) -> ServeConfig:
    site = SiteConfig(
        options.site,
        tuple(options.bundle),
        tuple(options.port),
        options.baud,
        options.dtr_rts,
        tasks=tuple(options.task),
        keys=options.keys,
        require_auth=options.require_auth,
    )
    mqtt = MqttConfig(options.mqtt, password_file=options.password_file) if options.mqtt else None
    return ServeConfig((site,), StoreConfig(default_store()), PageConfig(), mqtt)


def check(config: ServeConfig, server: Server) -> int:
    """Open all ports and connect to the broker, print what came of it, and return the exit status."""
    failed, console = False, plain_console()
    for site in config.sites:
        for url in site.ports:
            try:
                Port(url, site.baud, site.dtr_rts).close()
                console.print(f"{printable(url)}: opened")
            except HostError as error:
                console.print(printable(str(error)))
                failed = True
        models = ", ".join(f"{bundle.name} {bundle.model_id}" for bundle in server.bundles_of(site))
        console.print(f"site {printable(site.name)}: {models}")
    console.print(f"{printable(config.store.file)}: {server.store.size().readings} readings")
    console.print(f"page: {server.url}")
    if config.mqtt:
        sender = Sender(broker_of(config.mqtt), "serve-check", [], announced=False)
        sender.start()
        problem = sender.first_attempt(CHECK_S)
        console.print(printable(problem or f"{sender.broker}: connected"))
        sender.close()
        failed |= problem is not None
    server.close()
    return int(failed)

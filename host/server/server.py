"""All parts of `inkling serve` in one process: inputs, sites, store, page, broker."""

import logging
import threading
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from host.board.port_reader import PortEvents
from host.classify.decoder import Decoders
from host.errors import HostError
from host.keys.key_file import DEMANDS, KeyFile, default_path, taken_path
from host.keys.policy import Auth
from host.keys.taken import TakenImages
from host.mqtt.broker import Broker
from host.mqtt.connection import Connection
from host.publish.home_assistant import DeviceName as HomeAssistantName
from host.publish.home_assistant import HomeAssistant
from host.publish.mqtt import Publisher
from host.serve.actions import BundleActions
from host.serve.app import make_app
from host.serve.hub import Hub
from host.server.config import MqttConfig, ServeConfig, SiteConfig, StoreConfig
from host.server.health import Health
from host.server.inputs import BrokerInput, InputState, PortInput
from host.server.metrics import CONTENT_TYPE, Metrics
from host.server.page import listen, page_settings
from host.server.records_input import RecordsInput
from host.server.sink import Sink
from host.server.worker import SiteWorker
from host.site.engine import Site, SiteSettings
from host.site.line import Line
from host.store.retention import Retention
from host.store.store import Store
from host.tasks.task import Task
from wire.bundle import Bundle
from wire.bundle import load as load_bundle

log = logging.getLogger(__name__)

POLL_S = 0.2
STOP_S = 3.0  # for the page's open connections
FLUSH_S = 2.0  # for what the broker can still take


class Server:
    """One process of `inkling serve`. Raises HostError if a part cannot be set up."""

    def __init__(self, config: ServeConfig) -> None:
        self.stopped = threading.Event()
        self._inputs: list[InputState] = []
        self._readers: list[PortInput] = []
        self._packets: list[BrokerInput] = []
        self._records: list[RecordsInput] = []
        self.page_socket = listen(config.page)
        self.store = Store(config.store.file, _retention(config.store))
        self.hub = Hub()
        self.publisher = _publisher(config) if config.mqtt else None
        self.sink = Sink(self.store)
        self._bundles: dict[Path, Bundle] = {}
        self._decoders = Decoders()
        self.workers: list[SiteWorker] = []
        for site in config.sites:
            if site.decoded_over_mqtt and config.mqtt:
                records = RecordsInput(site.name, broker_of(config.mqtt), self.sink.deliver_published)
                self._records.append(records)
                self._inputs.append(records.state)
            if site.bundles:
                self.workers.append(self._site(site, config))
        if self.publisher:
            self._restore(self.publisher)
        self.metrics = Metrics(self.sink, self._inputs)
        self.sink.takers += [self.metrics.take, self.hub.publish]
        self.sink.publishers += [self.publisher.publish] if self.publisher else []
        health = Health(self.sink, self.workers, self._inputs, [self._broker_health] * bool(self.publisher))
        actions = BundleActions([*self._bundles.values()], self.store, self._use_task, self._withdraw, health)
        app = make_app(self.store, self.hub, page_settings(config), actions)
        app.router.routes.append(Route("/metrics", self._metrics))
        settings = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=int(STOP_S))
        self._page = uvicorn.Server(settings)
        self._page_thread = threading.Thread(
            target=self._page.run, kwargs={"sockets": [self.page_socket]}, name="page", daemon=True
        )

    @property
    def url(self) -> str:
        """The address of the page."""
        host, port = self.page_socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def _subscribers(self) -> "list[Connection]":
        return [*(packets.subscriber for packets in self._packets), *self._records]

    def run(self) -> None:
        """Serve until `stopped`; then everything that was received is written. Raises HostError if a part fails."""
        if self.publisher:
            self.publisher.start()
        for thread in (*self.workers, *self._readers, self._page_thread):
            thread.start()
        for subscriber in self._subscribers:
            subscriber.start()
        try:
            while not self.stopped.wait(POLL_S):
                for packets in self._packets:
                    packets.check()
                for records in self._records:
                    records.check()
                failed = next((worker for worker in self.workers if worker.failure), None)
                if failed:
                    known = isinstance(failed.failure, HostError)
                    reason = failed.failure if known else "by a fault of this program, shown above"
                    raise HostError(f"site {failed.site.name} ended: {reason}")
                if not self._page_thread.is_alive():
                    raise HostError("the page ended by a fault of this program, shown above")
        finally:
            self._stop()
            self.close()

    def close(self) -> None:
        """Give back what is open, of a server that does not run."""
        for worker in self.workers:
            worker.site.close()
        self.page_socket.close()
        self.store.close()

    def _stop(self) -> None:
        """Stop the inputs first, then what follows them, so that nothing is lost on the way."""
        self.stopped.set()
        for reader in self._readers:
            reader.join(1.0)  # one that opens a port may be blocked
        for worker in self.workers:
            worker.finish()
        for subscriber in self._subscribers:
            subscriber.close(FLUSH_S)  # after the last acknowledgement
        self.sink.close()
        self.hub.close()
        self._page.should_exit = True
        self._page_thread.join(STOP_S + 1.0)
        if self.publisher:
            self.publisher.close(FLUSH_S)

    def bundles_of(self, site: SiteConfig) -> list[Bundle]:
        """Return the bundles of a site."""
        return [self._bundles[path] for path in site.bundles]

    def _site(self, site: SiteConfig, config: ServeConfig) -> SiteWorker:
        for path in site.bundles:
            if path not in self._bundles:
                self._bundles[path] = load_bundle(path)
        bundles = [self._bundles[path] for path in site.bundles]
        engine = Site(site.name, bundles, _site_settings(site, config, self._decoders))
        worker = SiteWorker(engine, self.sink.deliver)
        if site.gateways_over_mqtt and config.mqtt:
            packets = BrokerInput(site.name, broker_of(config.mqtt), worker.take)
            worker.on_settled = packets.settled
            self._packets.append(packets)
            self._inputs.append(packets.state)
        for url in site.ports:
            reader = PortInput(url, _events(worker, engine.line(url)), self.stopped, site.baud, site.dtr_rts)
            self._readers.append(reader)
            self._inputs.append(reader.state)
        return worker

    def _restore(self, publisher: Publisher) -> None:
        """Let the publisher know the last reading and status of each device of the sites that are decoded here."""
        for worker in self.workers:
            for row in self.store.devices(worker.site.name):
                if not row.gateway:
                    publisher.restore(one for one in (row.status, row.reading) if one)

    def _use_task(self, _: Bundle, task: Task) -> None:
        for worker in self.workers:
            worker.use_task(task)

    def _withdraw(self, site: str, device: int) -> None:
        self.metrics.forget(site, device)
        if self.publisher:
            self.publisher.withdraw(site, device)

    def _broker_health(self) -> tuple[str, str, str]:
        assert self.publisher
        problem = self.publisher.sender.problem
        return "broker", "lost" if problem else "open", problem or f"{self.publisher.waiting} messages wait"

    def _metrics(self, _: Request) -> Response:
        return Response(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def _events(worker: SiteWorker, line: Line) -> PortEvents:
    return PortEvents(
        lambda data: worker.feed(line, data), lambda reason: worker.lost(line, reason), lambda: worker.found(line)
    )


def _site_settings(site: SiteConfig, config: ServeConfig, decoders: Decoders) -> SiteSettings:
    path = site.keys or default_path()
    keys = KeyFile.load(path)
    require = DEMANDS[site.require_auth] if site.require_auth else Auth.NONE
    if require and not any(policy.keys for policy in keys.policies.values()):
        raise HostError(f"site {site.name}: require_auth would refuse all frames: {path} has no key of any device")
    folder = config.state or config.store.file.parent / "state"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"cannot make {folder}: {error.strerror}") from None
    return SiteSettings(
        policies=keys.policies,
        require=require,
        counters=keys.counters,
        taken=TakenImages(taken_path(path)) if keys.policies else None,
        state=folder / f"{site.name}.sqlite3",
        tasks=site.tasks,
        settle_s=site.settle_s,
        decoders=decoders,
    )


def _retention(store: StoreConfig) -> Retention:
    return Retention(
        readings_days=store.days,
        readings=store.readings,
        file_bytes=None if store.megabytes is None else store.megabytes * 1_000_000,
    )


def _publisher(config: ServeConfig) -> Publisher:
    mqtt = config.mqtt
    assert mqtt
    names = {
        (site.name, number): HomeAssistantName(device.name, device.area)
        for site in config.sites
        for number, device in site.devices.items()
    }
    alerts = tuple(dict.fromkeys(label for site in config.sites for label in site.alerts))
    home_assistant = HomeAssistant(mqtt.discovery_prefix, names, alerts) if mqtt.home_assistant else None
    return Publisher(broker_of(mqtt), "-".join(["serve", *(site.name for site in config.sites)]), home_assistant)


def broker_of(mqtt: MqttConfig) -> Broker:
    """Return the broker of the settings. Raises HostError."""
    return Broker.of(mqtt.url, password_file=mqtt.password_file, ca=mqtt.ca, certificate=mqtt.certificate, key=mqtt.key)

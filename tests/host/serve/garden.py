"""Records of an invented site of 20 devices, for tests of the page and for its screenshots."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from host.serve.settings import DeviceName, PageSettings
from host.serve.stored import ReadingQuery
from host.site.records import AnyRecord, EventRecord, ReadingRecord, Reception, StatusRecord, TaskAnswer
from tests.host.serve.fake_store import FakeStore
from tests.support import ROOT
from tests.support.tasks import class_symbols
from wire.bundle import Bundle, load

SITE = "garden"
NAMES = {
    1: ("Gate", "north"), 2: ("Compost", "north"), 3: ("Pond", "north"), 4: ("Shed", "north"), 5: ("Hedge", "north"),
    6: ("Beehive 1", "meadow"), 7: ("Beehive 2", "meadow"), 8: ("Old oak", "meadow"), 9: ("Feeder", "meadow"),
    10: ("Brook", "meadow"), 11: ("Fox den", "wood"), 12: ("Clearing", "wood"), 13: ("Path", "wood"),
    14: ("Salt lick", "wood"), 15: ("Ravine", "wood"), 16: ("Yard", "farm"), 17: ("Stable", "farm"),
    18: ("Coop", "farm"), 19: ("Drive", "farm"),
}  # fmt: skip
DEVICES = tuple(range(1, 21))  # the last has no name
GENERAL = range(11, 16)  # devices with the general bundle
SILENT, CLASH, FAR = 15, 7, 14
GATEWAYS = ("north", "meadow", "farm")
PERIOD_S = 1200
DAY_S = 86_400
ANIMALS = ("fox", "deer", "nothing")
LABELLED = {"fox": 21, "deer": 20, "nothing": 24}  # readings with labels
TAUGHT = 40  # images of a device, the first of the day, whose symbols differ by class, so that a task can be taught
BUNDLES = ROOT / "bundles"


class Garden:
    """All records of a day up to `now`, and more of them on demand."""

    def __init__(self, now: float, general: Path = BUNDLES / "general64") -> None:
        self.now = now
        self.bundles = (load(BUNDLES / "cifar10"), load(general))
        self.golden = {bundle.model_id: np.load(bundle.golden_path) for bundle in self.bundles}
        self.settings = PageSettings(
            version="0.1.0", names={(SITE, device): DeviceName(*name) for device, name in NAMES.items()}
        )
        self.store = FakeStore()
        self.numbers = dict.fromkeys(DEVICES, 0)
        self.store.write(self._day())
        self._label()

    def reading(self, device: int, time: float, general_label: int | None = None) -> ReadingRecord:
        """Return the next reading of a device. general_label: the class whose symbols are sent, of LABELLED."""
        number = self.numbers[device] = self.numbers[device] + 1
        rng = np.random.default_rng([device, number])
        bundle = self.bundles[device in GENERAL]
        quality = 0.25 if device == FAR else 0.004 * (1 + device % 5)
        receptions = tuple(_receptions(device, time, quality, rng))
        ber = min(one.ber for one in receptions)
        answered = bundle.embedding is None and rng.random() < 0.55
        clean = any(one.crc_ok for one in receptions)
        symbols = () if answered else self._symbols(bundle, general_label, rng, ber)
        lost = int(rng.random() < 0.04)
        tasks = {}
        if bundle.embedding:
            shown = rng.choice(4, p=[0.2, 0.2, 0.5, 0.1])
            tasks["animals"] = (
                TaskAnswer(ANIMALS[shown], int(shown), round(float(rng.uniform(0.6, 0.99)), 3))
                if shown < 3
                else TaskAnswer(None, None, None)
            )
        index = int(rng.choice(10, p=_likely(device))) if bundle.classes else None
        return ReadingRecord(
            id=f"{SITE}-{device}-{number}",
            site=SITE,
            time=time,
            device=device,
            bundle=bundle.name,
            model_id=bundle.model_id,
            image_number=4100 + number,
            sequence=number % 32,
            frame="answer" if answered else "features",
            label=None if index is None else bundle.classes[index],
            index=index,
            confidence=None if index is None else round(float(1 - rng.beta(1, 8)), 3),
            answered_by="board" if answered else "host",
            unsure=bool(answered and rng.random() < 0.05),
            auth="none" if device > 15 else ("full" if clean or answered else "header"),
            ber=ber,
            payload_ber=round(ber * 0.8, 5),
            symbols=symbols,
            answer_word=None,
            receptions=tuple(replace(one, crc_ok=None) for one in receptions) if answered else receptions,
            crc_ok=None if answered else clean,
            lost=lost,
            lost_certainty="exact",
            lost_total=number // 25 + device % 3,
            lost_total_certainty=("exact", "at least", "about")[device % 3],
            duplicate=False,
            late=False,
            unexpected=number == 1,
            tasks=tasks,
        )

    def status(self, device: int, time: float, battery_v: float | None) -> StatusRecord:
        """Return a status frame."""
        return StatusRecord(
            id=f"{SITE}-s-{device}-{time:.0f}", site=SITE, time=time, device=device, gateway=False, counter=4100,
            uptime_s=612_000, boots=3, reset_cause="power on", mode="adaptive", threshold=12, battery_v=battery_v,
            air_left_s=31.5, period_s=3600, received_by="north", snr_db=-3.0, rssi_dbm=-104.0,
        )  # fmt: skip

    def event(self, name: str, text: str, device: int | None, time: float) -> EventRecord:
        """Return an event."""
        return EventRecord(f"{SITE}-e-{name}-{device}-{time:.0f}", SITE, time, name, text, device, False)

    def _day(self) -> Iterator[AnyRecord]:
        start = self.now - DAY_S
        for device in DEVICES:
            phase = (device * 397) % PERIOD_S
            end = self.now - 3 * 3600 if device == SILENT else self.now
            for number, time in enumerate(np.arange(start + phase, end - 2, PERIOD_S).tolist()):
                yield self.reading(device, time, number % 3 if device in GENERAL and number < TAUGHT else None)
                if number % 3 == 0:
                    voltage = 3.28 - number * 1e-4 if device == 13 else 4.1 - device * 0.02 - number * 6e-4
                    yield self.status(device, time + 1, None if device > 15 else round(voltage, 3))
        yield self.event(
            "silent", "nothing from device 15 for 1.7 h, which is 5 of its pauses", SILENT, self.now - 4900
        )
        yield self.event("clash", "two boards send as device 7: their counters differ", CLASH, self.now - 1500)
        yield self.event("port-lost", "/dev/ttyUSB1 disappeared", None, self.now - 30_000)
        yield self.event("port-back", "/dev/ttyUSB1 is back", None, self.now - 29_400)
        yield self.event("refused", "12 frames of device 9 refused: replayed", 9, self.now - 41_000)

    def _label(self) -> None:
        """Label readings of the general bundle by the class whose symbols they have."""
        left = dict(LABELLED)
        for reading, _ in self.store.stream(_ALL):
            label = ANIMALS[(int(reading.id.rpartition("-")[2]) - 1) % 3]
            if reading.device in GENERAL and left[label]:
                self.store.set_label(reading.id, label)
                left[label] -= 1

    def _symbols(
        self, bundle: Bundle, general_label: int | None, rng: np.random.Generator, ber: float
    ) -> tuple[int, ...]:
        golden = self.golden[bundle.model_id]["symbols"]
        if general_label is None:
            symbols = golden[int(rng.integers(len(golden)))].copy()
        else:
            symbols = class_symbols(bundle, general_label, int(rng.integers(1 << 20)))
        wrong = rng.random(len(symbols)) < 3 * ber
        symbols = np.where(wrong, rng.integers(0, 1 << bundle.bits_per_symbol, len(symbols)), symbols)
        if rng.random() < 0.3:
            symbols[int(rng.integers(200, len(symbols))) :] = -1
        return tuple(symbols.tolist())


_ALL = ReadingQuery()


def _receptions(device: int, time: float, quality: float, rng: np.random.Generator) -> Iterator[Reception]:
    """Yield one reception by each gateway that hears the device."""
    for number, gateway in enumerate(GATEWAYS):
        if number and rng.random() < 0.4:
            continue
        ber = float(f"{min(0.3, quality * rng.uniform(0.5, 1.5) * (1 + number)):.3g}")
        snr_db = round(float(rng.normal(-2 - 3 * number - 40 * quality, 1.2)), 2)
        rssi_dbm = round(-96 + 1.2 * snr_db)
        yield Reception(gateway, time + 0.013 * number, ber, bool(rng.random() > 60 * ber), snr_db, rssi_dbm)


def _likely(device: int) -> np.ndarray:
    """Return the chances of the classes at a device: some are frequent there."""
    weights = np.full(10, 0.02)
    weights[[device % 10, (device * 3 + 1) % 10, (device * 7 + 2) % 10]] += (0.5, 0.2, 0.1)
    return weights / weights.sum()

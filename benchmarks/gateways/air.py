"""Images sent over LoRa to several gateways: accuracy of all sent, beside the best single copy and a network server."""

from collections.abc import Sequence

import numpy as np

from benchmarks.answers.measure import OnProgress
from benchmarks.encoding import Encoded, classes_if_intact
from benchmarks.sender import WARM_UP, Sender
from channel_sim.channels.lora import LoRa, Reception
from host.classify.classifier import Classifier, Reading
from host.classify.decoder import Decoder
from host.receive.events import AnswerFrame, FeatureFrame
from host.receive.radio import PacketReceiver
from host.site.engine import Site, SiteSettings
from host.site.packets import GatewayPacket
from host.site.records import ReadingRecord
from wire.bundle import Bundle

SF, CODING_RATE = 7, 5
SNRS = (-12.0, -11.5, -11.0, -10.5, -10.0, -9.5, -9.0, -8.5, -8.0)
GATEWAYS = (1, 2, 3)
CORRELATED = 3  # gateways that receive the same damage

Packets = list[list[Reception | None]]  # by image, of each gateway


def measure(
    bundle: Bundle, encoded: Encoded, labels: np.ndarray, snr_db: float, seed: int, done: OnProgress
) -> dict[str, dict[str, float]]:
    """Return accuracy_sent and the share of images received, by scheme and number of gateways."""
    sender = Sender(bundle, encoded, encoded.chunks(0))
    rng = np.random.default_rng([seed, round(10 * snr_db) + 1000])
    decoder = Decoder(bundle)
    intact = classes_if_intact(bundle, decoder, encoded, 0) == labels
    frames = np.array([np.frombuffer(sender.frame(n, sync=False), np.uint8) for n in range(len(labels))])
    radio = LoRa(snr_db, SF, CODING_RATE)
    by_gateway = [radio.receive_all(frames, rng) for _ in range(max(GATEWAYS))]
    figures: dict[str, dict[str, float]] = {}
    for count in GATEWAYS:
        packets: Packets = [[received[n] for received in by_gateway[:count]] for n in range(len(labels))]
        figures[f"combined, {count}"] = _combined(bundle, sender, packets, labels)
        figures[f"best copy, {count}"] = _best(bundle, decoder, sender, packets, labels)
        clean = np.array([any(one is not None and one.crc_ok for one in row) for row in packets])
        figures[f"first clean copy, {count}"] = _shares(clean, clean & intact)
        done(len(labels))
    same: Packets = [[received] * CORRELATED for received in by_gateway[0]]
    figures[f"combined, {CORRELATED}, same noise"] = _combined(bundle, sender, same, labels)
    return figures


def _combined(bundle: Bundle, sender: Sender, packets: Packets, labels: np.ndarray) -> dict[str, float]:
    """Return the figures of a site that combines the copies. It knows the device."""
    now = 0.0
    site = Site("air", [bundle], SiteSettings(), lambda: now, lambda: now)
    count = len(packets[0])
    arrived, correct = np.zeros(len(labels), bool), np.zeros(len(labels), bool)
    clean = Reception(b"", True, 0.0, -100.0)
    for number in range(-WARM_UP, len(labels)):
        row: Sequence[Reception | None] = [clean] * count if number < 0 else packets[number]
        for gateway, received in enumerate(row):
            if received:
                payload = sender.frame(number, sync=False) if number < 0 else received.payload
                site.take(
                    GatewayPacket(
                        "air", f"gateway{gateway}", "", number + WARM_UP, now, payload, received.crc_ok,
                        received.snr_db, received.rssi_dbm,
                    )
                )  # fmt: skip
        for record in site.flush():
            if isinstance(record, ReadingRecord) and number >= 0 and record.sequence == number % 32:
                arrived[number], correct[number] = True, record.index == labels[number]
        now += 10.0
    site.close()
    return _shares(arrived, correct)


def _best(bundle: Bundle, decoder: Decoder, sender: Sender, packets: Packets, labels: np.ndarray) -> dict[str, float]:
    """Return the figures of a host that takes of each image the best copy alone: a clean one, or by SNR."""
    receiver, classifier = PacketReceiver([bundle]), Classifier({bundle.model_id: decoder})
    for number in range(-WARM_UP, 0):
        receiver.take(sender.frame(number, sync=False))
    arrived, correct = np.zeros(len(labels), bool), np.zeros(len(labels), bool)
    for number, row in enumerate(packets):
        ranked = sorted((one for one in row if one), key=lambda one: (one.crc_ok, one.snr_db), reverse=True)
        for best in ranked[:1]:
            frame = receiver.take(best.payload, best.snr_db, best.rssi_dbm)
            if isinstance(frame, FeatureFrame | AnswerFrame) and frame.sequence == number % 32:
                reading: Reading = classifier.read(frame)
                arrived[number], correct[number] = True, reading.prediction.index == labels[number]
    return _shares(arrived, correct)


def _shares(arrived: np.ndarray, correct: np.ndarray) -> dict[str, float]:
    return {"received": float(arrived.mean()), "accuracy_sent": float(correct.mean())}

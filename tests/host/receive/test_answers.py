"""Answer frames: found among all that known devices can send, or by the code alone; unsure, lost and false ones."""

from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips
from host.receive.answers import AnswerTable
from host.receive.events import AnswerFrame, FeatureFrame, UnknownModel, nearest_answer
from host.receive.headers import HeaderDecoder
from host.receive.matching import FALSE_ANSWER_PER_PACKET, MIN_LEAD
from host.receive.radio import PacketReceiver
from host.receive.stream import StreamReceiver
from tests.support.host import answer_of, answers, features, make_answer, make_bundle, make_frame, receive
from wire import bch
from wire.answer import CONFIDENCES, Answer
from wire.bundle import Bundle, load
from wire.frame import ANY_DEVICE, HEADER_BYTES, SYNC, AnswerHeader, FrameType, Header, header_part


def packet(bundle: Bundle, sequence: int, answer: Answer | None = None, device: int = 7) -> bytes:
    """Return the LoRa form of an answer frame."""
    return make_answer(bundle, sequence, answer, device, sync=False)


def flip(block: bytes, *bits: int) -> bytes:
    """Return a block with bits flipped, bit 0 being the last one."""
    number = int.from_bytes(block, "big")
    for bit in bits:
        number ^= 1 << bit
    return number.to_bytes(len(block), "big")


def between(first: bytes, second: bytes, flips: int) -> bytes:
    """Return the first block, changed in so many of the bits in which the second one differs."""
    differing = int.from_bytes(first, "big") ^ int.from_bytes(second, "big")
    return flip(first, *[bit for bit in range(8 * len(first)) if differing >> bit & 1][:flips])


def distance(first: bytes, second: bytes) -> int:
    """Return the number of bits in which two blocks differ."""
    return (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")).bit_count()


def test_clean_answers_round_trip_on_a_line(adaptive: Bundle) -> None:
    receiver = StreamReceiver([adaptive])
    for n in range(80):
        (frame,) = answers(receiver.feed(make_answer(adaptive, n)))
        assert (frame.device, frame.sequence, frame.answer) == (7, n % 32, answer_of(adaptive, n))
        assert (frame.sync_flips, frame.header_flips, frame.lost, frame.unsure) == (0, 0, 0, False)
    assert receiver.garbage_bytes == receiver.waiting_bytes == 0


def test_clean_answers_round_trip_in_packets(adaptive: Bundle) -> None:
    receiver = PacketReceiver([adaptive])
    for n in range(160):
        sent = Answer(n // CONFIDENCES, n % CONFIDENCES)
        frame = receiver.take(packet(adaptive, n, sent), snr_db=-7.25, rssi_dbm=-119.0)
        assert isinstance(frame, AnswerFrame) and frame.answer == sent and frame.image_number == n
        assert (frame.snr_db, frame.rssi_dbm, frame.sync_flips) == (-7.25, -119.0, None)
    assert receiver.foreign == 0


def test_model_without_features_sends_answers(tmp_path: Path) -> None:
    alone = make_bundle(tmp_path / "alone", n_symbols=0, answer=True)
    receiver = StreamReceiver([alone])
    received = answers(receive(receiver, b"".join(make_answer(alone, n) for n in range(40))))
    assert [frame.answer for frame in received] == [answer_of(alone, n) for n in range(40)]


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_bound_excludes_no_answer_within_reach(classes: int) -> None:
    """All headers of 60 devices: too many to compare with every answer, so that the bound is used."""
    table, rng = AnswerTable(classes), np.random.default_rng(1)
    headers = bch.ANSWER.codewords([header_part(d, s, 9) for d in range(60) for s in range(32)])
    for most in (3, 9, 14):
        block = rng.bytes(HEADER_BYTES)
        if most < 14:  # near one of the answers
            sent = AnswerHeader(int(rng.integers(60)), 5, 9, Answer(classes - 1, 3)).encode()
            block = flip(sent, *rng.choice(64, most, replace=False).tolist())
        nearest = table.distances(block, headers).min(axis=1)
        found = {header: flips for flips, header, _ in table.within(block, headers, most)}
        expected = {int(h): int(n) for h, n in zip(headers, nearest, strict=True) if n <= most}
        assert found == expected and (found or most == 14)


def test_distances_are_those_of_all_answers() -> None:
    table, block = AnswerTable(3), np.random.default_rng(2).bytes(HEADER_BYTES)
    (row,) = table.distances(block, bch.ANSWER.codewords([header_part(9, 5, 3)]))
    sent = [AnswerHeader(9, 5, 3, Answer(k // CONFIDENCES, k % CONFIDENCES)).encode() for k in range(3 * CONFIDENCES)]
    assert row.tolist() == [distance(block, other) for other in sent]


# BER, most of the answers that are lost of a known and of a new device.
LIMITS = [(0.0, 0.0, 0.0), (0.01, 0.0, 0.001), (0.05, 0.001, 0.12), (0.1, 0.05, 0.7)]


@pytest.mark.parametrize(("ber", "known", "new"), LIMITS)
@pytest.mark.parametrize("on_air", [True, False])
def test_answers_are_rarely_lost_and_never_wrong(
    adaptive: Bundle, ber: float, known: float, new: float, on_air: bool
) -> None:
    """Of 1,500 answers of a known device and 500 of new ones, none has a wrong class without being unsure."""
    rng = np.random.default_rng(3)
    counts = {"known": [0, 0, 0], "new": [0, 0, 0]}  # lost, unsure, wrong
    receivers = PacketReceiver([adaptive]), StreamReceiver([adaptive])
    for n in range(2001):
        kind = "known" if n % 4 else "new"
        radio, line = receivers if kind == "known" else (PacketReceiver([adaptive]), StreamReceiver([adaptive]))
        sequence = n - n // 4
        damage = BitFlips(ber if n > 4 else 0.0)
        if on_air:
            received = answers([radio.take(damage.corrupt(packet(adaptive, sequence), rng) or b"")])
        else:
            received = answers(receive(line, damage.corrupt(make_answer(adaptive, sequence), rng) or b""))
        found = [frame for frame in received if (frame.device, frame.sequence) == (7, sequence % 32)]
        counts[kind][0] += not found
        counts[kind][1] += bool(found and found[0].unsure)
        correct = answer_of(adaptive, sequence).index
        counts[kind][2] += any(not frame.unsure and frame.answer.index != correct for frame in received)
    print(ber, counts)
    assert counts["known"][0] <= known * 1500 and counts["new"][0] <= new * 500
    assert counts["known"][1] <= 0.01 * 1500 and counts["new"][1] <= 0.02 * 500
    assert counts["known"][2] == counts["new"][2] == 0


def test_answers_of_fifty_devices_and_a_hundred_classes(tmp_path: Path) -> None:
    many = make_bundle(tmp_path / "many", classes=100, answer=True)
    for ber, limit in ((0.01, 0.002), (0.05, 0.03), (0.1, 0.35)):
        receiver, rng = PacketReceiver([many]), np.random.default_rng(4)
        sequences = dict.fromkeys(range(50), 0)
        for device in sequences:
            receiver.take(packet(many, 0, device=device))
        lost = wrong = 0
        for _ in range(500):
            device = int(rng.integers(50))
            sequences[device] += 1
            sequence = sequences[device]
            frame = receiver.take(BitFlips(ber).corrupt(packet(many, sequence, device=device), rng) or b"")
            if not isinstance(frame, AnswerFrame) or (frame.device, frame.sequence) != (device, sequence % 32):
                lost += 1
                wrong += isinstance(frame, AnswerFrame)
            else:
                wrong += not frame.unsure and frame.answer.index != answer_of(many, sequence, device).index
        print(f"BER {ber:g}: {lost / 500:.1%} lost, {wrong} wrong")
        assert lost <= limit * 500 and wrong == 0


def nearest_pair(firsts: list[bytes], seconds: list[bytes]) -> tuple[bytes, bytes]:
    """Return those of two lists of blocks that differ in the fewest bits."""
    pairs = ((first, second) for first in firsts for second in seconds)
    return min(pairs, key=lambda pair: distance(*pair))


def test_answer_between_two_classes_is_unsure(adaptive: Bundle) -> None:
    """One board's answers are 23 bits or more apart: 10 flips may leave a lead of 3."""
    by_class = [[packet(adaptive, 1, Answer(index, q)) for q in range(CONFIDENCES)] for index in range(10)]
    pairs = [nearest_pair(by_class[i], by_class[j]) for i in range(10) for j in range(i)]
    first, second = min(pairs, key=lambda pair: distance(*pair))
    assert distance(first, second) == 23
    for flips, unsure in ((8, False), (9, False), (10, True), (11, True)):
        receiver = PacketReceiver([adaptive])
        receiver.take(packet(adaptive, 0))
        frame = receiver.take(between(first, second, flips))
        assert isinstance(frame, AnswerFrame) and frame.header_flips == flips
        assert frame.unsure == unsure
        if not unsure:
            assert packet(adaptive, 1, frame.answer) == first


def test_nearest_answer_leads_over_other_classes_only() -> None:
    distances = np.full(160, 30, np.uint8)
    distances[[2 * CONFIDENCES + 3, 2 * CONFIDENCES + 12]] = 8, 9
    assert nearest_answer(distances) == (Answer(2, 3), 30 - 8)
    assert nearest_answer(distances[: 3 * CONFIDENCES][2 * CONFIDENCES :]) == (Answer(0, 3), float("inf"))


def test_answer_between_two_images_is_dropped(adaptive: Bundle) -> None:
    """Beyond the reach of the code, a known device's answer that fits two sequence numbers is a guess."""
    ones, threes = ([packet(adaptive, n, Answer(k // 16, k % 16)) for k in range(160)] for n in (1, 3))
    first, second = nearest_pair(ones, threes)
    apart = distance(first, second)
    receiver = PacketReceiver([adaptive])
    receiver.take(packet(adaptive, 0))
    middle = between(first, second, apart // 2)
    assert 5 < apart // 2 <= 12 and receiver.take(middle) is None
    assert isinstance(receiver.take(between(first, second, apart // 2 - 3)), AnswerFrame)


@pytest.mark.parametrize("flips", range(8))
def test_new_device_is_found_within_the_reach_of_the_code(adaptive: Bundle, flips: int) -> None:
    rng, found = np.random.default_rng(5), 0
    for n in range(50):
        damaged = flip(packet(adaptive, n), *(1 + rng.choice(63, flips, replace=False)).tolist())
        frame = PacketReceiver([adaptive]).take(damaged)
        if isinstance(frame, AnswerFrame):
            assert (frame.device, frame.sequence, frame.header_flips) == (7, n % 32, flips)
            found += frame.unsure or frame.answer == answer_of(adaptive, n)
    assert found == (50 if flips <= 5 else 0)


def test_device_becomes_known_by_one_good_answer_or_two(adaptive: Bundle) -> None:
    far = [0, 3, 9, 17, 22, 31, 44, 57, 60]  # 9 flips, which only known devices are allowed
    for flips, needed in ((0, 1), (3, 1), (5, 2)):
        receiver = PacketReceiver([adaptive])
        for n in range(3):
            known = isinstance(receiver.take(flip(packet(adaptive, 10 + n), *far)), AnswerFrame)
            assert known == (n >= needed)
            if not known:
                damaged = flip(packet(adaptive, 10 + n), *range(1, 2 + 7 * flips, 7)[:flips])
                assert isinstance(receiver.take(damaged), AnswerFrame)


def test_impossible_answers_are_foreign(adaptive: Bundle, bundle: Bundle) -> None:
    receiver = PacketReceiver([adaptive, bundle])
    for device, model, index in (
        (ANY_DEVICE, adaptive.model_bits, 0),
        (7, adaptive.model_bits, 10),  # it has classes 0 to 9
        (7, bundle.model_bits, 0),  # it has no answer head
    ):
        assert receiver.take(AnswerHeader(device, 0, model, Answer(index, 0)).encode()) is None
    assert receiver.take(packet(adaptive, 0)[:7]) is None
    assert receiver.foreign == 4


def test_answers_of_unknown_models_are_reported_if_nearly_clean(adaptive: Bundle, bundle: Bundle) -> None:
    radio, line = PacketReceiver([bundle]), StreamReceiver([bundle])
    header = Header(FrameType.ANSWER, 7, 5, adaptive.model_bits, 0)
    assert radio.take(packet(adaptive, 5)) == UnknownModel(header) and radio.foreign == 1
    events = receive(line, make_answer(adaptive, 5) + make_frame(bundle, 0))
    assert events[0] == UnknownModel(header) and isinstance(events[1], FeatureFrame)
    assert radio.take(flip(packet(adaptive, 5), 4, 9, 20, 40, 50)) is None, "one in 15 random packets is so near"


def test_foreign_packets_give_answers_at_most_at_the_allowed_rate(adaptive: Bundle) -> None:
    receiver, rng = PacketReceiver([adaptive]), np.random.default_rng(6)
    for device in range(20):
        receiver.take(packet(adaptive, 0, device=device))
    found = sum(isinstance(receiver.take(rng.bytes(8)), AnswerFrame) for _ in range(4000))
    assert found <= 2 * FALSE_ANSWER_PER_PACKET * 4000


def test_random_bytes_hold_no_answers(adaptive: Bundle) -> None:
    receiver = StreamReceiver([adaptive])
    for device in range(3):
        receiver.feed(make_answer(adaptive, 0, device=device))
    events = receive(receiver, np.random.default_rng(0).bytes(300_000))
    assert answers(events) == [] and features(events) == []


def test_models_with_equal_model_bits_are_told_apart_by_their_devices(adaptive: Bundle, tmp_path: Path) -> None:
    """An answer has no CRC-16, so that only a device heard before has a known model."""
    seeds = (make_bundle(tmp_path / str(n), seed=n, classes=3, answer=True) for n in range(10, 1000))
    other = next(bundle for bundle in seeds if bundle.model_bits == adaptive.model_bits)
    receiver = StreamReceiver([adaptive, other])
    assert receive(receiver, make_answer(other, 0, device=2)) == []
    receiver.feed(make_frame(adaptive, 0, device=1) + make_frame(other, 0, device=2))
    for model, device in ((adaptive, 1), (other, 2)):
        (frame,) = answers(receiver.feed(make_answer(model, 1, device=device)))
        assert frame.model is model and len(frame.distances) == model.class_count * CONFIDENCES
        assert frame.answer == answer_of(model, 1, device)
    assert receiver.feed(make_answer(adaptive, 2, Answer(7, 15), device=2)) == [], "device 2 has classes 0 to 2"


def test_model_given_twice_is_one_model(adaptive: Bundle) -> None:
    again = load(adaptive.path)
    receiver = StreamReceiver([adaptive, again])
    (frame,) = answers(receiver.feed(make_answer(adaptive, 0)))
    assert frame.model is again and frame.answer == answer_of(adaptive, 0)


def test_expected_answer_is_found_through_heavy_noise(adaptive: Bundle) -> None:
    rng, found = np.random.default_rng(7), 0
    for n in range(200):
        receiver = StreamReceiver([adaptive])
        kinds = (FrameType.FEATURE, FrameType.ANSWER)
        receiver.expect(Header(kind, 7, n % 32, adaptive.model_bits, 0) for kind in kinds)
        received = answers(receive(receiver, BitFlips(0.1).corrupt(make_answer(adaptive, n), rng) or b""))
        found += [(f.device, f.sequence, f.answer) for f in received] == [(7, n % 32, answer_of(adaptive, n))]
    assert found >= 0.95 * 200


def test_nearly_equal_header_wins_over_an_answer(adaptive: Bundle) -> None:
    """A feature header and an answer are both 11 bits or more apart; in the middle between them, neither is taken."""
    headers = HeaderDecoder([adaptive])
    headers.add_device(7, adaptive.model_bits, [0])
    feature = Header(FrameType.FEATURE, 7, 1, adaptive.model_bits, 0).encode()
    sent = [packet(adaptive, 1, Answer(k // CONFIDENCES, k % CONFIDENCES)) for k in range(160)]
    answer = min(sent, key=lambda other: distance(other, feature))
    apart = distance(feature, answer)
    for flips in range(6, min(12, apart)):
        match = headers.decode(between(feature, answer, flips), 0)
        if flips <= apart - flips:
            assert match is None or match.header.type == FrameType.FEATURE
        elif apart - flips + MIN_LEAD <= flips:
            assert match and match.header.type == FrameType.ANSWER


def test_damaged_answer_hides_no_frame(adaptive: Bundle) -> None:
    """An answer that lost its last bytes extends over the start of the next frame."""
    for missing in (1, 2, 3):
        for n in range(1, 30):
            receiver = StreamReceiver([adaptive])
            receiver.feed(make_answer(adaptive, 0))
            stream = make_answer(adaptive, n % 8 + 1)[:-missing] + make_frame(adaptive, n % 8 + 2)
            events = receive(receiver, stream)
            assert features(events)[-1].crc_ok and features(events)[-1].sequence == n % 8 + 2


def test_answer_within_a_clean_frame_by_chance_is_found(adaptive: Bundle) -> None:
    """Exact sync and answer in a payload: a frame whose end was lost, or a board that restarted inside."""
    receiver = StreamReceiver([adaptive])
    cut = make_frame(adaptive, 1)[:30] + make_answer(adaptive, 2) + make_frame(adaptive, 3)
    received = answers(receive(receiver, cut))
    assert [frame.sequence for frame in received] == [2]
    assert SYNC in cut

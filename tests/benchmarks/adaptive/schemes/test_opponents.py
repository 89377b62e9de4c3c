"""Tests of the opponents' operating points: delivery, air time, bytes, energy and spread."""

import numpy as np
import pytest

from benchmarks.adaptive.schemes.cells import CLEAN, Cell
from benchmarks.adaptive.schemes.energy import EnergyModel
from benchmarks.adaptive.schemes.opponents import (
    CompressedImages,
    Content,
    Opponent,
    answer_opponents,
    feature_opponents,
    packets_of,
)
from benchmarks.adaptive.schemes.packets import CodedPacket, LoRaPacket, Share
from host.board.energy import VOLTS
from wire.lora import air_time_s

ENERGY = EnergyModel.default()
CORRECT = np.arange(100) < 80
ANSWER = Content("board alone", 1, CORRECT, 5_000_000)
FEATURES = Content("features", 50, CORRECT, 5_000_000)
CELL = Cell(7, -9.0)
HALF = Share(0.5, 0.01)


def by_setting(opponents: list[Opponent], scheme: str, words: str) -> Opponent:
    return next(one for one in opponents if one.scheme == scheme and words in one.setting)


def test_answer_behind_crc_has_the_air_time_of_its_packet() -> None:
    opponents = list(answer_opponents(ANSWER))
    for rate in (5, 8):
        crc = by_setting(opponents, "board alone, CRC", f"4/{rate}")
        point = crc.point(CELL, {crc.packet.key: HALF}, ENERGY)
        assert point.air_s == pytest.approx(air_time_s(4, 7, rate, explicit_header=False))
        assert point.bytes == 6 and point.accuracy == pytest.approx(0.4)
        assert point.std == pytest.approx(np.sqrt(0.8 * 0.25 / 100))
        encoding = VOLTS * ENERGY.chip.ma * 5.0 / ENERGY.chip.mhz
        assert point.energy_mj == pytest.approx(encoding + VOLTS * ENERGY.radio.ma * point.air_s)


def test_copies_and_retransmissions_count_what_they_send() -> None:
    opponents = list(answer_opponents(ANSWER))
    crc = by_setting(opponents, "board alone, CRC", "4/8").point(CELL, {"lora 6 4/8 implicit 0": HALF}, ENERGY)
    copies = by_setting(opponents, "board alone, repeated", "4/8, implicit header, 3")
    thrice = copies.point(CELL, {copies.packet.key: HALF}, ENERGY)
    assert crc.error == pytest.approx(0.8 * 0.01) and thrice.error == pytest.approx(0.8 * 3 * 0.25 * 0.01)
    assert thrice.accuracy == pytest.approx(0.8 * 0.875) and thrice.air_s == pytest.approx(3 * crc.air_s)
    arq = by_setting(opponents, "board alone, ARQ", "4/8")
    point = arq.point(CELL, {arq.packet.key: HALF}, ENERGY)
    acknowledgement_s = air_time_s(3, 7, 8, explicit_header=False)
    assert point.accuracy == pytest.approx(0.8 * (1 - 0.5**4))
    assert point.air_s == pytest.approx(1.875 * crc.air_s + (1 - 0.5**4) * acknowledgement_s)
    listening = VOLTS * ENERGY.radio.rx_ma * 1.875 * acknowledgement_s
    sending = VOLTS * ENERGY.radio.ma * 1.875 * crc.air_s
    assert point.energy_mj == pytest.approx(ENERGY.millijoules(5_000_000, 0.0) + sending + listening)
    silent = arq.point(CELL, {arq.packet.key: Share(0.0, 0.0)}, ENERGY)
    assert (silent.accuracy, silent.air_s) == (0.0, pytest.approx(4 * crc.air_s))


def test_codes_protect_the_bytes_of_the_crc_packet() -> None:
    opponents = list(answer_opponents(ANSWER))
    coded = by_setting(opponents, "board alone, K=9 code, soft decisions", "1 byte, K=9")
    assert coded.packet == CodedPacket(8 * 6, True)
    arq = by_setting(opponents, "board alone, K=9 code and ARQ, soft decisions", "retransmissions")
    point = arq.point(CELL, {arq.packet.key: HALF}, ENERGY)
    acknowledgement_s = CodedPacket(8 * 5, True).air_time_s(7)
    assert point.accuracy == pytest.approx(0.8 * (1 - 0.5**4))
    assert point.air_s == pytest.approx(1.875 * coded.packet.air_time_s(7) + (1 - 0.5**4) * acknowledgement_s)
    reed_solomon = by_setting(opponents, "board alone, Reed-Solomon", "2 correctable")
    assert reed_solomon.packet == LoRaPacket(6 + 4, 5, False, 2)


def test_feature_opponents_fit_a_packet() -> None:
    schemes = {one.scheme for one in feature_opponents(FEATURES)}
    assert schemes == {
        "features, CRC", "features, ARQ", "features, Reed-Solomon",
        "features, K=9 code, soft decisions", "features, K=9 code, hard decisions",
        "features, K=9 code and ARQ, soft decisions", "features, K=9 code and ARQ, hard decisions",
    }  # fmt: skip
    long = list(feature_opponents(Content("features", 240, CORRECT, 0)))
    assert max(packet.size for packet in packets_of(one for one in long if "K=9" not in one.scheme)) <= 255
    reed_solomon = by_setting(list(feature_opponents(FEATURES)), "features, Reed-Solomon", "8 correctable")
    assert reed_solomon.packet.size == 3 + 50 + 2 + 16


def test_compressed_images_need_all_their_packets() -> None:
    sizes, correct = np.array([300, 100, 300, 250]), np.array([True, True, False, True])
    images = CompressedImages("WebP", "files", sizes, correct, 5)
    delivered = {packet.key: HALF for packet in images.packets}
    assert sorted(packet.size for packet in images.packets) == [55, 105, 255]
    point = images.point(CELL, delivered, ENERGY)
    assert point.correct.tolist() == [0.25, 0.5, 0.0, 0.5]
    assert point.error == pytest.approx((2 * 0.5 * 0.01 + 0.01 + 0.01) / 4)
    long, short, rest = (air_time_s(size, 7) for size in (253, 103, 53))
    assert point.air_s == pytest.approx((2 * (long + rest) + short + long) / 4)
    assert point.bytes == pytest.approx((2 * 310 + 105 + 255) / 4)


def test_points_of_a_clean_link_deliver_everything() -> None:
    for opponent in [*answer_opponents(ANSWER), *feature_opponents(FEATURES)]:
        point = opponent.point(Cell(9, CLEAN), {opponent.packet.key: Share(1.0, 0.0)}, ENERGY)
        assert point.accuracy == pytest.approx(0.8) and point.std == 0 and point.setting.startswith("SF9, ")

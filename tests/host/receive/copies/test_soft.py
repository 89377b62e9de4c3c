"""Soft bits: the bit error rates of copies, costs of codewords, and limits that noise keeps."""

import numpy as np
import pytest

from host.receive.copies import osd
from host.receive.copies.soft import SoftBlock, copy_bers, flips, least_agreements
from tests.support.host import damaged
from wire import bch


@pytest.mark.parametrize("bers", [(0.02, 0.1, 0.2), (0.05, 0.05), (0.1, 0.1, 0.03, 0.15)])
def test_copy_bers_follow_from_the_differences(bers: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    packet = rng.bytes(2000)
    copies = [damaged(packet, ber, rng) for ber in bers]
    assert copy_bers(copies, [None] * len(bers)) == pytest.approx(bers, abs=0.015)


def test_copy_bers_of_two_are_divided_by_snr() -> None:
    rng = np.random.default_rng(1)
    packet = rng.bytes(500)
    good, bad = copy_bers([damaged(packet, 0.03, rng), damaged(packet, 0.15, rng)], [-7.0, -9.0])
    assert good < 0.07 < 0.1 < bad


def test_cost_is_that_of_the_bits_that_differ_from_the_likelier_ones() -> None:
    rng = np.random.default_rng(2)
    block = SoftBlock([rng.bytes(8) for _ in range(3)], [0.05, 0.1, 0.2])
    words = rng.integers(0, 1 << 63, 50, dtype=np.uint64)
    hard = int.from_bytes(block.hard, "big")
    for word, cost in zip(words.tolist(), block.costs(words).tolist(), strict=True):
        bits = np.unpackbits(np.frombuffer((word ^ hard).to_bytes(8, "big"), np.uint8)).astype(bool)
        assert cost == pytest.approx(block.reliabilities[bits].sum())


@pytest.mark.parametrize("bers", [(0.1,), (0.05, 0.2), (0.15, 0.15), (0.15, 0.15, 0.15)])
def test_limit_is_rarely_kept_by_noise(bers: tuple[float, ...]) -> None:
    rng = np.random.default_rng(3)
    block = SoftBlock([rng.bytes(8) for _ in bers], bers)
    costs = block.costs(rng.integers(0, 1 << 64, 200_000, dtype=np.uint64))
    for rate in (1e-2, 1e-3):
        assert rate / 30 < np.mean(costs <= block.limit(1, rate)) <= rate
    assert block.limit(100, 1e-3) == block.limit(1, 1e-5) < block.limit(1, 1e-3)


def test_limit_is_negative_where_nothing_is_known() -> None:
    first = bytes(range(8))
    opposite = bytes(255 - value for value in first)
    assert SoftBlock([first, opposite], [0.1, 0.1]).limit(1, 0.5) < 0


def test_least_agreements_bound_the_copies_of_another_block() -> None:
    rng, needed = np.random.default_rng(4), least_agreements(15, 1e-3)
    agreed = (rng.random((200_000, 15)) < 0.15).sum(axis=1)  # bits of another block's copy, where the two differ
    assert np.mean(agreed >= needed[15]) <= 1e-3 < np.mean(agreed >= needed[15] - 1)


@pytest.mark.parametrize("code", [bch.HEADER, bch.ANSWER], ids=["header", "answer"])
def test_osd_corrects_more_than_the_code_alone(code: bch.Code) -> None:
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(50):
        word = int(rng.integers(1 << code.word_bits))
        block = SoftBlock([damaged(code.encode(word), 0.15, rng) for _ in range(3)], [0.15] * 3)
        nearest = osd.likeliest(code, block, 1e9)
        assert [cost for cost, _ in nearest] == sorted(cost for cost, _ in nearest)
        found += nearest[0][1] == word
    assert found >= 45  # of the hard decisions, 96 and 82 % are within the reach of the codes


def test_osd_fills_erasures() -> None:
    rng = np.random.default_rng(6)
    sent = bch.HEADER.encode(0x123456)
    pattern = rng.bytes(8)
    copies = [
        bytes(a ^ b & c for a, b, c in zip(sent, pattern, mask, strict=True)) for mask in (b"\xf0" * 8, b"\x0f" * 8)
    ]
    assert flips(*copies) > 20  # all of them erasures, as the copies are equally good
    assert osd.likeliest(bch.HEADER, SoftBlock(copies, [0.1, 0.1]), 1.0)[0] == (0.0, 0x123456)

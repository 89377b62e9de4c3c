"""Tests of channel models against theory, and of their repeatability."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim import BER_GRID, BitFlips, ByteLoss, Channel, Compose, Duplicate, FrameLoss, Stream, Truncation
from tests.support.statistics import same_however_cut, within

FRAMES, BITS = 2000, 496  # the default frame has 62 bytes


@pytest.mark.parametrize("ber", BER_GRID)
def test_bit_flips_are_binomial(ber: float) -> None:
    mask, lost = BitFlips(ber).flips(FRAMES, BITS, np.random.default_rng(1))
    assert mask.shape == (FRAMES, BITS) and lost.shape == (FRAMES,) and not lost.any()
    assert within(int(mask.sum()), mask.size, ber)
    untouched = int((~mask.any(axis=1)).sum())
    assert within(untouched, FRAMES, (1 - ber) ** BITS)


def test_bit_flips_are_independent() -> None:
    mask, _ = BitFlips(0.1).flips(FRAMES, BITS, np.random.default_rng(2))
    pairs = mask[:, 1:] & mask[:, :-1]
    assert within(int(pairs.sum()), pairs.size, 0.01)
    assert within(int((mask[1:] & mask[:-1]).sum()), mask[1:].size, 0.01)


def test_bit_flips_per_frame_rate() -> None:
    rates = np.repeat([0.0, 0.02, 0.5], 500)
    mask, _ = BitFlips(rates).flips(len(rates), BITS, np.random.default_rng(3))
    for rate in np.unique(rates):
        chosen = mask[rates == rate]
        assert within(int(chosen.sum()), chosen.size, rate)


@pytest.mark.parametrize("p", [0.0, 0.001, 0.01])
def test_byte_loss_agrees_between_flips_and_corrupt(p: float) -> None:
    channel, rng, frame = ByteLoss(p), np.random.default_rng(4), bytes(range(62))
    whole = (1 - p) ** 62
    mask, lost = channel.flips(FRAMES, BITS, rng)
    assert not mask.any() and within(int(lost.sum()), FRAMES, 1 - whole)
    arrived = [channel.corrupt(frame, rng) or b"" for _ in range(FRAMES)]
    assert within(sum(len(received) for received in arrived), 62 * FRAMES, 1 - p)
    assert within(sum(received == frame for received in arrived), FRAMES, whole)
    assert all(list(received) == sorted(set(received)) for received in arrived), "order kept, no bytes added"


def test_truncation_lengths_are_uniform() -> None:
    channel, rng, frame = Truncation(0.5), np.random.default_rng(5), bytes(range(20))
    _, lost = channel.flips(FRAMES, BITS, rng)
    assert within(int(lost.sum()), FRAMES, 0.5)
    arrived = [channel.corrupt(frame, rng) for _ in range(FRAMES)]
    assert within(sum(received == frame for received in arrived), FRAMES, 0.5)
    assert within(sum(received is None for received in arrived), FRAMES, 0.5 / 20)
    assert all(frame.startswith(received) for received in arrived if received)
    assert {len(received or b"") for received in arrived} == set(range(21))


def test_frame_loss_and_duplicate_act_on_whole_frames() -> None:
    rng, frame = np.random.default_rng(11), bytes(range(20))
    mask, lost = FrameLoss(0.3).flips(FRAMES, BITS, rng)
    assert not mask.any() and within(int(lost.sum()), FRAMES, 0.3)
    arrived = [FrameLoss(0.3).corrupt(frame, rng) for _ in range(FRAMES)]
    assert set(arrived) == {None, frame} and within(arrived.count(None), FRAMES, 0.3)
    mask, lost = Duplicate(0.3).flips(FRAMES, BITS, rng)
    assert not mask.any() and not lost.any()
    arrived = [Duplicate(0.3).corrupt(frame, rng) for _ in range(FRAMES)]
    assert set(arrived) == {frame, frame + frame} and within(arrived.count(frame + frame), FRAMES, 0.3)


def test_compose_adds_flips_and_losses() -> None:
    channel = Compose(BitFlips(0.1), Compose(BitFlips(0.2), Truncation(0.3)))
    mask, lost = channel.flips(FRAMES, BITS, np.random.default_rng(6))
    assert within(int(mask.sum()), mask.size, 0.1 * 0.8 + 0.9 * 0.2)
    assert within(int(lost.sum()), FRAMES, 0.3)
    assert Compose(Truncation(1.0), BitFlips(0.1)).corrupt(b"x", np.random.default_rng(0)) is None


def test_corrupt_agrees_with_flips() -> None:
    frame = bytes(range(62))
    mask, _ = BitFlips(0.1).flips(1, BITS, np.random.default_rng(7))
    received = BitFlips(0.1).corrupt(frame, np.random.default_rng(7))
    assert received is not None
    changed = np.frombuffer(frame, np.uint8) ^ np.frombuffer(received, np.uint8)
    assert np.array_equal(np.unpackbits(changed), mask[0])


@pytest.mark.parametrize("channel", [BitFlips(0.05), ByteLoss(0.1), Compose(BitFlips(0.05), ByteLoss(0.1))])
@given(cuts=st.lists(st.integers(0, 400), max_size=12), seed=st.integers(0, 2**63))
def test_stream_can_be_cut_anywhere(channel: Channel, cuts: list[int], seed: int) -> None:
    data = np.random.default_rng(8).bytes(400)
    edges = [0, *sorted(cuts), 400]
    stream = Stream(channel, seed)
    pieces = b"".join(stream.feed(data[a:b]) for a, b in pairwise(edges))
    assert pieces == Stream(channel, seed).feed(data)
    assert stream.statistics.bytes_in == 400 and stream.statistics.bytes_out == len(pieces)


def test_stream_counts_flips() -> None:
    stream = Stream(BitFlips(0.05), 9)
    data = bytes(100_000)
    flipped = int(np.unpackbits(np.frombuffer(stream.feed(data), np.uint8)).sum())
    assert stream.statistics.bits_flipped == flipped
    assert stream.statistics.ber == flipped / 800_000
    assert within(flipped, 800_000, 0.05)
    assert Stream(BitFlips(0.05), 10).feed(data) != Stream(BitFlips(0.05), 9).feed(data)


@pytest.mark.parametrize("make", [BitFlips, ByteLoss, Truncation, FrameLoss, Duplicate])
@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_erasure_refuses_impossible_probabilities(make: Callable[[float], Channel], p: float) -> None:
    with pytest.raises(ValueError, match="lies between 0 and"):
        make(p)


def test_stream_refuses_frame_channels_without_bundle() -> None:
    with pytest.raises(ValueError, match="Truncation needs whole frames"):
        Stream(Compose(BitFlips(0.1), Truncation(0.1)), 0)


@pytest.mark.parametrize("channel", [BitFlips(0.05), ByteLoss(0.1), Compose(BitFlips(0.05), ByteLoss(0.1))])
@given(cuts=st.lists(st.integers(0, 400), max_size=12), seed=st.integers(0, 2**63))
def test_line_can_be_cut_anywhere(channel: Channel, cuts: list[int], seed: int) -> None:
    assert same_however_cut(channel, cuts, seed)


def test_line_refuses_frame_channels() -> None:
    with pytest.raises(ValueError, match="Truncation needs whole frames, not a byte stream"):
        Compose(BitFlips(0.1), Truncation(0.1)).line(np.random.default_rng(0))

"""Tests of the convolutional code: its distance spectrum, and its bit error rate beside the union bound."""

from math import erfc, sqrt

import numpy as np
import pytest

from channel_sim.channels.convolutional import GENERATORS, STATES, TAIL_BITS, coded_bits, decode, encode

# Paths that leave state 0 and return, and their data bits of 1, by distance (Conan, IEEE Trans. Commun. 32, 1984).
PATHS = {12: 11, 14: 50, 16: 286}
DATA_BITS = {12: 33, 14: 281, 16: 2179, 18: 15035}


def spectrum(most: int) -> tuple[dict[int, int], dict[int, int]]:
    """Return the number of paths, and of their 1s of data, by distance up to `most`."""
    paths: dict[int, int] = {}
    ones: dict[int, int] = {}
    alive = {STATES // 2: {(sum(g >> TAIL_BITS & 1 for g in GENERATORS), 1): 1}}  # state -> (distance, ones) -> count
    while alive:
        following: dict[int, dict[tuple[int, int], int]] = {}
        for state, entries in alive.items():
            for bit in (0, 1):
                register = bit << TAIL_BITS | state
                weight = sum((register & g).bit_count() & 1 for g in GENERATORS)
                for (distance, ones_so_far), count in entries.items():
                    total, data = distance + weight, ones_so_far + bit
                    if total > most:
                        continue
                    if register >> 1 == 0:
                        paths[total] = paths.get(total, 0) + count
                        ones[total] = ones.get(total, 0) + count * data
                    else:
                        entry = following.setdefault(register >> 1, {})
                        entry[total, data] = entry.get((total, data), 0) + count
        alive = following
    return paths, ones


def test_code_has_the_published_distance_spectrum() -> None:
    paths, ones = spectrum(16)
    assert paths == PATHS
    assert ones == {distance: DATA_BITS[distance] for distance in PATHS}


def test_encode_gives_generators_as_impulse_response() -> None:
    coded = encode(np.array([[1]], np.uint8)).reshape(-1, 2).T
    assert [int("".join(map(str, row)), 2) for row in coded] == list(GENERATORS)
    assert coded.size == coded_bits(1)


@pytest.mark.parametrize("soft", [True, False])
def test_decode_corrects_five_flips_anywhere(soft: bool) -> None:
    rng = np.random.default_rng(1)
    data = rng.integers(0, 2, (400, 60), np.uint8)
    received = encode(data)
    for row in received:
        row[rng.permutation(len(row))[:5]] ^= 1  # less than half of the free distance
    llr = (1.0 - 2.0 * received) * (rng.uniform(1, 1.2, received.shape) if soft else 1)
    np.testing.assert_array_equal(decode(llr), data)


def test_decode_of_integers_is_that_of_floats() -> None:
    rng = np.random.default_rng(3)
    received = encode(rng.integers(0, 2, (50, 1160), np.uint8)) ^ (rng.random((50, 2336)) < 0.1)
    llr = 1 - 2 * received.astype(np.int16)
    np.testing.assert_array_equal(decode(llr), decode(llr.astype(np.float32)))


def test_decode_works_on_several_blocks_and_one_packet() -> None:
    data = np.random.default_rng(2).integers(0, 2, (600, 16), np.uint8)
    llr = 1.0 - 2.0 * encode(data)
    np.testing.assert_array_equal(decode(llr), data)
    np.testing.assert_array_equal(decode(llr[:1]), data[:1])


def q(x: float) -> float:
    return erfc(x / sqrt(2)) / 2


def test_soft_decoder_reaches_the_published_bit_error_rate() -> None:
    """BPSK at Eb/N0 = 2.5 dB. The union bound is within a factor of two there, the first term a lower one."""
    ebn0 = 10**0.25
    rng = np.random.default_rng(3)
    data = rng.integers(0, 2, (512, 500), np.uint8)
    amplitude = sqrt(ebn0)  # of a coded bit in noise of variance 1: 2 Ec / N0 = Eb / N0
    received = amplitude * (1 - 2.0 * encode(data)) + rng.standard_normal((512, coded_bits(500)))
    simulated = float((decode(received) != data).mean())
    bound = sum(ones * q(sqrt(d * ebn0)) for d, ones in DATA_BITS.items())
    assert DATA_BITS[12] * q(sqrt(12 * ebn0)) < simulated < 1.5 * bound


def test_hard_decisions_cost_about_two_decibels() -> None:
    rng = np.random.default_rng(4)
    data = rng.integers(0, 2, (400, 200), np.uint8)
    coded, noise = 1 - 2.0 * encode(data), rng.standard_normal((400, coded_bits(200)))
    hard = (decode(np.sign(sqrt(10**0.4) * coded + noise)) != data).any(1).mean()
    soft = (decode(sqrt(10**0.2) * coded + noise) != data).any(1).mean()
    assert 0.3 < hard / soft < 3

"""Impairments of a training batch: flips, prefixes, and the BER that the decoder is given."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from channel_sim.channels.bsc import BitFlips
from channel_sim.channels.by_ber import AT_BER, at_ber
from train.config import LinkConfig
from train.impairment import draw_impairment, payload_flips, symbol_flips
from wire.answer import ANSWER_BITS
from wire.payload import interleaver

LINK = LinkConfig(chunks=((0, 64), (0, 24), (24, 40)))
EXACT = replace(LINK, clean_share=0.0, estimate_spread=0.0)


def drawn(link: LinkConfig, count: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return flipped bits (N, S, 3), missing (N, S) and given BER (N,) for 64 symbols of 3 bits."""
    impairment = draw_impairment(link, count, 64, 3, np.random.default_rng(seed))
    bits = impairment.flips.numpy()[..., None] >> np.arange(2, -1, -1) & 1
    return bits, impairment.missing.numpy(), impairment.given_ber.numpy()


@pytest.mark.parametrize("ber", [1e-3, 0.05, 0.5])
def test_draw_impairment_flips_every_bit_at_the_chosen_ber(ber: float) -> None:
    bits, _, given_ber = drawn(replace(EXACT, ber=(ber, ber)))
    assert bits.mean((0, 1)) == pytest.approx([ber] * 3, rel=0.15)
    assert bits.mean((0, 2)) == pytest.approx([ber] * 64, rel=0.9)
    np.testing.assert_allclose(given_ber, ber, rtol=1e-5)


def test_draw_impairment_gives_clean_share_no_flips_and_a_small_ber() -> None:
    bits, _, given_ber = drawn(replace(LINK, ber=(0.05, 0.15), clean_share=0.6))
    clean = ~bits.any((1, 2))
    assert clean.mean() == pytest.approx(0.6, abs=0.03)
    assert given_ber[clean].min() >= 1e-4 and given_ber[clean].max() <= 1e-3
    assert given_ber[~clean].min() > 1e-3


def test_draw_impairment_gives_the_ber_with_the_chosen_spread() -> None:
    _, _, given_ber = drawn(replace(LINK, ber=(0.02, 0.02), clean_share=0.0, estimate_spread=0.4))
    assert np.log(given_ber / 0.02).std() == pytest.approx(0.4, rel=0.05)
    assert np.log(given_ber / 0.02).mean() == pytest.approx(0.0, abs=0.03)


def test_draw_impairment_prefixes_end_at_chunks_or_anywhere() -> None:
    _, missing, _ = drawn(replace(LINK, prefix_share=0.3))
    kept = 64 - missing.sum(1)
    np.testing.assert_array_equal(missing, np.arange(64)[None, :] >= kept[:, None])
    assert (kept < 64).mean() == pytest.approx(0.3, abs=0.03)
    assert (kept == 24).mean() == pytest.approx(0.15, abs=0.03)
    assert kept.min() == 64 // 16 and len(np.unique(kept)) > 30
    _, missing, _ = drawn(replace(LINK, prefix_share=0.0))
    assert not missing.any()


def test_draw_impairment_repeats_with_the_same_seed() -> None:
    for one, other in zip(drawn(LINK, 50, 7), drawn(LINK, 50, 7), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(drawn(LINK, 50, 7)[0], drawn(LINK, 50, 8)[0])


@pytest.mark.parametrize("channels", [*((name,) for name in AT_BER), tuple(AT_BER)])
def test_draw_impairment_flips_at_the_chosen_ber_in_every_channel(channels: tuple[str, ...]) -> None:
    bits, _, given_ber = drawn(replace(EXACT, channels=channels, ber=(0.05, 0.05)))
    # LoRa protects the first 20 of 192 bits.
    assert bits.mean() == pytest.approx(0.05, rel=0.05 + 0.11 * ("lora" in channels))
    np.testing.assert_allclose(given_ber, 0.05, rtol=1e-5)


def test_draw_impairment_keeps_clean_images_clean_in_every_channel() -> None:
    bits, _, given_ber = drawn(replace(LINK, channels=tuple(AT_BER), ber=(0.1, 0.15), clean_share=0.6))
    assert (given_ber <= 1e-3).mean() == pytest.approx(0.6, abs=0.03)
    assert not bits[given_ber <= 1e-3].any()


def test_payload_flips_of_bsc_alone_draw_as_in_older_runs() -> None:
    """A resumed run must draw the same flips as before channels could be chosen."""
    rates = np.full(50, 0.1)
    expected, _ = BitFlips(0.1).flips(50, 192, np.random.default_rng(1))
    np.testing.assert_array_equal(payload_flips(("bsc",), rates, 192, np.random.default_rng(1)), expected)


def test_payload_flips_of_bursts_are_spread_by_the_interleaver() -> None:
    for n_bits in (192, 21):  # 21 bits take 3 bytes on the wire
        rng, other = np.random.default_rng(2), np.random.default_rng(2)
        mask = payload_flips(("gilbert-elliott",), np.full(50, 0.05), n_bits, rng)
        other.integers(1, size=50)
        wire, _ = at_ber("gilbert-elliott", np.full(50, 0.05)).flips(50, -(-n_bits // 8) * 8, other)
        np.testing.assert_array_equal(mask[:, interleaver(n_bits)], wire[:, :n_bits])


def test_payload_flips_of_a_channel_that_no_image_drew() -> None:
    channels = ("lora", "bsc", "bpsk-rayleigh")
    assert payload_flips(channels, np.array([0.1]), 24, np.random.default_rng(3)).shape == (1, 24)


def test_draw_impairment_suffixes_miss_the_first_symbols_and_the_answer() -> None:
    link = replace(LINK, prefix_share=0.3, suffix_share=0.25, answer_missing_share=0.0)
    drawn = draw_impairment(link, 4000, 64, 3, np.random.default_rng(0), answers=True)
    missing, no_answer = drawn.missing.numpy(), drawn.answer_missing.numpy()
    assert no_answer.mean() == pytest.approx(0.25, abs=0.03)
    first = missing[no_answer].argmin(1)  # the first symbol that arrives
    np.testing.assert_array_equal(missing[no_answer], np.arange(64)[None, :] < first[:, None])
    assert set(first) == {24}  # behind a prefix that is a chunk
    assert missing[~no_answer][:, -1].mean() == pytest.approx(0.3 / 0.75, abs=0.04)  # the others may be prefixes
    assert not missing[~no_answer][:, 0].any()
    without = draw_impairment(replace(link, suffix_share=0.0), 4000, 64, 3, np.random.default_rng(0), answers=True)
    assert not without.answer_missing.any() and not without.missing[:, 0].any()


# Answers


@pytest.mark.parametrize("ber", [1e-2, 0.1])
def test_draw_impairment_flips_answers_and_symbols_at_the_same_ber(ber: float) -> None:
    link = replace(EXACT, ber=(ber, ber), answer_missing_share=0.25)
    drawn = draw_impairment(link, 4000, 64, 3, np.random.default_rng(0), answers=True)
    flips = drawn.answer_flips.numpy()
    assert flips.shape == (4000,) and flips.min() >= 0 and flips.max() < 1 << ANSWER_BITS
    bits = flips[:, None] >> np.arange(ANSWER_BITS) & 1
    assert bits.mean(0) == pytest.approx([ber] * ANSWER_BITS, rel=0.6)
    assert bits.mean() == pytest.approx(ber, rel=0.1)
    assert drawn.answer_missing.float().mean() == pytest.approx(0.25, abs=0.03)
    symbols = drawn.flips.numpy()[..., None] >> np.arange(3) & 1
    assert symbols.mean() == pytest.approx(ber, rel=0.1)
    assert abs(np.corrcoef(bits.sum(1), symbols.sum((1, 2)))[0, 1]) < 0.1  # independent, as all bits


def test_draw_impairment_of_answers_takes_the_first_bits_of_the_payload() -> None:
    link = replace(EXACT, ber=(0.1, 0.1))
    drawn = draw_impairment(link, 50, 64, 3, np.random.default_rng(3), answers=True)
    rng = np.random.default_rng(3)
    rng.uniform(size=50), rng.random(50)  # BERs, clean images
    mask, _ = BitFlips(0.1).flips(50, ANSWER_BITS + 64 * 3, rng)
    np.testing.assert_array_equal(drawn.answer_flips, symbol_flips(mask[:, :ANSWER_BITS], ANSWER_BITS)[:, 0])
    np.testing.assert_array_equal(drawn.flips, symbol_flips(mask[:, ANSWER_BITS:], 3))


def test_draw_impairment_without_answers_has_none() -> None:
    drawn = draw_impairment(LINK, 20, 64, 3, np.random.default_rng(0))
    assert not drawn.answer_flips.any() and drawn.answer_missing.all()
    assert (drawn.answer_flips.dtype, drawn.answer_missing.dtype) == (torch.int64, torch.bool)


def test_draw_impairment_of_no_clean_link_keeps_answers_of_clean_images() -> None:
    drawn = draw_impairment(replace(LINK, ber=(0.1, 0.15)), 2000, 64, 3, np.random.default_rng(0), answers=True)
    clean = ~drawn.flips.bool().any(1)
    assert clean.float().mean() == pytest.approx(0.6, abs=0.05)
    assert not drawn.answer_flips[clean].any() and drawn.answer_flips[~clean].bool().float().mean() > 0.7


def test_clean_impairment_flips_and_loses_nothing() -> None:
    drawn = draw_impairment(replace(LINK, clean_share=0.0), 20, 64, 3, np.random.default_rng(0), answers=True)
    clean = drawn.clean(7)
    assert clean.flips.shape == (7, 64) and not any(part.any() for part in vars(clean).values())
    assert clean.answer_missing.dtype == torch.bool and len(clean.answer_flips) == 7


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_symbol_flips_takes_bits_most_significant_first(bits: int) -> None:
    mask = np.zeros((1, 2 * bits), bool)
    mask[0, 0] = mask[0, 2 * bits - 1] = True
    np.testing.assert_array_equal(symbol_flips(mask, bits), [[1 << (bits - 1), 1]])

"""Augmented views, what the channel does to a training batch, and the accuracies measured through it."""

import numpy as np
import pytest
import torch

from channel_sim.channels.bsc import BitFlips
from channel_sim.channels.by_ber import AT_BER, at_ber
from tests.support.codec import CLASSES, SYMBOLS, make_codec
from train import evaluate
from train.config import DataConfig, LinkConfig
from train.data.augment import Views, as_input
from train.impairment import draw_impairment, payload_flips, symbol_flips
from wire.payload import bits_to_symbols, interleaver, symbols_to_bits

# Views


def pictures(count: int = 5, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (count, 9, 7, channels), dtype=np.uint8)  # 0 is padding


def view(images: np.ndarray, number: int, seed: int = 3, pad: int = 2, flip: bool = True) -> np.ndarray:
    """View `number` of all pictures as uint8 (N, H, W, C)."""
    views = Views(images, DataConfig("test", crop_padding=pad, flip=flip), seed)
    views.choose(number)
    batch = views.batch(torch.arange(len(images)))
    return np.rint(batch.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)


def test_the_same_seed_gives_the_same_view_and_another_another() -> None:
    images = pictures(20)
    np.testing.assert_array_equal(view(images, 4), view(images, 4))
    assert not np.array_equal(view(images, 4), view(images, 5))
    assert not np.array_equal(view(images, 4), view(images, 4, seed=4))


@pytest.mark.parametrize("channels", [1, 3])
def test_every_view_is_a_crop_of_its_own_picture_flipped_or_not(channels: int) -> None:
    images = pictures(80, channels)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    found = set()
    for image, seen in zip(padded, view(images, 1), strict=True):
        crops = {
            (row, column, flipped): crop[:, ::-1] if flipped else crop
            for row in range(5)
            for column in range(5)
            for crop in [image[row : row + 9, column : column + 7]]
            for flipped in (False, True)
        }
        places = [place for place, crop in crops.items() if np.array_equal(crop, seen)]
        assert len(places) == 1
        found.add(places[0])
    assert {row for row, _, _ in found} == {column for _, column, _ in found} == set(range(5))
    assert {flipped for _, _, flipped in found} == {False, True}


def test_a_batch_is_its_part_of_the_view() -> None:
    views = Views(pictures(8), DataConfig("test", crop_padding=2), 3)
    views.choose(2)
    whole = views.batch(torch.arange(8))
    assert torch.equal(views.batch(torch.tensor([6, 1, 6])), whole[[6, 1, 6]])


def test_without_padding_and_flip_a_view_is_the_picture() -> None:
    np.testing.assert_array_equal(view(pictures(), 9, pad=0, flip=False), pictures())


def test_input_is_pixels_over_255_and_nothing_else() -> None:
    got = as_input(torch.from_numpy(pictures()))
    np.testing.assert_array_equal(got, pictures().transpose(0, 3, 1, 2).astype(np.float32) / 255)


# Impairments


def drawn(count: int = 4000, seed: int = 0, **settings: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flipped bits (N, S, 3), missing (N, S) and told BER (N,) for 64 symbols of 3 bits."""
    link = LinkConfig(**{"chunks": ((0, 64), (0, 24), (24, 40)), **settings})
    got = draw_impairment(link, count, 64, 3, np.random.default_rng(seed))
    bits = got.flips.numpy()[..., None] >> np.arange(2, -1, -1) & 1
    return bits, got.missing.numpy(), got.given_ber.numpy()


@pytest.mark.parametrize("ber", [1e-3, 0.05, 0.5])
def test_every_bit_flips_with_the_chosen_probability(ber: float) -> None:
    bits, _, told = drawn(ber=(ber, ber), clean_share=0.0, estimate_spread=0.0)
    assert bits.mean((0, 1)) == pytest.approx([ber] * 3, rel=0.15)
    assert bits.mean((0, 2)) == pytest.approx([ber] * 64, rel=0.9)
    np.testing.assert_allclose(told, ber, rtol=1e-5)


def test_clean_share_sees_no_flip_and_is_told_a_small_rate() -> None:
    bits, _, told = drawn(ber=(0.05, 0.15), clean_share=0.6)
    clean = ~bits.any((1, 2))
    assert clean.mean() == pytest.approx(0.6, abs=0.03)
    assert told[clean].min() >= 1e-4 and told[clean].max() <= 1e-3
    assert told[~clean].min() > 1e-3


def test_the_told_rate_errs_by_the_chosen_spread() -> None:
    _, _, told = drawn(ber=(0.02, 0.02), clean_share=0.0, estimate_spread=0.4)
    assert np.log(told / 0.02).std() == pytest.approx(0.4, rel=0.05)
    assert np.log(told / 0.02).mean() == pytest.approx(0.0, abs=0.03)


def test_prefixes_end_at_chunks_and_anywhere_and_keep_the_first_symbols() -> None:
    _, missing, _ = drawn(prefix_share=0.3)
    kept = 64 - missing.sum(1)
    np.testing.assert_array_equal(missing, np.arange(64)[None, :] >= kept[:, None])
    assert (kept < 64).mean() == pytest.approx(0.3, abs=0.03)
    assert (kept == 24).mean() == pytest.approx(0.15, abs=0.03)
    assert kept.min() >= 16 and len(np.unique(kept)) > 30
    _, missing, _ = drawn(prefix_share=0.0)
    assert not missing.any()


def test_the_same_seed_draws_the_same() -> None:
    for one, other in zip(drawn(50, 7), drawn(50, 7), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(drawn(50, 7)[0], drawn(50, 8)[0])


@pytest.mark.parametrize("channels", [*((name,) for name in AT_BER), tuple(AT_BER)])
def test_every_channel_flips_with_the_chosen_probability(channels: tuple[str, ...]) -> None:
    bits, _, told = drawn(channels=channels, ber=(0.05, 0.05), clean_share=0.0, estimate_spread=0.0)
    # LoRa protects the first 20 of 192 bits.
    assert bits.mean() == pytest.approx(0.05, rel=0.05 + 0.11 * ("lora" in channels))
    np.testing.assert_allclose(told, 0.05, rtol=1e-5)


def test_clean_images_are_clean_in_every_channel() -> None:
    bits, _, told = drawn(channels=tuple(AT_BER), ber=(0.1, 0.15), clean_share=0.6)
    assert (told <= 1e-3).mean() == pytest.approx(0.6, abs=0.03)
    assert not bits[told <= 1e-3].any()


def test_independent_flips_alone_are_drawn_as_ever() -> None:
    """What runs of before have drawn, so that they can go on."""
    rates = np.full(50, 0.1)
    expected, _ = BitFlips(0.1).flips(50, 192, np.random.default_rng(1))
    np.testing.assert_array_equal(payload_flips(("bsc",), rates, 192, np.random.default_rng(1)), expected)


def test_bursts_hit_neighbours_on_the_wire_and_the_interleaver_spreads_them() -> None:
    for n_bits in (192, 21):  # 21 bits travel in 3 bytes
        rng, other = np.random.default_rng(2), np.random.default_rng(2)
        mask = payload_flips(("gilbert-elliott",), np.full(50, 0.05), n_bits, rng)
        other.integers(1, size=50)
        wire, _ = at_ber("gilbert-elliott", np.full(50, 0.05)).flips(50, -(-n_bits // 8) * 8, other)
        np.testing.assert_array_equal(mask[:, interleaver(n_bits)], wire[:, :n_bits])


def test_a_batch_may_have_a_channel_that_nobody_drew() -> None:
    assert payload_flips(("lora", "bsc", "bpsk-rayleigh"), np.array([0.1]), 24, np.random.default_rng(3)).shape == (1, 24)


# Accuracy


def measured() -> tuple[np.ndarray, np.ndarray]:
    """Pictures, and as their labels what the codec says of them on a clean link: accuracy 1 by construction."""
    codec = make_codec()
    images = np.random.default_rng(2).integers(0, 256, (600, 16, 16, 3), dtype=np.uint8)
    levels = evaluate.encode(codec, images)
    with torch.no_grad():
        labels = codec.decode(levels, torch.zeros(600)).argmax(1).numpy()
    assert len(set(labels)) > 1 and labels.max() < CLASSES
    return images, labels


def test_accuracy_is_that_of_the_wire_s_flipped_bits() -> None:
    codec = make_codec()
    images, labels = measured()
    levels = evaluate.encode(codec, images)
    assert evaluate.accuracy(codec, levels, labels, 0.0) == 1.0
    rng = np.random.default_rng([0, 2])
    found = []
    for part in levels[:500].numpy(), levels[500:].numpy():  # the batches that accuracy() draws its flips in
        bits = symbols_to_bits(part, 3)
        mask, _ = BitFlips(0.1).flips(*bits.shape, rng)
        with torch.no_grad():
            found.append(codec.decode(torch.from_numpy(bits_to_symbols(bits ^ mask, 3)), torch.full((len(part),), 0.1)))
    right = int((torch.cat(found).argmax(1).numpy() == labels).sum())
    assert evaluate.accuracy(codec, levels, labels, 0.1) == right / 600 < 1.0


def test_summary_has_the_grid_and_the_prefixes_and_score_their_mean() -> None:
    codec = make_codec()
    images, labels = measured()
    figures = evaluate.accuracies(codec, images, labels, ((0, SYMBOLS), (0, 32), (32, 32), (0, 1)))
    assert list(figures) == ["0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1", "prefix 32", "prefix 1"]
    assert figures["0"] == 1.0 > figures["prefix 1"]
    levels = evaluate.encode(codec, images)
    levels[:, 32:] = -1
    with torch.no_grad():
        half = (codec.decode(levels, torch.zeros(600)).argmax(1).numpy() == labels).mean()
    assert figures["prefix 32"] == pytest.approx(half)
    counted = ["0", "0.01", "0.05", "0.1", "prefix 32", "prefix 1"]
    assert evaluate.score(figures) == pytest.approx(np.mean([figures[k] for k in counted]))


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_symbol_flips_reads_bits_most_significant_first(bits: int) -> None:
    mask = np.zeros((1, 2 * bits), bool)
    mask[0, 0] = mask[0, 2 * bits - 1] = True
    np.testing.assert_array_equal(symbol_flips(mask, bits), [[1 << (bits - 1), 1]])

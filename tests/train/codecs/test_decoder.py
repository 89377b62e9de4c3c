"""The decoder's posterior against Bayes' rule by brute force; missing symbols; the range of the BER."""

import numpy as np
import pytest
import torch

from tests.support.codec import N_SYMBOLS, POSITIONS, make_codec
from train.codecs.decoder import Decoder
from train.config import DecoderConfig
from wire.payload import symbols_to_bits


def brute_force(prior: np.ndarray, received: int, ber: float, bits: int) -> np.ndarray:
    """Return P(sent level | received level) from every level that may have been sent and every bit flip."""
    as_bits = symbols_to_bits(np.arange(2**bits)[:, None], bits)
    joint = np.empty(2**bits)
    for sent in range(2**bits):
        joint[sent] = prior[sent]
        for a, b in zip(as_bits[sent], as_bits[received], strict=True):
            joint[sent] *= ber if a != b else 1 - ber
    return joint / joint.sum()


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("ber", [1e-4, 1e-3, 0.02, 0.1, 0.3, 0.5])
def test_posterior_follows_bayes_rule_for_every_level(bits: int, ber: float) -> None:
    decoder = make_codec(bits).decoder
    rng = np.random.default_rng(bits)
    symbols = rng.integers(0, 2**bits, (3, N_SYMBOLS))
    with torch.no_grad():
        posterior = decoder.posterior(torch.from_numpy(symbols), torch.full((3,), ber)).double().numpy()
    priors = torch.softmax(decoder.prior.detach().double(), -1).numpy()
    seen = set()
    for row in range(3):
        for place in range(N_SYMBOLS):
            channel, level = place // POSITIONS, int(symbols[row, place])
            np.testing.assert_allclose(
                posterior[row, place], brute_force(priors[channel], level, ber, bits), rtol=2e-4, atol=1e-6
            )
            seen.add(level)
    assert seen == set(range(2**bits))


def test_posterior_of_missing_symbol_is_prior_at_any_ber() -> None:
    decoder = make_codec().decoder
    missing = torch.full((4, N_SYMBOLS), -1)
    with torch.no_grad():
        posterior = decoder.posterior(missing, torch.tensor([0.0, 1e-3, 0.1, 0.5]))
        prior = torch.softmax(decoder.prior, -1)[torch.arange(N_SYMBOLS) // POSITIONS]
    np.testing.assert_allclose(posterior, prior.expand(4, -1, -1), rtol=1e-5)


@pytest.mark.parametrize(("ber", "same_as"), [(0.0, 1e-4), (-1.0, 1e-4), (1e-9, 1e-4), (0.7, 0.5), (1.0, 0.5)])
def test_decode_clamps_ber(ber: float, same_as: float) -> None:
    codec = make_codec().eval()
    symbols = torch.randint(0, 8, (2, N_SYMBOLS), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, expected = (codec.decode(symbols, torch.full((2,), b)) for b in (ber, same_as))
    assert torch.isfinite(logits).all()
    np.testing.assert_array_equal(logits, expected)


def test_decode_at_ber_one_half_ignores_symbols() -> None:
    codec = make_codec().eval()
    generator = torch.Generator().manual_seed(0)
    symbols = torch.randint(0, 8, (2, N_SYMBOLS), generator=generator)
    with torch.no_grad():
        useless = codec.decode(symbols, torch.full((2,), 0.5))
        useful = codec.decode(symbols, torch.full((2,), 0.01))
    np.testing.assert_allclose(useless[0], useless[1], atol=1e-6)
    assert (useful[0] - useful[1]).abs().max() > 1e-3


def test_decoder_refuses_incomplete_order() -> None:
    with pytest.raises(ValueError, match="order has 7 positions, and a latent of 2 x 2 x 2 has 8"):
        Decoder((2, 2, 2), torch.arange(7), 3, 5, DecoderConfig(8, 1))

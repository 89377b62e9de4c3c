"""The decoder's posterior against Bayes' rule by brute force; prefixes, grids and answers; the range of the BER."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.codec import ANSWERING, CLASSES, CONFIG, HEADS, N_SYMBOLS, POSITIONS, decoder_of, images, make_codec
from train.codecs.codec import Codec, sending_order
from train.codecs.decoder import Decoder
from train.config import CodecConfig, DecoderConfig
from train.errors import TrainError
from wire.answer import answer_word
from wire.payload import symbols_to_bits

ENDS = (0, 10, 58, 186)  # symbols of the heads of ANSWERING, in the order of sending


def brute_force(prior: np.ndarray, received: int, ber: float, bits: int) -> np.ndarray:
    """Return P(sent level | received level) from every level that may have been sent and every bit flip."""
    as_bits = symbols_to_bits(np.arange(2**bits)[:, None], bits)
    joint = np.empty(2**bits)
    for sent in range(2**bits):
        joint[sent] = prior[sent]
        for a, b in zip(as_bits[sent], as_bits[received], strict=True):
            joint[sent] *= ber if a != b else 1 - ber
    return joint / joint.sum()


def random_symbols(codec: Codec, count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, codec.quantizer.n_levels, (count, codec.n_symbols), generator=generator)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("ber", [1e-4, 1e-3, 0.02, 0.1, 0.3, 0.5])
def test_posterior_follows_bayes_rule_for_every_level(bits: int, ber: float) -> None:
    codec = make_codec(bits)
    decoder, symbols = decoder_of(codec), random_symbols(codec, 3, bits)
    with torch.no_grad():
        posterior = decoder.posterior(symbols, torch.full((3,), ber)).double().numpy()
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
    decoder = decoder_of(make_codec())
    missing = torch.full((4, N_SYMBOLS), -1)
    with torch.no_grad():
        posterior = decoder.posterior(missing, torch.tensor([0.0, 1e-3, 0.1, 0.5]))
        prior = torch.softmax(decoder.prior, -1)[torch.arange(N_SYMBOLS) // POSITIONS]
    np.testing.assert_allclose(posterior, prior.expand(4, -1, -1), rtol=1e-5)


def test_posterior_uses_the_prior_of_each_channel_of_each_head() -> None:
    decoder = decoder_of(make_codec(base=ANSWERING))
    assert decoder.prior.shape == (2 + 3 + 10, 8)
    with torch.no_grad():
        posterior = decoder.posterior(torch.full((1, 186), -1), torch.tensor([0.1]))[0]
        prior = torch.softmax(decoder.prior, -1)
    # In the order of sending: 10 channels of one value, 3 channels of 16 values, 2 channels of 64 values.
    channel = [*range(5, 15), *np.repeat([2, 3, 4], 16), *np.repeat([0, 1], 64)]
    np.testing.assert_allclose(posterior, prior[channel], rtol=1e-5)


@pytest.mark.parametrize(("ber", "same_as"), [(0.0, 1e-4), (-1.0, 1e-4), (1e-9, 1e-4), (0.7, 0.5), (1.0, 0.5)])
@pytest.mark.parametrize("base", [CONFIG, ANSWERING])
def test_decode_clamps_ber(ber: float, same_as: float, base: CodecConfig) -> None:
    codec = make_codec(base=base).eval()
    symbols, answer = random_symbols(codec, 2), torch.tensor([answer_word(1, 9), -1])
    with torch.no_grad():
        logits, expected = (codec.decode(symbols, torch.full((2,), b), answer) for b in (ber, same_as))
    assert torch.isfinite(logits).all()
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("base", [CONFIG, ANSWERING])
def test_decode_at_ber_one_half_ignores_symbols_and_answer(base: CodecConfig) -> None:
    codec = make_codec(base=base).eval()
    symbols, answer = random_symbols(codec, 2), torch.tensor([answer_word(1, 9), answer_word(4, 3)])
    with torch.no_grad():
        useless = codec.decode(symbols, torch.full((2,), 0.5), answer)
        useful = codec.decode(symbols, torch.full((2,), 0.01), answer)
    np.testing.assert_allclose(useless[0], useless[1], atol=1e-6)
    assert (useful[0] - useful[1]).abs().max() > 1e-3


# Prefixes


@pytest.mark.parametrize("n_received", [0, 5, 10, 30, 58, 100, 186])
def test_decode_of_a_prefix_does_not_depend_on_what_is_missing(n_received: int) -> None:
    codec = make_codec(base=ANSWERING).eval()
    symbols = random_symbols(codec, 4)
    symbols[1::2, :n_received] = symbols[::2, :n_received]  # pairs with the same prefix
    prefix = symbols.clone()
    prefix[:, n_received:] = -1
    ber, answer = torch.full((4,), 0.01), torch.full((4,), answer_word(2, 8))
    with torch.no_grad():
        cut, whole = codec.decode(prefix, ber, answer), codec.decode(symbols, ber, answer)
    np.testing.assert_allclose(cut[::2], cut[1::2], atol=1e-6)
    assert torch.isfinite(cut).all()
    assert torch.allclose(whole[::2], whole[1::2], atol=1e-4) == (n_received == 186)


def test_decode_uses_every_symbol_of_every_head() -> None:
    codec = make_codec(base=ANSWERING).eval()
    symbols = random_symbols(codec, 1)
    changed = symbols.repeat(186, 1)
    changed[torch.arange(186), torch.arange(186)] ^= 4
    with torch.no_grad():
        before = codec.decode(symbols, torch.tensor([1e-3]))
        after = codec.decode(changed, torch.full((186,), 1e-3))
    moved = (after - before).abs().amax(1)
    assert all((moved[a:b] > 1e-5).float().mean() > 0.9 for a, b in pairwise(ENDS))


def test_decoder_gets_the_received_share_of_each_head() -> None:
    codec = make_codec(base=ANSWERING).eval()
    seen: list[Tensor] = []
    decoder_of(codec).condition.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    symbols = torch.zeros(3, 186, dtype=torch.int64)
    for row, n_received in enumerate((5, 10 + 12, 186)):
        symbols[row, n_received:] = -1
    with torch.no_grad():
        codec.decode(symbols, torch.tensor([1e-4, 1e-2, 1e-1]), torch.tensor([-1, 3, 0]))
    expected: list[list[float]] = [
        [-2, 0, 0, 0.5, 0],
        [0, 0, 0.25, 1, 1],
        [1, 1, 1, 1, 1],
    ]  # log BER, heads in the latent's order, answer
    np.testing.assert_allclose(seen[0], expected, atol=1e-6)


# Answers


def test_decode_of_missing_answers_does_not_depend_on_what_answers_mean() -> None:
    codec = make_codec(base=ANSWERING).eval()
    decoder, symbols = decoder_of(codec), random_symbols(codec, 3)
    missing, bers = torch.full((3,), -1), torch.tensor([1e-4, 0.01, 0.3])
    with torch.no_grad():
        logits, present = codec.decode(symbols, bers, missing), codec.decode(symbols, bers, torch.tensor([0, 7, 70]))
        np.testing.assert_array_equal(codec.decode(symbols, bers), logits)
        decoder.gain.mul_(3)
        decoder.confusion.add_(torch.randn(CLASSES, CLASSES))
        np.testing.assert_array_equal(codec.decode(symbols, bers, missing), logits)
        changed = codec.decode(symbols, bers, torch.tensor([0, 7, 70]))
    assert (changed - present).abs().amax(1).min() > 1e-3


def test_decode_believes_a_confident_answer_more() -> None:
    codec = make_codec(base=ANSWERING).eval()
    symbols = random_symbols(codec, 1).repeat(CLASSES, 1)
    ber = torch.full((CLASSES,), 1e-3)
    with torch.no_grad():
        decoder_of(codec).confusion.copy_(torch.eye(CLASSES))
        without = torch.softmax(codec.decode(symbols, ber, torch.full((CLASSES,), -1)), 1).diagonal()
        by_level = [
            torch.softmax(codec.decode(symbols, ber, torch.tensor([answer_word(c, q) for c in range(CLASSES)])), 1)
            .diagonal()
            .mean()
            for q in (0, 7, 15)
        ]
    assert without.mean() < by_level[0] < by_level[1] < by_level[2]


# Other shapes, folding, temperature


@pytest.mark.parametrize(
    ("heads", "grids"),
    [
        ([(4, 4, 2)], [(4, 4)]),
        ([(8, 8, 1), (4, 4, 2)], [(8, 8), (4, 4)]),
        ([(8, 8, 1), (2, 2, 2)], [(8, 8), (4, 4), (2, 2)]),  # a stage without a head between
        ([(8, 4, 1), (4, 2, 2), (1, 1, 3)], [(8, 4), (4, 2)]),
        ([(4, 4, 2), (4, 4, 3)], [(4, 4)]),
        ([(1, 1, 7)], []),
    ],
)
def test_decoder_has_a_stage_for_each_grid(heads: list[tuple[int, int, int]], grids: list[tuple[int, int]]) -> None:
    n = sum(h * w * c for h, w, c in heads)
    decoder = Decoder(heads, sending_order(heads), 2, 5, False, DecoderConfig(width=4, blocks=1, hidden=8)).eval()
    assert decoder.grids == grids
    symbols = torch.randint(0, 4, (3, n), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = decoder(symbols, torch.full((3,), 0.01), None, torch.linspace(-1, 1, 4))
    assert logits.shape == (3, 5) and torch.isfinite(logits).all()
    assert (logits[0] - logits[1]).abs().max() > 1e-5


@pytest.mark.parametrize(
    ("least", "heads", "grids"),
    [
        (1, [(8, 8, 2)], [(8, 8)]),
        (3, [(8, 8, 2), (1, 1, 3)], [(8, 8), (4, 4), (2, 2)]),
        (2, [(8, 8, 2), (2, 2, 3)], [(8, 8), (4, 4), (2, 2)]),
        (9, [(12, 4, 2)], [(12, 4), (6, 2), (3, 1)]),  # as far as the grid can be halved
        (3, [(1, 1, 3)], []),
    ],
)
def test_decoder_has_as_many_grids_as_asked_for(
    least: int, heads: list[tuple[int, int, int]], grids: list[tuple[int, int]]
) -> None:
    decoder = Decoder(heads, sending_order(heads), 2, 5, False, DecoderConfig(width=4, blocks=1, grids=least)).eval()
    assert decoder.grids == grids
    symbols = torch.zeros(1, sum(h * w * c for h, w, c in heads), dtype=torch.int64)
    with torch.no_grad():
        assert decoder(symbols, torch.full((1,), 0.01), None, torch.linspace(-1, 1, 4)).shape == (1, 5)


@pytest.mark.parametrize("heads", [[(8, 8, 1), (3, 3, 1)], [(6, 6, 1), (2, 2, 1)], [(9, 9, 1), (4, 4, 1)]])
def test_decoder_refuses_grids_that_are_not_halves(heads: list[tuple[int, int, int]]) -> None:
    with pytest.raises(TrainError, match=r"encoder\.layers: the grids of the heads must be halves of each other"):
        Decoder(heads, sending_order(heads), 3, 5, False, DecoderConfig(8, 1))


def test_decoder_refuses_incomplete_order() -> None:
    with pytest.raises(ValueError, match="order has 7 positions, and the latent has 8"):
        Decoder([(2, 2, 2)], torch.arange(7), 3, 5, False, DecoderConfig(8, 1))


def test_fold_keeps_the_logits() -> None:
    codec = make_codec(base=ANSWERING).eval()
    symbols, answer = random_symbols(codec, 6), torch.tensor([-1, 0, 99, 4000, 60000, -1])
    with torch.no_grad():
        before = codec.decode(symbols, torch.full((6,), 0.01), answer)
        codec.decoder.fold()
        after = codec.decode(symbols, torch.full((6,), 0.01), answer)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in codec.decoder.modules())
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("base", [CONFIG, ANSWERING])
def test_scale_logits_divides_them(base: CodecConfig) -> None:
    codec = make_codec(base=base).eval()
    symbols, answer = random_symbols(codec, 4), torch.tensor([-1, answer_word(1, 4), answer_word(3, 15), 12345])
    scaled = copy.deepcopy(codec)
    scaled.scale_logits(2.5)
    with torch.no_grad():
        logits, divided = (c.decode(symbols, torch.full((4,), 0.02), answer) for c in (codec, scaled))
    np.testing.assert_allclose(divided * 2.5, logits, rtol=1e-4, atol=1e-5)


def test_heads_of_the_answering_codec_are_those_of_these_tests() -> None:
    codec = make_codec(base=ANSWERING)
    assert codec.heads == HEADS and codec.n_symbols == ENDS[-1] and codec.send(images()).symbols.shape == (6, 186)

"""The quantizer: sorted centres that learn, nearest levels, the soft backward pass; agreement with the wire."""

from statistics import NormalDist

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.support.codec import N_SYMBOLS, images, make_codec
from train.codecs.quantizer import Quantizer, gaussian_centres, gray_tables, hamming_distances
from train.impairment import symbol_flips
from wire import payload


@pytest.mark.parametrize("bits", range(1, 9))
def test_centres_start_at_equal_cells_of_a_gaussian(bits: int) -> None:
    n_levels = 2**bits
    expected = [NormalDist().inv_cdf((i + 0.5) / n_levels) for i in range(n_levels)]
    np.testing.assert_allclose(gaussian_centres(n_levels).numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(Quantizer(bits, 0.3).centres().detach().numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spread", [1.0, 30.0, 1e4])
def test_centres_stay_sorted_for_any_parameters(spread: float) -> None:
    quantizer = Quantizer(4, 0.3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        with torch.no_grad():
            quantizer.first.normal_(0, spread, generator=generator)
            quantizer.gaps.normal_(0, spread, generator=generator)
        steps = quantizer.centres().detach().diff()
        assert (steps >= 0).all()
        assert spread > 1 or (steps > 0).all()


@pytest.mark.parametrize("bits", [1, 3, 5])
def test_nearest_returns_closest_centre_and_breaks_ties_down(bits: int) -> None:
    quantizer = make_codec(bits).quantizer
    centres = quantizer.centres().detach()
    middles = (centres[1:] + centres[:-1]) / 2
    np.testing.assert_array_equal(quantizer.nearest(middles), np.arange(len(middles)))
    up = torch.nextafter(middles, torch.tensor(torch.inf))
    np.testing.assert_array_equal(quantizer.nearest(up), np.arange(len(middles)) + 1)
    z = torch.randn(7, 500, generator=torch.Generator().manual_seed(0)) * 2
    distance = (z.double()[..., None] - centres.double()).abs()
    clear = (z[..., None] - middles).abs().amin(-1) > 1e-5
    assert clear.float().mean() > 0.99
    np.testing.assert_array_equal(quantizer.nearest(z)[clear], distance.argmin(-1)[clear])


def test_soft_assignment_matches_closed_form_and_gradcheck() -> None:
    quantizer = Quantizer(3, 0.4).double()
    z = torch.linspace(-2.5, 2.5, 9, dtype=torch.float64, requires_grad=True)
    symbols, soft = quantizer(z)
    c, at = quantizer.centres().detach().numpy(), z.detach().numpy()
    weights = np.exp(-((at[:, None] - c) ** 2) / 0.4)
    np.testing.assert_allclose(soft.detach().numpy(), weights / weights.sum(1, keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(symbols, abs(at[:, None] - c).argmin(1))

    def assignment(z: torch.Tensor, first: torch.Tensor, gaps: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(quantizer, {"first": first, "gaps": gaps}, (z,))[1]

    assert torch.autograd.gradcheck(assignment, (z, quantizer.first, quantizer.gaps))  # finite differences


def gradients(flips: torch.Tensor, missing: torch.Tensor) -> dict[str, float]:
    """Return the largest absolute gradient per parameter name after a forward pass of the codec."""
    codec = make_codec().train()
    logits = codec(images(), flips, missing, torch.full((6,), 0.01))
    F.cross_entropy(logits, torch.arange(6) % 5).backward()
    return {n: 0.0 if p.grad is None else float(p.grad.abs().max()) for n, p in codec.named_parameters()}


def test_forward_passes_gradients_to_encoder_centres_and_prior() -> None:
    intact, arrived = torch.zeros(6, N_SYMBOLS, dtype=torch.int64), torch.zeros(6, N_SYMBOLS, dtype=torch.bool)
    largest = gradients(intact, arrived)
    assert min(largest.values()) > 0, [n for n, g in largest.items() if g == 0]
    assert {"quantizer.first", "quantizer.gaps", "decoder.prior", "encoder.layers.0.conv.weight"} <= set(largest)


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_forward_passes_no_encoder_gradient_for_damaged_symbols(damage: str) -> None:
    flips = torch.full((6, N_SYMBOLS), 0b010 if damage == "flipped" else 0)
    largest = gradients(flips, torch.full((6, N_SYMBOLS), damage == "missing"))
    assert all(g == 0 for n, g in largest.items() if n.startswith("encoder"))
    assert largest["quantizer.gaps"] > 0 and largest["decoder.prior"] > 0


def test_forward_and_decode_return_the_same_logits() -> None:
    codec = make_codec().eval()
    generator = torch.Generator().manual_seed(4)
    flips = torch.randint(0, 8, (6, N_SYMBOLS), generator=generator) * (
        torch.rand(6, N_SYMBOLS, generator=generator) < 0.2
    )
    missing = torch.arange(N_SYMBOLS)[None, :] >= torch.tensor([64, 64, 32, 16, 5, 0])[:, None]
    ber = torch.tensor([0.0, 1e-3, 0.01, 0.05, 0.1, 0.5])
    with torch.no_grad():
        trained = codec(images(), flips, missing, ber)
        received = torch.where(missing, -1, codec.flip(codec.send(images()), flips))
        np.testing.assert_allclose(codec.decode(received, ber).numpy(), trained.numpy(), atol=1e-5)
    assert trained.std() > 0.01


# Agreement with the wire: symbols, bits and order


@pytest.mark.parametrize("bits", range(1, 9))
def test_gray_tables_match_the_wire(bits: int) -> None:
    code, level = gray_tables(bits)
    levels = np.arange(2**bits)
    np.testing.assert_array_equal(code, payload.gray(levels))
    np.testing.assert_array_equal(level, payload.ungray(levels))


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_hamming_distances_count_wire_bits(bits: int) -> None:
    as_bits = payload.symbols_to_bits(np.arange(2**bits)[:, None], bits)
    expected = (as_bits[:, None] != as_bits[None]).sum(-1)
    np.testing.assert_array_equal(hamming_distances(bits), expected)


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
def test_flip_matches_flipped_wire_bits(bits: int) -> None:
    codec = make_codec(bits)
    rng = np.random.default_rng(bits)
    symbols = rng.integers(0, 2**bits, (40, N_SYMBOLS))
    mask = rng.random((40, N_SYMBOLS * bits)) < 0.3
    on_the_wire = payload.symbols_to_bits(symbols, bits) ^ mask.astype(np.uint8)
    flipped = codec.flip(torch.from_numpy(symbols), torch.from_numpy(symbol_flips(mask, bits)))
    np.testing.assert_array_equal(flipped, payload.bits_to_symbols(on_the_wire, bits))


def test_order_is_channel_by_channel_and_decoder_inverts_it() -> None:
    codec = make_codec()
    h, w, c = codec.latent_shape
    place = np.arange(h * w * c).reshape(h, w, c)
    order = codec.order.numpy()
    np.testing.assert_array_equal(order.reshape(c, h * w), [place[..., k].ravel() for k in range(c)])
    np.testing.assert_array_equal(np.arange(N_SYMBOLS)[order][codec.decoder.place], np.arange(N_SYMBOLS))
    np.testing.assert_array_equal(codec.decoder.channel, np.arange(N_SYMBOLS) // (h * w))
    with torch.no_grad():
        latent = codec.encoder(images()).permute(0, 2, 3, 1).reshape(6, -1)  # row-major h, w, c, as the board has it
    np.testing.assert_array_equal(codec.latent_in_order(images()).detach(), latent[:, order])


def test_pack_of_half_the_symbols_is_a_prefix_of_the_payload() -> None:
    codec = make_codec().eval()
    for symbols in codec.send(images()).numpy():
        whole, half = payload.pack(symbols, 3), payload.pack(symbols[: N_SYMBOLS // 2], 3)
        assert whole[: len(half)] == half and len(half) == 12
        assert len(set(symbols.tolist())) > 1

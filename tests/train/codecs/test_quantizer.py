"""The quantizer: sorted centres that learn, nearest levels, the soft backward pass; Gray codes as on the wire."""

from statistics import NormalDist

import numpy as np
import pytest
import torch

from tests.support.codec import make_codec
from train.codecs.quantizer import Quantizer, gaussian_centres, gray_tables, hamming_distances
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


# Agreement with the wire


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

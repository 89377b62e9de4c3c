"""The symbol table of a converted codec."""

import numpy as np
import pytest

from export.converted import symbol_table
from tests.support.codec import make_codec


@pytest.mark.parametrize("bits", [1, 2, 3, 5])
def test_symbol_table_maps_to_the_nearest_centre(bits: int) -> None:
    codec = make_codec(bits)
    scale, zero_point = 0.031, -17
    values = (np.arange(-128, 128) - zero_point) * scale
    centres = codec.quantizer.centres().detach().double().numpy()
    nearest = abs(values[:, None] - centres).argmin(1)
    np.testing.assert_array_equal(symbol_table(codec, scale, zero_point), nearest)
    assert set(nearest) == set(range(2**bits))


def test_symbol_table_breaks_ties_down() -> None:
    codec = make_codec(1)
    codec.quantizer.first.data.add_(1)
    low, high = codec.quantizer.centres().detach().double().tolist()
    middle = (low + high) / 2
    assert middle > 0
    table = symbol_table(codec, middle / 4, 0)  # int8 value 4 lies in the middle, to the last bit
    assert table.tolist() == [0] * (128 + 5) + [1] * (128 - 5)

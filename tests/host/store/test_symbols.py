"""Symbols in the store: what comes back is what was packed, in few bytes; anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.store.symbols import pack_symbols, unpack_symbols
from tests.host.store.records import symbols
from wire.checks import ContentError


@given(symbols)
def test_unpack_returns_what_was_packed(levels: tuple[int, ...]) -> None:
    assert unpack_symbols(pack_symbols(levels)) == levels


@pytest.mark.parametrize(
    ("levels", "size"),
    [
        ((), 0), ((0,) * 384, 5 + 4 + 48), ((7,) * 384, 5 + 4 + 144), ((255,) * 10, 5 + 4 + 10), ((-1,) * 384, 5),
        ((7,) * 96 + (-1,) * 288, 5 + 4 + 36), ((7, -1) * 4, 5 + 4 * 4 + 2),
    ],
)  # fmt: skip
def test_pack_takes_few_bytes(levels: tuple[int, ...], size: int) -> None:
    packed = pack_symbols(levels)
    assert len(packed or b"") == size and unpack_symbols(packed) == levels


def test_pack_has_the_documented_layout() -> None:
    # 2 bits; 5 symbols; 2 runs: 2 from 0, 1 from 4; levels 3, 1, 2 as Gray codes 10 01 11, padded.
    assert pack_symbols((3, 1, -1, -1, 2)) == bytes([2, 0, 5, 0, 2, 0, 0, 0, 2, 0, 4, 0, 1, 0b10011100])


@pytest.mark.parametrize("levels", [(256,), (-2,), (1.0,), (1, None), (True, False, -1.0), (1 << 70,), (0,) * 65_536])
def test_pack_refuses_other_values(levels: tuple) -> None:
    with pytest.raises(ContentError, match="symbols has"):
        pack_symbols(levels)


@given(st.binary(max_size=30))
def test_unpack_refuses_or_returns_symbols(data: bytes) -> None:
    try:
        levels = unpack_symbols(data)
    except ContentError:
        return
    assert all(-1 <= level <= 255 for level in levels)


@pytest.mark.parametrize("cut", range(1, 14))
def test_unpack_refuses_cut_bytes(cut: int) -> None:
    packed = pack_symbols((3, 1, -1, -1, 2))
    assert packed is not None
    with pytest.raises(ContentError, match="symbols are damaged"):
        unpack_symbols(packed[:-cut])

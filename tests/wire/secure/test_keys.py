"""Keys, tags and keystreams in both languages: published vectors, committed vectors, and each other."""

import json
import re
from ctypes import CDLL, create_string_buffer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.secure import differential, make_vectors, secured_c
from wire.secure.keys import Keys, Purpose, block, blocks

VECTORS = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))
BLOCK = st.binary(min_size=16, max_size=16)
# SP 800-38A and SP 800-38B, examples for AES-128.
NIST_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
NIST_TEXT = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
NIST_CMACS = {
    0: "bb1d6929e95937287fa37d129b756746",
    16: "070a16b46b4d4144f79bdd9dd04a287c",
    40: "dfa66747de9ae63030ca32611497c827",
    64: "51f0bebf7e3b9d92fc49741779363cfe",
}


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> CDLL:
    return secured_c.compile_library(tmp_path_factory.mktemp("wire"))


def test_aes_matches_fips_197(c: CDLL) -> None:
    """Appendix B and appendix C.1."""
    text = bytes.fromhex("3243f6a8885a308d313198a2e0370734")
    assert secured_c.encrypt(c, NIST_KEY, text).hex() == "3925841d02dc09fbdc118597196a0b32"
    text = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert secured_c.encrypt(c, bytes(range(16)), text).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


def test_aes_encrypts_in_place(c: CDLL) -> None:
    buffer = create_string_buffer(bytes(range(16)), 16)
    c.wire_aes_encrypt(NIST_KEY, buffer, buffer)
    assert buffer.raw == secured_c.encrypt(c, NIST_KEY, bytes(range(16)))


def test_aes_matches_sp_800_38a(c: CDLL) -> None:
    """F.1.1: four blocks in ECB mode."""
    expected = (
        "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
        "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"
    )
    parts = [secured_c.encrypt(c, NIST_KEY, NIST_TEXT[i : i + 16]) for i in range(0, 64, 16)]
    assert b"".join(parts).hex() == expected


@pytest.mark.parametrize("size", NIST_CMACS)
def test_cmac_matches_sp_800_38b(c: CDLL, size: int) -> None:
    expected = bytes.fromhex(NIST_CMACS[size])
    assert secured_c.cmac(c, NIST_KEY, NIST_TEXT[:size]) == expected
    assert Keys(bytes(16), NIST_KEY).tag(NIST_TEXT[:size]) == expected


def test_key_vectors_match_code(c: CDLL) -> None:
    for vector in VECTORS["keys"]:
        key, expected = bytes.fromhex(vector["device_key"]), (vector["encryption"], vector["authentication"])
        derived, own = secured_c.keys(c, key), Keys.derive(key)
        assert (bytes(derived.encryption).hex(), bytes(derived.authentication).hex()) == expected
        assert (own.encryption.hex(), own.authentication.hex()) == expected


def test_c_matches_cryptography_in_random_cases(c: CDLL) -> None:
    """`python -m tests.wire.secure.differential` runs 1,000,000 cases."""
    assert differential.differences(c, 5000, seed=1) == 0


def test_differential_test_finds_a_wrong_byte(c: CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    right = differential.by_cryptography
    monkeypatch.setattr(differential, "by_cryptography", lambda case: right(case)[:-1] + bytes([right(case)[-1] ^ 1]))
    assert differential.differences(c, 10, seed=1) == 10


@given(st.binary(max_size=100), BLOCK, st.data())
def test_cmac_of_parts_is_that_of_the_whole(c: CDLL, text: bytes, key: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    assert secured_c.cmac(c, key, text[:cut], b"", text[cut:]) == Keys(key, key).tag(text)


@given(BLOCK, st.integers(0, 15), st.integers(1, 255))
def test_tags_equal_finds_every_difference(c: CDLL, tag: bytes, place: int, change: int) -> None:
    other = bytearray(tag)
    other[place] ^= change
    assert c.wire_tags_equal(tag, tag, 16)
    assert not c.wire_tags_equal(tag, bytes(other), 16)
    assert c.wire_tags_equal(tag, bytes(other), place)  # only the bytes before


@given(st.binary(min_size=16, max_size=64).map(lambda data: data[: len(data) // 16 * 16]), BLOCK)
def test_block_tags_are_the_first_half_of_cmacs(text: bytes, key: bytes) -> None:
    keys = Keys(bytes(16), key)
    messages = np.frombuffer(text, np.uint8).reshape(-1, 16)
    expected = [int.from_bytes(keys.tag(message.tobytes())[:8], "big") for message in messages]
    assert keys.block_tags(messages).tolist() == expected


def test_blocks_carry_all_fields() -> None:
    fields = Purpose.TAG_ANSWER, 7, 0x01020304, 5, 0xC1E80069C, 0x5EED1234
    for one in (blocks(*fields).tobytes(), block(*fields)):
        assert one.hex() == "03 07 01020304 05 0c1e80069c 5eed1234".replace(" ", "")
    assert blocks(Purpose.TAG_HEADER, 0, [0, 0xFFFFFFFF], [1, 2]).shape == (2, 16)


@pytest.mark.parametrize(
    ("place", "name", "bits"),
    [(0, "device", 8), (1, "counter", 32), (2, "chunk", 4), (3, "header word", 40), (4, "model number", 32)],
)
def test_blocks_refuse_fields_out_of_range(place: int, name: str, bits: int) -> None:
    fields = [0, 0, 0, 0, 0]
    for wrong in (-1, 1 << bits):
        fields[place] = wrong
        message = f"the {name} of a frame must be 0..{2**bits - 1}, got {wrong}..{wrong}"
        for make in (blocks, block):
            with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
                make(Purpose.TAG_HEADER, *fields)
    fields[place] = (1 << bits) - 1
    assert blocks(Purpose.TAG_HEADER, *fields).tobytes() == block(Purpose.TAG_HEADER, *fields)


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_derive_refuses_other_sizes(size: int) -> None:
    with pytest.raises(ValueError, match=rf"^a device key has 16 bytes, got {size}$"):
        Keys.derive(bytes(size))


def test_repr_hides_keys() -> None:
    keys = Keys.derive(make_vectors.KEY)
    shown = f"{keys!r} {keys}"
    assert keys.encryption.hex() not in shown and repr(keys.authentication) not in shown and shown == "Keys() Keys()"

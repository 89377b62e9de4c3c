"""The keys of a device, and the tags and keystreams that are computed with them: AES-128, CMAC, counter mode."""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode
from numpy.typing import ArrayLike

from wire.frame import MAX_CHUNKS

KEY_BYTES = BLOCK_BYTES = 16
COUNTERS = 1 << 32
FIELD_LIMITS = {
    "device": 256,
    "model number": 1 << 32,
    "counter": COUNTERS,
    "chunk": MAX_CHUNKS,
    "header word": 1 << 40,
}
LABELS = b"inkling enc", b"inkling mac"


class Purpose(IntEnum):
    """First byte of each block that a key is used on: no two uses share a block."""

    TAG_HEADER = 1
    TAG_PAYLOAD = 2
    TAG_ANSWER = 3
    TAG_COMMAND = 4
    STREAM_PAYLOAD = 5
    STREAM_ANSWER = 6
    TAG_STATUS = 7


@dataclass(frozen=True)
class Keys:
    """The two keys that a device key stands for. They are not shown by repr, so that no log contains them."""

    encryption: bytes = field(repr=False)  # 16 bytes
    authentication: bytes = field(repr=False)  # 16 bytes

    @classmethod
    def derive(cls, device_key: bytes) -> "Keys":
        """Return the keys of a device key of 16 bytes, by SP 800-108 with CMAC. Raises ValueError for another size."""
        if len(device_key) != KEY_BYTES:
            raise ValueError(f"a device key has {KEY_BYTES} bytes, got {len(device_key)}")
        return cls(*(_derive(device_key, label) for label in LABELS))

    def tag(self, message: bytes) -> bytes:
        """Return the 16 bytes of the CMAC (SP 800-38B) of a message."""
        cmac = CMAC(AES128(self.authentication))
        cmac.update(message)
        return cmac.finalize()

    def block_tags(self, blocks: np.ndarray) -> np.ndarray:
        """Return the first 64 bits (K,) uint64 of the CMACs of messages of one block each, (K, 16) uint8."""
        return _encrypt(self.authentication, blocks ^ self._subkey)[:, :8].copy().view(">u8")[:, 0].astype(np.uint64)

    def keystream(self, first: bytes, length: int) -> bytes:
        """Return `length` bytes of AES in counter mode (SP 800-38A) from the block `first`."""
        return Cipher(AES128(self.encryption), CTR(first)).encryptor().update(bytes(length))

    @cached_property
    def _subkey(self) -> np.ndarray:
        """CMAC's subkey K1, (16,) uint8, which is combined with a whole last block."""
        zero = np.zeros((1, BLOCK_BYTES), np.uint8)
        doubled = int.from_bytes(_encrypt(self.authentication, zero).tobytes(), "big") << 1
        reduced = doubled ^ (1 << 128 | 0x87) * (doubled >> 128)
        return np.frombuffer(reduced.to_bytes(BLOCK_BYTES, "big"), np.uint8)


def blocks(
    purpose: Purpose,
    device: int,
    counters: ArrayLike,
    chunks: ArrayLike = 0,
    words: ArrayLike = 0,
    model_number: int = 0,
) -> np.ndarray:
    """Return blocks (K, 16) uint8: purpose, device, counter (4), chunk, header word (5), model number (4).

    The arrays are broadcast against each other and flattened. Raises ValueError if a number does not fit its field.
    """
    fields = np.broadcast_arrays(*(np.asarray(values, np.int64) for values in (counters, chunks, words)))
    extremes = [(int(array.min()), int(array.max())) if array.size else (0, 0) for array in fields]
    _check_fields((device, device), (model_number, model_number), *extremes)
    counters, chunks, words = (array.reshape(-1) for array in fields)
    result = np.zeros((counters.size, BLOCK_BYTES), np.uint8)
    result[:, 0], result[:, 1], result[:, 6] = purpose, device, chunks
    result[:, 2:6] = counters.astype(">u4").view(np.uint8).reshape(-1, 4)
    result[:, 7:12] = words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 3:]
    result[:, 12:16] = np.frombuffer(model_number.to_bytes(4, "big"), np.uint8)
    return result


def block(purpose: Purpose, device: int, counter: int, chunk: int = 0, word: int = 0, model_number: int = 0) -> bytes:
    """Return the 16 bytes of one of the `blocks`, at a fraction of the time. Raises ValueError as they do."""
    _check_fields(*((value, value) for value in (device, model_number, counter, chunk, word)))
    fields = device.to_bytes(1, "big"), counter.to_bytes(4, "big"), chunk.to_bytes(1, "big"), word.to_bytes(5, "big")
    return b"".join((purpose.to_bytes(1, "big"), *fields, model_number.to_bytes(4, "big")))


def _check_fields(*extremes: tuple[int, int]) -> None:
    """Check the least and the greatest value of each field of blocks, in the order of FIELD_LIMITS."""
    for (name, limit), (least, greatest) in zip(FIELD_LIMITS.items(), extremes, strict=True):
        if least < 0 or greatest >= limit:
            raise ValueError(f"the {name} of a frame must be 0..{limit - 1}, got {least}..{greatest}")


def _derive(device_key: bytes, label: bytes) -> bytes:
    kdf = KBKDFCMAC(
        AES128, Mode.CounterMode, KEY_BYTES, rlen=1, llen=2, location=CounterLocation.BeforeFixed,
        label=label, context=b"", fixed=None,
    )  # fmt: skip
    return kdf.derive(device_key)


def _encrypt(key: bytes, plain: np.ndarray) -> np.ndarray:
    """Return the AES encryptions of blocks (K, 16) uint8, each alone."""
    encrypted = Cipher(AES128(key), ECB()).encryptor().update(np.ascontiguousarray(plain).tobytes())
    return np.frombuffer(encrypted, np.uint8).reshape(-1, BLOCK_BYTES)

"""The two checksums of the wire."""

import binascii
import zlib


def crc16(data: bytes, initial: int) -> int:
    """CRC-16 with the polynomial of ITU-T V.41, 0x1021, most significant bit first, no final xor.

    `initial` is what the register starts from (its low 16 bits count): for a feature frame its model number.
    """
    return binascii.crc_hqx(data, initial & 0xFFFF)


def crc32(data: bytes) -> int:
    """CRC-32 of IEEE 802.3 (reflected polynomial 0xEDB88320, initial and final xor 0xFFFFFFFF)."""
    return zlib.crc32(data)

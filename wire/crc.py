"""The two checksums of the wire format."""

import binascii
import zlib


def crc16(data: bytes, initial: int) -> int:
    """Return the CRC-16 with the polynomial 0x1021 of ITU-T V.41, most significant bit first, no final xor.

    The register starts from the low 16 bits of `initial`: for a feature frame, its model number.
    """
    return binascii.crc_hqx(data, initial & 0xFFFF)


def crc32(data: bytes) -> int:
    """Return the CRC-32 of IEEE 802.3 (reflected polynomial 0xEDB88320, initial and final xor 0xFFFFFFFF)."""
    return zlib.crc32(data)

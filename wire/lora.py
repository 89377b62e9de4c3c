"""How long a LoRa packet is on the air."""


def air_time_s(
    payload_bytes: int,
    sf: int,
    coding_rate: int = 5,
    bandwidth_hz: float = 125e3,
    explicit_header: bool = True,
    low_data_rate: bool | None = None,
    crc: bool = True,
    preamble_symbols: int = 8,
) -> float:
    """Seconds from the first preamble symbol to the last of the payload.

    coding_rate: 5 to 8, for 4/5 to 4/8. low_data_rate: two bits fewer a symbol; None: see `needs_low_data_rate`.
    Semtech SX1276 data sheet, section 4.1.1.7; AN1200.13.
    """
    if low_data_rate is None:
        low_data_rate = needs_low_data_rate(sf, bandwidth_hz)
    bits = 8 * payload_bytes - 4 * sf + 28 + 16 * crc - 20 * (not explicit_header)
    blocks = -(-bits // (4 * (sf - 2 * low_data_rate)))
    symbols = 8 + max(blocks, 0) * coding_rate
    return (preamble_symbols + 4.25 + symbols) * symbol_s(sf, bandwidth_hz)


def symbol_s(sf: int, bandwidth_hz: float) -> float:
    """Seconds that a symbol takes."""
    return (1 << sf) / bandwidth_hz


def needs_low_data_rate(sf: int, bandwidth_hz: float) -> bool:
    """Whether a symbol takes 16 ms or more, from where on the chips want two bits fewer a symbol."""
    return symbol_s(sf, bandwidth_hz) >= 16e-3

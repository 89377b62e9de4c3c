"""Air time of LoRa packets, and the number of packets that a duty cycle allows."""

MAX_PACKET_BYTES = 255  # the length of a packet is one byte
DUTY_CYCLE = 0.01  # EU868, most sub-bands: ETSI EN 300 220-2


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
    """Return the seconds from the first preamble symbol to the last payload symbol.

    `coding_rate` is 5 to 8, for 4/5 to 4/8. `low_data_rate` sends two bits fewer per symbol; None applies
    `needs_low_data_rate`. Source: Semtech SX1276 data sheet, section 4.1.1.7; AN1200.13.
    """
    if low_data_rate is None:
        low_data_rate = needs_low_data_rate(sf, bandwidth_hz)
    bits = 8 * payload_bytes - 4 * sf + 28 + 16 * crc - 20 * (not explicit_header)
    blocks = -(-bits // (4 * (sf - 2 * low_data_rate)))
    symbols = 8 + max(blocks, 0) * coding_rate
    return (preamble_symbols + 4.25 + symbols) * symbol_s(sf, bandwidth_hz)


def symbol_s(sf: int, bandwidth_hz: float) -> float:
    """Return the duration of a symbol in seconds."""
    return (1 << sf) / bandwidth_hz


def needs_low_data_rate(sf: int, bandwidth_hz: float) -> bool:
    """Return True if a symbol takes 16 ms or more: LoRa chips then require low data rate optimisation."""
    return symbol_s(sf, bandwidth_hz) >= 16e-3


def messages_per_hour(air_time_s: float, duty_cycle: float = DUTY_CYCLE) -> float:
    """Return the number of packets of this air time that a duty cycle allows per hour."""
    return 3600 * duty_cycle / air_time_s

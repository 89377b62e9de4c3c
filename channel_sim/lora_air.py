"""How long a LoRa packet is on the air, and what a duty cycle leaves room for."""

# EU868, most sub-bands: ETSI EN 300 220-2.
DUTY_CYCLE = 0.01


def payload_symbols(
    payload_bytes: int, sf: int, coding_rate: int, explicit_header: bool, low_data_rate: bool, crc: bool
) -> int:
    """Symbols behind the preamble (Semtech SX1276 data sheet, section 4.1.1.7; AN1200.13)."""
    bits = 8 * payload_bytes - 4 * sf + 28 + 16 * crc - 20 * (not explicit_header)
    blocks = -(-bits // (4 * (sf - 2 * low_data_rate)))
    return 8 + max(blocks, 0) * coding_rate


def messages_an_hour(air_time_s: float, duty_cycle: float = DUTY_CYCLE) -> float:
    """How many packets of this air time a duty cycle allows in an hour."""
    return 3600 * duty_cycle / air_time_s

"""Messages of a LoRa node within EU868's duty cycle, as in docs/radio.md: `python -m benchmarks.air_budget`.

The duty cycle of firmware/lib/radio/duty.h: one tenth of an hour's allowance at once, and nine tenths of it per hour
after that.
"""

from wire.frame import FeatureLayout
from wire.lora import air_time_s, messages_per_hour

SPREADING_FACTORS = range(7, 13)
PAYLOAD_BYTES = (48, 24)  # of the default bundle's chunk 0, and of the prefix that is its chunk 1
SHARE_AT_ONCE, SHARE_PER_HOUR = 0.1, 0.9


def rows() -> list[str]:
    """Return the lines of the table in Markdown, one per spreading factor."""
    return [f"| SF{sf} | {' | '.join(_columns(sf))} |" for sf in SPREADING_FACTORS]


def _columns(sf: int) -> list[str]:
    columns = []
    for payload_bytes in PAYLOAD_BYTES:
        size = FeatureLayout(8 * payload_bytes).size
        air_s, implicit_s = (air_time_s(size, sf, explicit_header=explicit) for explicit in (True, False))
        counts = (share * messages_per_hour(air_s) for share in (SHARE_AT_ONCE, SHARE_PER_HOUR))
        columns += [f"{1e3 * air_s:.1f} ms", f"{1e3 * implicit_s:.1f} ms", *(str(int(count)) for count in counts)]
    return columns


if __name__ == "__main__":
    print(*rows(), sep="\n")

"""Messages of a LoRa node within EU868's duty cycle, as in docs/radio.md: `python -m benchmarks.air_budget`.

The duty cycle of firmware/lib/radio/duty.h: one tenth of an hour's allowance at once, and nine tenths of it per hour
after that.
"""

from wire.frame import HEADER_BYTES, FeatureLayout
from wire.lora import air_time_s, messages_per_hour

SPREADING_FACTORS = range(7, 13)
PAYLOAD_BYTES = (24, 48, 140)  # of prefixes and of the whole payload of `bundles/cifar10`
PACKETS = (HEADER_BYTES, *(FeatureLayout(8 * count).size for count in PAYLOAD_BYTES))  # an answer, then features
SHARE_AT_ONCE, SHARE_PER_HOUR = 0.1, 0.9


def rows() -> list[str]:
    """Return the lines of the table in Markdown, one per spreading factor."""
    return [f"| SF{sf} | {' | '.join(_columns(sf))} |" for sf in SPREADING_FACTORS]


def _columns(sf: int) -> list[str]:
    columns = []
    for size in PACKETS:
        air_s, implicit_s = (air_time_s(size, sf, explicit_header=explicit) for explicit in (True, False))
        count = int(SHARE_PER_HOUR * messages_per_hour(air_s))
        columns += [f"{1e3 * air_s:.1f} ms", f"{1e3 * implicit_s:.1f} ms", f"{count:,}"]
    return columns


if __name__ == "__main__":
    print(*rows(), sep="\n")

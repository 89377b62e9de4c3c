"""Messages of a LoRa node within EU868's duty cycle, as in docs/radio.md: `python -m benchmarks.air_budget`.

The duty cycle of firmware/lib/radio/duty.h: one tenth of an hour's allowance at once, and nine tenths of it per hour
after that.
"""

from collections.abc import Sequence

from wire.frame import HEADER_BYTES, FeatureLayout
from wire.lora import air_time_s, messages_per_hour
from wire.secure.frames import TAGGED_HEADER_BYTES, SecuredLayout

SPREADING_FACTORS = range(7, 13)
PAYLOAD_BYTES = (24, 48, 140)  # of prefixes and of the whole payload of `bundles/cifar10`
# An answer, then features, plain and of a board with a device key.
PACKETS = (HEADER_BYTES, *(FeatureLayout(8 * count).size for count in PAYLOAD_BYTES))
SECURED_PACKETS = (TAGGED_HEADER_BYTES, *(SecuredLayout(8 * count).size for count in PAYLOAD_BYTES))
SHARE_AT_ONCE, SHARE_PER_HOUR = 0.1, 0.9


def rows(packets: Sequence[int]) -> list[str]:
    """Return the lines of the table for packets of these sizes in bytes, in Markdown, one per spreading factor."""
    return [f"| SF{sf} | {' | '.join(_columns(sf, packets))} |" for sf in SPREADING_FACTORS]


def _columns(sf: int, packets: Sequence[int]) -> list[str]:
    columns = []
    for size in packets:
        air_s, implicit_s = (air_time_s(size, sf, explicit_header=explicit) for explicit in (True, False))
        count = int(SHARE_PER_HOUR * messages_per_hour(air_s))
        columns += [f"{1e3 * air_s:.1f} ms", f"{1e3 * implicit_s:.1f} ms", f"{count:,}"]
    return columns


if __name__ == "__main__":
    print(*rows(PACKETS), "", *rows(SECURED_PACKETS), sep="\n")

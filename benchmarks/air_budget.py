"""What a LoRa node may send under EU868's 1 %, as docs/radio.md has it: `python -m benchmarks.air_budget`.

The duty cycle of firmware/lib/radio/duty.h: a tenth of an hour's allowance at once, and nine tenths of it an hour from
then on.
"""

from wire.frame import FeatureLayout
from wire.lora import air_time_s

SPREADING_FACTORS = range(7, 13)
PAYLOAD_BYTES = (48, 24)  # of the default bundle's chunk 0, and of the prefix that is its chunk 1
HOUR_S, DUTY_CYCLE = 3600, 0.01
AT_ONCE, STEADILY = 0.1, 0.9


def rows() -> list[str]:
    """The table's lines in Markdown, a spreading factor each."""
    return [f"| SF{sf} | {' | '.join(_cells(sf))} |" for sf in SPREADING_FACTORS]


def _cells(sf: int) -> list[str]:
    cells = []
    for payload_bytes in PAYLOAD_BYTES:
        size = FeatureLayout(8 * payload_bytes).size
        air_s, implicit_s = (air_time_s(size, sf, explicit_header=explicit) for explicit in (True, False))
        counts = (HOUR_S * DUTY_CYCLE * share / air_s for share in (AT_ONCE, STEADILY))
        cells += [f"{1e3 * air_s:.1f} ms", f"{1e3 * implicit_s:.1f} ms", *(str(int(count)) for count in counts)]
    return cells


if __name__ == "__main__":
    print(*rows(), sep="\n")

"""The section of docs/RESULTS.md on the rate of decoders, from decode_rate.json."""

from benchmarks.markdown import table

METHOD = """Frames of features, undamaged, of 256 devices at 64 sites wait at a real mosquitto; each image was heard by
all gateways of its site. The decoders are stopped until then, and measured until all readings are at the broker.
*Per CPU second* counts the processor time of decoders and their networks, or of the broker, alone: what else runs on
the machine lengthens it less than the time.
"""

CORES = """Processor time of decoders and broker for four images per hour and device, calculated from the rows with one
decoder. Packets are those of all gateways.
"""
DEVICES, IMAGES_PER_HOUR = (1_000, 10_000, 100_000, 1_000_000), 4


def section(rate: dict) -> str:
    """Return the section in Markdown."""
    rows = [
        [
            str(row["gateways"]),
            str(row["processes"]),
            f"{row['packets_per_s']:,}",
            f"{row['packets_per_cpu_s']:,}",
            f"{row['broker_packets_per_cpu_s']:,}",
            f"{row['load']:.1f}",
        ]
        for row in rate["rows"]
    ]
    columns = ["gateways", "decoders", "packets/s", "per CPU second, decoders", "per CPU second, broker", "load"]
    packets = rate["rows"][0]["packets"]
    return "\n".join(
        [
            "## Packets per second of inkling decode\n",
            f"{packets:,} packets a measurement, {rate['cpus']} cores; {rate['date']}, `{rate['command']}`.\n",
            METHOD,
            table("", columns, rows),
            CORES,
            table("", ["devices", "gateways", "packets/s", "cores, decoders", "cores, broker"], _cores(rate["rows"])),
        ]
    )


def _cores(rows: list[dict]) -> list[list[str]]:
    found = []
    for devices in DEVICES:
        for row in rows:
            if row["processes"] == 1:
                packets_per_s = devices * IMAGES_PER_HOUR * row["gateways"] / 3600
                cores = packets_per_s / row["packets_per_cpu_s"], packets_per_s / row["broker_packets_per_cpu_s"]
                found.append(
                    [f"{devices:,}", str(row["gateways"]), f"{packets_per_s:,.0f}", *(f"{n:.2f}" for n in cores)]
                )
    return found

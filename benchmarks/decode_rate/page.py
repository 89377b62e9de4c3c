"""The section of docs/RESULTS.md on the rate of decoders, from decode_rate.json."""

from benchmarks.markdown import table

METHOD = """Frames of features, undamaged, of 256 devices at 64 sites wait at a real mosquitto; each image was heard by
all gateways of its site. Then the decoders start. The rate is that from the first reading to the last. *Per CPU second*
counts the processor time of decoders and their networks, or of the broker, alone: it hardly depends on what else runs.
"""


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
            "## Packets per second of `inkling decode`\n",
            f"{packets:,} packets a measurement, {rate['cpus']} cores; {rate['date']}, `{rate['command']}`.\n",
            METHOD,
            table("", columns, rows),
        ]
    )

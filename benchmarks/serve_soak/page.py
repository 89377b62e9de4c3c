"""The section of docs/RESULTS.md on the soak of a deployment, from soak.json."""

from benchmarks.markdown import table
from host.site.readings import MAX_IMAGES

METHOD = """The deployment of `make serve-demo`: firmware as processes, a simulated air that damages packets,
`inkling gateway`, a real mosquitto that saves after each change, two `inkling decode` and the page. Broker and decoders
are killed with SIGKILL at random, and started again up to 20 s later, in the first two thirds of the time. In the end,
the packets that gateways received are compared with the store.
"""


def section(soak: dict) -> str:
    """Return the section in Markdown."""
    kills = ", ".join(f"{name} {count}" for name, count in soak["kills"].items())
    images, clean = soak["images"], soak["images_undamaged"]
    rows = [
        ["images that a gateway heard undamaged", f"{clean:,}", f"{soak['undamaged_lost']}"],
        ["images that gateways heard damaged only", f"{images - clean:,}", f"{soak['damaged_lost']}"],
        ["status frames that a gateway heard undamaged", f"{soak['statuses_undamaged']:,}", f"{soak['statuses_lost']}"],
    ]
    memory = [
        [name, *(f"{values[key]:.1f} MB" for key in ("first_mb", "last_mb", "largest_mb"))]
        for name, values in soak["memory"].items()
    ]
    return "\n".join(
        [
            "## A deployment whose processes are killed\n",
            f"{soak['nodes']} nodes in two sites, {soak['gateways']} gateways, {soak['seconds'] / 60:.0f} minutes, an "
            f"image every {soak['every_s']:.0f} s from each node, mean SNR {soak['snr_db']:g} dB at SF7; seed "
            f"{soak['seed']}; {soak['date']}, `{soak['command']}`.\n",
            METHOD,
            f"Kills: {kills}.\n",
            table("", ["", "heard", "not in the store"], rows),
            f"Images with two readings: {soak['twice']}. Readings with a number that was not on the air at their time: "
            f"{soak['misread']}, as if a damaged header was taken for another one of the same device.\n",
            "Memory (RSS) in the last third of the time, which is without kills: the means of its first and last "
            "quarter, and the largest value of all. "
            f"Decoders remember the last {MAX_IMAGES:,} images of each site, and grow until they have these.\n",
            table("", ["process", "first", "last", "largest"], memory),
        ]
    )

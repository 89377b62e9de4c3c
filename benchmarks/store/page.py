"""The section of docs/RESULTS.md on the store, from store.json."""

from benchmarks.markdown import table

METHOD = """*Cold*: the store has just been opened and the system has forgotten what it had read of the file, so that
the query reads the disk. *Warm*: the same query at once again. Times are of the methods of `host.store.store.Store`,
which return whole records; opening is not included. *CPU time* is that of the warm query, which other programs on the
machine hardly lengthen. One device has 30 % of the readings. The first hundredth of the readings is written as
`inkling serve` writes them, and the others are copies of these rows, shifted in time.
"""


def section(figures: dict) -> str:
    """Return the section in Markdown."""
    writing, deleting = figures["writing"], figures["deleting"]
    rows = [
        [name, *(f"{row[key]:.0f} ms" for key in ("cold_median", "cold_max", "warm_median", "cpu_median"))]
        for name, row in figures["queries_ms"].items()
    ]
    times = figures["queries_ms"].values()
    slowest, cpu = max(row["cold_max"] for row in times), max(row["cpu_median"] for row in times)
    sizes = [[name, f"{size:.0f}"] for name, size in figures["bytes_by_table"].items()]
    return "\n".join(
        [
            "## The store\n",
            f"{figures['readings']:,} readings of {figures['devices']} devices at {figures['sites']} sites over "
            f"{figures['days']:.0f} days, {figures['statuses']:,} statuses and {figures['events']:,} events; SQLite "
            f"{figures['sqlite']}, {figures['cpus']} cores at a load of {figures['load']:.1f}; {figures['repeats']} "
            f"repetitions with other arguments, seed {figures['seed']}; {figures['date']}, `{figures['command']}`.\n",
            METHOD,
            table("", ["query", "cold, median", "cold, slowest", "warm, median", "CPU time"], rows),
            f"The slowest query took {slowest:.0f} ms; none needs more than {cpu:.0f} ms of CPU time in the median. In "
            f"batches of {writing['batch']}, as `inkling serve` writes them, the full store takes "
            f"{writing['records_per_s']:,} records per second "
            f"({writing['records_per_cpu_s']:,} per second of CPU time); a batch took {writing['batch_median_ms']:.0f} "
            f"ms in the median and {writing['batch_max_ms']:.0f} ms at most. Retention deletes "
            f"{deleting['readings_per_s']:,} readings per second, in steps of {deleting['step_median_ms']:.0f} ms in "
            f"the median and {deleting['step_max_ms']:.0f} ms at most.\n",
            f"The file has {figures['file_bytes'] / 1e9:.2f} GB, {figures['bytes_per_reading']:.0f} bytes per reading "
            "with all else:\n",
            table("", ["table or index", "bytes per reading"], sizes),
        ]
    )

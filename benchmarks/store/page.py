"""The section of docs/RESULTS.md on the store, from store.json."""

from benchmarks.markdown import table

METHOD = """*Cold*: the store has just been opened and the system has forgotten what it had read of the file, so that
the query reads the disk. *Warm*: the same query at once again. Times are of the methods of `host.store.store.Store`,
which return whole records; opening is not included. One device has 30 % of the readings. The first hundredth of the
readings is written as `inkling serve` writes them, and the others are copies of these rows, shifted in time.
"""


def section(figures: dict) -> str:
    """Return the section in Markdown."""
    writing, deleting = figures["writing"], figures["deleting"]
    rows = [
        [name, f"{row['cold_median']:.0f} ms", f"{row['cold_max']:.0f} ms", f"{row['warm_median']:.1f} ms"]
        for name, row in figures["queries_ms"].items()
    ]
    slowest = max(row["cold_max"] for row in figures["queries_ms"].values())
    sizes = [[name, f"{size:.0f}"] for name, size in figures["bytes_by_table"].items()]
    return "\n".join(
        [
            "## The store\n",
            f"{figures['readings']:,} readings of {figures['devices']} devices at {figures['sites']} sites over "
            f"{figures['days']:.0f} days, {figures['statuses']:,} statuses and {figures['events']:,} events; SQLite "
            f"{figures['sqlite']}, {figures['cpus']} cores at a load of {figures['load']:.1f}; {figures['repeats']} "
            f"repetitions with other arguments, seed {figures['seed']}; {figures['date']}, `{figures['command']}`.\n",
            METHOD,
            table("", ["query", "cold, median", "cold, slowest", "warm, median"], rows),
            f"The slowest query took {slowest:.0f} ms. In batches of {writing['batch']}, as `inkling serve` writes "
            f"them, the full store takes {writing['records_per_s']:,} records per second "
            f"({writing['records_per_cpu_s']:,} per second of CPU time); a batch took {writing['batch_median_ms']:.0f} "
            f"ms in the median and {writing['batch_max_ms']:.0f} ms at most. Retention deletes "
            f"{deleting['readings_per_s']:,} readings per second, in steps of {deleting['step_median_ms']:.0f} ms in "
            f"the median and {deleting['step_max_ms']:.0f} ms at most.\n",
            f"The file has {figures['file_bytes'] / 1e9:.2f} GB, {figures['bytes_per_reading']:.0f} bytes per reading "
            "with all else:\n",
            table("", ["table or index", "bytes per reading"], sizes),
        ]
    )

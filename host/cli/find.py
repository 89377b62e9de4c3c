"""`inkling find`: list the readings that are most like one of them, by the cosine of their embeddings."""

import argparse
import time

import numpy as np
from rich.table import Table

from host.classify.decoder import EmbeddingDecoder
from host.cli.output import Output, plain_console
from host.errors import HostError
from host.tasks.readings import StoredReading, by_name, read_readings
from wire.bundle import load as load_bundle
from wire.files import to_json
from wire.text import printable


def run(options: argparse.Namespace) -> int:
    """Search, show, and return the exit status."""
    bundle = load_bundle(options.bundle)
    decoder = EmbeddingDecoder(bundle)
    readings = read_readings(options.readings, bundle, Output().note)
    wanted = by_name(readings).get(options.like)
    if wanted is None:
        raise HostError(f"{options.readings} has no reading {options.like!r}: pass its image_id or line number")
    embeddings = decoder.embeddings(
        np.stack([reading.symbols for reading in readings]), np.array([reading.payload_ber for reading in readings])
    )
    own = readings.index(wanted)
    found = [
        (readings[index], cosine)
        for index, cosine in nearest(embeddings, embeddings[own], options.count + 1)
        if index != own
    ][: options.count]
    if options.json:
        for reading, cosine in found:
            values = {key: reading.values.get(key) for key in ("time", "device", "tasks")}
            line = {"image_id": reading.image_id, "line": reading.lines[-1], "similarity": round(cosine, 4), **values}
            print(to_json(line))
    else:
        plain_console(wrap=True).print(_table(found))
    return 0


def nearest(embeddings: np.ndarray, query: np.ndarray, count: int) -> list[tuple[int, float]]:
    """Return the indices and cosines of the `count` embeddings (N, D) nearest to `query` (D,), nearest first.

    All have unit length.
    """
    cosines = embeddings @ query
    order = np.argsort(-cosines, kind="stable")[:count]
    return [(index, float(cosines[index])) for index in order.tolist()]


def _table(found: list[tuple[StoredReading, float]]) -> Table:
    table = Table()
    for heading in ("similarity", "image_id", "line", "device", "time"):
        table.add_column(heading, justify="left" if heading == "image_id" else "right")
    for reading, cosine in found:
        table.add_row(
            f"{cosine:.3f}",
            reading.image_id,
            str(reading.lines[-1]),
            printable(str(reading.values.get("device"))),
            _clock(reading.values.get("time")),
        )
    return table


def _clock(seconds: object) -> str:
    """Return a Unix time as local date and time; "-" if the line has none, or none that there is."""
    if not isinstance(seconds, int | float):
        return "-"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "-"

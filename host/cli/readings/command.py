"""`inkling readings`: list stored readings, or write them in another format."""

import argparse
import sys
from collections.abc import Iterator

from host.cli.output import Output, plain_console
from host.cli.readings.formats import influx_line, table
from host.cli.readings.parsers import SHOWN
from host.errors import HostError
from host.site.records import ReadingRecord
from host.store.csv_lines import COLUMNS, csv_line, reading_line
from host.store.data_set import export
from host.store.database import default_path
from host.store.query import ReadingQuery
from host.store.store import Store
from wire.files import to_json
from wire.text import printable

Rows = Iterator[tuple[ReadingRecord, str | None]]


def run(options: argparse.Namespace) -> int:
    """Read the store, write, and return the exit status."""
    if options.since is not None and options.until is not None and options.until <= options.since:
        raise HostError("--until is not after --since")
    if options.bundle and not options.export:
        raise HostError("--bundle is for --export")
    query = ReadingQuery(options.site, options.device, options.since, options.until, label=options.label)
    with Store(options.store or default_path(), read_only=True) as store:
        if options.export:
            _export(options, store, query)
            return 0
        as_data = options.csv or options.json or options.influx
        rows = store.stream(query, options.limit if as_data else options.limit or SHOWN)
        if options.csv:
            sys.stdout.write(csv_line(COLUMNS))
            for reading, label in rows:
                sys.stdout.write(reading_line(reading, label))
        elif options.json:
            for reading, label in rows:
                print(to_json({**reading.as_json(), "human_label": label}))
        elif options.influx:
            for reading, label in rows:
                print(influx_line(reading, label))
        else:
            _show(rows)
    return 0


def _show(rows: Rows) -> None:
    shown = list(rows)
    if shown:
        plain_console(wrap=True).print(table(shown))
    else:
        Output().note("no readings")


def _export(options: argparse.Namespace, store: Store, query: ReadingQuery) -> None:
    if options.limit:
        raise HostError("--limit is not for --export")
    done = export(store, options.export, query, options.bundle)
    for reason, count in done.left_out.items():
        Output().note(f"labelled readings left out: {count} ({reason})")
    console = plain_console()
    counts = ", ".join(f"{count} {label}" for label, count in done.counts.items())
    console.print(printable(f"{sum(done.counts.values())} readings of bundle {done.bundle}: {counts}"))
    for file in done.files:
        console.print(f"wrote {printable(file)}")

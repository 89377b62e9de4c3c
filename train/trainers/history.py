"""Curves of a run: `log.jsonl` has a record for each epoch, `log.csv` and TensorBoard's events are made from it."""

import csv
import io
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tensorboardX import SummaryWriter

from train.trainers.resuming import write_whole
from wire.files import JsonLines, to_json
from wire.text import printable

Record = dict[str, Any]  # epoch, phase, loss, lr, seconds, device and held_out: accuracies by name
EVENTS = "events.out.tfevents.*"  # TensorBoard recognises the files of a folder by such names


class History:
    """Curves in a run's folder; closed at the end of a `with` block."""

    def __init__(self, folder: Path, records: list[Record], epoch: int) -> None:
        """Continue after an epoch: of the records, those of later epochs are removed, as they are trained again."""
        self.folder, self.records = folder, [record for record in records if record["epoch"] <= epoch]
        self._log, self._waiting = JsonLines(folder / "log.jsonl"), list[Record]()
        write_whole(folder / "log.jsonl", "".join(to_json(record) + "\n" for record in self.records))
        self._write_csv()
        for file in folder.glob(EVENTS):
            file.unlink()
        self._events = SummaryWriter(str(folder))
        # Epochs of an earlier start get the times at which they would have ended without the break.
        ended = time.time() - sum(record["seconds"] for record in self.records)
        for record in self.records:
            ended += record["seconds"]
            self._write_event(record, ended)
        self._events.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()

    def append(self, record: Record) -> None:
        """Add the record of a finished epoch.

        A record that cannot be written is written with a later one: a training does not end because of its curves.
        """
        self.records.append(record)
        self._waiting.append(record)
        try:
            self._log.append(*self._waiting)
            self._waiting.clear()
            self._write_csv()
            self._write_event(record, time.time())
            self._events.flush()
        except OSError as error:
            file = error.filename or self.folder
            print(printable(f"inkling: cannot write {file}: {error.strerror}; the training continues"), file=sys.stderr)

    def _write_event(self, record: Record, seconds: float) -> None:
        """Write the epoch's `loss`, `lr` and `held_out/...` as scalars, at a time since 1970."""
        for name, value in flat(record).items():
            if isinstance(value, float):
                tag = name.replace("held_out ", "held_out/").replace(" ", "_")
                self._events.add_scalar(tag, value, record["epoch"], walltime=seconds)

    def _write_csv(self) -> None:
        rows = [flat(record) for record in self.records]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.folder / "log.csv", text.getvalue())


def flat(record: Record) -> Record:
    """Return a record with one value for each name; `held_out` becomes `held_out 0`, `held_out prefix 64` and so on."""
    held_out = {f"held_out {name}": value for name, value in record["held_out"].items()}
    return {name: value for name, value in record.items() if name != "held_out"} | held_out

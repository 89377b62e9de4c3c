"""Curves of a run: `log.jsonl` has a record for each epoch, `log.csv` and `events.out.tfevents.*` are made from it.

The last is TensorBoard's format: records of protocol buffers, here written without TensorBoard, whose own writer
imports TensorFlow where that is installed.
"""

import csv
import json
import os
import struct
import time
from functools import cache
from pathlib import Path
from typing import Any

Record = dict[str, Any]  # epoch, phase, loss, lr, seconds, device and held_out: accuracies by name
EVENTS = "events.out.tfevents.0.inkling"  # TensorBoard recognises the files of a folder by such names


class History:
    """Curves in a run's folder, with the records that exist already."""

    def __init__(self, folder: Path, records: list[Record]) -> None:
        self.folder, self.records = folder, records

    def cut(self, epoch: int) -> None:
        """Remove the records after an epoch, which will be trained again."""
        kept = [record for record in self.records if record["epoch"] <= epoch]
        if len(kept) < len(self.records):
            lines = "".join(json.dumps(record) + "\n" for record in kept)
            _replace(self.folder / "log.jsonl", lines.encode())
            self.records = kept
        self._rewrite()

    def append(self, record: Record) -> None:
        """Add the record of a finished epoch."""
        self.records.append(record)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(record) + "\n")
        self._write_csv()
        with (self.folder / EVENTS).open("ab") as file:
            file.write(_event(record, time.time()))

    def _rewrite(self) -> None:
        self._write_csv()
        # Epochs of an earlier start get the times at which they would have ended without the break.
        left = sum(record["seconds"] for record in self.records)
        content = _framed(_double(1, time.time() - left) + _bytes(3, b"brain.Event:2"))
        for record in self.records:
            left -= record["seconds"]
            content += _event(record, time.time() - left)
        _replace(self.folder / EVENTS, content)

    def _write_csv(self) -> None:
        rows = [flat(record) for record in self.records]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        part = self.folder / "log.csv.part"
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(part, self.folder / "log.csv")


def flat(record: Record) -> Record:
    """Return a record with one value for each name; `held_out` becomes `held_out 0`, `held_out prefix 64` and so on."""
    held_out = {f"held_out {name}": value for name, value in record["held_out"].items()}
    return {name: value for name, value in record.items() if name != "held_out"} | held_out


def _replace(file: Path, content: bytes) -> None:
    part = file.with_name(file.name + ".part")
    part.write_bytes(content)
    os.replace(part, file)


# The file format: https://www.tensorflow.org/tutorials/load_data/tfrecord; messages: tensorboard/compat/proto.


def _event(record: Record, seconds: float) -> bytes:
    """Return the framed event of an epoch: `loss`, `lr` and `held_out/...` as scalars, at a time since 1970."""
    values = b""
    for name, value in flat(record).items():
        if isinstance(value, float):
            tag = name.replace("held_out ", "held_out/").replace(" ", "_")
            values += _bytes(1, _bytes(1, tag.encode()) + bytes([2 << 3 | 5]) + struct.pack("<f", value))
    return _framed(_double(1, seconds) + bytes([2 << 3]) + _varint(record["epoch"]) + _bytes(5, values))


def _framed(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    return length + struct.pack("<I", _masked_crc(length)) + event + struct.pack("<I", _masked_crc(event))


def _double(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<d", value)


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _masked_crc(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _crc_table()[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _crc_table() -> list[int]:
    """Return the table of CRC-32C (Castagnoli), reflected."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table

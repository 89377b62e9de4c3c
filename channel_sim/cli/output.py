"""Statistics of the proxy: one line for pipes, a table for terminals."""

import time
from collections import deque
from typing import TYPE_CHECKING

from channel_sim.live.proxy import Proxy
from channel_sim.live.stream import Statistics

if TYPE_CHECKING:
    from rich.table import Table

RATE_OVER_S = 5.0


def summary(proxy: Proxy) -> str:
    """Return the statistics of a finished proxy in one line."""
    up, down = proxy.statistics, proxy.downlink
    parts = [f"uplink {damage(up)}"]
    if up.seconds:
        parts.append(f"{up.rate:.0f} bytes/s")
    if up.resets:
        parts.append(f"{up.resets} reset{'s' * (up.resets > 1)}")
    parts.append(f"downlink {damage(down) if down.bits_flipped else f'{down.bytes_in} bytes{_bytes(down)}'}")
    return "; ".join(parts)


def damage(statistics: Statistics) -> str:
    """Return the damage in one direction: bytes, bits and frames."""
    bits = f"{statistics.bits_flipped} bits flipped, measured BER {statistics.ber:.3g}"
    text = f"{statistics.bytes_in} bytes{_bytes(statistics)}, {bits}"
    if _has_frames(statistics):
        text += "; " + ", ".join(f"{n} {name}" for name, n in _frames(statistics) if n or name == "frames")
    return text


def _bytes(statistics: Statistics) -> str:
    lost = f", {statistics.bytes_lost} lost" if statistics.bytes_lost else ""
    dropped = f", {statistics.bytes_dropped} dropped" if statistics.bytes_dropped else ""
    return lost + dropped


def _has_frames(statistics: Statistics) -> bool:
    return bool(statistics.frames or statistics.frames_cut or statistics.frames_unknown)


def _frames(statistics: Statistics) -> list[tuple[str, int]]:
    return [
        ("frames", statistics.frames),
        ("lost", statistics.frames_lost),
        ("damaged", statistics.frames_damaged),
        ("truncated by the board", statistics.frames_cut),
        ("of unknown models", statistics.frames_unknown),
    ]


class View:
    """The live table, with rates over the last seconds."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._seen: deque[tuple[float, int, int]] = deque()  # time, bytes up, bytes down

    def table(self) -> "Table":
        """Return the table of the current statistics."""
        from rich.table import Table  # slow to import, not needed in pipes

        up, down = self._proxy.statistics, self._proxy.downlink
        board, host = self._proxy.board, self._proxy.host
        table = Table("", "uplink", "downlink", title=f"board: {board.url}\nhost: {host.url}")
        for column in table.columns[1:]:
            column.justify = "right"
        for name in ("bytes_in", "bytes_lost", "bytes_dropped", "bits_flipped"):
            table.add_row(name.replace("_", " "), *(str(getattr(way, name)) for way in (up, down)))
        table.add_row("measured BER", f"{up.ber:.3g}", f"{down.ber:.3g}")
        table.add_row("bytes per second", *(f"{rate:.0f}" for rate in self._rates(up.bytes_in, down.bytes_in)))
        if _has_frames(up):
            for name, count in _frames(up):
                table.add_row(name, str(count), "")
        table.add_row("resets", str(up.resets), "")
        absent = [name for name, endpoint in (("board", board), ("host", host)) if endpoint.fd is None]
        if absent:
            table.caption = f"waiting for the {' and the '.join(absent)}"
        return table

    def _rates(self, up: int, down: int) -> tuple[float, float]:
        now = time.monotonic()
        self._seen.append((now, up, down))
        while now - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()
        before, up_before, down_before = self._seen[0]
        seconds = max(now - before, 1e-9)
        return (up - up_before) / seconds, (down - down_before) / seconds

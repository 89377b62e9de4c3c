"""How the proxy's statistics look: a line for pipes, a table for terminals."""

import time
from collections import deque
from typing import TYPE_CHECKING

from channel_sim.live.proxy import Proxy
from channel_sim.live.stream import Statistics

if TYPE_CHECKING:
    from rich.table import Table

RATE_OVER_S = 5.0


def line(proxy: Proxy) -> str:
    """All that is worth telling at the end, in one line."""
    up, down = proxy.statistics, proxy.downlink
    parts = [f"uplink {damage(up)}"]
    if up.seconds:
        parts.append(f"{up.rate:.0f} bytes/s")
    if up.resets:
        parts.append(f"{up.resets} reset{'s' * (up.resets > 1)}")
    parts.append(f"downlink {damage(down) if down.bits_flipped else f'{down.bytes_in} bytes{_bytes(down)}'}")
    return "; ".join(parts)


def damage(statistics: Statistics) -> str:
    """What happened to bytes, bits and frames on one way."""
    bits = f"{statistics.bits_flipped} bits flipped, measured BER {statistics.ber:.3g}"
    text = f"{statistics.bytes_in} bytes{_bytes(statistics)}, {bits}"
    if _has_frames(statistics):
        text += "; " + ", ".join(f"{n} {name}" for name, n in _frames(statistics) if n or name == "frames")
    return text


def _bytes(statistics: Statistics) -> str:
    lost = f", {statistics.bytes_lost} lost" if statistics.bytes_lost else ""
    unheard = f", {statistics.bytes_unheard} unheard" if statistics.bytes_unheard else ""
    return lost + unheard


def _has_frames(statistics: Statistics) -> bool:
    return bool(statistics.frames or statistics.frames_cut or statistics.frames_unknown)


def _frames(statistics: Statistics) -> list[tuple[str, int]]:
    return [
        ("frames", statistics.frames),
        ("lost", statistics.frames_lost),
        ("damaged", statistics.frames_damaged),
        ("cut short by the board", statistics.frames_cut),
        ("of a model without a bundle", statistics.frames_unknown),
    ]


class View:
    """The live table. The rate is that of the last seconds."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._seen: deque[tuple[float, int, int]] = deque()  # time, bytes up, bytes down

    def table(self) -> "Table":
        """How things stand now."""
        from rich.table import Table  # a quarter of a second that pipes need not pay

        up, down = self._proxy.statistics, self._proxy.downlink
        board, host = self._proxy.board, self._proxy.host
        table = Table("", "uplink", "downlink", title=f"board: {board.url}\nhost: {host.url}")
        for column in table.columns[1:]:
            column.justify = "right"
        for name in ("bytes_in", "bytes_lost", "bytes_unheard", "bits_flipped"):
            table.add_row(name.replace("_", " "), *(str(getattr(way, name)) for way in (up, down)))
        table.add_row("measured BER", f"{up.ber:.3g}", f"{down.ber:.3g}")
        table.add_row("bytes a second", *(f"{rate:.0f}" for rate in self._rates(up.bytes_in, down.bytes_in)))
        if _has_frames(up):
            for name, count in _frames(up):
                table.add_row(name, str(count), "")
        table.add_row("resets", str(up.resets), "")
        absent = [name for name, end in (("board", board), ("host", host)) if end.fd is None]
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

"""`inkling sim proxy`: corrupt live traffic between a board and a host."""

import argparse
import os
import sys
import threading
import time

from channel_sim.cli.arguments import compose, load_bundles
from channel_sim.cli.output import View, summary
from channel_sim.live.proxy import Proxy
from channel_sim.live.recording import Recorder
from wire.system import stop_signals

NOTICE_S = 10.0
SETTLE_S = 0.3  # an attempt to connect may take longer than a signal allows


def run(options: argparse.Namespace) -> int:
    """Pass bytes until a signal arrives or an endpoint is lost; return the exit status."""
    specs = _uplink_specs(options)
    proxy = Proxy(
        options.board,
        compose(specs),
        options.seed,
        options.listen,
        options.baud,
        downlink=compose(options.downlink_channel),
        bundles=load_bundles(options.bundle),
        reconnect=options.reconnect,
    )
    if options.record:  # last, so that an error in another option does not replace a recording
        proxy.recorder = Recorder(options.record, specs, options.downlink_channel, options.seed)
    stopped = threading.Event()
    with stop_signals(stopped.set), proxy:
        _print(f"{'listening on' if proxy.host.listens else 'sending to'} {proxy.url}")
        if proxy.board.listens:
            _print(f"listening for the board on {proxy.board.url}")
        for endpoint in (proxy.board, proxy.host):
            if endpoint.missing:
                _warn(f"{endpoint.missing}; waiting for it")
        _watch(proxy, stopped)
        proxy.stop()
        proxy.wait(SETTLE_S)
        _print(summary(proxy))
    if proxy.failure:
        _warn(proxy.failure)
    return 1 if proxy.failure or (proxy.recorder and proxy.recorder.failure) else 0


def _uplink_specs(options: argparse.Namespace) -> list[str]:
    specs = list(options.channel)
    if options.byte_loss:
        specs.insert(0, f"byte-loss:p={options.byte_loss!r}")
    if options.ber or options.byte_loss:  # a rate of 0 draws too, so that byte losses are equal at every rate
        specs.insert(0, f"bsc:ber={options.ber!r}")
    return specs


def _watch(proxy: Proxy, stopped: threading.Event) -> None:
    """Show the statistics on a terminal, and notices, until a signal arrives or an endpoint is lost for good."""
    notices = _Notices(proxy)
    if not sys.stdout.isatty():
        while not (stopped.is_set() or proxy.wait(0.1)):
            notices.print_new()
        notices.print_new(last=True)
        return
    from rich.console import Console  # slow to import, not needed in pipes
    from rich.live import Live

    view, console = View(proxy), Console(highlight=False, markup=False, emoji=False)  # brackets of a URL are no markup
    with Live(view.table(), console=console, refresh_per_second=4, transient=True) as live:
        while not (stopped.is_set() or proxy.wait(0.25)):
            live.update(view.table())
            notices.print_new()
        notices.print_new(last=True)


class _Notices:
    """Prints a notice when the recording fails, and when an endpoint is lost and waited for.

    An endpoint that is lost over and over gives one notice per NOTICE_S, with the number of times.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._resets = 0
        self._next_time = 0.0
        self._recording = True

    def print_new(self, last: bool = False) -> None:
        """Print new notices; `last`: also those that were left out."""
        resets, now = self._proxy.statistics.resets - self._resets, time.monotonic()
        if resets and (now >= self._next_time or last):
            self._resets += resets
            self._next_time = now + NOTICE_S
            times = f" ({resets} times)" if resets > 1 else ""
            _warn(f"{self._proxy.last_reset}; waiting for it to come back{times}")
        recorder = self._proxy.recorder
        if recorder and recorder.failure and self._recording:
            self._recording = False
            _warn(f"{recorder.failure}; continuing without it")


def _print(text: str) -> None:
    """Print a line, flushed. A reader that closes the pipe (`| head -1`) does not stop the proxy."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warn(text: str) -> None:
    print(f"inkling: {text}", file=sys.stderr, flush=True)

"""`inkling sim proxy`: put a bad link between a board and a host."""

import argparse
import os
import signal
import sys
import threading

from channel_sim.cli.arguments import compose, load_bundles
from channel_sim.cli.output import View, line
from channel_sim.live.proxy import Proxy
from channel_sim.live.recording import Recorder


def run(options: argparse.Namespace) -> int:
    """Pass bytes until a signal comes or an end goes; the exit status."""
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
    if options.record:  # only now: a mistake in the other options replaces no recording
        proxy.recorder = Recorder(options.record, specs, options.downlink_channel, options.seed)
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    with proxy:
        _say(f"{'listening on' if proxy.host.listens else 'sending to'} {proxy.url}")
        if proxy.board.listens:
            _say(f"listening for the board on {proxy.board.url}")
        _watch(proxy, stopped)
    _say(line(proxy))
    if proxy.failure:
        _warn(proxy.failure)
    return 1 if proxy.failure or (proxy.recorder and proxy.recorder.failure) else 0


def _uplink_specs(options: argparse.Namespace) -> list[str]:
    specs = list(options.channel)
    if options.byte_loss:
        specs.insert(0, f"byte-loss:p={options.byte_loss!r}")
    if options.ber or options.byte_loss:  # a rate of 0 draws too, so that the lost bytes are the same at every rate
        specs.insert(0, f"bsc:ber={options.ber!r}")
    return specs


def _watch(proxy: Proxy, stopped: threading.Event) -> None:
    """Show the statistics, on a terminal only, until a signal comes or an end goes for good."""
    told = _Told(proxy)
    if not sys.stdout.isatty():
        while not (stopped.is_set() or proxy.wait(0.1)):
            told.look()
        told.look()
        return
    from rich.live import Live  # a quarter of a second that pipes need not pay

    view = View(proxy)
    with Live(view.table(), refresh_per_second=4, transient=True) as live:
        while not (stopped.is_set() or proxy.wait(0.25)):
            live.update(view.table())
            told.look()
        told.look()


class _Told:
    """Says once that the recording has ended, and every time that an end was lost and is waited for."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._resets = 0
        self._recording = True

    def look(self) -> None:
        """Say what is new."""
        if self._proxy.statistics.resets > self._resets:
            self._resets = self._proxy.statistics.resets
            _warn(f"{self._proxy.last_reset}; waiting for it to come back")
        recorder = self._proxy.recorder
        if recorder and recorder.failure and self._recording:
            self._recording = False
            _warn(f"{recorder.failure}; going on without")


def _say(text: str) -> None:
    """Print a line at once. A reader that has had enough (`| head -1`) is no reason to stop the proxy."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warn(text: str) -> None:
    print(f"inkling: {text}", file=sys.stderr, flush=True)

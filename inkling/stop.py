"""Signals that end a command: within a second, even if something blocks it; on a busy machine, within LIMIT_S."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from wire.system import STOP_SIGNALS, catch

INTERRUPTED = 130  # exit status
# After a signal, a command has this long to end by itself, then to end what blocks it. A command that is still at work
# then, but on a machine with other work, has more time: it is given up if it stands still or turns in circles.
END_S, BLOCKED_S, LIMIT_S = 0.6, 0.3, 3.0
KILL_S = 2 * LIMIT_S  # after a signal, the system ends the process at the latest
STILL_S, CIRCLES_S = 1e-3, 0.4  # CPU time of its main thread: at most, in BLOCKED_S; at least, since the signal


def catch_stop_signals() -> None:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does."""
    for number in STOP_SIGNALS[1:]:
        if signal.getsignal(number) != _interrupt_in_time:
            catch(number, signal.default_int_handler)


def _interrupt_in_time(_number: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, KILL_S)  # nothing handles its SIGALRM, which hence ends the process
    raise KeyboardInterrupt


def end_in_time() -> None:
    """Let the first signal that ends this process do so within a second; on a busy machine, within LIMIT_S.

    If the process has not ended after END_S, the signal is repeated, which raises KeyboardInterrupt in a blocked write,
    open or lock. A handler runs only between two steps of Python, so foreign code that does not return, such as a
    network's, ends with the process after BLOCKED_S more. Both wait for a main thread that is merely slow, for LIMIT_S.
    The repeated signal may interrupt the clean-up of an object at the end, which is no news. While the interpreter
    shuts down, its threads stand still: the system's timer ends a process that is blocked then (not on Windows).
    """
    catch_stop_signals()
    for number in STOP_SIGNALS:
        if hasattr(signal, "setitimer") and signal.getsignal(number) == signal.default_int_handler:
            signal.signal(number, _interrupt_in_time)
    report = sys.unraisablehook
    sys.unraisablehook = lambda fault: None if fault.exc_type is KeyboardInterrupt else report(fault)
    ours, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(ours, writer), name=__name__, daemon=True).start()


def _watch(ours: socket.socket, writer: socket.socket) -> None:
    """Wait for a signal, whose number Python writes to `writer`, and end the process. Keeps both sockets open."""
    number = 0
    while number not in STOP_SIGNALS:
        number = ours.recv(1)[0]
    cpu_s, begin = _cpu_clock(), time.monotonic()
    until = cpu_s() + CIRCLES_S
    time.sleep(END_S - BLOCKED_S)
    _wait_while_at_work(cpu_s, until, begin + LIMIT_S / 2)
    if hasattr(signal, "pthread_kill"):
        with contextlib.suppress(ProcessLookupError):
            signal.pthread_kill(threading.main_thread().ident or 0, number)
    _wait_while_at_work(cpu_s, until, begin + LIMIT_S)
    writer.close()
    os._exit(INTERRUPTED)


def _wait_while_at_work(cpu_s: Callable[[], float], until: float, limit: float) -> None:
    """Wait at least BLOCKED_S, and until the main thread stands still or its CPU time is at `until`, or to `limit`."""
    before, slow = cpu_s(), True
    while slow:
        time.sleep(BLOCKED_S)
        now = cpu_s()
        slow = now - before > STILL_S and now < until and time.monotonic() < limit
        before = now


def _cpu_clock() -> Callable[[], float]:
    """Return a clock of the main thread's CPU time in seconds, which stands still where the system has none."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return lambda: 0.0
    clock = time.pthread_getcpuclockid(threading.main_thread().ident or 0)
    return lambda: time.clock_gettime(clock)

"""Signals that end a command: within a second, whatever blocks it."""

import contextlib
import os
import signal
import socket
import threading
import time

from wire.system import STOP_SIGNALS, catch

INTERRUPTED = 130  # exit status
# After a signal, a command has this long to end by itself, then to end what blocks it.
END_S, BLOCKED_S = 0.6, 0.3


def catch_stop_signals() -> None:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does."""
    for number in STOP_SIGNALS[1:]:
        catch(number, signal.default_int_handler)


def end_in_time() -> None:
    """Let the first signal that ends this process do so within a second.

    If the process is still there after END_S, the signal is repeated, which raises KeyboardInterrupt in a blocked
    write, open or lock. A handler runs only between two steps of Python, so foreign code that does not return, such as
    a network's, ends with the process after BLOCKED_S more.
    """
    ours, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(ours, writer), name=__name__, daemon=True).start()


def _watch(ours: socket.socket, writer: socket.socket) -> None:
    """Wait for a signal, whose number Python writes to `writer`, and end the process. Keeps both sockets open."""
    number = 0
    while number not in STOP_SIGNALS:
        number = ours.recv(1)[0]
    time.sleep(END_S)
    if hasattr(signal, "pthread_kill"):
        with contextlib.suppress(ProcessLookupError):
            signal.pthread_kill(threading.main_thread().ident or 0, number)
    time.sleep(BLOCKED_S)
    writer.close()
    os._exit(INTERRUPTED)

"""Serial ports, TCP connections and signals, as the programs of both ends use them."""

import contextlib
import errno
import os
import select
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from wire.text import printable

# A peer that has lost power sends no end of the connection: only probes show that it is gone.
PROBE_AFTER_S, PROBE_EVERY_S, PROBES = 15, 5, 3
DEAD_PEER_S = PROBE_AFTER_S + PROBES * PROBE_EVERY_S

BUSY = (errno.EAGAIN, errno.EBUSY)  # the lock on a port is taken; the port is open for one program only
WINDOWS_BUSY = "PermissionError(13"  # in pyserial's message if a COM port is open in another program

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def keep_alive(line: socket.socket, acknowledges: bool = False) -> None:
    """Let the system probe a silent TCP connection: one without a living peer fails after DEAD_PEER_S.

    acknowledges: the peer reads all the time, so the connection also fails if bytes that were sent stay unread so long.
    """
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {"TCP_KEEPIDLE": PROBE_AFTER_S, "TCP_KEEPINTVL": PROBE_EVERY_S, "TCP_KEEPCNT": PROBES}
    options["TCP_KEEPALIVE"] = PROBE_AFTER_S  # as macOS calls TCP_KEEPIDLE
    if acknowledges:  # the system probes no connection on which sent bytes are pending
        options["TCP_USER_TIMEOUT"] = 1000 * DEAD_PEER_S
    for name, value in options.items():
        if hasattr(socket, name):  # not every system has all of them
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def is_closed(fd: int) -> bool:
    """Return True if a read of this descriptor that returned nothing means that its line is closed.

    It does for a socket. A serial port is also empty if another program was faster to read what had arrived.
    """
    if stat.S_ISSOCK(os.fstat(fd).st_mode):
        return True
    poll = select.poll()
    poll.register(fd, 0)  # reports hang-ups and errors only
    return bool(poll.poll(0))


def holders(path: str) -> list[str]:
    """Return the other programs that have a port open, as "NAME (process N)". Empty where the system does not tell."""
    port, found = os.path.realpath(path), []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if process.name != str(os.getpid()) and any(_links_to(fd, port) for fd in (process / "fd").iterdir()):
                name = (process / "comm").read_text(errors="replace").strip()
                found.append(f"{printable(name)} (process {process.name})")
    return found


def _links_to(link: Path, path: str) -> bool:
    try:
        return os.readlink(link) == path
    except OSError:
        return False


def reason(error: Exception, where: str) -> str:
    """Return why a port or connection could not be used: the system's message, which pyserial wraps in its own.

    where: its path or URL. If it is open in another program, the text says so, and in which if the system tells.
    """
    cause: BaseException = error
    if isinstance(error.__context__, OSError) or type(error.__context__).__module__ == "termios":
        cause = error.__context__ or error
    number, text = cause.args if len(cause.args) == 2 else (None, str(cause))
    if number in BUSY or WINDOWS_BUSY in str(error):
        names = holders(where)
        return f"in use by {', '.join(names)}" if names else "in use by another program"
    return str(text)


@contextlib.contextmanager
def stop_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` at the first signal that ends a command, and raise KeyboardInterrupt at the next.

    The first lets the command finish what it does, such as a line of output. The next ends what blocks it.
    """
    stopping = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()
        stop()

    before = {name: signal.getsignal(name) for name in STOP_SIGNALS}
    for name in STOP_SIGNALS:
        catch(name, handle)
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def catch(number: signal.Signals, handler: Callable[[int, FrameType | None], object]) -> None:
    """Handle a signal, unless it is SIGHUP and ignored, as nohup has it."""
    if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, handler)

"""Tests of how long a command has to end after a signal. Blocked commands: tests/host/cli/test_receive_faults.py."""

import signal
import subprocess
import sys
import time

import pytest

from tests.support import ROOT

PROGRAM = """
import sys, time
from inkling.stop import catch_stop_signals, end_in_time
end_in_time()
catch_stop_signals()
try:
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
except KeyboardInterrupt:
    end = time.monotonic() + {seconds}
    while time.monotonic() < end:
        busy = time.thread_time() + {work}
        while time.thread_time() < busy:
            pass
        time.sleep({rest})
"""


CLEAN_UP = """
import time
from inkling.stop import catch_stop_signals, end_in_time
class Held:
    def __del__(self):
        time.sleep(60)
end_in_time()
catch_stop_signals()
held = Held()
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    {before}
    raise SystemExit(130) from None
"""


@pytest.mark.parametrize(
    ("before", "status"),
    [
        pytest.param("del held", 130, id="while the program ends"),
        pytest.param("pass", -signal.SIGALRM, id="while the interpreter shuts down"),  # no thread of ours runs then
    ],
)
def test_repeated_signal_that_interrupts_a_clean_up_prints_nothing(before: str, status: int) -> None:
    program = CLEAN_UP.format(before=before)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (status, "")


@pytest.mark.parametrize(
    ("seconds", "work", "rest", "finishes", "longest"),
    [
        pytest.param(1.3, 0.003, 0.03, True, 60.0, id="slow"),  # as on a machine with other work
        pytest.param(60.0, 0.0, 60.0, False, 4.0, id="blocked"),
        pytest.param(60.0, 0.003, 0.03, False, 8.0, id="slow for too long"),
    ],
)
def test_signal_ends_a_command_that_is_blocked_but_not_one_at_work(
    seconds: float, work: float, rest: float, finishes: bool, longest: float
) -> None:
    program = PROGRAM.format(seconds=seconds, work=work, rest=rest)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert (process.wait(60) == 0) == finishes
    assert time.monotonic() - begin < longest
    process.stdout.close()

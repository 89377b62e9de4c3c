"""Tests of numbers that no port, link or generator can have: each is one line."""

from pathlib import Path

import pytest

from tests.support.channel import Device, start


@pytest.mark.parametrize("baud", ["3000000000", "99999999999999999999"])
def test_command_refuses_a_baud_rate_that_no_port_has(baud: str, tmp_path: Path) -> None:
    board = Device(tmp_path / "ttyBoard")
    board.plug()
    process = start("proxy", "--board", str(board.path), "--listen", "pty", "--baud", baud, "--reconnect")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err == f"inkling: cannot open the board at {board.path}: invalid baud rate {baud}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["proxy", "--board", "pty", "--listen", "pty", "--baud", "0"], "must be an integer of at least 1, got '0'"),
        (["proxy", "--board", "pty", "--listen", "pty", "--seed", "-1"], "must be an integer of at least 0, got '-1'"),
        (["lora", "--seed", "x"], "must be an integer of at least 0, got 'x'"),
        (["lora", "--snr", "nan", "3"], "must be -200 to 200 dB, got 'nan'"),
        (["air", "lora:snr=0", "--snr", "3=inf"], "DEVICE=DB is a device 0..254 and its SNR in dB"),
        (["replay", "x", "--listen", "tcp://127.0.0.1:0", "--speed", "1e-320"], "a speed is 0.001 to 1e+06 times"),
    ],
)
def test_commands_refuse_impossible_numbers(arguments: list[str], message: str) -> None:
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.count("\n") == 1 and message in err

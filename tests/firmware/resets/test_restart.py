"""The native port: its watchdog, and counters in a file."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import ROOT, wire_c
from tests.support.firmware import REPLY_SECONDS

FIRMWARE = ROOT / "firmware"
WATCHDOG_S = 2
BAD_KEYS = [
    b"1 2 \n",
    b"1 2 a001\n",
    b"1 2 " + b"A0" * 16 + b"\n",
    b"1 2 " + b"a0" * 17 + b"\n",
    b"1 2 x" + b"a" * 31 + b"\n",
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build restart_app.c on the native port."""
    path = tmp_path_factory.mktemp("restart") / "inkling"
    sources = [*(FIRMWARE / "ports" / "posix").glob("*.c"), *(FIRMWARE / "lib" / "counter").glob("counter.c")]
    sources.append(Path(__file__).with_name("restart_app.c"))
    headers = [FIRMWARE / "src", *(FIRMWARE / "lib" / name for name in ("board", "counter", "camera", "radio"))]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fsanitize=address,undefined"]
    flags += [f"-DINKLING_WATCHDOG_S={WATCHDOG_S}", '-DINKLING_TARGET="restart"']
    includes = [f"-I{header}" for header in (*headers, wire_c.SOURCE)]
    subprocess.run(["gcc", *flags, *includes, *sources, "-o", path], check=True)
    return path


@contextmanager
def running(program: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [program, "--port", "stdio", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def ask(child: subprocess.Popen[bytes], question: bytes) -> bytes:
    assert child.stdin and child.stdout
    child.stdin.write(question)
    return child.stdout.readline()


@pytest.mark.slow
def test_watchdog_restarts_a_process_in_an_endless_loop(program: Path, tmp_path: Path) -> None:
    """Twice: the second life has a watchdog, too. The line stays the same."""
    with running(program, "--counter", str(tmp_path / "counter")) as child:
        for life in range(3):
            assert ask(child, b"C") == (b"4\n" if life else b"1\n")
            assert ask(child, b"K") == b"%d\n" % life
            assert ask(child, b"B") == b"%d\n" % (life + 1)
            if life < 2:
                assert child.stdin and child.stderr
                child.stdin.write(b"L")
                assert child.stderr.readline().startswith(b"inkling: watchdog: the application made no progress")


@pytest.mark.slow
def test_watchdog_leaves_a_process_that_makes_progress_alone(program: Path) -> None:
    with running(program) as child:
        assert ask(child, b"W") == b"0\n"
        assert ask(child, b"C") == b"1\n"


def test_process_counts_its_boots_in_a_file(program: Path, tmp_path: Path) -> None:
    file = tmp_path / "counter"
    for boots in (1, 2, 3):
        with running(program, "--counter", str(file)) as child:
            assert ask(child, b"B") == b"%d\n" % boots
        assert file.read_text() == f"{112 * boots} {boots}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter", "counter.lock"]


def test_process_keeps_its_key_beside_its_counter(program: Path, tmp_path: Path) -> None:
    file = tmp_path / "counter"
    for boots in (1, 2):
        with running(program, "--counter", str(file)) as child:
            if boots == 1:
                assert ask(child, b"A") == b"1\n"
            assert ask(child, b"S") == b"2\n"
        assert file.read_text() == f"{112 * (boots + 1)} {boots} a00102030405060708090a0b0c0d0e0f\n"
        assert file.stat().st_mode & 0o777 == 0o600
    with running(program) as child:
        assert ask(child, b"A") == b"1\n" and ask(child, b"S") == b"1\n", "without a file, until the next start"


def test_process_without_a_file_does_not_know_its_boots(program: Path) -> None:
    with running(program) as child:
        assert ask(child, b"B") == b"0\n"


@pytest.mark.parametrize(
    "content", [b"", b"12", b"12 3", b"12 -3 \n", b"1 2\n3 4\n", b"\xff\x00 1\n", b"9" * 90, *BAD_KEYS]
)
def test_process_refuses_a_file_that_is_none_of_its_own(program: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "counter"
    file.write_bytes(content)
    done = refused(program, file)
    assert done == f"inkling: --counter {file}: not a counter file; delete it to begin at 0\n"
    assert file.read_bytes() == content


def test_process_refuses_a_missing_folder(program: Path, tmp_path: Path) -> None:
    file = tmp_path / "none" / "counter"
    assert refused(program, file) == f"inkling: --counter {file}: No such file or directory\n"


def test_process_refuses_a_file_that_another_one_uses(program: Path, tmp_path: Path) -> None:
    file = tmp_path / "counter"
    with running(program, "--counter", str(file)) as child:
        ask(child, b"B")
        assert refused(program, file) == f"inkling: --counter {file}: another process uses it\n"


def test_process_reports_a_file_that_cannot_be_replaced(program: Path, tmp_path: Path) -> None:
    """A folder stands where the new file is written; the boards's numbers are then not called unique."""
    (tmp_path / "counter.new").mkdir()
    with running(program, "--counter", str(tmp_path / "counter")) as child:
        assert ask(child, b"B") == b"0\n"
        assert child.stderr
        assert child.stderr.readline().startswith(b"inkling: --counter ")


def refused(program: Path, file: Path) -> str:
    """Return the one line of a process that ends at once."""
    done = subprocess.run(
        [program, "--port", "stdio", "--counter", file],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=REPLY_SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    return done.stderr

"""Runs a fuzz target. Both kinds understand libFuzzer's options, and end with what they found in a file."""

import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware.tools.core_dir import ROOT

POLL_SECONDS = 0.2
REPORT_SECONDS = 10.0
HANG_SECONDS = 20  # on a loaded machine, too, an input takes milliseconds
_STATUS = re.compile(r"^#(\d+)\s.*cov: (\d+) .*corp: (\d+)/", re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """A command that fuzzes, or replays the files it is given; its corpus in the repository; its own folder."""

    name: str
    command: Sequence[str]
    corpus: Path
    folder: Path
    longest: int  # bytes of an input

    @property
    def found(self) -> Path:
        """Inputs that reach something new, of this and earlier runs."""
        return self.folder / "corpus"

    @property
    def findings(self) -> Path:
        """Inputs that crash, hang or go against the specification."""
        return self.folder / "findings"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"


@dataclass(frozen=True)
class Outcome:
    """How a run went. finding: the input that ended it, if it did not end by itself."""

    executions: int
    coverage: int  # edges, as libFuzzer counts them
    corpus: int
    seconds: float
    failed: bool
    finding: Path | None


def fuzz(target: Target, seconds: float, report: Callable[[str], None]) -> Outcome:
    """Fuzzes for so long, from the corpus on; tells now and then how it goes. The target's log has all."""
    for folder in (target.found, target.findings, target.corpus):
        folder.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={max(1, round(seconds))}", f"-max_len={target.longest}", f"-timeout={HANG_SECONDS}"]
    options += ["-len_control=0", f"-report_slow_units={HANG_SECONDS}", "-print_final_stats=1"]
    options += [f"-artifact_prefix={target.findings}/"]
    before = set(target.findings.iterdir())
    started = reported = time.monotonic()
    with target.log.open("wb") as log:
        command = [*target.command, *options, str(target.found), str(target.corpus)]
        with subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as child:
            try:
                while child.poll() is None:
                    time.sleep(POLL_SECONDS)
                    if time.monotonic() - reported >= REPORT_SECONDS:
                        reported = time.monotonic()
                        report(_line(target, reported - started, seconds))
            except BaseException:
                child.kill()
                raise
    new = sorted(set(target.findings.iterdir()) - before)
    figures = _figures(target)
    return Outcome(*figures, time.monotonic() - started, child.returncode != 0, new[0] if new else None)


def replay(target: Target, inputs: Sequence[Path]) -> subprocess.CompletedProcess:
    """Runs each input once; the exit status is 0 if all went well."""
    command = [*target.command, f"-timeout={HANG_SECONDS}", *(str(path.resolve()) for path in inputs)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)


def keep(target: Target) -> None:
    """Adds to the repository's corpus the inputs that reach what none there does."""
    command = [*target.command, "-set_cover_merge=1", str(target.corpus), str(target.found)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)


def _figures(target: Target) -> tuple[int, int, int]:
    """Executions, coverage and corpus by the log's last status."""
    statuses = _STATUS.findall(target.log.read_text(encoding="utf-8", errors="replace"))
    executions, coverage, corpus = statuses[-1] if statuses else (0, 0, 0)
    return int(executions), int(coverage), int(corpus)


def _line(target: Target, passed: float, seconds: float) -> str:
    executions, coverage, corpus = _figures(target)
    done = f"{passed / 60:.1f} of {seconds / 60:.1f} minutes"
    return f"{target.name}: {done}, {executions:,} inputs, coverage {coverage}, corpus {corpus}"

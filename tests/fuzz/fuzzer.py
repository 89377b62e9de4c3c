"""Run a fuzz target. Both kinds take libFuzzer's options and write a finding to a file."""

import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware.tools.core_dir import ROOT

POLL_SECONDS = 0.2
REPORT_SECONDS = 10.0
HANG_SECONDS = 20  # an input takes milliseconds, even on a loaded machine
# A new process inherits the peak memory of the one that starts it, such as a test that has loaded PyTorch. libFuzzer
# takes it for the target's own; the limit of a single allocation still finds a target that asks for too much.
MEMORY = ("-rss_limit_mb=0", "-malloc_limit_mb=2048")
_STATUS = re.compile(r"^#(\d+)\s.*cov: (\d+) .*corp: (\d+)/", re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """A command that fuzzes, or replays given files; its corpus in the repository; its working folder."""

    name: str
    command: Sequence[str]
    corpus: Path
    folder: Path
    max_bytes: int  # of an input

    @property
    def new_inputs(self) -> Path:
        """Folder of the inputs with new coverage, of this and earlier runs."""
        return self.folder / "corpus"

    @property
    def findings(self) -> Path:
        """Folder of the inputs that crash, hang or violate the specification."""
        return self.folder / "findings"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"


@dataclass(frozen=True)
class Outcome:
    """Result of a run. `finding` is the input that ended it, if any."""

    executions: int
    coverage: int  # edges, as libFuzzer counts them
    corpus: int
    seconds: float
    failed: bool
    finding: Path | None


def fuzz(target: Target, seconds: float, log: Callable[[str], None], max_executions: int = -1) -> Outcome:
    """Fuzz for this time or number of executions, those of the corpus included (-1: no limit).

    The progress is logged every REPORT_SECONDS; all output goes to the target's log.
    """
    for folder in (target.new_inputs, target.findings, target.corpus):
        folder.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={max(1, round(seconds))}", f"-max_len={target.max_bytes}", f"-timeout={HANG_SECONDS}"]
    options += [*MEMORY, "-len_control=0", f"-report_slow_units={HANG_SECONDS}", "-print_final_stats=1"]
    options += [f"-artifact_prefix={target.findings}/", f"-runs={max_executions}"]
    before = set(target.findings.iterdir())
    started = reported = time.monotonic()
    with target.log.open("wb") as output:
        command = [*target.command, *options, str(target.new_inputs), str(target.corpus)]
        with subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as child:
            try:
                while child.poll() is None:
                    time.sleep(POLL_SECONDS)
                    if time.monotonic() - reported >= REPORT_SECONDS:
                        reported = time.monotonic()
                        log(_progress(target, reported - started, seconds))
            except BaseException:
                child.kill()
                raise
    new = sorted(set(target.findings.iterdir()) - before)
    figures = _figures(target)
    return Outcome(*figures, time.monotonic() - started, child.returncode != 0, new[0] if new else None)


def replay(target: Target, inputs: Sequence[Path]) -> subprocess.CompletedProcess[str]:
    """Run each input once. Exit status 0: no input failed."""
    command = [*target.command, *MEMORY, f"-timeout={HANG_SECONDS}", *(str(path.resolve()) for path in inputs)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)


def keep(target: Target) -> None:
    """Add the inputs that increase its coverage to the corpus in the repository."""
    command = [*target.command, *MEMORY, "-set_cover_merge=1", str(target.corpus), str(target.new_inputs)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)


def _figures(target: Target) -> tuple[int, int, int]:
    """Return executions, coverage and corpus size from the last status in the log."""
    statuses = _STATUS.findall(target.log.read_text(encoding="utf-8", errors="replace"))
    executions, coverage, corpus = statuses[-1] if statuses else (0, 0, 0)
    return int(executions), int(coverage), int(corpus)


def _progress(target: Target, elapsed: float, seconds: float) -> str:
    executions, coverage, corpus = _figures(target)
    done = f"{elapsed / 60:.1f} of {seconds / 60:.1f} minutes"
    return f"{target.name}: {done}, {executions:,} inputs, coverage {coverage}, corpus {corpus}"

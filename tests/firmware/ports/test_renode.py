"""The STM32F405 in Renode: if Renode is installed, its Robot test of the board runs."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.tools import emulator
from tests.support import ROOT, golden_frame
from tests.support.firmware import bundle_path, program
from wire.answer import Answer

RENODE = ROOT / "firmware" / "renode"
TARGET = "qemu_stm32f405"


@pytest.mark.emulated
def test_robot_test_of_the_board_passes(tmp_path: Path) -> None:
    for tool in ("renode", "renode-test"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on the PATH: the STM32F405 was not run in Renode")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # free for Renode, which takes no port 0
    variables = {
        "PYTHON": sys.executable,
        "ELF": program(TARGET),
        "BUNDLE": bundle_path().resolve(),
        "PORT": port,
    }
    options = [f"--variable={name}:{value}" for name, value in variables.items()]
    command = ["renode-test", *options, f"--results-dir={tmp_path}", str(RENODE / "inkling.robot")]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.emulated
def test_golden_frame_accepts_the_golden_answer_and_payload_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with emulator.qemu(program(TARGET)) as url:
        golden_frame.main(url, str(bundle_path()))
        answer, payload = capsys.readouterr().out.splitlines()
        assert answer.startswith("class ") and answer.endswith(", equal")
        assert payload.endswith(" bytes of payload, equal")
        monkeypatch.setattr(golden_frame, "interleave", lambda packed, bits: bytes(len(packed)))
        with pytest.raises(SystemExit, match=r"the payload is [0-9a-f]+, not (00)+$"):
            golden_frame.main(url, str(bundle_path()))
        monkeypatch.setattr(golden_frame, "Answer", lambda index, level: Answer(index ^ 1, level))
        with pytest.raises(SystemExit, match=r"the answer is Answer\(.*\), not Answer\(.*\)$"):
            golden_frame.main(url, str(bundle_path()))


@pytest.mark.parametrize("name", ["stm32f405.resc", "inkling.robot"])
def test_renode_scripts_name_existing_files(name: str) -> None:
    """Checked without Renode. Files that the firmware's build makes may not exist yet."""
    text = (RENODE / name).read_text().replace("${ROOT}", "${CURDIR}/../..")
    named = re.findall(r"(?:\$ORIGIN|\$\{CURDIR\})/(\S+)", text)
    assert named
    assert [path for path in named if ".pio/" not in path and not (RENODE / path).exists()] == []

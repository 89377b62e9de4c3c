"""PlatformIO build script: bare RISC-V with the system's riscv64-unknown-elf-gcc."""

import sys
from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
sys.path.insert(0, str(Path(env.subst("$PROJECT_DIR")) / "firmware" / "platforms"))

from cross_gcc import build_program  # noqa: E402 - needs the path above

build_program(env, "riscv64-unknown-elf-", packages="gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf")

"""PlatformIO build script: bare ARM Cortex-M with the system's arm-none-eabi-gcc."""

import sys
from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
sys.path.insert(0, str(Path(env.subst("$PROJECT_DIR")) / "firmware" / "platforms"))

from cross_gcc import build_program  # noqa: E402 - needs the path above

build_program(env, "arm-none-eabi-", packages="gcc-arm-none-eabi libnewlib-arm-none-eabi")

"""PlatformIO build script: bare ARM Cortex-M with the system's arm-none-eabi-gcc."""

import shutil
import sys

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
PREFIX = "arm-none-eabi-"
if shutil.which(PREFIX + "gcc") is None:
    sys.stderr.write(
        "inkling: arm-none-eabi-gcc is not installed (Debian: apt install gcc-arm-none-eabi libnewlib-arm-none-eabi)\n"
    )
    env.Exit(1)

env.Replace(
    AR=PREFIX + "gcc-ar",
    AS=PREFIX + "gcc",
    CC=PREFIX + "gcc",
    CXX=PREFIX + "g++",
    RANLIB=PREFIX + "gcc-ranlib",
    SIZETOOL=PREFIX + "size",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
# The linker picks its libraries by the same flags that the compiler had.
env.Append(LINKFLAGS=["$CCFLAGS"])
# The map is for firmware/tools/footprint.py. SCons would split a path with blanks that it expands itself.
env.Append(LINKFLAGS=["-Wl,-Map=" + env.subst("$BUILD_DIR/firmware.map")])

program = env.BuildProgram()
env.AddPlatformTarget("size", program, env.VerboseAction("$SIZEPRINTCMD", "Size of $SOURCE"), "Program size")
AlwaysBuild(env.Alias("buildprog", program))
Default(program)

"""Common part of the bare platforms' build scripts: the system's cross compiler, one ELF file and its map."""

import shutil
import sys

from SCons.Environment import Base


def build_program(env: Base, prefix: str, packages: str) -> None:
    """Set the toolchain whose programs start with `prefix`, and add the targets.

    packages: Debian packages of the toolchain. If it is missing, the build ends with one line that names them.
    """
    if shutil.which(prefix + "gcc") is None:
        sys.stderr.write(f"inkling: {prefix}gcc is not installed (Debian: apt install {packages})\n")
        env.Exit(1)
    env.Replace(
        AR=prefix + "gcc-ar",
        AS=prefix + "gcc",
        CC=prefix + "gcc",
        CXX=prefix + "g++",
        RANLIB=prefix + "gcc-ranlib",
        SIZETOOL=prefix + "size",
        SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
        PROGNAME="firmware",
        PROGSUFFIX=".elf",
    )
    env.Append(CXXFLAGS=["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"])
    # The linker selects its libraries by the compiler's flags.
    env.Append(LINKFLAGS=["$CCFLAGS"])
    # For firmware/tools/footprint.py. Expanded here, because SCons would split a path with spaces.
    env.Append(LINKFLAGS=["-Wl,-Map=" + env.subst("$BUILD_DIR/firmware.map")])
    program = env.BuildProgram()
    env.AddPlatformTarget("size", program, env.VerboseAction("$SIZEPRINTCMD", "Size of $SOURCE"), "Program size")
    env.AlwaysBuild(env.Alias("buildprog", program))
    env.Default(program)

"""What the bare platforms' build scripts share: a cross compiler of the system, one ELF file and its map."""

import shutil
import sys

from SCons.Environment import Base


def build_program(env: Base, prefix: str, packages: str) -> None:
    """Sets the toolchain whose programs start with `prefix` and adds the targets.

    packages: the Debian packages that hold the toolchain. Ends the build with one line where it is missing.
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
    # C++ as microcontrollers have it: nothing that throws, asks for types at run time, or locks a local static.
    env.Append(CXXFLAGS=["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"])
    # The linker picks its libraries by the same flags that the compiler had.
    env.Append(LINKFLAGS=["$CCFLAGS"])
    # The map is for firmware/tools/footprint.py. SCons would split a path with blanks that it expands itself.
    env.Append(LINKFLAGS=["-Wl,-Map=" + env.subst("$BUILD_DIR/firmware.map")])
    program = env.BuildProgram()
    env.AddPlatformTarget("size", program, env.VerboseAction("$SIZEPRINTCMD", "Size of $SOURCE"), "Program size")
    env.AlwaysBuild(env.Alias("buildprog", program))
    env.Default(program)

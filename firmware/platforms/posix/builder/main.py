"""PlatformIO build script: a process of this machine, with the system's C compiler."""

import shutil
import sys

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
if shutil.which("gcc") is None:
    sys.stderr.write("inkling: gcc is not installed (Debian: apt install gcc libc6-dev)\n")
    env.Exit(1)

env.Replace(CC="gcc", CXX="g++", AR="ar", RANLIB="ranlib", PROGNAME="inkling")
# C++ as microcontrollers have it: nothing that throws, asks for types at run time, or locks a local static.
env.Append(CXXFLAGS=["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"])
# The linker picks its libraries by the same flags that the compiler had.
env.Append(LINKFLAGS=["$CCFLAGS"])

program = env.BuildProgram()
AlwaysBuild(env.Alias("buildprog", program))
Default(program)

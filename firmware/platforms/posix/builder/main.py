"""PlatformIO build script: a process on the host, with the system's C compiler."""

import shutil
import sys

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
if shutil.which("gcc") is None:
    sys.stderr.write("inkling: gcc is not installed (Debian: apt install gcc libc6-dev)\n")
    env.Exit(1)

env.Replace(CC="gcc", CXX="g++", AR="ar", RANLIB="ranlib", PROGNAME="inkling")
# As on microcontrollers: no exceptions, no run-time types, no locks around local statics.
env.Append(CXXFLAGS=["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"])
# The linker selects its libraries by the compiler's flags.
env.Append(LINKFLAGS=["$CCFLAGS"])

program = env.BuildProgram()
AlwaysBuild(env.Alias("buildprog", program))
Default(program)

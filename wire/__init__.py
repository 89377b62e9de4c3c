"""The bytes that both ends agree on: symbols <-> bits <-> payload <-> frame, wire version 1.

`payload` turns levels into Gray-coded, packed, interleaved bits; `bch` and `crc` protect a header and mark a
clean frame; `frame` builds feature frames, `control` commands and replies; `bundle` reads the folder that
tells both ends what a model's payload means. numpy only, no I/O but the bundle's. firmware/lib/wire is the
same in C11, and docs/SPEC.md has it byte by byte.
"""

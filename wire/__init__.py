"""The wire format, version 1: symbols <-> bits <-> payload <-> frame.

`payload` Gray-codes, packs and interleaves symbols; `answer` is the class that a board itself gives. `bch` protects
headers and answers; `crc` detects damage. `frame` builds feature and answer frames, `control` commands and replies.
`model` holds the properties of a model that define its payload, and `bundle` reads them from a folder. `lora` computes
air times. The modules need only numpy, and only `bundle` reads files. firmware/lib/wire is the same in C11;
docs/SPEC.md specifies the bytes. `system` is not about bytes: it has what the programs at both ends need from the
operating system.
"""

BAUD = 115200  # default rate of a board's serial line

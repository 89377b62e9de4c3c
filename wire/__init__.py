"""The wire format, version 1: symbols <-> bits <-> payload <-> frame.

`payload` Gray-codes, packs and interleaves symbols; `answer` is the class that a board itself gives. `bch` protects
headers and answers; `crc` detects damage. `frame` builds feature and answer frames, `control` commands and replies.
`model` holds the properties of a model that define its payload, and `bundle` reads them from a folder. `lora` computes
air times. firmware/lib/wire is the same in C11; docs/SPEC.md specifies the bytes. The other modules serve programs at
both ends: `system` for ports and signals, `text` to show what strangers wrote, `files` to write files and `checks`
to read them. `secure` authenticates and encrypts frames of devices with a key; it needs cryptography, and all other
modules need only numpy.
"""

BAUD = 115200  # default rate of a board's serial line

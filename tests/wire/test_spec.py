"""docs/SPEC.md against the code: tables, numbers and example frames."""

import json
import re
from math import comb

import numpy as np
import pytest

from host.receive import headers, matching
from tests.support import ROOT, wire_c
from tests.wire import make_vectors
from wire import answer, bch, control, frame, payload
from wire.answer import Answer
from wire.crc import crc16, crc32
from wire.frame import MAX_CHUNKS
from wire.replies.status import ResetCause, Status

SPEC = (ROOT / "docs" / "SPEC.md").read_text(encoding="utf-8")
WINDOW = matching.BEHIND + 1 + matching.AHEAD  # sequence numbers that a known device may send now
ONE_LINE = " ".join(SPEC.split())
Reply = control.Info | control.RunCost | control.BenchResult | control.ErrorReply | control.ModeSetting | Status
VECTORS = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))


def example(name: str) -> bytes:
    """Return the frame in a fenced block: on each line, the hex pairs before the explanation."""
    block = re.search(rf"```{name}\n(.*?)```", SPEC, re.DOTALL)
    assert block, f"SPEC.md has no example called {name}"
    lines = [re.match(r"(?:[0-9A-F]{2} )+", line) for line in block[1].splitlines()]
    assert all(lines), f"a line of the example {name} is not hex, blanks and an explanation"
    return bytes.fromhex("".join(line[0] for line in lines if line))


def table(title: str) -> list[list[str]]:
    """Return the cells, without heading, of the only table with this cell in its heading."""
    tables = [t for t in re.findall(r"(?:^\|.*\n)+", SPEC, re.MULTILINE) if f"| {title} |" in t.splitlines()[0]]
    assert len(tables) == 1, f"SPEC.md has {len(tables)} tables headed {title}"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in tables[0].splitlines()[2:]]


def test_feature_frame_example_matches_code_and_vectors() -> None:
    vector = VECTORS["features"][0]
    whole = example("feature-frame")
    assert whole.hex() == vector["frame"]
    header = frame.Header(frame.FrameType.FEATURE, 7, 9, 0x5EED1234 & 31, 0)
    packed = payload.pack(np.array([6, 2, 6, 7, 2, 7, 5]), 3)
    assert packed.hex(" ").upper() == "AE C7 38" and "packed AE C7 38, n = 21, step = 13" in ONE_LINE
    assert whole == frame.feature_frame(header, packed, 21, 0x5EED1234)
    assert "levels 6 2 6 7 2 7 5: codes 101 011 101 100 011 100 111" in ONE_LINE


def test_feature_frame_with_answer_example_matches_code_and_vectors() -> None:
    vector = VECTORS["features"][6]
    whole = example("feature-frame-with-answer")
    assert whole.hex() == vector["frame"]
    packed = Answer(4, 2).word.to_bytes(2, "big") + payload.pack(np.array([0, 0, 0, 4, 0, 4, 5]), 3)
    assert whole == frame.feature_frame(frame.Header(frame.FrameType.FEATURE, 7, 9, 20, 0), packed, 37, 0x5EED1234)
    assert "levels 0 0 0 4 0 4 5, and the answer class 4, confidence 2: answer word AE13" in ONE_LINE
    assert f"packed {packed.hex(' ').upper()}, n = 37, step = {payload.interleaver(37)[1]}" in ONE_LINE


def test_answer_frame_example_matches_code_and_vectors() -> None:
    header = frame.AnswerHeader(7, 9, 20, Answer(3, 12))
    assert example("answer-frame") == frame.answer_frame(header)
    assert example("answer-frame").hex() == VECTORS["answer_frames"][0]["frame"]
    assert f"class 3, confidence 12: the 36 bits {header.word():09X}." in ONE_LINE
    assert "answer: 7, 9, 20, 3, 12" in SPEC


def test_answer_code_tables_match_code() -> None:
    rows = table("minimum distance")
    assert [(name, generator) for _, name, _, generator in rows] == [
        (f"BCH(63,{size})", f"{generator:X}") for size, generator in bch.GENERATORS.items()
    ]
    firsts = [0, *bch.GENERATORS][: len(bch.GENERATORS)]
    assert [bits for bits, *_ in rows] == [
        f"{first}..{size - 1}" for first, size in zip(firsts, bch.GENERATORS, strict=True)
    ]
    for word, block in table("36 bits"):
        assert bytes.fromhex(block) == bch.ANSWER.encode(int(word, 16))


def test_answer_arithmetic_matches_code() -> None:
    floors = [f"{100 * answer.confidence_floor(level):.2f} %" for level in range(1, 16)]
    bounds = [str(bound) for bound in answer.BOUNDS]
    assert [tuple(row) for row in table("p from")] == [*zip(map(str, range(1, 16)), floors, bounds, strict=True)]
    given = re.search(r"the scores ([\d ]+) give class (\d+), S = (\d+), level (\d+)\.", ONE_LINE)
    assert given
    scores = [int(score) for score in given[1].split()]
    assert scores == VECTORS["features"][6]["scores"]
    assert Answer(int(given[2]), int(given[4])) == make_vectors.answer_of(scores)
    assert int(given[3]) == sum(VECTORS["answer_weights"][max(scores) - score] for score in scores)


def test_class_code_table_matches_code() -> None:
    rows = table("row")
    assert [(int(bit), int(row, 16)) for bit, row, _ in rows] == [*enumerate(answer.CLASS_ROWS)]
    for bit, _, distance in rows:
        codes = answer.class_code(np.arange(1, 2 << int(bit)))
        assert int(distance) == min(int(code).bit_count() for code in codes)
    assert f"For class 3 (rows 0 and 1) and level 12 (Gray code {payload.gray(12):04b})" in ONE_LINE
    assert f"the word is {Answer(3, 12).word:04X}." in ONE_LINE


def test_control_frame_examples_match_code_and_vectors() -> None:
    assert example("command") == control.command(control.Opcode.INFO, 0)
    assert example("command").hex() == VECTORS["commands"][0]["frame"]
    error = control.ErrorReply(control.ErrorCode.BAD_LENGTH, control.Opcode.RUN)
    assert example("reply") == control.reply(control.Opcode.ERROR, 201, error.pack(), 7, 0x5EED1234)
    assert example("reply").hex() == VECTORS["replies"][3]["frame"]
    assert example("status").hex() == VECTORS["statuses"][0]["frame"]
    assert f"a status packet has {len(example('status')) - len(frame.SYNC)} bytes" in ONE_LINE


@pytest.mark.parametrize("name", ["feature-frame", "feature-frame-with-answer", "command", "reply", "status"])
def test_example_headers_match_their_explanation(name: str) -> None:
    decoded = bch.HEADER.decode(example(name)[4:12])
    assert decoded is not None
    header = frame.Header.from_word(decoded[0])
    fields = f"header: {header.type:d}, {header.device}, {header.sequence}, {header.model}, {header.chunk}"
    assert fields in SPEC


def test_constants_match_code() -> None:
    assert f"    {frame.SYNC.hex(' ').upper()}\n" in SPEC
    assert f"    g(x) = {bch.GENERATORS[24]:X} " in SPEC
    assert f"The wire, version {frame.WIRE_VERSION}" in SPEC
    assert (
        f"at most {frame.SYNC_MAX_FLIPS} of the sync's 32 bits and {bch.HEADER.max_errors} of the header's 63"
        in ONE_LINE
    )
    assert f"nothing for {control.TIMEOUT_MS} ms" in ONE_LINE
    c_limits = (wire_c.SOURCE / "wire" / "control.h").read_text(encoding="utf-8")
    whole_ms, byte_ms = re.findall(r"#define WIRE_(?:COMMAND|BYTE)_MS (\d+)u", c_limits)
    assert f"complete {whole_ms} ms + {byte_ms} ms per data byte" in ONE_LINE
    assert f"up to {MAX_CHUNKS} pairs" in ONE_LINE
    assert f"start FFFF gives {crc16(b'123456789', 0xFFFF):X}" in ONE_LINE
    assert f"start 0000 it gives {crc16(b'123456789', 0):X}" in ONE_LINE
    assert f"`123456789` gives {crc32(b'123456789'):X}" in ONE_LINE


def test_header_examples_match_code() -> None:
    for word, block in table("24 bits"):
        assert bytes.fromhex(block) == bch.HEADER.encode(int(word, 16))


def test_gray_table_matches_code() -> None:
    (codes,) = table("level")
    assert codes[1:] == [f"{payload.gray(level):03b}" for level in range(8)]


def test_interleaver_steps_match_code() -> None:
    heading = re.search(r"\| n \| (.*) \|\n", SPEC)
    (steps,) = table("n")
    assert heading
    for n_bits, step in zip(heading[1].split(" | "), steps[1:], strict=True):
        assert int(n_bits) == 1 or payload.interleaver(int(n_bits))[1] == int(step)


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("INFO reply", control.Info),
        ("RUN reply", control.RunCost),
        ("BENCH reply", control.BenchResult),
        ("STATUS reply", Status),
        ("MODE command (no data: only report) and MODE reply", control.ModeSetting),
        ("ERROR reply", control.ErrorReply),
    ],
)
def test_reply_offsets_match_code(title: str, kind: type[Reply]) -> None:
    offset = 0
    for at, size, _ in table(title):
        assert int(at) == offset
        offset += int(size)
    assert offset == kind.FORMAT.size


def test_radio_reply_offsets_match_code() -> None:
    first = control.RunCost.FORMAT.size
    rows = [(int(at), int(size)) for at, size, _ in table("reply by radio")]
    assert rows == [(first, 1), (first + 1, 4), (first + 5, 4)]
    assert first + 9 == first + control.RadioReport.FORMAT.size
    *head, packet = [(int(at), size) for at, size, _ in table("PACKET")]
    assert head == [(0, "1"), (1, "2"), (3, "2")] and packet == (control.Packet.FORMAT.size, "0..255")


def test_info_field_offsets_match_code() -> None:
    """Changing one field changes bytes of its own row only, and the fields cover all rows in order."""
    _, data, fields = make_vectors.reply_data()["info"]
    rows = [(int(at), int(at) + int(size)) for at, size, _ in table("INFO reply")]
    touched = []
    for name, value in fields.items():
        if name == "input_shape":
            touched += [changed(fields, data, name, tuple(v + (i == k) for i, v in enumerate(value))) for k in range(3)]
        else:
            other = (1, 2, 3) if isinstance(value, tuple) else value + ("x" if isinstance(value, str) else 1)
            touched.append(changed(fields, data, name, other))
    assert len(touched) == len(rows)
    for (first, last), (start, end) in zip(touched, rows, strict=True):
        assert start <= first <= last < end


def changed(fields: dict, data: bytes, name: str, value: object) -> tuple[int, int]:
    """Return the first and last byte of INFO's data that another value of a field changes."""
    other = control.Info(**(fields | {name: value})).pack()
    places = [i for i, (a, b) in enumerate(zip(data, other, strict=True)) if a != b]
    return places[0], places[-1]


def test_opcodes_match_code() -> None:
    for opcode, name, reply in table("opcode"):
        member = control.Opcode(int(opcode, 16))
        assert member.name in (name, reply.split(",")[0])
        if member != control.Opcode.ERROR:
            assert f"reply {member | control.REPLY_BIT:X}" in reply
    assert len(table("opcode")) == len(control.Opcode)


def test_reset_causes_match_code() -> None:
    assert [int(cause) for cause, _ in table("cause")] == [*ResetCause]


def test_error_codes_match_code() -> None:
    assert [(int(code), name) for code, name, _ in table("code")] == [(e.value, e.name) for e in control.ErrorCode]


def tail(n_bits: int, flips: int, ber: float) -> float:
    """Return the probability of more than `flips` flips in n_bits."""
    return sum(comb(n_bits, k) * ber**k * (1 - ber) ** (n_bits - k) for k in range(flips + 1, n_bits + 1))


def test_loss_figures_are_binomial() -> None:
    one, fifty = (bch.max_flips(96, devices * WINDOW * 3, headers.FALSE_PER_BYTE) for devices in (1, 50))
    radio = min(headers.KNOWN_HEADER_MAX_FLIPS, bch.max_flips(64, WINDOW, headers.FALSE_PER_PACKET))
    for row in table("sync"):
        ber = float(row[0])
        sync, code = tail(32, frame.SYNC_MAX_FLIPS, ber), tail(63, bch.HEADER.max_errors, ber)
        new = 1 - (1 - sync) * (1 - code)
        losses = [sync, code, new, together(one, ber), together(fifty, ber), code, tail(64, radio, ber)]
        assert row[1:] == [f"{100 * loss:.2f} %" for loss in losses]


def together(limit: int, ber: float) -> float:
    """Return the probability of more than `limit` flips in sync and header, or too many in one of them."""
    max_header = headers.KNOWN_HEADER_MAX_FLIPS
    probabilities = (
        comb(32, k) * ber**k * (1 - ber) ** (32 - k) * (1 - tail(64, min(limit - k, max_header), ber))
        for k in range(headers.KNOWN_SYNC_MAX_FLIPS + 1)
    )
    return 1 - sum(probabilities)


def test_known_device_limits_match_code() -> None:
    one, fifty = (bch.max_flips(96, devices * WINDOW * 3, headers.FALSE_PER_BYTE) for devices in (1, 50))
    assert f"once in {1 / headers.FALSE_PER_BYTE:.0e} bytes".replace("+0", "") in ONE_LINE
    assert f"{one} of 96 with one device known (three chunks), {fifty} with fifty" in ONE_LINE
    max_sync, max_header = headers.KNOWN_SYNC_MAX_FLIPS, headers.KNOWN_HEADER_MAX_FLIPS
    assert f"than {max_sync} may be in the sync and {max_header} in the header" in ONE_LINE
    assert f"must be at least {headers.MIN_LEAD} flips farther" in ONE_LINE
    assert f"takes precedence if it is {headers.CODE_MIN_LEAD} flips nearer" in ONE_LINE
    assert f"the next {matching.AHEAD} sequence numbers and the last {matching.BEHIND + 1}" in ONE_LINE
    one, fifty = (
        min(headers.KNOWN_HEADER_MAX_FLIPS, bch.max_flips(64, devices * WINDOW, headers.FALSE_PER_PACKET))
        for devices in (1, 50)
    )
    assert f"1 foreign packet in {1 / headers.FALSE_PER_PACKET:.0e} ".replace("+0", "") in ONE_LINE
    assert f"{headers.KNOWN_HEADER_MAX_FLIPS} at most: {one} with one device known, {fifty} with fifty" in ONE_LINE
    assert f"({50 * WINDOW} candidates)" in ONE_LINE


def test_answer_limits_match_code() -> None:
    def limit(devices: int, classes: int, bits: int = 96, rate: float = matching.FALSE_PER_BYTE) -> int:
        return bch.max_flips(bits, devices * WINDOW * classes * answer.CONFIDENCES, rate)

    assert f"with one device {limit(1, 10)} of 96 for 10 classes and {limit(1, 100)} for 100;" in ONE_LINE
    assert f"with fifty devices {limit(50, 10)} for 10 classes" in ONE_LINE
    radio = min(headers.KNOWN_HEADER_MAX_FLIPS, limit(1, 10, 64, matching.FALSE_ANSWER_PER_PACKET))
    assert f"in {1 / matching.FALSE_ANSWER_PER_PACKET:.0e} may match: {radio} of 64".replace("+0", "") in ONE_LINE
    assert f"is less than {headers.MIN_LEAD} flips farther makes the answer *unsure*" in ONE_LINE
    assert f"at most {frame.SYNC_MAX_FLIPS} flips in the sync and {bch.ANSWER.max_errors} in the 63 bits" in ONE_LINE
    anyone = bch.max_flips(96, 10 * 16 * frame.SEQUENCES * frame.ANY_DEVICE, matching.FALSE_PER_BYTE)
    assert f"{anyone} of 96 for 10 classes. The same" in ONE_LINE


def test_phantom_figures_match_code() -> None:
    sync = 2**32 / sum(comb(32, k) for k in range(frame.SYNC_MAX_FLIPS + 1))
    header = 2**39 / sum(comb(63, k) for k in range(bch.HEADER.max_errors + 1))
    assert f"bytes pass as a sync once in {sync:.0f}," in ONE_LINE
    assert f"blocks pass as a header once in {header:.0f}." in ONE_LINE
    assert f"once in {sync * header / 1e6:.1f} million random bytes" in ONE_LINE

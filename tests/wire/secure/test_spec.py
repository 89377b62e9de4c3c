"""docs/SPEC.md, "Secured frames", against the code: examples, tables, figures; and frames built from its text alone."""

import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.cmac import CMAC

from host.receive.matching import KNOWN_HEADER_MAX_FLIPS
from tests.wire.secure.make_vectors import KEY
from tests.wire.secure.test_frames import VECTORS, device_of
from tests.wire.test_spec import ONE_LINE, example, table
from wire import bch, frame
from wire.answer import Answer
from wire.control import SEALED_BIT, ErrorCode, Opcode
from wire.payload import interleave
from wire.secure import commands, limits
from wire.secure.frames import HEADER_TAG_BYTES, PAYLOAD_TAG_BYTES, SecuredDevice
from wire.secure.keys import LABELS, Keys, Purpose

COUNTER = 0x10009
BERS = 0.01, 0.03, 0.05, 0.1


def aes(key: bytes, block: bytes) -> bytes:
    return Cipher(AES128(key), ECB()).encryptor().update(block)


def cmac(key: bytes, message: bytes) -> bytes:
    state = CMAC(AES128(key))
    state.update(message)
    return state.finalize()


def derived(label: bytes) -> bytes:
    """Return a key as the text defines it."""
    return cmac(KEY, b"\x01" + label + b"\x00" + b"\x00\x80")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("secured-feature-frame", "features"),
        ("secured-answer-frame", "answers"),
        ("sealed-command", "commands"),
    ],
)
def test_examples_match_vectors(name: str, kind: str) -> None:
    assert example(name).hex() == VECTORS[kind][0]["frame"]


def test_examples_are_those_of_the_text() -> None:
    feature, answer, command = (VECTORS[kind][0] for kind in ("features", "answers", "commands"))
    for vector in (feature, answer):
        assert (vector["device_key"], vector["counter"], vector["device"]) == (KEY.hex(), COUNTER, 7)
        assert vector["model_number"] == 0x5EED1234
    assert (feature["levels"], feature["bits"], feature["chunk"]) == ([6, 2, 6, 7, 2, 7, 5], 3, 0)
    assert (answer["classes"], answer["index"], answer["confidence"]) == (10, 3, 12)
    assert (command["opcode"], command["request"], command["data"]) == (Opcode.CAPTURE, 201, "0100")
    assert f"sealed for counter {command['counter']:08X}, request 201, flags 1, chunk 0." in ONE_LINE
    assert f"Counter {COUNTER:08X}, otherwise the [feature frame]" in ONE_LINE
    keys = Keys.derive(KEY)
    assert f"the encryption key {keys.encryption.hex().upper()} and the authentication key" in ONE_LINE
    assert f"the authentication key {keys.authentication.hex().upper()}." in ONE_LINE


def test_keys_follow_from_the_text() -> None:
    keys = Keys.derive(KEY)
    assert (keys.encryption, keys.authentication) == (derived(LABELS[0]), derived(LABELS[1]))
    assert f"`{LABELS[0].decode()}` for the **encryption key**" in ONE_LINE
    assert f"`{LABELS[1].decode()}` for the **authentication key**" in ONE_LINE


@pytest.mark.parametrize("vector", VECTORS["features"][:2], ids=["features", "with answer"])
def test_feature_frame_follows_from_the_text(vector: dict) -> None:
    device, chunk, number = vector["device"], vector["chunk"], vector["model_number"]
    word = frame.Header(frame.FrameType.FEATURE, device, COUNTER % 32, number % 32, chunk).word()
    tagged = struct.pack(">BIB5sI", device, COUNTER, chunk, word.to_bytes(5, "big"), number)
    payload = interleave(bytes.fromhex(vector["packed"]), vector["n_bits"])
    stream = b"".join(
        aes(derived(b"inkling enc"), struct.pack(">BBIB7xH", 5, device, COUNTER, chunk, i)) for i in range(2)
    )
    encrypted = bytes(a ^ b for a, b in zip(payload, stream, strict=False))
    key = derived(b"inkling mac")
    tags = cmac(key, b"\x01" + tagged)[:8], cmac(key, b"\x02" + tagged + encrypted)[:4]
    built = frame.SYNC + bch.HEADER.encode(word) + tags[0] + encrypted + tags[1]
    assert built.hex() == vector["frame"]


@pytest.mark.parametrize("vector", VECTORS["answers"], ids=lambda v: f"{v['classes']}classes")
def test_answer_frame_follows_from_the_text(vector: dict) -> None:
    device, counter, number, classes = (vector[name] for name in ("device", "counter", "model_number", "classes"))
    board = device_of(vector, classes)
    stream = aes(board.keys.encryption, struct.pack(">BBI10x", 6, device, counter))
    index = (vector["index"] + int.from_bytes(stream[:4], "big") * classes // 2**32) % classes
    sent = Answer(index, vector["confidence"] ^ (stream[4] & 15))
    word = frame.AnswerHeader(device, counter % 32, number % 32, sent).word()
    block = struct.pack(">BBIB5sI", 3, device, counter, 0, word.to_bytes(5, "big"), number)
    built = frame.SYNC + bch.ANSWER.encode(word) + cmac(board.keys.authentication, block)[:8]
    assert built.hex() == vector["frame"]


@pytest.mark.parametrize("vector", VECTORS["commands"], ids=lambda v: f"opcode{v['opcode']}")
def test_sealed_command_follows_from_the_text(vector: dict) -> None:
    data, counter, opcode = bytes.fromhex(vector["data"]), vector["counter"], vector["opcode"] + 0x40
    key = Keys.derive(bytes.fromhex(vector["device_key"])).authentication
    tag = cmac(key, struct.pack(">BBIBB8x", 4, vector["device"], counter, opcode, vector["request"]) + data)[:8]
    sent = bytes.fromhex(vector["frame"])[12:-4]
    assert sent == struct.pack(">HBB", len(data) + 12, opcode, vector["request"]) + data + struct.pack(
        ">I8s", counter, tag
    )


@pytest.mark.parametrize(
    "title", ["block of a tag", "first block of a keystream", "block of a command's tag", "ERROR reply NOT_AUTHENTIC"]
)
def test_offsets_have_no_gaps(title: str) -> None:
    end = 0
    for at, size, _ in table(title):
        assert int(at) == end
        end += int(size)
    assert end == (commands._NOT_AUTHENTIC.size if "ERROR" in title else 16)


def test_purposes_match_code() -> None:
    assert "purpose: 1 header tag, 2 payload tag, 3 header tag of an answer frame" in ONE_LINE
    assert "purpose: 5 payload, 6 answer frame" in ONE_LINE and "| 0 | 1 | purpose: 4 |" in ONE_LINE
    assert "| 0 | 1 | purpose: 7 |" in ONE_LINE
    assert [*Purpose] == [1, 2, 3, 4, 5, 6, 7] and (HEADER_TAG_BYTES, PAYLOAD_TAG_BYTES) == (8, 4)
    assert f"is that of the command plus {SEALED_BIT:X}, and" in ONE_LINE
    assert table("ERROR reply NOT_AUTHENTIC")[0][2] == str(int(ErrorCode.NOT_AUTHENTIC))


def test_limits_of_tags_match_code() -> None:
    rows = table("flips in the tag")
    for near, in_window, flips, *shares in rows:
        for count, rate in ((near, limits.NEXT_RATE), (in_window, limits.WINDOW_RATE)):
            candidates, limit = int(count.replace(",", "")), int(flips)
            assert candidates == 0 or limits.max_tag_flips(candidates, rate) == limit
            assert limits.max_tag_flips(candidates + 1, rate) < limit
        assert shares == [f"{100 * limits.refused(limit, ber):.2f} %" for ber in BERS]
    assert [int(row[2]) for row in rows] == [11, 10, 9, 8, 7, 6, 5]
    assert (
        f"The first search has {limits.NEXT_RATE / limits.FORGERY_RATE:.1%} of this rate".replace("%", " %") in ONE_LINE
    )
    assert limits.FORGERY_RATE == 2**-24 and "at most one in 2^24 is accepted" in ONE_LINE
    assert f"at most {KNOWN_HEADER_MAX_FLIPS} of 64 bits away" in ONE_LINE
    same_header = 65536 // frame.SEQUENCES
    assert f"In a window of 65,536 counters, {same_header:,} have the same header, and" in ONE_LINE
    assert f"header, and {limits.max_tag_flips(same_header, limits.WINDOW_RATE)} flips are accepted." in ONE_LINE


def test_honest_headers_have_few_near_candidates() -> None:
    """Fifty devices with three chunks, at a BER of 0.1: 99 % of the headers have at most two."""
    boards = [SecuredDevice(Keys.derive(KEY), 5 * i, 0x5EED1234, 10) for i in range(50)]
    headers = np.concatenate([board.expected_features(range(20, 31), [0, 1, 2]).headers for board in boards])
    rng = np.random.default_rng(0)
    flips = np.packbits(rng.random((2000, 64)) < 0.1, axis=1).view(">u8")[:, 0].astype(np.uint64)
    received = headers[rng.integers(len(headers), size=2000)] ^ flips
    near = [int((bch.weights(headers ^ one) <= KNOWN_HEADER_MAX_FLIPS).sum()) for one in received]
    assert 0.98 < np.mean(np.array(near) <= 2) < 1
    assert "Of fifty devices with three chunks, 99 % of the headers have one or two" in ONE_LINE

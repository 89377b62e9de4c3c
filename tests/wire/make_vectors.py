"""Generator of tests/wire/vectors/wire_v1.json, the test vectors of the Python and the C implementation.

It is run by `python -m tests.wire.make_vectors`: the committed file defines wire version 1, and the tests fail if the
code would write a different one. The inputs come from a generator defined here, since numpy may change its own.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wire import bch, control, frame, payload
from wire.answer import ANSWER_BITS, FULL_WEIGHT, Answer, AnswerHead
from wire.crc import crc16, crc32
from wire.replies.status import ResetCause, Status, setting_byte, status_frame

# Class scores of which 8 int8 steps are one unit of a logit.
WEIGHTS = [round(FULL_WEIGHT * math.exp(-d / 8)) for d in range(256)]
PATH = Path(__file__).parent / "vectors" / "wire_v1.json"


def numbers(seed: int) -> Iterator[int]:
    """Yield 16-bit numbers of a linear congruential generator (Numerical Recipes' constants), without end."""
    while True:
        seed = (seed * 1664525 + 1013904223) % (1 << 32)
        yield seed >> 16


def draw(source: Iterator[int], count: int, limit: int) -> list[int]:
    """Return `count` numbers below `limit`."""
    return [next(source) % limit for _ in range(count)]


def shuffled(source: Iterator[int], size: int) -> list[int]:
    """Return the numbers below `size` in random order."""
    return sorted(range(size), key=dict(enumerate(draw(source, size, 1 << 16))).__getitem__)


def code_vectors(source: Iterator[int]) -> dict:
    """Return the vectors of the BCH code, the CRCs and the Gray code."""
    words = [0, 1, 0x800000, 0xFFFFFF, *(next(source) << 8 | next(source) & 255 for _ in range(12))]
    texts = [b"", b"\0", b"123456789", bytes(draw(source, 66, 256))]
    return {
        "bch": [{"word": word, "block": bch.HEADER.encode(word).hex()} for word in words],
        "crc16": [
            {"initial": initial, "data": text.hex(), "crc": crc16(text, initial)}
            for text in texts
            for initial in (0, 0xFFFF, next(source))
        ],
        "crc32": [{"data": text.hex(), "crc": crc32(text)} for text in texts],
        "gray3": [int(payload.gray(level)) for level in range(8)],
    }


def payload_vectors(source: Iterator[int]) -> list[dict]:
    """Return the vectors of packing and interleaving."""
    vectors = []
    for count, bits in ((1, 1), (1, 8), (5, 3), (7, 5), (64, 3), (128, 3), (100, 4), (33, 7)):
        symbols = draw(source, count, 1 << bits)
        packed, n_bits = payload.pack(np.array(symbols), bits), count * bits
        vectors.append(
            {
                "levels": symbols,
                "bits": bits,
                "step": int(payload.interleaver(n_bits)[1 % n_bits]) or 1,
                "packed": packed.hex(),
                "interleaved": payload.interleave(packed, n_bits).hex(),
            }
        )
    return vectors


def answer_vectors(source: Iterator[int]) -> dict:
    """Return the vectors of the board's answer: its code, the confidence of class scores, answer words and frames."""
    words = [0, 1, 1 << 35, (1 << 36) - 1, *(next(source) << 20 | next(source) << 4 | i for i in range(12))]
    answers = [Answer(0, 0), Answer(1, 1), Answer(4095, 15), *(Answer(1 << bit, bit) for bit in range(12))]
    headers = [(Answer(3, 12), 0x5EED1234, 7, 9)] + [
        (answer, next(source) << 16 | next(source), draw(source, 1, 256)[0], draw(source, 1, 32)[0])
        for answer in answers
    ]
    return {
        "answer_bch": [{"word": word, "block": bch.ANSWER.encode(word).hex()} for word in words],
        "answer_weights": WEIGHTS,
        "confidences": [
            *(scores_vector(source, classes, spread) for classes in (1, 2, 10, 100) for spread in (9, 256)),
            *({"scores": [-d, 0], **vars(answer_of([-d, 0]))} for d in range(0, 52, 2)),
        ],
        "answer_words": [{**vars(answer), "word": answer.word} for answer in answers],
        "answer_frames": [
            {
                "model_number": number,
                "device": device,
                "sequence": sequence,
                **vars(answer),
                "frame": frame.answer_frame(frame.AnswerHeader(device, sequence, number & 31, answer)).hex(),
            }
            for answer, number, device, sequence in headers
        ],
    }


def answer_of(scores: list[int]) -> Answer:
    """Return the answer for class scores by WEIGHTS."""
    index, confidence = AnswerHead(np.array(WEIGHTS), np.zeros(16)).answers(np.array([scores], np.int8))
    return Answer(int(index[0]), int(confidence[0]))


def scores_vector(source: Iterator[int], classes: int, spread: int) -> dict:
    """Return class scores that are at most `spread` apart, and the answer."""
    scores = [127 - score for score in draw(source, classes, spread)]
    return {"scores": scores, **vars(answer_of(scores))}


def feature_vector(
    source: Iterator[int], shape: tuple[int, int, int], bits: int, chunk: int, classes: int = 0, **fields: int
) -> dict:
    """Return one feature frame, from latent to wire. Chunks are the whole payload, its first half and the rest.

    With `classes`, the payload begins with an answer, by WEIGHTS.
    """
    size = int(np.prod(shape))
    table = sorted(draw(source, 256, 1 << bits))
    order = shuffled(source, size)[: size - size // 8]
    half = len(order) // 2
    chunks = [[0, len(order)], [0, half], [half, len(order) - half]]
    latent = [value - 128 for value in draw(source, size, 256)]
    first, count = chunks[chunk]
    symbols = [table[latent[position] + 128] for position in order[first : first + count]]
    packed, n_bits = payload.pack(np.array(symbols), bits), count * bits
    scores = {}
    if classes:
        scores = scores_vector(source, classes, 60)
        packed = answer_of(scores["scores"]).word.to_bytes(2, "big") + packed
        n_bits += ANSWER_BITS
    number = fields["model_number"]
    header = frame.Header(frame.FrameType.FEATURE, fields["device"], fields["sequence"], number & 31, chunk)
    return {
        "model_number": number,
        "device": fields["device"],
        "sequence": fields["sequence"],
        "chunk": chunk,
        "chunks": chunks,
        "bits": bits,
        "symbol_table": table,
        "symbol_order": order,
        "latent": latent,
        **scores,
        "levels": symbols,
        "packed": packed.hex(),
        "frame": frame.feature_frame(header, packed, n_bits, number).hex(),
        "lora": frame.feature_frame(header, packed, n_bits, number, sync=False).hex(),
    }


def reply_data() -> dict[str, tuple[int, bytes, dict]]:
    """Return opcode, data and fields of each kind of reply."""
    info = control.Info(
        wire_version=1, firmware_version=(0, 1, 0), model_number=0x5EED1234,
        engine="aot", target="qemu_stm32f405", input_shape=(32, 32, 3), symbols=128,
        bits_per_symbol=3, chunks=3, arena_bytes=13312, encoder_ram_bytes=16640, stack_bytes=1536,
        clock_hz=168000000, max_data=3074, classes=10, mode=control.Mode.ADAPTIVE, threshold=9,
    )  # fmt: skip
    cost = control.RunCost(encode_cycles=1240000, total_cycles=1251234, microseconds=7448)
    radio = control.RadioReport(chunk=1, air_micros=77056, left_micros=3410944)
    packet = control.Packet(crc_ok=True, rssi_dbm=-124.25, snr_db=-8.5, payload=bytes(range(250, 256)))
    bench = control.BenchResult(10, 1239000, 1241000, 1240000, 73810)
    mode = control.ModeSetting(control.Mode.ANSWER, 11)
    sent_answer = control.RadioReport(chunk=control.ANSWER_SENT, air_micros=36096, left_micros=3374848)
    error = control.ErrorReply(control.ErrorCode.BAD_LENGTH, control.Opcode.RUN)
    return {
        "info": (control.Opcode.INFO | control.REPLY_BIT, info.pack(), vars(info)),
        "run": (control.Opcode.RUN | control.REPLY_BIT, cost.pack(), vars(cost)),
        "bench": (control.Opcode.BENCH | control.REPLY_BIT, bench.pack(), vars(bench)),
        "error": (control.Opcode.ERROR, error.pack(), {"code": int(error.code), "opcode": int(error.opcode)}),
        "radio": (control.Opcode.RUN | control.REPLY_BIT, radio.pack(), vars(radio)),
        "packet": (
            control.Opcode.PACKET | control.REPLY_BIT,
            packet.pack(),
            vars(packet) | {"payload": packet.payload.hex()},
        ),
        "mode": (control.Opcode.MODE | control.REPLY_BIT, mode.pack(), vars(mode)),
        "answer by radio": (control.Opcode.RUN | control.REPLY_BIT, sent_answer.pack(), vars(sent_answer)),
    }


def status_vectors() -> list[dict]:
    """Return the vectors of status frames: of a node, of a gateway, and with the largest numbers."""
    statuses = [
        Status(70_969, 266_645, 17, ResetCause.WATCHDOG, setting_byte(control.Mode.ADAPTIVE, 9), 3712, 341, 3600),
        Status(0, 61, 0, ResetCause.UNKNOWN, setting_byte(control.Mode.FEATURES, 0, gateway=True), 0, 0xFFFF, 60),
        Status(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFF, 0xFF, 0xFFFF, 0xFFFF, 0xFFFF),
    ]
    return [
        {
            "device": device,
            "model_number": number,
            "fields": vars(status) | {"gateway": status.is_gateway, "mode": status.mode, "threshold": status.threshold},
            "frame": status_frame(status, device, number).hex(),
            "lora": status_frame(status, device, number, sync=False).hex(),
        }
        for status, device, number in zip(statuses, (7, 254, 0), (0x5EED1234, 0x80018001, 0), strict=True)
    ]


def control_vectors(source: Iterator[int]) -> dict:
    """Return the vectors of commands and replies."""
    commands = [
        (control.Opcode.INFO, 0, b"", 255),
        (control.Opcode.INFO, 200, b"", 7),
        (control.Opcode.BENCH, 33, bytes([10]), 255),
        (control.Opcode.RUN, 31, control.run_data(0, bytes(draw(source, 48, 256)), wants_cost=True), 7),
        (control.Opcode.RUN, 32, control.run_data(2, bytes(draw(source, 3, 256)), by_mode=True), 7),
        (control.Opcode.MODE, 255, b"", 255),
        (control.Opcode.MODE, 0, control.ModeSetting(control.Mode.ADAPTIVE, 9).pack(), 7),
    ]
    return {
        "commands": [
            {
                "opcode": int(opcode),
                "request": request,
                "device": device,
                "data": data.hex(),
                "frame": control.command(opcode, request, data, device).hex(),
            }
            for opcode, request, data, device in commands
        ],
        "replies": [
            {
                "kind": kind,
                "opcode": int(opcode),
                "request": 201,
                "device": 7,
                "model_number": 0x5EED1234,
                "fields": fields,
                "data": data.hex(),
                "frame": control.reply(opcode, 201, data, 7, 0x5EED1234).hex(),
            }
            for kind, (opcode, data, fields) in reply_data().items()
        ],
    }


def build() -> dict:
    """Return all vectors, as JSON represents them."""
    source = numbers(2511)
    features = [
        feature_vector(source, (1, 2, 4), 3, 0, model_number=0x5EED1234, device=7, sequence=9),
        feature_vector(source, (4, 4, 8), 3, 0, model_number=0xFFFFFFFF, device=0, sequence=0),
        feature_vector(source, (4, 4, 8), 3, 1, model_number=0x00000000, device=255, sequence=31),
        feature_vector(source, (3, 5, 7), 5, 2, model_number=0x80018001, device=128, sequence=16),
        feature_vector(source, (2, 2, 3), 8, 0, model_number=0x0BADF00D, device=42, sequence=1),
        feature_vector(source, (5, 1, 3), 1, 2, model_number=0x12345678, device=3, sequence=5),
    ]
    codes, payloads, controls = code_vectors(source), payload_vectors(source), control_vectors(source)
    source = numbers(12)
    features += [
        feature_vector(source, (1, 2, 4), 3, 0, classes=10, model_number=0x5EED1234, device=7, sequence=9),
        feature_vector(source, (3, 5, 7), 5, 2, classes=100, model_number=0x80018001, device=128, sequence=16),
        feature_vector(source, (1, 1, 2), 1, 1, classes=2, model_number=0x12345678, device=3, sequence=5),
    ]
    vectors = {
        "wire_version": frame.WIRE_VERSION,
        **codes,
        "payloads": payloads,
        "features": features,
        **controls,
        "statuses": status_vectors(),
        **answer_vectors(source),
    }
    return json.loads(json.dumps(vectors))


def write(path: Path, vectors: dict) -> None:
    """Write a file of vectors."""
    lines = [f" {json.dumps(key)}: {_rows(value)}" for key, value in vectors.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _rows(value: object) -> str:
    """Return the JSON of a value, one vector per line."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n  " + ",\n  ".join(json.dumps(row) for row in value) + "\n ]"
    return json.dumps(value)


if __name__ == "__main__":
    write(PATH, build())

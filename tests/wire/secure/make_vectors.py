"""Generator of tests/wire/vectors/secured_v1.json, the test vectors of secured frames and sealed commands.

It is run by `python -m tests.wire.secure.make_vectors`. As in tests/wire/make_vectors.py, the committed file defines
the bytes, and the tests fail if the code would write different ones.
"""

import json
from collections.abc import Iterator

from tests.wire import make_vectors
from tests.wire.make_vectors import draw, feature_vector, numbers
from wire.answer import ANSWER_BITS, Answer
from wire.control import Opcode, run_data
from wire.replies.status import Status
from wire.secure.commands import sealed_command
from wire.secure.frames import SecuredDevice
from wire.secure.keys import Keys
from wire.secure.status import secured_status_frame

PATH = make_vectors.PATH.with_name("secured_v1.json")
KEY = bytes(range(0xA0, 0xB0))  # of the examples in docs/SPEC.md


def number32(source: Iterator[int]) -> int:
    """Return a number of 32 bits."""
    return next(source) << 16 | next(source)


def secured_feature(device_key: bytes, counter: int, plain: dict) -> dict:
    """Return a secured feature frame, from latent to wire, of a vector of the plain frame."""
    classes = len(plain.get("scores", ()))
    device = SecuredDevice(Keys.derive(device_key), plain["device"], plain["model_number"], classes)
    n_bits = len(plain["levels"]) * plain["bits"] + ANSWER_BITS * (classes > 0)
    packed = bytes.fromhex(plain["packed"])
    left_out = ("sequence", "frame", "lora")
    return {
        "device_key": device_key.hex(),
        "counter": counter,
        **{name: value for name, value in plain.items() if name not in left_out},
        "n_bits": n_bits,
        "frame": device.feature_frame(counter, plain["chunk"], packed, n_bits).hex(),
        "lora": device.feature_frame(counter, plain["chunk"], packed, n_bits, sync=False).hex(),
    }


def feature_vectors(source: Iterator[int]) -> list[dict]:
    """Return the vectors of secured feature frames; the first two are the plain frames of docs/SPEC.md, secured."""
    plain = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))["features"]
    vectors = [
        secured_feature(KEY, 0x10009, plain[0]),
        secured_feature(KEY, 0x10009, plain[6]),
    ]
    shapes = [((8, 8, 2), 3, 0, 0), ((8, 8, 6), 4, 0, 100), ((4, 4, 8), 8, 1, 10), ((1, 1, 1), 1, 0, 1)]
    for (shape, bits, chunk, classes), counter in zip(shapes, (0, 31, 32, 0xFFFFFFFF), strict=True):
        fields = {"device": draw(source, 1, 255)[0], "sequence": 0, "model_number": number32(source)}
        vector = feature_vector(source, shape, bits, chunk, classes, **fields)
        vectors.append(secured_feature(bytes(draw(source, 16, 256)), counter, vector))
    return vectors


def answer_vectors(source: Iterator[int]) -> list[dict]:
    """Return the vectors of secured answer frames; the first is the plain one of docs/SPEC.md, secured."""
    cases = [(KEY, 7, 0x10009, 0x5EED1234, 10, Answer(3, 12))]
    for classes, counter in ((1, 0), (2, 1), (10, 0xFFFFFFFF), (100, 31), (128, 32), (1000, 65536), (4096, 123456789)):
        answer = Answer(draw(source, 1, classes)[0], draw(source, 1, 16)[0])
        key, number = bytes(draw(source, 16, 256)), number32(source)
        cases.append((key, draw(source, 1, 255)[0], counter, number, classes, answer))
    return [
        {
            "device_key": key.hex(),
            "device": device,
            "counter": counter,
            "model_number": number,
            "classes": classes,
            **vars(answer),
            "frame": SecuredDevice(Keys.derive(key), device, number, classes).answer_frame(counter, answer).hex(),
        }
        for key, device, counter, number, classes, answer in cases
    ]


def command_vectors(source: Iterator[int]) -> list[dict]:
    """Return the vectors of sealed commands; the first is that of docs/SPEC.md."""
    pixels = bytes(draw(source, 48, 256))
    cases = [
        (KEY, 7, 0x1000A, Opcode.CAPTURE, 201, run_data(0, b"", wants_cost=True)),
        (KEY, 0, 0, Opcode.PIXELS, 0, b""),
        (KEY, 254, 0xFFFFFFFF, Opcode.RUN, 255, run_data(2, pixels, by_radio=True)),
        (bytes(draw(source, 16, 256)), 9, 77, Opcode.BENCH, 3, b"\x05"),
    ]
    return [
        {
            "device_key": key.hex(),
            "device": device,
            "counter": counter,
            "opcode": int(opcode),
            "request": request,
            "data": data.hex(),
            "frame": sealed_command(Keys.derive(key), device, counter, opcode, request, data).hex(),
        }
        for key, device, counter, opcode, request, data in cases
    ]


def status_vectors(source: Iterator[int]) -> list[dict]:
    """Return the vectors of secured status frames."""
    cases = [(KEY, 7, 0x5EED1234, Status(0x10009, 266645, 17, 4, 0x29, 3712, 341, 3600))]
    for counter in (0, 0xFFFFFFFF):
        numbers = number32(source), number32(source), draw(source, 1, 8)[0], draw(source, 1, 256)[0]
        words = next(source), next(source), next(source)
        key, device = bytes(draw(source, 16, 256)), draw(source, 1, 255)[0]
        cases.append((key, device, number32(source), Status(counter, *numbers, *words)))
    return [
        {
            "device_key": key.hex(),
            "device": device,
            "model_number": number,
            **vars(status),
            "frame": secured_status_frame(Keys.derive(key), status, device, number).hex(),
        }
        for key, device, number, status in cases
    ]


def key_vectors(source: Iterator[int]) -> list[dict]:
    """Return the vectors of the derivation of keys."""
    keys = [KEY, bytes(16), bytes(draw(source, 16, 256))]
    return [
        {
            "device_key": key.hex(),
            "encryption": Keys.derive(key).encryption.hex(),
            "authentication": Keys.derive(key).authentication.hex(),
        }
        for key in keys
    ]


def build() -> dict:
    """Return the vectors."""
    source = numbers(20_26)
    return {
        "keys": key_vectors(source),
        "features": feature_vectors(source),
        "answers": answer_vectors(source),
        "commands": command_vectors(source),
        "statuses": status_vectors(source),
    }


if __name__ == "__main__":
    make_vectors.write(PATH, build())

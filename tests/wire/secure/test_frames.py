"""Secured frames in Python: vectors, prediction, single flips, decryption, and what a change of any input does."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.secure import make_vectors
from wire import bch, frame
from wire.answer import Answer
from wire.payload import deinterleave, interleave
from wire.secure.frames import TAGGED_HEADER_BYTES, SecuredDevice, SecuredLayout
from wire.secure.keys import Keys

VECTORS = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))
KEYS = Keys.derive(make_vectors.KEY)
BOARD = SecuredDevice(KEYS, 7, 0x5EED1234, 10)
COUNTERS = st.integers(0, (1 << 32) - 1)
N_BITS = 1147  # 144 bytes, with 5 bits of padding
PAYLOAD = bytes(range(143)) + b"\xe0"


def device_of(vector: dict, classes: int) -> SecuredDevice:
    keys = Keys.derive(bytes.fromhex(vector["device_key"]))
    return SecuredDevice(keys, vector["device"], vector["model_number"], classes)


def tagged(board: SecuredDevice, counter: int, chunk: int = 0) -> bytes:
    """Return header and tag of a feature frame."""
    return board.feature_frame(counter, chunk, b"\x80", 1, sync=False)[:TAGGED_HEADER_BYTES]


def test_vectors_match_code() -> None:
    assert json.loads(json.dumps(make_vectors.build())) == VECTORS


@pytest.mark.parametrize("vector", VECTORS["features"], ids=lambda v: f"{v['bits']}bit-{len(v['levels'])}")
def test_feature_vector_is_predicted_checked_and_decrypted(vector: dict) -> None:
    device, layout = device_of(vector, len(vector.get("scores", ()))), SecuredLayout(vector["n_bits"])
    received, counter, chunk = bytes.fromhex(vector["lora"]), vector["counter"], vector["chunk"]
    assert len(received) == layout.size and len(vector["frame"]) == 2 * layout.serial_size
    expected = device.expected_features([counter], [chunk])
    assert [flips.tolist() for flips in expected.flips(received[:16])] == [[0], [0]]
    encrypted = received[layout.payload]
    assert received[layout.payload.stop :] == device.payload_tag(counter, chunk, encrypted)
    plain = deinterleave(device.crypt(counter, chunk, encrypted), layout.n_bits)
    assert plain.hex() == vector["packed"]


@pytest.mark.parametrize("vector", VECTORS["answers"], ids=lambda v: f"{v['classes']}classes")
def test_answer_vector_is_predicted_and_decrypted(vector: dict) -> None:
    device, counter = device_of(vector, vector["classes"]), vector["counter"]
    received = bytes.fromhex(vector["frame"])[4:]
    headers, tags = device.expected_answers([counter]).flips(received)
    (found,) = np.flatnonzero(headers == 0).tolist()  # one codeword for each class and level
    assert tags[found] == 0 and tags[np.arange(len(tags)) != found].min() > 0
    answer = device.decrypt_answer(counter, Answer(found // 16, found % 16))
    assert answer == Answer(vector["index"], vector["confidence"])


def test_expected_features_are_in_order_of_counters_and_chunks() -> None:
    counters, chunks = [30, 31, 32, 1 << 20], [0, 2, 1]
    expected = BOARD.expected_features(counters, chunks)
    each = [tagged(BOARD, counter, chunk) for counter in counters for chunk in chunks]
    assert expected.headers.tolist() == [int.from_bytes(block[:8], "big") for block in each]
    assert expected.tags.tolist() == [int.from_bytes(block[8:], "big") for block in each]
    assert expected.headers.dtype == expected.tags.dtype == np.uint64


def test_expected_answers_are_in_order_of_counters() -> None:
    counters = [5, 1 << 31]
    expected = BOARD.expected_answers(counters)
    assert len(expected.tags) == 2 * 10 * 16
    for i, counter in enumerate(counters):
        received = BOARD.answer_frame(counter, Answer(9, 15), sync=False)
        headers, tags = expected.flips(received)
        (place,) = np.flatnonzero((headers == 0) & (tags == 0)).tolist()
        assert place // 160 == i


def test_expected_flips_counts_each_part() -> None:
    block = bytearray(tagged(BOARD, 77))
    for position in (0, 13, 63, 64, 127):
        block[position // 8] ^= 0x80 >> position % 8
    headers, tags = BOARD.expected_features([77, 78], [0]).flips(bytes(block))
    assert (headers[0], tags[0]) == (3, 2) and headers[1] > 3 and tags[1] > 9
    assert bch.distances(bytes(block[8:]), np.array([0], np.uint64)).tolist() == [
        int.from_bytes(block[8:], "big").bit_count()
    ]


@given(COUNTERS, st.integers(0, 15), st.integers(0, N_BITS - 1))
def test_one_flip_on_the_wire_stays_one_in_the_payload(counter: int, chunk: int, position: int) -> None:
    encrypted = bytearray(BOARD.crypt(counter, chunk, interleave(PAYLOAD, N_BITS)))
    encrypted[position // 8] ^= 0x80 >> position % 8
    damaged = BOARD.crypt(counter, chunk, bytes(encrypted))
    plain = bytearray(interleave(PAYLOAD, N_BITS))
    plain[position // 8] ^= 0x80 >> position % 8
    assert damaged == plain


@given(COUNTERS, st.integers(0, 144))
def test_crypt_decrypts_the_start_of_a_cut_payload(counter: int, size: int) -> None:
    encrypted = BOARD.crypt(counter, 1, PAYLOAD)
    assert BOARD.crypt(counter, 1, encrypted[:size]) == PAYLOAD[:size]


@given(COUNTERS, st.integers(1, 200), st.integers(0, 1 << 30))
def test_decrypt_soft_agrees_with_hard_bits(counter: int, n_bits: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=n_bits)
    hard = np.packbits(values < 0).tobytes()
    soft = BOARD.decrypt_soft(counter, 2, values)
    decrypted = np.unpackbits(np.frombuffer(BOARD.crypt(counter, 2, hard), np.uint8), count=n_bits)
    assert (soft < 0).tolist() == decrypted.astype(bool).tolist()
    assert np.abs(soft).tolist() == np.abs(values).tolist()


@given(st.integers(0, 15), st.sampled_from([0, 1, 30, (1 << 32) - 3]))
def test_keystreams_of_counters_chunks_and_devices_differ(chunk: int, counter: int) -> None:
    other = replace(BOARD, device=8)
    streams = {
        board.crypt(count, number, bytes(32)) for board in (BOARD, other) for count in (counter, counter + 2)
        for number in (chunk, (chunk + 1) % 16)
    }  # fmt: skip
    assert len(streams) == 8
    assert len({stream[:16] for stream in streams} | {stream[16:] for stream in streams}) == 16


@pytest.mark.parametrize(
    "other",
    [
        replace(BOARD, keys=Keys.derive(bytes(16))),
        replace(BOARD, device=8),
        replace(BOARD, model_number=0x5EED1234 ^ 1 << 31),
    ],
    ids=["key", "device", "model number"],
)
def test_tags_depend_on_key_device_and_model(other: SecuredDevice) -> None:
    encrypted = BOARD.crypt(9, 0, PAYLOAD)
    assert other.payload_tag(9, 0, encrypted) != BOARD.payload_tag(9, 0, encrypted)
    assert tagged(other, 9)[8:] != tagged(BOARD, 9)[8:]
    answers = [board.answer_frame(9, Answer(3, 12))[-8:] for board in (BOARD, other)]
    assert answers[0] != answers[1]


def test_tags_depend_on_counter_beyond_the_sequence_and_on_chunk() -> None:
    assert tagged(BOARD, 9)[:8] == tagged(BOARD, 9 + 32)[:8]
    assert len({tagged(BOARD, counter, chunk)[8:] for counter in (9, 41, 9 + (1 << 31)) for chunk in (0, 1)}) == 6
    encrypted = BOARD.crypt(9, 0, PAYLOAD)
    tags = {BOARD.payload_tag(counter, chunk, encrypted) for counter in (9, 41) for chunk in (0, 1)}
    assert len(tags) == 4


@given(st.integers(0, 8 * 144 - 1))
def test_payload_tag_covers_every_bit_with_padding(position: int) -> None:
    encrypted = bytearray(BOARD.crypt(9, 0, PAYLOAD))
    before = BOARD.payload_tag(9, 0, bytes(encrypted))
    encrypted[position // 8] ^= 0x80 >> position % 8
    assert BOARD.payload_tag(9, 0, bytes(encrypted)) != before


@given(COUNTERS, st.sampled_from([1, 2, 10, 128, 1000, 4096]), st.data())
def test_answers_come_back(counter: int, classes: int, data: st.DataObject) -> None:
    board = replace(BOARD, class_count=classes)
    answer = Answer(data.draw(st.integers(0, classes - 1)), data.draw(st.integers(0, 15)))
    decoded = frame.AnswerHeader.decode(board.answer_frame(counter, answer, sync=False)[:8])
    assert decoded is not None
    header, flips = decoded
    assert (flips, header.device, header.sequence, header.model) == (0, 7, counter % 32, 0x5EED1234 % 32)
    assert header.answer.index < classes
    assert board.decrypt_answer(counter, header.answer) == answer


def test_encrypted_answers_are_spread_evenly() -> None:
    """Over 8,000 counters, each class and level is sent as often as others, within 5 standard deviations."""
    sent = np.zeros((10, 16))
    for counter in range(8000):
        decoded = frame.AnswerHeader.decode(BOARD.answer_frame(counter, Answer(3, 12), sync=False)[:8])
        assert decoded is not None
        sent[decoded[0].answer.index, decoded[0].answer.confidence] += 1
    assert np.abs(sent.sum(1) - 800).max() < 5 * np.sqrt(800 * 0.9)
    assert np.abs(sent.sum(0) - 500).max() < 5 * np.sqrt(500 * 15 / 16)


def test_encrypted_answers_of_few_classes_differ_in_23_bits() -> None:
    """As those of plain answers do: the class index is shifted modulo the number of classes, not changed bit by bit."""
    headers = replace(BOARD, class_count=8).expected_answers(range(32)).headers
    assert min(int(bch.weights(headers[i + 1 :] ^ headers[i]).min()) for i in range(0, len(headers) - 1, 7)) >= 23


def test_answer_beyond_the_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the model has 10 classes, got class 10$"):
        BOARD.answer_frame(0, Answer(10, 0))
    with pytest.raises(ValueError, match=r"^the model has 10 classes, got class 10$"):
        BOARD.decrypt_answer(0, Answer(10, 0))


@pytest.mark.parametrize("counter", [-1, 1 << 32])
def test_counter_out_of_range_is_refused(counter: int) -> None:
    for build in (
        lambda: BOARD.feature_frame(counter, 0, PAYLOAD, N_BITS),
        lambda: BOARD.answer_frame(counter, Answer(0, 0)),
        lambda: BOARD.expected_features([0, counter], [0]),
        lambda: BOARD.expected_answers([counter]),
        lambda: BOARD.crypt(counter, 0, b"1"),
    ):
        with pytest.raises(ValueError, match="the counter of a frame must be"):
            build()


def test_forms_differ_by_the_sync() -> None:
    for whole, bare in (
        (BOARD.feature_frame(1, 0, PAYLOAD, N_BITS), BOARD.feature_frame(1, 0, PAYLOAD, N_BITS, sync=False)),
        (BOARD.answer_frame(1, Answer(1, 1)), BOARD.answer_frame(1, Answer(1, 1), sync=False)),
    ):
        assert whole == frame.SYNC + bare

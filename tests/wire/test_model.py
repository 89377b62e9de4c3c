"""The model that a bundle holds: symbols, chunks and frames, with and without an answer head."""

from dataclasses import replace

import numpy as np
import pytest

from wire.answer import Answer, AnswerHead
from wire.errors import InklingError
from wire.frame import SYNC, AnswerHeader, FrameType, Header, answer_frame, feature_frame
from wire.model import ChunkError, Model
from wire.payload import pack

MODEL = Model(
    name="tiny",
    model_id="5eed1234",
    input_shape=(4, 6, 3),
    heads=((1, 2, 2), (2, 2, 1)),
    bits_per_symbol=2,
    symbol_table=(np.arange(256) // 64).astype(np.uint8),
    symbol_order=np.array([5, 0, 7, 2, 3], np.uint16),
    chunks=[(0, 5), (0, 2), (2, 3)],
    answer=None,
    class_count=0,
    threshold=0,
)
HEAD = AnswerHead((32768 >> np.arange(256) // 16).astype(np.uint16), np.linspace(0, 1, 16))
ANSWERING = replace(MODEL, answer=HEAD, class_count=10, threshold=9)
ONLY_ANSWERS = replace(ANSWERING, heads=(), symbol_order=np.array([], np.uint16), chunks=[])
SYMBOLS, ANSWER = np.array([3, 0, 2]), Answer(1, 12)


def test_sizes() -> None:
    assert (MODEL.number, MODEL.model_bits, MODEL.n_symbols, MODEL.latent_size) == (0x5EED1234, 0x14, 5, 8)
    assert (ONLY_ANSWERS.n_symbols, ONLY_ANSWERS.latent_size) == (0, 0)


@pytest.mark.parametrize(("model", "bits"), [(MODEL, 0), (ANSWERING, 16)])
def test_chunk_sizes_include_answer(model: Model, bits: int) -> None:
    assert model.answer_bits == bits
    assert [model.chunk_symbols(i) for i in range(3)] == model.chunks
    assert [model.chunk_slice(i) for i in range(3)] == [slice(0, 5), slice(0, 2), slice(2, 5)]
    assert [model.chunk_bits(i) for i in range(3)] == [bits + 10, bits + 4, bits + 6]
    assert [model.chunk_bytes(i) for i in range(3)] == [bits // 8 + 2, bits // 8 + 1, bits // 8 + 1]
    assert [model.chunk_layout(i).n_bits for i in range(3)] == [bits + 10, bits + 4, bits + 6]


@pytest.mark.parametrize("chunk", [-1, 3, 15])
def test_chunk_error_names_bundle_and_chunks(chunk: int) -> None:
    for call in (MODEL.chunk_symbols, MODEL.chunk_slice, MODEL.chunk_bits, MODEL.chunk_bytes, MODEL.chunk_layout):
        with pytest.raises(ChunkError) as fault:
            call(chunk)
        assert str(fault.value) == f"bundle tiny has chunks 0..2, not {chunk}"
    assert isinstance(fault.value, InklingError) and isinstance(fault.value, IndexError)


def test_chunk_error_of_model_that_only_answers() -> None:
    with pytest.raises(ChunkError, match="bundle tiny has no features, only answers"):
        ONLY_ANSWERS.chunk_bits(0)


def test_frame_has_header_and_payload_of_its_chunk() -> None:
    sent = MODEL.frame(SYMBOLS, device=7, sequence=9, chunk=2)
    assert sent == feature_frame(Header(FrameType.FEATURE, 7, 9, 0x14, 2), pack(SYMBOLS, 2), 6, MODEL.number)
    assert MODEL.frame(SYMBOLS, 7, 9, 2, sync=False) == sent[len(SYNC) :]
    with pytest.raises(ChunkError):
        MODEL.frame(SYMBOLS, device=7, sequence=9, chunk=3)


@pytest.mark.parametrize("chunk", [1, 2])
def test_frame_begins_every_payload_with_answer(chunk: int) -> None:
    symbols = SYMBOLS[: ANSWERING.chunks[chunk][1]]
    payload = ANSWER.word.to_bytes(2, "big") + pack(symbols, 2)
    assert ANSWERING.payload(symbols, ANSWER) == payload
    header = Header(FrameType.FEATURE, 7, 9, 0x14, chunk)
    sent = ANSWERING.frame(symbols, 7, 9, chunk, answer=ANSWER)
    assert sent == feature_frame(header, payload, 16 + 2 * len(symbols), ANSWERING.number)


def test_answer_frame_has_model_of_bundle() -> None:
    sent = ANSWERING.answer_frame(ANSWER, device=7, sequence=9)
    assert sent == answer_frame(AnswerHeader(7, 9, 0x14, ANSWER))
    assert ANSWERING.answer_frame(ANSWER, 7, 9, sync=False) == sent[len(SYNC) :]


def test_payload_needs_answer_of_answer_head_only() -> None:
    with pytest.raises(ValueError, match="bundle tiny has an answer head, got answer None"):
        ANSWERING.payload(SYMBOLS)
    with pytest.raises(ValueError, match=r"bundle tiny has no answer head, got answer Answer\(index=1"):
        MODEL.payload(SYMBOLS, ANSWER)


def test_symbols_are_in_sending_order() -> None:
    one = np.array([-128, 0, 63, 64, 0, 127, 0, -65], dtype=np.int8)
    assert MODEL.symbols(one).tolist() == [3, 0, 0, 2, 3]
    batch = MODEL.symbols(np.stack([one, one[::-1]]))
    assert batch.shape == (2, 5) and batch.dtype == np.int64
    assert np.array_equal(batch[1], MODEL.symbols(one[::-1]))
    assert ONLY_ANSWERS.symbols(np.zeros((3, 0), np.int8)).shape == (3, 0)

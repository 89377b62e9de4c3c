"""The converted codec: symbol table, outputs, answer words, and accuracy through flips of the payload's bits."""

from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest

from channel_sim.channels.bsc import BitFlips
from export.converted import BATCH, ConvertedCodec, symbol_table
from host.reference import ReferenceEncoder
from tests.export.conftest import Converted
from tests.support.codec import CLASSES, make_codec
from wire.answer import ANSWER_BITS, FULL_WEIGHT, AnswerHead, answer_word
from wire.payload import bits_to_symbols, symbols_to_bits

HEAD = AnswerHead(np.rint(FULL_WEIGHT * np.exp(-np.arange(256) * 0.1)).astype(np.uint16), np.linspace(0.2, 1, 16))

# Symbol table


@pytest.mark.parametrize("bits", [1, 2, 3, 5])
def test_symbol_table_maps_to_the_nearest_centre(bits: int) -> None:
    codec = make_codec(bits)
    scale, zero_point = 0.031, -17
    values = (np.arange(-128, 128) - zero_point) * scale
    centres = codec.quantizer.centres().detach().double().numpy()
    nearest = abs(values[:, None] - centres).argmin(1)
    np.testing.assert_array_equal(symbol_table(codec, scale, zero_point), nearest)
    assert set(nearest) == set(range(2**bits))


def test_symbol_table_breaks_ties_down() -> None:
    codec = make_codec(1)
    codec.quantizer.first.data.add_(1)
    low, high = codec.quantizer.centres().detach().double().tolist()
    middle = (low + high) / 2
    assert middle > 0
    table = symbol_table(codec, middle / 4, 0)  # int8 value 4 lies in the middle, to the last bit
    assert table.tolist() == [0] * (128 + 5) + [1] * (128 - 5)


# The files


@pytest.fixture
def field(converted: Converted) -> Iterator[ConvertedCodec]:
    """The converted codec with an answer head, as in the field."""
    codec = ConvertedCodec(converted.codec, converted.files)
    codec.answer = HEAD
    yield codec


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


@pytest.mark.training
def test_encode_splits_outputs_into_latents_and_scores(field: ConvertedCodec, converted: Converted) -> None:
    calls: list[int] = []
    latents, scores = field.encode(pixels(4), lambda: calls.append(1))
    assert (latents.shape, scores.shape, len(calls)) == ((4, 186), (4, CLASSES), 4)
    assert latents.dtype == scores.dtype == np.int8
    outputs = ReferenceEncoder(converted.files.encoder_tflite).outputs(pixels(4))
    np.testing.assert_array_equal(np.concatenate([latents, scores], 1), outputs)


@pytest.mark.training
def test_symbols_are_levels_of_latents_in_the_order_of_sending(field: ConvertedCodec, converted: Converted) -> None:
    latents, _ = field.encode(pixels(4))
    scale, zero_point = field.reference.output_quantization
    values = (latents.astype(float) - zero_point) * scale
    centres = converted.codec.quantizer.centres().detach().double().numpy()
    nearest = abs(values[..., None] - centres).argmin(-1)
    np.testing.assert_array_equal(field.symbols(latents), nearest[:, converted.codec.order.numpy()])


@pytest.mark.training
def test_words_are_the_answers_of_the_integer_arithmetic(field: ConvertedCodec) -> None:
    _, scores = field.encode(pixels(20))
    index, level = HEAD.answers(scores)
    words = field.words(scores)
    assert words is not None and words.dtype == np.int64
    assert words.tolist() == [answer_word(int(i), int(q)) for i, q in zip(index, level, strict=True)]
    field.answer = None
    assert field.words(scores) is None


@pytest.mark.training
def test_logits_give_the_decoder_what_it_asks_for(field: ConvertedCodec, converted: Converted) -> None:
    symbols, ber = field.symbols(field.encode(pixels(3))[0]), np.full(3, 0.01, np.float32)
    session = onnxruntime.InferenceSession(str(converted.files.decoder_onnx), providers=["CPUExecutionProvider"])
    for words in (None, np.array([answer_word(2, 10), -1, 500])):
        given = {"symbols": symbols, "ber": ber, "answer": np.full(3, -1) if words is None else words}
        np.testing.assert_array_equal(field.logits(symbols, ber, words), session.run(None, given)[0])
    assert abs(field.logits(symbols, ber, np.full(3, answer_word(2, 15))) - field.logits(symbols, ber)).max() > 0.01


@pytest.mark.training
@pytest.mark.parametrize("n_received", [None, 10])
def test_correct_flips_answer_and_symbols_as_one_payload(field: ConvertedCodec, n_received: int | None) -> None:
    n = BATCH + 20
    rng = np.random.default_rng(1)
    symbols, words = (
        rng.integers(0, 8, (n, 186)),
        np.asarray(answer_word(rng.integers(0, 5, n), rng.integers(0, 16, n))),
    )
    labels = field.logits(symbols, np.zeros(n, np.float32), words).argmax(1)
    assert field.correct(symbols, words, labels, 0.0).all()
    draws, expected = np.random.default_rng([0, 2]), []
    for part in (slice(BATCH), slice(BATCH, None)):
        word_bits = words[part, None] >> np.arange(ANSWER_BITS - 1, -1, -1) & 1
        bits = np.concatenate([word_bits.astype(np.uint8), symbols_to_bits(symbols[part], 3)], 1)
        mask, _ = BitFlips(0.1).flips(len(bits), bits.shape[1], draws)
        bits = bits ^ mask
        received = bits_to_symbols(bits[:, ANSWER_BITS:], 3).astype(np.int64)
        if n_received is not None:
            received[:, n_received:] = -1
        answers = bits[:, :ANSWER_BITS].astype(np.int64) @ (1 << np.arange(ANSWER_BITS)[::-1])
        logits = field.logits(received, np.full(len(bits), 0.1, np.float32), answers)
        expected.append(logits.argmax(1) == labels[part])
    found = field.correct(symbols, words, labels, 0.1, n_received)
    np.testing.assert_array_equal(found, np.concatenate(expected))
    assert 0.2 < found.mean() < 1


@pytest.mark.training
def test_correct_changes_neither_symbols_nor_words(field: ConvertedCodec) -> None:
    symbols, words = np.ones((4, 186), np.int64), np.full(4, answer_word(1, 5))
    before = symbols.copy(), words.copy()
    field.correct(symbols, words, np.zeros(4), 0.3, 50)
    np.testing.assert_array_equal(symbols, before[0])
    np.testing.assert_array_equal(words, before[1])

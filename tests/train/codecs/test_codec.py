"""The codec as a whole: forward and backward pass, answers in training, agreement with the wire."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.support.codec import ANSWERING, CLASSES, CONFIG, N_SYMBOLS, decoder_of, images, impairment, make_codec
from train.codecs.codec import Codec
from train.codecs.encoder import SCORE_SCALE
from train.compute_device import CPU, autocast
from train.config import CodecConfig
from train.impairment import Impairment, symbol_flips
from train.trainers.optimizer import adamw
from wire import payload
from wire.answer import BOUNDS, CONFIDENCES, FULL_WEIGHT, AnswerHead, answer_word

BOTH = pytest.mark.parametrize("base", [CONFIG, ANSWERING], ids=["one head", "answering"])


# Forward and backward


def gradients(base: CodecConfig, board: bool = True, **damage: Tensor | int | bool) -> dict[str, float]:
    """Return the largest absolute gradient per parameter name after a forward pass of the codec."""
    codec = make_codec(base=base).train()
    outputs = codec(images(), impairment(codec, **damage))  # type: ignore[arg-type]
    loss = F.cross_entropy(outputs.host, torch.arange(6) % 5)
    if outputs.board is not None and board:
        loss = loss + F.cross_entropy(outputs.board, torch.arange(6) % 5)
    loss.backward()
    return {n: 0.0 if p.grad is None else float(p.grad.abs().max()) for n, p in codec.named_parameters()}


@BOTH
def test_forward_passes_gradients_to_encoder_centres_and_prior(base: CodecConfig) -> None:
    largest = gradients(base)
    assert min(largest.values()) > 0, [n for n, g in largest.items() if g == 0]
    assert {"quantizer.first", "quantizer.gaps", "decoder.prior", "encoder.layers.0.conv.weight"} <= set(largest)


@BOTH
@pytest.mark.parametrize("damage", [{"flips": 0b010}, {"missing": True}], ids=["flipped", "missing"])
def test_forward_passes_no_encoder_gradient_for_damaged_symbols(
    base: CodecConfig, damage: dict[str, int | bool]
) -> None:
    largest = gradients(base, board=False, **damage)
    assert all(g == 0 for n, g in largest.items() if n.startswith("encoder"))
    assert largest["quantizer.gaps"] > 0 and largest["decoder.prior"] > 0


def test_forward_passes_no_gradient_through_the_answer() -> None:
    """The answer is a hard decision: the answer head learns from its own loss only."""
    largest = gradients(ANSWERING, board=False)
    assert largest["encoder.layers.7.conv.weight"] == largest["encoder.layers.7.conv.bias"] == 0
    assert largest["encoder.layers.6.conv.weight"] > 0 and largest["decoder.gain"] > 0
    assert gradients(ANSWERING, board=False, answer_missing=True)["decoder.gain"] == 0


@BOTH
def test_forward_and_decode_return_the_same_logits(base: CodecConfig) -> None:
    codec = make_codec(base=base).eval()
    n = codec.n_symbols
    generator = torch.Generator().manual_seed(4)
    flips = torch.randint(0, 8, (6, n), generator=generator) * (torch.rand(6, n, generator=generator) < 0.2)
    missing = torch.arange(n)[None, :] >= torch.tensor([n, n, n // 2, n // 4, 5, 0])[:, None]
    ber = torch.tensor([0.0, 1e-3, 0.01, 0.05, 0.1, 0.5])
    answer_flips, lost = (
        torch.tensor([0, 1, 0x8010, 0, 0xFFFF, 3]),
        torch.tensor([False, False, False, True, False, True]),
    )
    with torch.no_grad():
        trained = codec(images(), Impairment(flips, missing, ber, answer_flips, lost))
        sent = codec.send(images())
        received = torch.where(missing, -1, codec.flip(sent.symbols, flips))
        answer = None if sent.answers is None else torch.where(lost, -1, sent.answers ^ answer_flips)
        np.testing.assert_allclose(codec.decode(received, ber, answer).numpy(), trained.host.numpy(), atol=1e-5)
    assert trained.host.std() > 0.01
    assert (trained.board is None) == (answer is None) == (base is CONFIG)


@BOTH
def test_bf16_changes_no_symbol_and_no_answer_and_hardly_the_logits(base: CodecConfig) -> None:
    codec = make_codec(base=base).eval()
    with torch.no_grad():
        exact, exact_sent = codec(images(), impairment(codec)), codec.send(images())
        with autocast(CPU, True):
            rough, sent = codec(images(), impairment(codec)), codec.send(images())
            alone = codec.board_logits(images()) if codec.has_answer else None
    assert torch.equal(sent.symbols, exact_sent.symbols)
    assert rough.host.dtype == torch.float32 and not torch.equal(rough.host, exact.host)
    np.testing.assert_allclose(rough.host, exact.host, atol=0.05 * float(exact.host.abs().max()))
    if exact.board is not None and exact_sent.answers is not None:
        assert sent.answers is not None and torch.equal(sent.answers, exact_sent.answers)
        assert rough.board is not None and torch.equal(rough.board, exact.board)
        assert alone is not None and torch.equal(alone, exact.board)


def test_bf16_gradients_point_the_same_way() -> None:
    directions = []
    for enabled in (False, True):
        codec = make_codec(base=ANSWERING).train()
        with autocast(CPU, enabled):
            outputs = codec(images(), impairment(codec))
            loss = F.cross_entropy(outputs.host, torch.arange(6) % 5)
        loss.backward()
        grads = [p.grad.flatten() for n, p in codec.named_parameters() if p.grad is not None]
        directions.append(torch.cat(grads))
        assert directions[-1].dtype == torch.float32
    assert F.cosine_similarity(directions[0], directions[1], dim=0) > 0.99


def test_weight_decay_leaves_priors_and_what_answers_stand_for() -> None:
    codec = Codec(ANSWERING, (16, 16, 3), 100)
    names = {id(parameter): name for name, parameter in codec.named_parameters()}
    decayed, rest = ({names[id(p)] for p in group["params"]} for group in adamw(codec, 0.05).param_groups)
    assert all(name.endswith("weight") and ".norm" not in name for name in decayed)
    assert {"decoder.prior", "decoder.confusion", "decoder.gain", "quantizer.gaps"} <= rest
    assert {"decoder.classify.weight", "decoder.answer_embedding.0.weight"} <= decayed


# Answers


def scores_int8(count: int, classes: int) -> np.ndarray:
    """Return class scores int8 (count, classes) of boards that are sure, in doubt, and between."""
    rng = np.random.default_rng(classes)
    scores = rng.normal(-60, 15, (count, classes))
    scores[np.arange(count), rng.integers(0, classes, count)] += rng.uniform(0, 200, count)
    return np.clip(np.rint(scores), -128, 127).astype(np.int8)


def with_classes(classes: int, temperature: float) -> Codec:
    codec = Codec(ANSWERING, (16, 16, 3), classes)
    codec.temperature.fill_(temperature)
    return codec


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.3])
def test_answers_in_training_are_those_of_the_boards_integer_arithmetic(classes: int, temperature: float) -> None:
    codec, scores, scale = with_classes(classes, temperature), scores_int8(3000, classes), 0.031
    step = scale * SCORE_SCALE / temperature  # calibrated logits per step of a score
    weights = np.rint(FULL_WEIGHT * np.exp(-np.arange(256) * step)).astype(np.uint16)
    index, level = AnswerHead(weights, np.zeros(CONFIDENCES)).answers(scores)
    logits = torch.from_numpy(scores.astype(np.float32)) * scale * SCORE_SCALE
    answers = codec.answers(logits).numpy()
    differ = answers != answer_word(index, level)
    # Sums of rounded weights are off by up to half a weight a class: only sums at a bound may fall on its other side.
    sums = weights.astype(np.int64)[scores.max(1, keepdims=True).astype(int) - scores].sum(1)
    at_bound = (abs(sums[:, None] - np.array(BOUNDS)) <= classes / 2 + 1).any(1)
    assert not (differ & ~at_bound).any()
    assert differ.mean() < 0.02
    assert len(set(level)) >= 12 and len(set(index)) == classes


def test_answers_of_equal_scores_take_the_first_class() -> None:
    codec = with_classes(10, 1.0)
    logits = torch.zeros(3, 10)
    logits[1, 4] = logits[1, 7] = 2.0
    logits[2, 9] = 20.0
    # All equal: p = 0.1 reaches no floor. Two at 2: p = 7.389 / (2 * 7.389 + 8) = 0.32 reaches 0.27. One at 20: all.
    expected = [answer_word(0, 0), answer_word(4, 1), answer_word(9, 15)]
    np.testing.assert_array_equal(codec.answers(logits), expected)


def test_answers_follow_the_temperature() -> None:
    logits = F.one_hot(torch.tensor([2]), 10).float() * 4
    levels = []
    for temperature in (0.5, 1.0, 4.0):
        word = int(with_classes(10, temperature).answers(logits)[0])
        levels.append(payload.ungray(np.array([word & 15]))[0])
        assert word >> 4 == answer_word(2, 0) >> 4
    assert levels[0] > levels[1] > levels[2]


def test_send_answers_as_the_codec_does_in_training() -> None:
    codec = make_codec(base=ANSWERING).eval()
    sent = codec.send(images(50))
    _, board = codec.encode(images(50))
    assert board is not None and sent.answers is not None and sent.answers.dtype == torch.int64
    np.testing.assert_array_equal(sent.answers, codec.answers(board))
    confident = torch.softmax(board, 1)
    classes = {int(word) >> 4: row for row, word in zip(confident, sent.answers, strict=True)}
    assert set(classes) <= {answer_word(index, 0) >> 4 for index in range(CLASSES)}


def test_codec_without_answer_head_sends_none() -> None:
    codec = make_codec()
    assert not codec.has_answer and codec.send(images()).answers is None
    assert codec(images(), impairment(codec)).board is None


# Agreement with the wire: symbols, bits and order


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
def test_flip_matches_flipped_wire_bits(bits: int) -> None:
    codec = make_codec(bits)
    rng = np.random.default_rng(bits)
    symbols = rng.integers(0, 2**bits, (40, N_SYMBOLS))
    mask = rng.random((40, N_SYMBOLS * bits)) < 0.3
    on_the_wire = payload.symbols_to_bits(symbols, bits) ^ mask.astype(np.uint8)
    flipped = codec.flip(torch.from_numpy(symbols), torch.from_numpy(symbol_flips(mask, bits)))
    np.testing.assert_array_equal(flipped, payload.bits_to_symbols(on_the_wire, bits))


def test_order_is_channel_by_channel_and_decoder_inverts_it() -> None:
    codec = make_codec()
    decoder, (h, w, c) = decoder_of(codec), codec.heads[0]
    place = np.arange(h * w * c).reshape(h, w, c)
    order = codec.order.numpy()
    np.testing.assert_array_equal(order.reshape(c, h * w), [place[..., k].ravel() for k in range(c)])
    np.testing.assert_array_equal(np.arange(N_SYMBOLS)[order][decoder.place], np.arange(N_SYMBOLS))
    np.testing.assert_array_equal(decoder.channel, np.arange(N_SYMBOLS) // (h * w))
    with torch.no_grad():
        (latent,) = codec.encoder.outputs(images())
        row_major = latent.permute(0, 2, 3, 1).reshape(6, -1)  # h, w, c, as the board has it
        np.testing.assert_array_equal(codec.encode(images())[0], row_major[:, order])


def test_decoder_inverts_the_order_of_several_heads() -> None:
    codec = make_codec(base=ANSWERING)
    np.testing.assert_array_equal(codec.order[decoder_of(codec).place], np.arange(186))


def test_pack_of_half_the_symbols_is_a_prefix_of_the_payload() -> None:
    codec = make_codec().eval()
    for symbols in codec.send(images()).symbols.numpy():
        whole, half = payload.pack(symbols, 3), payload.pack(symbols[: N_SYMBOLS // 2], 3)
        assert whole[: len(half)] == half and len(half) == 12
        assert len(set(symbols.tolist())) > 1


def test_training_mode_does_not_change_what_is_sent_in_int8() -> None:
    """Batch norm is merged before the int8 epochs: the codec then sends in training what it sends in evaluation."""
    codec = make_codec(base=ANSWERING).eval()
    codec.encoder.fold()
    trained = copy.deepcopy(codec).train()
    for one, other in zip(codec.send(images()), trained.send(images()), strict=True):
        assert one is not None and other is not None and torch.equal(one, other)

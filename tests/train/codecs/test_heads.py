"""Layers of the encoder: latent heads, pooling and answer head; their shapes, order and shared range; mistakes."""

import re
import tomllib

import numpy as np
import pytest
import torch

from tests.support import ROOT
from tests.support.codec import ALONE, ANSWERING, CLASSES, CONFIG, HEADS, images, make_codec
from train import config
from train.codecs.codec import Codec, sending_order
from train.codecs.encoder import SCORE_SCALE, ConvUnit, Encoder, Separable
from train.codecs.fakequant import ActivationRange, calibrate, int8_parameters, set_mode
from train.errors import TrainError


def encoder_of(*lines: str, shape: tuple[int, int, int] = (16, 16, 3)) -> Encoder:
    torch.manual_seed(0)
    return Encoder(shape, lines, CLASSES).eval()


# Outputs


def test_outputs_are_the_heads_in_the_order_of_the_layers_then_the_scores() -> None:
    encoder = encoder_of("conv 4", "head 2", "sep4s2 6", "head 1", "sep4s2 8", "pool", "head 9", "answer")
    assert encoder.heads == [(16, 16, 2), (8, 8, 1), (1, 1, 9)] and encoder.has_answer
    outputs = encoder.outputs(images(3))
    assert [tuple(y.shape) for y in outputs] == [(3, 2, 16, 16), (3, 1, 8, 8), (3, 9, 1, 1), (3, CLASSES, 1, 1)]
    torch.testing.assert_close(encoder.scores(images(3)), outputs[-1].flatten(1))


def test_outputs_of_grids_that_are_not_square() -> None:
    encoder = encoder_of("conv4s2 4", "head 3", "sep4s2 5", "head 2", "pool", "answer", shape=(24, 8, 1))
    assert encoder.heads == [(12, 4, 3), (6, 2, 2)]
    assert [tuple(y.shape[1:]) for y in encoder.outputs(torch.rand(1, 1, 24, 8))] == [(3, 12, 4), (2, 6, 2), (5, 1, 1)]


def test_head_is_a_branch_that_the_trunk_does_not_see() -> None:
    with_head, without = encoder_of("conv 4", "head 8", "pool", "answer"), encoder_of("conv 4", "pool", "answer")
    state = with_head.state_dict()
    moved = {"layers.1.": "layers.2.", "layers.2.": "layers.3."}
    without.load_state_dict({name: state[moved.get(name[:9], name[:9]) + name[9:]] for name in without.state_dict()})
    torch.testing.assert_close(without.outputs(images())[0], with_head.outputs(images())[1])


def test_heads_and_scores_are_linear() -> None:
    encoder = encoder_of("conv 4", "head 8", "pool", "head 8", "answer")
    for output in encoder.outputs(images(20)):
        assert output.min() < 0 < output.max()
    bias = encoder.layers[-1].get_submodule("conv").get_parameter("bias")
    assert bias.shape == (CLASSES,)
    before = encoder.scores(images())
    with torch.no_grad():
        bias.sub_(100)
    torch.testing.assert_close(encoder.scores(images()), before - 100, atol=1e-4, rtol=0)


def test_pool_starts_as_the_mean_and_learns_each_channel_and_place() -> None:
    encoder = encoder_of("pool", "answer").train(False)
    pool = encoder.layers[0]
    assert isinstance(pool, ConvUnit) and pool.conv.weight.shape == (3, 1, 16, 16)
    assert pool.norm is not None
    y = pool(images())
    torch.testing.assert_close(y, images().mean((2, 3), keepdim=True) / (1 + pool.norm.eps) ** 0.5)
    with torch.no_grad():
        pool.conv.weight.zero_()
        pool.conv.weight[1, 0, 5, 7] = 2
    torch.testing.assert_close(pool(images())[:, 1, 0, 0], 2 * images()[:, 1, 5, 7], rtol=1e-4, atol=1e-4)


def test_pool_of_one_position_keeps_the_grid() -> None:
    encoder = encoder_of("conv4s2 4", "pool", "pool", "answer")
    assert encoder.outputs(images())[0].shape == (6, CLASSES, 1, 1)


def test_forward_is_refused_as_there_are_several_outputs() -> None:
    with pytest.raises(NotImplementedError, match="has `outputs`"):
        encoder_of("head 3")(images())


def test_board_logits_are_the_scores_in_other_units() -> None:
    codec = make_codec(base=ANSWERING).eval()
    with torch.no_grad():
        scores = codec.encoder.outputs(images())[-1].flatten(1)
        latent, board = codec.encode(images())
    assert board is not None
    torch.testing.assert_close(board, scores * SCORE_SCALE)
    torch.testing.assert_close(codec.board_logits(images()), board)
    assert latent.shape == (6, codec.n_symbols)


# One range for all outputs


def shared_range(encoder: Encoder) -> ActivationRange:
    """Return the range that all four outputs have."""
    outputs = [encoder.layers[index] for index in encoder.branches]
    ranges = {id(unit.range): unit.range for unit in outputs if isinstance(unit, ConvUnit)}
    assert len(outputs) == 4 and len(ranges) == 1
    return ranges.popitem()[1]


def test_outputs_share_the_range_that_holds_all_of_theirs() -> None:
    encoder = make_codec(base=ANSWERING).encoder.eval()
    encoder.fold()
    calibrate(encoder, images(40))
    set_mode(encoder, "off")
    with torch.no_grad():
        outputs = encoder.outputs(images(40))
    shared = shared_range(encoder)
    assert isinstance(encoder.layers[0], ConvUnit) and encoder.layers[0].range is not shared
    low, high = (min(float(y.min()) for y in outputs), max(float(y.max()) for y in outputs))
    assert (float(shared.low), float(shared.high)) == pytest.approx((low, high))
    assert len({round(float(y.max()), 3) for y in outputs}) == 4  # each of its own


def test_quantized_outputs_are_steps_of_one_scale() -> None:
    encoder = make_codec(base=ANSWERING).encoder.eval()
    encoder.fold()
    calibrate(encoder, images(40))
    quantized = encoder.outputs(images(10))
    shared = shared_range(encoder)
    scale, zero_point = int8_parameters(float(shared.low), float(shared.high))
    for y in quantized:
        steps = y.detach() / scale
        np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
        assert (steps.round() + zero_point).min() >= -128 and (steps.round() + zero_point).max() <= 127
    set_mode(encoder, "off")
    for y, exact in zip(quantized, encoder.outputs(images(10)), strict=True):
        assert (y - exact).abs().max() < 12 * scale  # of weights and of all layers, as on the board
        assert (y - exact).abs().max() > 0


def test_calibrate_observes_all_layers_of_all_branches() -> None:
    encoder = make_codec(base=ANSWERING).encoder
    calibrate(encoder, images(20))
    for layer in encoder.layers:
        assert isinstance(layer, ConvUnit | Separable)
        measured = layer.range if isinstance(layer, ConvUnit) or layer.residual else layer.pointwise.range
        assert float(measured.low) <= 0 < float(measured.high) and measured.mode == "quantize"


def test_training_reaches_every_head_through_the_shared_range() -> None:
    encoder = make_codec(base=ANSWERING).encoder.train()
    encoder.fold()
    calibrate(encoder, images(20))
    torch.stack([y.square().mean() for y in encoder.outputs(images())]).sum().backward()
    for index in encoder.branches:
        weight = encoder.layers[index].get_submodule("conv").get_parameter("weight")
        assert weight.grad is not None and weight.grad.abs().max() > 0


# Order of sending


def test_sending_order_is_the_last_head_first_each_channel_by_channel() -> None:
    assert sending_order([(2, 1, 2), (1, 1, 3)]).tolist() == [4, 5, 6, 0, 2, 1, 3]
    assert sending_order([]).tolist() == [] and sending_order([]).dtype == torch.int64
    order = sending_order(HEADS).numpy()
    assert sorted(order) == list(range(186))
    first, second, third = np.split(np.arange(186), (128, 176))
    expected = [third, second.reshape(16, 3).T.ravel(), first.reshape(64, 2).T.ravel()]
    np.testing.assert_array_equal(order, np.concatenate(expected))


def test_encode_concatenates_heads_row_major_and_sends_them_in_order() -> None:
    codec = make_codec(base=ANSWERING).eval()
    with torch.no_grad():
        outputs, (latent, _) = codec.encoder.outputs(images()), codec.encode(images())
    as_board = np.concatenate([y.permute(0, 2, 3, 1).reshape(6, -1).numpy() for y in outputs[:-1]], 1)
    np.testing.assert_array_equal(latent, as_board[:, codec.order.numpy()])
    y, x, channel = 3, 5, 1  # a value of the first head, in the latent and among the symbols
    np.testing.assert_array_equal(as_board[:, (y * 8 + x) * 2 + channel], outputs[0][:, channel, y, x])
    np.testing.assert_array_equal(latent[:, 10 + 48 + channel * 64 + y * 8 + x], outputs[0][:, channel, y, x])


def test_board_alone_has_neither_heads_nor_symbols() -> None:
    codec = make_codec(base=ALONE).eval()
    assert (codec.heads, codec.n_symbols, codec.chunks, codec.order.tolist()) == ([], 0, (), [])
    payload = codec.send(images())
    assert payload.symbols.shape == (6, 0) and payload.answers is not None
    logits = codec.decode(payload.symbols, torch.zeros(6), payload.answers)
    np.testing.assert_array_equal(logits.argmax(1), codec.board_logits(images()).detach().argmax(1))


# Mistakes

LAST = "the last layer must be 'head N' or 'answer'"
KINDS = "layers: conv N, conv4s2 N, sep N, sep4s2 N, head N, pool, answer"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], LAST),
        (["conv 8"], LAST),
        (["head 8", "conv 8"], LAST),
        (["head 8", "pool"], LAST),
        (["pool", "answer", "head 4"], "'answer' must be the last layer"),
        (["pool", "answer", "answer"], "'answer' must be the last layer"),
        (["conv 8", "answer"], "'answer' needs a grid of 1 x 1, not 16 x 16: put 'pool' before it"),
        (["conv4s2 8", "head 3", "answer"], "'answer' needs a grid of 1 x 1, not 8 x 8: put 'pool' before it"),
        (["pool", "conv4s2 8", "answer"], "'conv4s2 8' halves a grid of 1 x 1"),
        (["conv", "head 8"], f"cannot read 'conv'; {KINDS}"),
        (["conv 0", "head 8"], "cannot read 'conv 0'"),
        (["conv -3", "head 8"], "cannot read 'conv -3'"),
        (["conv3 8", "head 8"], "cannot read 'conv3 8'"),
        (["pool 8", "head 8"], "cannot read 'pool 8'"),
        (["pool", "answer 10"], "cannot read 'answer 10'"),
        (["head"], "cannot read 'head'"),
        (["conv 8 8", "head 8"], "cannot read 'conv 8 8'"),
        (["conv 8\n", "head 8"], r"cannot read 'conv 8\n'"),
        (["conv 8", "header"], "cannot read 'header'"),
    ],
)
def test_encoder_refuses_invalid_layers(layers: list[str], message: str) -> None:
    with pytest.raises(TrainError) as caught:
        encoder_of(*layers)
    assert str(caught.value).startswith(f"encoder.layers: {message}") and "\n" not in str(caught.value)


def check_refused(shape: tuple[int, int, int], message: str, classes: int = 5, **changes: object) -> None:
    with pytest.raises(TrainError) as caught:
        Codec(config.CodecConfig.from_dict(CONFIG.as_dict() | changes), shape, classes)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_codec_refuses_image_size_and_chunks_that_do_not_fit() -> None:
    odd = "'sep4s2 8' halves a grid of 8 x 9; the height and width of the images must be divisible by 2 for each such"
    check_refused((16, 18, 3), odd)
    check_refused((15, 16, 3), "'conv4s2 6' halves a grid of 15 x 16; ")
    check_refused((16, 16, 3), "link.chunks: (32, 33) is outside the 64 symbols", link={"chunks": [[0, 64], [32, 33]]})
    check_refused((16, 16, 3), "link.chunks: (-1, 8) is outside the 64 symbols", link={"chunks": [[0, 64], [-1, 8]]})
    check_refused((16, 16, 3), "link.chunks: (0, 0) is outside the 64 symbols", link={"chunks": [[0, 64], [0, 0]]})
    check_refused((16, 16, 3), "the first must be the whole payload, [0, 64]", link={"chunks": [[0, 32], [0, 64]]})
    check_refused((16, 32, 3), "the first must be the whole payload, [0, 128]")


def test_codec_refuses_payload_that_does_not_fit() -> None:
    lora, answering = {"channels": ["bsc", "lora"]}, {"layers": ["head 2", "pool", "answer"]}
    message = "link.channels: lora carries up to 255 bytes, and the payload has "
    # 680 symbols of 3 bits are 255 bytes; those of an answering board follow 2 more bytes.
    shape, alone = (20, 17, 3), {"layers": ["head 2"]}
    Codec(config.CodecConfig.from_dict(CONFIG.as_dict() | {"encoder": alone, "link": lora}), shape, 5)
    check_refused(shape, f"{message}257", encoder=answering, link=lora)
    check_refused((20, 18, 3), f"{message}270", encoder=alone, link=lora)
    check_refused((256, 128, 3), "encoder.layers: the heads have 65,536 values, more than 65,535", encoder=answering)
    many = "encoder.layers: 'answer' has room for 4,096 classes, the images have 4,097"
    check_refused((16, 16, 3), many, 4097, encoder=answering, link={})


def test_codec_refuses_chunks_of_a_board_that_classifies_alone() -> None:
    layers = {"layers": ["pool", "answer"]}
    check_refused((16, 16, 3), "link.chunks: (0, 64) is outside the 0 symbols", encoder=layers)


def test_codec_of_the_example_in_the_training_guide() -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    own = config.CodecConfig.from_dict({"name": "own", **tomllib.loads(example)})
    assert own.data.size is not None and own.data.grey
    Codec(own, (*own.data.size, 1), CLASSES)

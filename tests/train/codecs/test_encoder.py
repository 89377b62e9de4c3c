"""The encoder: cost, batch norm folding, and fake quantization against integer arithmetic."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.codec import ANSWERING, images, make_codec
from train.codecs.encoder import ConvEncoder, ConvUnit, Encoder, Separable
from train.codecs.fakequant import ActivationRange, calibrate, int8_parameters, quantize_weight, set_mode


def units(model: nn.Module) -> list[ConvUnit]:
    return [m for m in model.modules() if isinstance(m, ConvUnit)]


# Cost


def test_macs_match_count_by_hand() -> None:
    encoder = Encoder((8, 8, 3), ["conv 4", "sep4s2 6", "sep 6", "head 2"], 5)
    conv = 8 * 8 * 4 * 3 * 9
    halved = 4 * 4 * (4 * 16 + 4 * 6)  # depthwise 4 x 4, then 1 x 1
    residual = 4 * 4 * (6 * 9 + 6 * 6)
    head = 4 * 4 * 6 * 2
    assert encoder.macs(8, 8) == conv + halved + residual + head
    assert encoder.macs(16, 8) == 2 * encoder.macs(8, 8)


def test_macs_of_one_channel_and_a_dense_stride() -> None:
    assert Encoder((10, 6, 1), ["conv4s2 5", "head 1"], 5).macs(10, 6) == 5 * 3 * (5 * 1 * 16 + 5)


def test_macs_count_every_branch() -> None:
    encoder = Encoder((8, 8, 3), ["conv4s2 6", "head 2", "pool", "head 7", "answer"], 5)
    assert encoder.macs(8, 8) == 4 * 4 * 6 * 3 * 16 + 4 * 4 * 6 * 2 + 4 * 4 * 6 + 6 * 7 + 6 * 5


def test_macs_leaves_the_encoder_unchanged() -> None:
    encoder = make_codec().encoder.train()
    before = copy.deepcopy(encoder.state_dict())
    encoder.macs(16, 16)
    assert encoder.training
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


# Folding


def test_fold_keeps_the_outputs() -> None:
    encoder = make_codec(base=ANSWERING).encoder.eval()
    with torch.no_grad():
        before = encoder.outputs(images(20))
        encoder.fold()
        after = encoder.outputs(images(20))
    assert len(before) == 4
    for one, other in zip(before, after, strict=True):
        assert one.std() > 0.02
        np.testing.assert_allclose(other.numpy(), one.numpy(), atol=2e-5)
    assert all(u.norm is None and u.conv.bias is not None for u in units(encoder))
    state = copy.deepcopy(encoder.state_dict())
    encoder.fold()  # a second call has no effect
    assert all(torch.equal(v, state[k]) for k, v in encoder.state_dict().items())


# Fake quantization


def rounded(x: np.ndarray, scale: np.ndarray | float, zero: int, low: int) -> np.ndarray:
    """Return the int8 values of TensorFlow Lite's affine scheme, q = round(x / scale) + zero."""
    return np.clip(np.rint(x / scale) + zero, low, 127)


@pytest.mark.parametrize("shape", [(5, 3, 4, 4), (7, 1, 3, 3), (6, 9, 1, 1)])
def test_quantize_weight_rounds_per_channel(shape: tuple[int, ...]) -> None:
    weight = (
        torch.randn(shape, generator=torch.Generator().manual_seed(0))
        * torch.logspace(-3, 1, shape[0])[:, None, None, None]
    )
    scale = abs(weight.numpy()).reshape(shape[0], -1).max(1)[:, None, None, None] / 127
    quantized = quantize_weight(weight).numpy()
    np.testing.assert_allclose(quantized, rounded(weight.numpy(), scale, 0, -127) * scale, rtol=1e-5)
    assert np.rint(abs(quantized / scale)).reshape(shape[0], -1).max(1).tolist() == [127] * shape[0]


def test_quantize_weight_keeps_a_channel_of_zeros() -> None:
    assert torch.equal(quantize_weight(torch.zeros(2, 3, 1, 1)), torch.zeros(2, 3, 1, 1))


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"),
    [
        (0.0, 6.0, 6 / 255, -128),
        (0.0, 1.0, 1 / 255, -128),
        (-1.0, 1.0, 2 / 255, 0),  # -128 + 127.5, to even
        (-6.0, 0.0, 6 / 255, 127),
        (-3.0, 1.0, 4 / 255, 63),
        (-1.0, 1.02, 2.02 / 255, -2),  # -1.76, to the nearest
        (2.0, 4.0, 4 / 255, -128),  # widened to hold 0
        (-4.0, -2.0, 4 / 255, 127),
        (0.0, 0.0, 1.0, -128),
    ],
)
def test_int8_parameters_return_scale_and_zero_point(low: float, high: float, scale: float, zero: int) -> None:
    assert int8_parameters(low, high) == (pytest.approx(scale), zero)


def test_activation_range_rounds_over_observed_range() -> None:
    measured = ActivationRange()
    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    assert measured(x) is x
    measured.mode = "observe"
    measured(x)
    measured(x / 2)
    assert (float(measured.low), float(measured.high)) == (float(x.min()), float(x.max()))
    measured.mode = "quantize"
    scale, zero = int8_parameters(float(x.min()), float(x.max()))
    wide = torch.linspace(-9, 9, 1001)
    expected = (rounded(wide.numpy(), scale, zero, -128) - zero) * scale
    np.testing.assert_allclose(measured(wide).numpy(), expected, atol=1e-6)
    assert measured(torch.zeros(1)) == 0


def test_activation_range_passes_gradients_only_inside_the_range() -> None:
    measured = ActivationRange()
    measured.low, measured.high, measured.mode = torch.tensor(-1.0), torch.tensor(2.0), "quantize"
    x = torch.tensor([-5.0, -0.5, 0.3, 1.9, 7.0], requires_grad=True)
    measured(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("relu", [True, False])
def test_conv_unit_matches_integer_arithmetic(relu: bool) -> None:
    """Compare with a 1 x 1 convolution in int8 and int32, as on a microcontroller; the bias may differ by 1."""
    torch.manual_seed(0)
    unit = ConvUnit(12, 16, 1, relu=relu).eval()
    assert unit.norm is not None
    unit.norm.bias.data.normal_(1.0, 0.5)
    unit.fold()
    assert unit.conv.bias is not None
    x = torch.randint(0, 256, (20, 12, 6, 6)) / 255
    with torch.no_grad():
        calibrate(ConvEncoder(unit).eval(), x)
        output = unit(x).permute(0, 2, 3, 1).numpy()
    scale, zero = int8_parameters(float(unit.range.low), float(unit.range.high))
    weight = unit.conv.weight.detach().numpy()[:, :, 0, 0]
    w_scale = abs(weight).max(1) / 127
    w_int = np.rint(weight / w_scale[:, None]).astype(np.int32)
    pixels = np.rint(x.permute(0, 2, 3, 1).numpy() * 255).astype(np.int32) - 128  # what the board receives
    bias = np.rint(unit.conv.bias.detach().numpy() / (w_scale / 255)).astype(np.int32)
    total = (pixels + 128) @ w_int.T + bias
    low = zero if relu else -128
    expected = np.clip(np.rint(total * (w_scale / 255 / scale)) + zero, low, 127)
    steps = abs(np.rint(output / scale) + zero - expected)
    assert steps.max() <= 1 and (steps == 0).mean() > 0.995
    assert len(np.unique(expected)) > 100


def test_calibrate_records_float_ranges_and_forgets_older_ones() -> None:
    encoder = make_codec().encoder
    encoder.fold()
    encoder.train()
    calibrate(encoder, images(30) * 1.5)
    wide = [float(u.range.high) for u in units(encoder)]
    set_mode(encoder, "quantize")
    calibrate(encoder, images(30))
    assert encoder.training
    assert all(u.range.mode == "quantize" for u in units(encoder))
    with torch.no_grad():
        set_mode(encoder, "off")
        x = images(30)
        for layer in encoder.eval().layers:
            y = layer(x)
            assert isinstance(layer, ConvUnit | Separable)
            measured = layer.range if isinstance(layer, ConvUnit) or layer.residual else layer.pointwise.range
            assert float(measured.low) == pytest.approx(min(float(y.min()), 0), abs=1e-6)
            assert float(measured.high) == pytest.approx(float(y.max()), abs=1e-6)
            x = y
    assert any(float(u.range.high) < w for u, w in zip(units(encoder), wide, strict=True))


def test_separable_range_of_second_input_covers_the_sum() -> None:
    """The converter uses that range (see train/codecs/encoder.py); a proof of the export compares the scales."""
    torch.manual_seed(2)
    block = Separable(6, 6, 3, 1).eval()
    assert block.residual
    x = torch.rand(8, 6, 5, 5) * 4
    calibrate(ConvEncoder(block).eval(), x)
    set_mode(block, "off")
    with torch.no_grad():
        alone, total = block.pointwise(block.depthwise(x)), block(x)
    inner = block.pointwise.range
    assert float(inner.low) == pytest.approx(min(0.0, float(alone.min())), abs=1e-6)
    assert float(inner.high) == pytest.approx(max(float(alone.max()), float(total.max())), abs=1e-6)
    assert float(total.max()) > float(alone.max())

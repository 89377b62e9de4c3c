"""Fake quantization after TensorFlow Lite's int8 scheme: the board's rounding, computed in float.

Weights: per output channel, symmetric, [-127, 127]. Activations: per tensor, affine, [-128, 127], with 0.0 exactly
representable. Sources: Jacob et al. 2018 (arXiv 1712.05877); TensorFlow Lite 8-bit quantization specification.
Gradients pass straight through inside the range and stop outside (`torch.fake_quantize_*`).
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:  # an encoder uses this module
    from train.codecs.encoder import ConvEncoder


def int8_parameters(low: float, high: float) -> tuple[float, int]:
    """Return scale and zero point of an int8 tensor whose values span [low, high], widened to hold 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255 or 1.0
    return scale, int(min(max(round(-128 - low / scale), -128), 127))


def quantize_weight(weight: Tensor) -> Tensor:
    """Round a weight (O, ...) to each output channel's int8 grid; the result stays float."""
    scale = weight.detach().flatten(1).abs().amax(1).clamp_min(1e-12) / 127
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -127, 127)


class ActivationRange(nn.Module):
    """Range of one activation tensor.

    `mode` is "off" (pass through), "observe" (record minimum and maximum) or "quantize".
    """

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("high", torch.tensor(0.0))
        self.mode = "off"

    def cover(self, x: Tensor) -> None:
        """Widen the range to hold all of x."""
        self.low = torch.minimum(self.low, x.detach().min())
        self.high = torch.maximum(self.high, x.detach().max())

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        if self.mode == "observe":
            self.cover(x)
        elif self.mode == "quantize":
            scale, zero = int8_parameters(float(self.low), float(self.high))
            return torch.fake_quantize_per_tensor_affine(x, scale, zero, -128, 127)
        return x


def set_mode(model: nn.Module, mode: str) -> None:
    """Switch every range in `model`; "observe" starts from an empty range."""
    for module in model.modules():
        if isinstance(module, ActivationRange):
            module.mode = mode
            if mode == "observe":
                module.low.zero_()
                module.high.zero_()


@torch.no_grad()
def calibrate(encoder: "ConvEncoder", images: Tensor) -> None:
    """Record every range over `images` (N, C, H, W) with the float encoder, then switch to "quantize".

    The converter does the same over the same images, so the scales of training are those of the .tflite file.
    """
    training = encoder.training
    encoder.eval()
    set_mode(encoder, "observe")
    encoder.outputs(images)
    set_mode(encoder, "quantize")
    encoder.train(training)

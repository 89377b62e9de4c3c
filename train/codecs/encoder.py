"""The device's part: a small convolutional network that int8 TensorFlow Lite runs without a TRANSPOSE.

Inkling's own encoder also needs no PAD. Each of its layers is one line of the config:
    conv 24      dense 3x3 convolution to 24 channels
    conv4s2 24   dense 4x4, stride 2 (halves H and W; padding 1 is symmetric there, so no PAD op is needed)
    sep 24       depthwise 3x3, then 1x1 to 24 channels; adds its input when the channels agree
    sep4s2 48    depthwise 4x4 stride 2, then 1x1
    pool         depthwise over the whole grid, linear: a learned global pooling to 1x1
    head 8       latent head: 1x1 to 8 latent channels, linear; a branch, the next layer takes the head's input
    answer       answer head, last: 1x1 to class scores, linear
All but pool and heads end in ReLU6: its fixed [0, 6] is the range that survives int8 conversion best
(Howard et al. 2017, arXiv 1704.04861). Input is pixel / 255; the first layer learns the normalisation.
"""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from train.codecs.fakequant import ActivationRange, quantize_weight
from train.errors import TrainError

_LAYER = re.compile(r"(conv|conv4s2|sep|sep4s2|head) ([1-9]\d*)|(pool|answer)")
_KINDS = "conv N, conv4s2 N, sep N, sep4s2 N, head N, pool, answer"
# Logits of the answer head per unit of its output: brings the scores to the range of the latents, which share it.
SCORE_SCALE = 4.0


class ConvUnit(nn.Module):
    """Convolution, batch norm or bias, optional ReLU6 and an int8 range on the output."""

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        groups: int = 1,
        relu: bool = True,
        norm: bool = True,
    ) -> None:
        super().__init__()
        # The output has H / stride rows. For 3x3 stride 2, as in torchvision's stems, TensorFlow Lite needs a PAD.
        # A kernel of the whole grid, as a pair, is not padded: the output is 1x1.
        padding = (kernel - stride + 1) // 2 if isinstance(kernel, int) else 0
        self.conv = nn.Conv2d(cin, cout, kernel, stride, padding, groups=groups, bias=not norm)
        self.norm: nn.BatchNorm2d | None = nn.BatchNorm2d(cout) if norm else None
        self.relu = relu
        self.range = ActivationRange()

    def fold(self) -> None:
        """Merge the batch norm's running statistics into the convolution permanently."""
        if self.norm is not None:
            n = self.norm
            assert n.running_mean is not None and n.running_var is not None
            weight, bias = fuse_conv_bn_weights(
                self.conv.weight, None, n.running_mean, n.running_var, n.eps, n.weight, n.bias
            )
            self.conv.weight, self.conv.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
            self.norm = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, cin, H, W) -> (B, cout, H / stride, W / stride)."""
        c = self.conv
        weight = quantize_weight(c.weight) if self.range.mode == "quantize" else c.weight
        y = F.conv2d(x, weight, c.bias, c.stride, c.padding, groups=c.groups)
        if self.norm is not None:
            y = self.norm(y)
        return self.range(F.relu6(y) if self.relu else y)


class Separable(nn.Module):
    """Depthwise, then pointwise convolution; a residual block if the output has the input's shape."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.residual = cin == cout and stride == 1
        self.depthwise = ConvUnit(cin, cin, kernel, stride, groups=cin)
        self.pointwise = ConvUnit(cin, cout, 1, relu=not self.residual)
        if self.residual:
            self.range = ActivationRange()

    def forward(self, x: Tensor) -> Tensor:
        """(B, cin, H, W) -> (B, cout, H / stride, W / stride)."""
        y = self.pointwise(self.depthwise(x))
        if not self.residual:
            return y
        total = F.relu6(x + y)
        if self.range.mode == "observe":
            # TensorFlow Lite adds in place, and its calibrator reads the sum where the second input was: the
            # converted model's range of that input holds both. Training must use the same range.
            self.pointwise.range.cover(total)
        return self.range(total)


class ConvEncoder(nn.Module):
    """Encoder of images (B, C, H, W) in [0, 1] to latents (B, c, h, w) by `layers` in sequence."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def fold(self) -> None:
        """Merge every batch norm into its convolution."""
        for unit in self.units():
            unit.fold()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, c, h, w)."""
        return self.layers(x)

    def outputs(self, x: Tensor) -> list[Tensor]:
        """Map images (B, C, H, W) to the latent heads (B, c, h, w), then the class scores (B, classes, 1, 1) if any."""
        return [self(x)]

    def units(self) -> list[ConvUnit]:
        """Return the convolutions in the order of execution."""
        return [module for module in self.modules() if isinstance(module, ConvUnit)]

    def macs(self, height: int, width: int) -> int:
        """Return the multiply-accumulate operations per image of that size."""
        total = 0

        def count(unit: ConvUnit, _: object, y: Tensor) -> None:
            nonlocal total
            total += unit.conv.weight.numel() * y.shape[2] * y.shape[3]

        units = self.units()
        hooks = [unit.register_forward_hook(count) for unit in units]
        training = self.training
        self.eval()
        with torch.no_grad():
            self.outputs(units[0].conv.weight.new_zeros(1, units[0].conv.in_channels, height, width))
        self.train(training)
        for hook in hooks:
            hook.remove()
        return total


class Encoder(ConvEncoder):
    """Inkling's own encoder, built from the lines of the config, with latent heads and an optional answer head.

    `heads` are the latent heads' shapes (h, w, c), in the order of the layers.
    """

    def __init__(self, input_shape: tuple[int, int, int], lines: Sequence[str], classes: int) -> None:
        super().__init__()
        height, width, channels = input_shape
        self.branches: list[int] = []  # indices of the layers whose output leaves the encoder
        self.heads: list[tuple[int, int, int]] = []
        self.has_answer = False
        output_range = ActivationRange()  # shared: all outputs have one scale and one symbol table
        for index, line in enumerate(lines):
            kind, cout = _parse(line)
            if self.has_answer:
                raise TrainError("encoder.layers: 'answer' must be the last layer")
            if kind.endswith("4s2"):
                if height % 2 or width % 2:
                    raise TrainError(
                        f"encoder.layers: {line!r} halves a grid of {height} x {width}; the height and width of the "
                        "images must be divisible by 2 for each such layer"
                    )
                height, width = height // 2, width // 2
            if kind == "answer" and (height, width) != (1, 1):
                raise TrainError(
                    f"encoder.layers: 'answer' needs a grid of 1 x 1, not {height} x {width}: put 'pool' before it"
                )
            if kind in ("head", "answer"):
                layer: nn.Module = ConvUnit(channels, cout or classes, 1, relu=False, norm=kind == "head")
                layer.range = output_range
                self.branches.append(index)
                if kind == "head":
                    self.heads.append((height, width, cout))
                self.has_answer = kind == "answer"
            elif kind == "pool":
                layer = ConvUnit(channels, channels, (height, width), groups=channels, relu=False)
                nn.init.constant_(layer.conv.weight, 1 / (height * width))
                height = width = 1
            else:
                layer = _trunk_layer(kind, channels, cout)
                channels = cout
            self.layers.append(layer)
        if not self.branches or self.branches[-1] != len(lines) - 1:
            raise TrainError("encoder.layers: the last layer must be 'head N' or 'answer'")

    def forward(self, x: Tensor) -> Tensor:
        """Not defined, as there are several outputs: use `outputs` or `scores`."""
        raise NotImplementedError("an encoder with several heads has `outputs`")

    def outputs(self, x: Tensor) -> list[Tensor]:
        """Map images (B, C, H, W) to the latent heads (B, c, h, w), then the class scores (B, classes, 1, 1) if any."""
        outputs = []
        for index, layer in enumerate(self.layers):
            if index in self.branches:
                outputs.append(layer(x))
            else:
                x = layer(x)
        return outputs

    def scores(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to class scores (B, classes), without the latent heads."""
        for index, layer in enumerate(self.layers):
            if index not in self.branches:
                x = layer(x)
        return self.layers[-1](x).flatten(1)


def _parse(line: str) -> tuple[str, int]:
    """Return kind and channels of a line of the config; 0 channels if the kind has none."""
    match = _LAYER.fullmatch(line)
    if match is None:
        raise TrainError(f"encoder.layers: cannot read {line!r}; layers: {_KINDS}")
    return (match[1], int(match[2])) if match[1] else (match[3], 0)


def _trunk_layer(kind: str, cin: int, cout: int) -> nn.Module:
    kernel, stride = (4, 2) if kind.endswith("4s2") else (3, 1)
    if kind.startswith("sep"):
        return Separable(cin, cout, kernel, stride)
    return ConvUnit(cin, cout, kernel, stride)

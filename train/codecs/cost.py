"""Estimated cost of an encoder on a board: RAM, flash and instructions, from its layers alone.

Fitted to encoders of random weights under the engine `aot` with CMSIS-NN on a Cortex-M4 (QEMU). A test compares the
estimate with the measured cost of the bundles. `python -m benchmarks.device BUNDLE` measures.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from train.codecs.encoder import ConvUnit, Encoder, Separable

# Instructions: per multiply-accumulate, per output value, and per value that a dense kernel copies for each position.
DENSE_MAC, POINTWISE_MAC, DEPTHWISE_MAC = 1.7, 1.07, 5.8
OUTPUT, COPIED = 69.0, 6.8
# Flash in bytes: the kernels of convolutions, of depthwise ones, and of additions; and per output channel its bias,
# multiplier, shift and share of the calls.
KERNELS, DEPTHWISE_KERNELS, ADD_KERNEL, CHANNEL = 5_600, 4_600, 800, 16
SCRATCH = 1_000  # bytes of RAM that kernels need besides the values


@dataclass(frozen=True)
class Cost:
    """Estimated cost of one encoder."""

    ram_bytes: int  # arena, input and outputs
    flash_bytes: int  # weights, kernels and tables
    instructions: int  # per image, on a Cortex-M4

    def __str__(self) -> str:
        """Return one line; in a clone of the project, with the boards that have room for it."""
        millions = f"{self.instructions / 1e6:.1f} M instructions"
        return f"estimate: {millions} per image on a Cortex-M4; the encoder {self._needs}"

    @property
    def _needs(self) -> str:
        try:
            from firmware.tools.boards import fits
        except ModuleNotFoundError:  # an installed package has no firmware
            ram, flash = (-(-size // 1000) for size in (self.ram_bytes, self.flash_bytes))
            return f"needs about {ram} kB of RAM and {flash} kB of flash"
        return str(fits(self.ram_bytes, self.flash_bytes))


class _Counter:
    """Sums over the layers that it is shown, with the sizes of their inputs and outputs."""

    def __init__(self) -> None:
        self.flash, self.instructions, self.peak = KERNELS, 0.0, 0
        self.outputs = 0  # bytes of the encoder's outputs, which all stay in RAM
        self.depthwise = self.adds = False

    def unit(self, unit: ConvUnit, x: Tensor, y: Tensor) -> None:
        """Count a convolution of x (1, cin, H, W) to y (1, cout, h, w)."""
        weight = unit.conv.weight
        macs = weight.numel() * y.shape[2] * y.shape[3]
        self.flash += weight.numel() + CHANNEL * weight.shape[0]
        if unit.conv.groups > 1:
            self.depthwise = True
            self.instructions += DEPTHWISE_MAC * macs
        elif weight.shape[2] * weight.shape[3] == 1:
            self.instructions += POINTWISE_MAC * macs
        else:
            self.instructions += DENSE_MAC * macs + COPIED * weight[0].numel() * y.shape[2] * y.shape[3]
        self.instructions += OUTPUT * y.numel()

    def alive(self, *values: Tensor) -> None:
        """Count values (1, c, h, w) that are in the arena at the same time."""
        self.peak = max(self.peak, sum(value.numel() for value in values))


@torch.no_grad()
def estimate(encoder: Encoder, input_shape: tuple[int, int, int], n_symbols: int) -> Cost:
    """Return the estimated cost of an encoder of images (H, W, C) whose payload has that many symbols."""
    height, width, channels = input_shape
    training = encoder.training
    encoder.eval()
    counter = _Counter()
    where = next(encoder.parameters()).device
    image = x = torch.zeros(1, channels, height, width, device=where)  # has a buffer of its own, as the outputs have
    for index, layer in enumerate(encoder.layers):
        if isinstance(layer, Separable):
            depthwise = layer.depthwise(x)
            y = layer.pointwise(depthwise)
            counter.unit(layer.depthwise, x, depthwise)
            counter.unit(layer.pointwise, depthwise, y)
            counter.alive(*([x] if layer.residual else []), depthwise, y)
            counter.alive(x, depthwise)
            counter.adds |= layer.residual
            x = y
        elif isinstance(layer, ConvUnit):
            y = layer(x)
            counter.unit(layer, x, y)
            if index in encoder.branches:
                counter.outputs += y.numel()
            else:
                counter.alive(*([] if x is image else [x]), y)
                x = y
    encoder.train(training)
    tables = 256 + 2 * n_symbols + (512 if encoder.has_answer else 0)
    return Cost(
        ram_bytes=counter.peak + SCRATCH + height * width * channels + counter.outputs,
        flash_bytes=counter.flash + tables + DEPTHWISE_KERNELS * counter.depthwise + ADD_KERNEL * counter.adds,
        instructions=round(counter.instructions),
    )

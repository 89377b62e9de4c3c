"""A small codec for tests of its parts, with weights as after some training."""

from dataclasses import replace

import torch
from torch import nn

from train import config
from train.codecs.codec import Codec
from train.codecs.decoder import ResidualBlock

CONFIG = config.CodecConfig(
    name="test",
    data=config.DataConfig("cifar10"),
    encoder=config.EncoderConfig(("conv4s2 6", "sep4s2 8", "sep 8", "head 4")),
    schedule=config.ScheduleConfig(1, 1),
    decoder=config.DecoderConfig(width=12, blocks=1),
    link=config.LinkConfig(chunks=((0, 64), (0, 32), (32, 32))),
)
N_SYMBOLS, POSITIONS, CLASSES = 64, 16, 5  # 4 x 4 x 4 latent


def images(count: int = 6, seed: int = 1) -> torch.Tensor:
    """Return random images (count, 3, 16, 16) in [0, 1]."""
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def make_codec(bits: int = 3, seed: int = 0) -> Codec:
    """Return a codec for 16 x 16 x 3 images and 5 classes. No weight is zero or at its start; batch norms are set."""
    torch.manual_seed(seed)
    codec = Codec(replace(CONFIG, quantizer=config.QuantizerConfig(bits, 0.3)), (16, 16, 3), CLASSES)
    with torch.no_grad():
        codec.quantizer.gaps.add_(torch.randn_like(codec.quantizer.gaps) * 0.3)
        codec.decoder.prior.normal_()
        for block in codec.decoder.blocks:
            assert isinstance(block, ResidualBlock)
            block.film.weight.normal_(0, 0.3)
        for module in codec.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        intact = torch.zeros(32, N_SYMBOLS, dtype=torch.int64)
        logits = codec.train()(images(32), intact, intact > 0, torch.full((32,), 0.01))
        codec.decoder.classify.bias.sub_(logits.mean(0))  # so that every class is predicted for some image
    return codec

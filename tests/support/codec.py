"""Small codecs for tests of their parts, with weights as after some training."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from train import config
from train.codecs.codec import Codec
from train.codecs.decoder import Decoder, ResidualBlock
from train.codecs.deployable import SymbolCodec
from train.config import CodecConfig
from train.impairment import Impairment

# One latent head, no answer.
CONFIG = config.CodecConfig(
    name="test",
    data=config.DataConfig("cifar10"),
    encoder=config.EncoderConfig(("conv4s2 6", "sep4s2 8", "sep 8", "head 4")),
    schedule=config.ScheduleConfig(epochs=1, qat_epochs=1),
    decoder=config.DecoderConfig(width=12, blocks=1),
    link=config.LinkConfig(chunks=((0, 64), (0, 32), (32, 32))),
)
N_SYMBOLS, POSITIONS, CLASSES = 64, 16, 5  # 4 x 4 x 4 latent

# Latent heads on three grids and an answer head: 8 x 8 x 2, 4 x 4 x 3, 1 x 1 x 10.
ANSWERING = replace(
    CONFIG,
    encoder=config.EncoderConfig(("conv4s2 6", "head 2", "sep4s2 8", "sep 8", "head 3", "pool", "head 10", "answer")),
    link=config.LinkConfig(),
)
HEADS = [(8, 8, 2), (4, 4, 3), (1, 1, 10)]

# A board that classifies alone.
ALONE = replace(
    CONFIG, encoder=config.EncoderConfig(("conv4s2 6", "sep4s2 8", "pool", "answer")), link=config.LinkConfig()
)


def images(count: int = 6, seed: int = 1) -> Tensor:
    """Return random images (count, 3, 16, 16) in [0, 1]."""
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def impairment(
    codec: SymbolCodec,
    count: int = 6,
    flips: Tensor | int = 0,
    missing: Tensor | bool = False,
    ber: Tensor | float = 0.01,
    answer_flips: Tensor | int = 0,
    answer_missing: Tensor | bool = False,
) -> Impairment:
    """Return the impairment of `count` images; a number stands for all images and symbols."""

    def full(value: Tensor | float, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.as_tensor(value, dtype=dtype).expand(shape).clone()

    return Impairment(
        full(flips, (count, codec.n_symbols), torch.int64),
        full(missing, (count, codec.n_symbols), torch.bool),
        full(ber, (count,), torch.float32),
        full(answer_flips, (count,), torch.int64),
        full(answer_missing, (count,), torch.bool),
    )


def decoder_of(codec: Codec) -> Decoder:
    """Return the decoder of a codec with latent heads."""
    assert isinstance(codec.decoder, Decoder)
    return codec.decoder


def make_codec(bits: int = 3, seed: int = 0, base: CodecConfig = CONFIG) -> Codec:
    """Return a codec for 16 x 16 x 3 images and 5 classes. No weight is zero or at its start; batch norms are set."""
    torch.manual_seed(seed)
    codec = Codec(replace(base, quantizer=config.QuantizerConfig(bits, 0.3)), (16, 16, 3), CLASSES)
    with torch.no_grad():
        codec.quantizer.gaps.add_(torch.randn_like(codec.quantizer.gaps) * 0.3)
        for module in codec.modules():
            if isinstance(module, ResidualBlock):
                module.film.weight.normal_(0, 0.3)
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        if isinstance(codec.decoder, Decoder):
            codec.decoder.prior.normal_()
            if codec.has_answer:
                codec.decoder.gain.mul_(0.2)  # symbols count too
                codec.decoder.confusion.add_(torch.randn_like(codec.decoder.confusion) * 0.2)
            logits = codec.train()(images(32), impairment(codec, 32)).host
            codec.decoder.classify.bias.sub_(logits.mean(0))  # so that every class is predicted for some image
        else:
            codec.train().board_logits(images(32))
    return codec

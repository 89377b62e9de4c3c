"""The preview network: its shapes, its inputs, and its measure of similarity."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.codec import CONFIG, N_SYMBOLS, decoder_of, images, make_codec
from train.codecs.codec import Codec
from train.codecs.decoder import ResidualBlock
from train.codecs.preview import Preview, preview_loss, structural_similarity
from train.config import CodecConfig, EncoderConfig, LinkConfig, PreviewNetworkConfig
from train.errors import TrainError

SMALL = PreviewNetworkConfig(width=6, max_width=10, blocks=1)
# Heads on two grids and one of a pixel.
HEADS = replace(
    CONFIG, encoder=EncoderConfig(("conv4s2 6", "head 2", "sep4s2 8", "head 3", "pool", "head 10")), link=LinkConfig()
)


def codec_of(*layers: str) -> Codec:
    return Codec(replace(CONFIG, encoder=EncoderConfig(layers), link=LinkConfig()), (16, 16, 3), 5)


def test_preview_has_the_size_of_the_image_and_values_of_0_to_1() -> None:
    for base, grids, widths in ((CONFIG, [(4, 4), (8, 8)], [10, 6]), (HEADS, [(4, 4), (8, 8)], [10, 6])):
        codec = make_codec(base=base)
        preview = Preview(codec, SMALL).eval()
        assert preview.grids == grids
        blocks = [module for module in preview.modules() if isinstance(module, ResidualBlock)]
        assert [len(block.conv1.weight) for block in blocks] == widths
        symbols = codec.send(images()).symbols
        for received in (symbols, torch.full_like(symbols, -1)):
            found = preview(received, torch.full((6,), 0.01)).detach()
            assert found.shape == (6, 3, 16, 16)
            assert 0 <= float(found.min()) < float(found.max()) <= 1


@pytest.mark.parametrize("base", [CONFIG, HEADS])
def test_preview_starts_with_the_prior_and_the_centres_of_the_codec(base: CodecConfig) -> None:
    codec = make_codec(base=base)
    preview = Preview(codec, SMALL)
    symbols = codec.send(images()).symbols
    symbols[:, ::3] = -1
    ber = torch.tensor([1e-4, 1e-3, 0.01, 0.05, 0.1, 0.5])
    torch.testing.assert_close(preview.posterior(symbols, ber), decoder_of(codec).posterior(symbols, ber))
    torch.testing.assert_close(preview.centres, codec.quantizer.centres())
    assert not preview.centres.requires_grad and preview.prior is not decoder_of(codec).prior


@torch.no_grad()
def test_preview_depends_on_symbols_of_each_head_and_on_ber() -> None:
    codec = make_codec(base=HEADS).eval()
    preview = Preview(codec, SMALL).eval()
    for module in preview.modules():
        if isinstance(module, ResidualBlock):
            torch.nn.init.normal_(module.film.weight)
    symbols = codec.send(images(1)).symbols
    clean = preview(symbols, torch.tensor([1e-3]))
    assert float((preview(symbols, torch.tensor([0.1])) - clean).abs().max()) > 1e-6
    for first in (0, 10, 10 + 48):  # of the heads 1 x 1 x 10, 4 x 4 x 3 and 8 x 8 x 2, as they are sent
        other = symbols.clone()
        other[:, first : first + 2] = 7 - other[:, first : first + 2]
        assert float((preview(other, torch.tensor([1e-3])) - clean).abs().max()) > 1e-6


def test_fold_changes_nothing_in_evaluation() -> None:
    codec = make_codec(base=HEADS)
    preview = Preview(codec, SMALL)
    symbols, ber = codec.send(images(32)).symbols, torch.full((32,), 0.01)
    for module in preview.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            module.weight.data.uniform_(0.5, 1.5)
    preview.train()(symbols, ber)
    expected = preview.eval()(symbols, ber)
    preview.fold()
    assert not [m for m in preview.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    torch.testing.assert_close(preview(symbols, ber), expected, rtol=1e-4, atol=1e-5)


def test_preview_refuses_codecs_without_a_fitting_grid() -> None:
    for layers, message in (
        (("conv4s2 6", "pool", "head 8"), "codec: a preview needs a latent head with a grid"),
        (("conv 6", "head 1"), "codec: a preview needs latent heads of at most half the image's height and width"),
    ):
        with pytest.raises(TrainError, match=message):
            Preview(codec_of(*layers), SMALL)


def test_structural_similarity_of_one_window_is_that_of_the_definition() -> None:
    one, two = images(2, seed=3)[:1, :1, :8, :8], images(2, seed=4)[:1, :1, :8, :8]
    x, y = one.numpy().ravel(), two.numpy().ravel()
    covariance = np.cov(x, y, bias=True)
    luminance = (2 * x.mean() * y.mean() + 1e-4) / (x.mean() ** 2 + y.mean() ** 2 + 1e-4)
    structure = (2 * covariance[0, 1] + 9e-4) / (covariance[0, 0] + covariance[1, 1] + 9e-4)
    assert float(structural_similarity(one, two)) == pytest.approx(luminance * structure, abs=1e-5)
    torch.testing.assert_close(structural_similarity(images(), images()), torch.ones(6))


def test_loss_adds_the_weighted_dissimilarity_of_three_scales() -> None:
    one, two = images(4, seed=3), images(4, seed=4)
    assert float(preview_loss(one, one, 1.0)) == pytest.approx(0, abs=1e-5)
    error = float((one - two).abs().mean())
    assert float(preview_loss(one, two, 0.0)) == pytest.approx(error)
    halves = [torch.nn.functional.avg_pool2d(x, 2) for x in (one, two)]
    quarters = [torch.nn.functional.avg_pool2d(x, 4) for x in (one, two)]
    similar = [float(structural_similarity(*pair).mean()) for pair in ((one, two), halves, quarters)]
    assert float(preview_loss(one, two, 0.5)) == pytest.approx(error + 0.5 * (1 - np.mean(similar)), abs=1e-5)


def test_preview_has_one_prior_for_each_symbol_channel() -> None:
    assert Preview(make_codec(), SMALL).prior.shape == (4, 8) and N_SYMBOLS == 4 * 16

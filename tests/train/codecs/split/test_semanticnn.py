"""SemanticNN: shapes for every stem, gradients of each loss, attribution, and options."""

import math

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from torch.nn import functional as F

from tests.train.codecs.split.support import batch, flipped_symbols, gradients, small_classifier, train_steps
from train import settings
from train.classifiers.architectures import ARCHITECTURES, Classifier, build
from train.codecs.split.semanticnn import Expand, SemanticNN, attribution_entropy, central_positions, usage_loss
from train.codecs.split.split_codec import Stage
from train.config import QuantizerConfig
from train.errors import TrainError
from train.impairment import Impairment

STAGES = ("stage 1", "stage 2")


def make(
    size: int = 8, classifier: Classifier | None = None, seed: int = 0, options: SemanticNN.Options | None = None
) -> SemanticNN:
    """Return a codec, freshly initialised, for images of size x size."""
    torch.manual_seed(seed)
    options = options or SemanticNN.Options()
    return SemanticNN(classifier or small_classifier(), (size, size, 3), QuantizerConfig(), options).train()


# Shapes


@pytest.mark.parametrize(
    ("architecture", "latent"),
    [
        ("mobilenet_v2", (4, 4, 16)),
        ("resnet50", (2, 2, 32)),
        ("efficientnet_v2_s", (4, 4, 12)),
        ("resnet20", (8, 8, 8)),
    ],
)
def test_code_has_a_quarter_of_the_size_and_half_the_channels(architecture: str, latent: tuple[int, int, int]) -> None:
    model = make(32, build(architecture, 10)).eval()
    assert set(ARCHITECTURES) == {"mobilenet_v2", "resnet50", "efficientnet_v2_s", "resnet20"}
    assert model.latent_shape == latent and model.n_symbols == math.prod(latent)
    images = torch.rand(2, 3, 32, 32)
    symbols, answers = model.send(images)
    assert (
        answers is None and symbols.shape == (2, model.n_symbols) and 0 <= int(symbols.min()) <= int(symbols.max()) <= 7
    )
    with torch.no_grad():
        assert model.decode(symbols, torch.full((2,), 0.01)).shape == (2, 10)
        code = torch.zeros(2, latent[2], *latent[:2])
        assert model.reconstruct(code, torch.zeros(2)).shape[1:] == model.feature_shape


def test_build_refuses_features_that_do_not_divide_by_4() -> None:
    with pytest.raises(TrainError, match=r"features .* multiples of 4, and the stem's are 10 x 10"):
        make(10)


def test_reconstruct_uses_the_code_at_every_corner() -> None:
    """Paddings cut only the border: each corner of the features depends on that corner of the code and no other."""
    model = make(32)
    h, w, c = model.latent_shape
    code = torch.randn(1, c, h, w, requires_grad=True)
    for layer in model.decoder.expand:  # attention uses the whole code
        assert isinstance(layer, Expand)
        layer.attention.factor.get_parameter("2.weight").data.zero_()
    reached = torch.autograd.grad(model.reconstruct(code, torch.zeros(1))[0, :, -1, -1].square().sum(), code)[0]
    reached = reached.abs().sum((0, 1))
    assert reached[-1, -1] > 0 and reached[0].sum() == reached[:, 0].sum() == 0


def test_code_has_unit_power() -> None:
    model = make()
    code = model.encode(model.stem(batch()[0]), torch.zeros(12))
    torch.testing.assert_close(code.square().mean((1, 2, 3)), torch.ones(12))


def test_send_uses_every_level_at_the_start() -> None:
    symbols = torch.cat([make(32, seed=seed).send(torch.rand(20, 3, 32, 32)).symbols.flatten() for seed in range(4)])
    assert (symbols.bincount(minlength=8) / len(symbols)).min() > 0.03


# Losses and gradients


@pytest.mark.parametrize("stage", STAGES)
def test_loss_reaches_encoder_centres_and_decoder_only_in_every_stage(stage: str) -> None:
    model = make(options=SemanticNN.Options(xai_images=4))
    model.quantizer.first.data -= 0.1  # off the start's symmetry
    reached = gradients(model, model.loss(stage, *batch(), flipped_symbols(model, flipped=2)))
    for name in ("conv.weight", "norm.g", "activation.weight", "quantizer.first", "quantizer.gaps"):
        assert reached[name] > 0, name
    learned = {name for name, p in model.named_parameters() if p.requires_grad}
    assert reached.keys() == learned and not any(name.startswith("classifier.") for name in learned)
    assert all(reached[name] > 0 for name in learned if name.startswith("decoder.") and name.endswith("conv.weight"))


def test_loss_of_stage_1_is_error_of_clean_features() -> None:
    model = make()
    images, labels = batch()
    impaired = flipped_symbols(model, flipped=4)
    with torch.no_grad():
        values, _ = model.transmit(model.latent_in_order(images, impaired.given_ber), impaired)
        cleaned = model.reconstruct(model.place(values), impaired.given_ber)
        expected = F.mse_loss(cleaned, model.classifier.features(images))
        assert not torch.equal(
            values, model.transmit(model.latent_in_order(images, impaired.given_ber), flipped_symbols(model))[0]
        )
    torch.testing.assert_close(model.loss("stage 1", images, labels, impaired), expected)
    torch.testing.assert_close(model.loss("stage 1", images, 3 - labels, impaired), expected)


def test_loss_of_stage_2_adds_usage_and_xai_by_their_weights() -> None:
    images, labels = batch()
    losses = {}
    for name, options in {
        "task": SemanticNN.Options(xai=False, usage=0.0),
        "usage": SemanticNN.Options(xai=False, usage=3.0),
        "xai": SemanticNN.Options(usage=0.0, xai_weight=0.25, xai_images=12),
    }.items():
        model = make(options=options)
        losses[name] = model.loss("stage 2", images, labels, flipped_symbols(model, flipped=2)).detach()
    z = model.latent_in_order(images, torch.zeros(12))
    values, soft = model.transmit(z, flipped_symbols(model, flipped=2))
    task = F.cross_entropy(model.classify_values(values, torch.full((12,), 1e-2)), labels)
    clean, _ = model.transmit(z, flipped_symbols(model))
    torch.testing.assert_close(losses["task"], task.detach())
    torch.testing.assert_close(losses["usage"], (task + 3 * usage_loss(soft)).detach())
    spread = attribution_entropy(model.attribution(clean, labels))
    torch.testing.assert_close(losses["xai"], (task + 0.25 * spread).detach())


def test_usage_loss_is_zero_for_even_use_and_descends_towards_it() -> None:
    model = make()
    n_levels = model.quantizer.n_levels
    even = torch.full((2, 3, n_levels), 1 / n_levels)
    one = F.one_hot(torch.zeros(2, 3, dtype=torch.int64), n_levels).float()
    assert usage_loss(even) == 0
    torch.testing.assert_close(usage_loss(one), torch.tensor(((7 / 8) ** 2 + 7 * (1 / 8) ** 2) / 8))
    z = (0.2 * torch.randn(64, 32)).requires_grad_()  # rarely reaches the outer centres
    before = usage_loss(model.transmit(z, no_flips(z))[1])
    before.backward()
    assert z.grad is not None
    after = usage_loss(model.transmit((z - 2000 * z.grad).detach(), no_flips(z))[1])
    assert after < before
    assert gradients(model, usage_loss(model.transmit(z.detach(), no_flips(z))[1]))["quantizer.gaps"] > 0


def no_flips(z: Tensor) -> Impairment:
    flips = torch.zeros(z.shape, dtype=torch.int64)
    none = torch.zeros(len(z), dtype=torch.int64)
    return Impairment(flips, flips.bool(), torch.full((len(z),), 1e-3), none, none.bool())


def steps(model: SemanticNN, stage: str, count: int) -> list[float]:
    """Return the loss of each training step of a stage."""
    return train_steps(model, count, stage, 5e-3)


@pytest.mark.parametrize("stage", STAGES)
def test_training_lowers_the_loss_moves_centres_and_repeats_with_a_seed(stage: str) -> None:
    model = make(options=SemanticNN.Options(xai_images=4))
    start = model.quantizer.centres().detach()
    losses = steps(model, stage, 25)
    assert losses[-1] < 0.8 * losses[0]
    moved = model.quantizer.centres().detach()
    assert (moved - start).abs().max() > 1e-3 and (moved.diff() > 0).all()
    assert steps(make(options=SemanticNN.Options(xai_images=4)), stage, 3) == losses[:3]
    assert steps(make(seed=1, options=SemanticNN.Options(xai_images=4)), stage, 1) != losses[:1]


# XAI


def test_xai_term_reaches_the_encoder_through_the_sent_values() -> None:
    model = make()
    images, labels = batch()
    clean, _ = model.transmit(model.latent_in_order(images, torch.zeros(12)), flipped_symbols(model))
    reached = gradients(model, attribution_entropy(model.attribution(clean, labels)))
    assert reached["conv.weight"] > 0 and reached["quantizer.gaps"] > 0
    # The attributed gradients are constants: the decoder learns only from the task.
    assert not any(name.startswith("decoder.") for name in reached)


def test_xai_term_concentrates_the_attribution() -> None:
    model = make()
    images, labels = batch()
    optimizer = torch.optim.Adam(model.conv.parameters(), 3e-3)
    spread = []
    for _ in range(20):
        clean, _ = model.transmit(model.latent_in_order(images, torch.zeros(12)), flipped_symbols(model))
        loss = attribution_entropy(model.attribution(clean, labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        spread.append(loss.item())
    assert np.mean(spread[-5:]) < np.mean(spread[:5]) - 0.01


def test_attribution_is_trapezoid_and_complete_with_many_steps() -> None:
    """Completeness (Sundararajan et al. 2017, proposition 1): the attributions add up to the difference of losses."""
    model = make().eval()
    images, labels = batch()
    values = model.transmit(model.latent_in_order(images, torch.zeros(12)), flipped_symbols(model))[0].detach()

    def losses(point: Tensor, target: Tensor) -> Tensor:
        logits = model.classify_values(point, torch.full((len(point),), 1e-4))
        return F.cross_entropy(logits, target, reduction="none")

    def slope(point: Tensor) -> Tensor:
        point = point.clone().requires_grad_()
        return torch.autograd.grad(losses(point, labels).sum(), point)[0]

    attribution = model.attribution(values.requires_grad_(), labels).detach()
    trapezoid = 0.5 * (slope(values.detach()) + slope(torch.zeros_like(values))) * values.detach()
    torch.testing.assert_close(2 * attribution, trapezoid)  # captum's n weights add up to (n - 1) / n
    exact = IntegratedGradients(losses).attribute(values, additional_forward_args=labels, n_steps=50)
    with torch.no_grad():
        difference = losses(values, labels) - losses(torch.zeros_like(values), labels)
    torch.testing.assert_close(exact.sum(1), difference, rtol=0.02, atol=0.01)


def test_attribution_entropy_is_0_for_one_symbol_and_1_for_all_alike() -> None:
    one = torch.zeros(3, 16)
    one[:, 5] = -2.0
    torch.testing.assert_close(attribution_entropy(one), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(attribution_entropy(torch.full((3, 16), 0.3)), torch.tensor(1.0))
    half = torch.cat([torch.ones(1, 4), torch.zeros(1, 12)], 1)
    torch.testing.assert_close(attribution_entropy(half), torch.tensor(0.5), atol=1e-4, rtol=0)


# Options


def test_stages_follow_the_share() -> None:
    assert make().stages == (Stage("stage 1", 0.3), Stage("stage 2", 0.7))
    assert make(options=SemanticNN.Options(stage1=0.0)).stages == (Stage("stage 2", 1.0),)
    assert make(options=SemanticNN.Options(stage1=1.0)).stages == (Stage("stage 1", 1.0),)


def test_compression_sends_the_centre_of_the_code() -> None:
    whole, half = make(32), make(32, options=SemanticNN.Options(compression=0.75))
    assert (whole.latent_shape, whole.n_symbols) == ((8, 8, 4), 256)
    assert half.n_symbols == 64
    latent = half.place(torch.ones(1, 64))
    assert latent[0, :, 2:6, 2:6].eq(1).all() and latent.sum() == 64
    z = half.encode(half.stem(torch.rand(2, 3, 32, 32)), torch.zeros(2))
    sent = z.permute(0, 2, 3, 1).flatten(1)[:, half.order]
    assert torch.equal(half.place(sent)[:, :, 2:6, 2:6], z[:, :, 2:6, 2:6])
    loss = half.loss("stage 2", torch.rand(4, 3, 32, 32), torch.arange(4), flipped_symbols(half, 4))
    assert gradients(half, loss)["conv.weight"] > 0


@pytest.mark.parametrize("compression", [0.0, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("grid", [(2, 2, 3), (4, 4, 16), (5, 7, 2)])
def test_central_positions_are_unique_and_inside_the_code(grid: tuple[int, int, int], compression: float) -> None:
    order = central_positions(grid, compression)
    h, w, c = grid
    assert len(order) == len(order.unique()) >= c and int(order.max()) < h * w * c
    assert len(order) <= h * w * c and (compression > 0 or len(order) == h * w * c)


def test_decode_takes_missing_symbols_as_zero() -> None:
    model = make().eval()
    symbols = model.send(batch()[0]).symbols
    ber = torch.full((12,), 1e-2)
    with torch.no_grad():
        values = model.quantizer.centres()[symbols]
        values[:, 5:] = 0
        symbols[:, 5:] = -1
        torch.testing.assert_close(model.decode(symbols, ber), model.classify_values(values, ber))


@pytest.mark.parametrize(("ber_input", "same"), [(True, False), (False, True)])
def test_decode_uses_the_ber_only_with_ber_input(ber_input: bool, same: bool) -> None:
    model = make(options=SemanticNN.Options(ber_input=ber_input)).eval()
    symbols = model.send(batch()[0]).symbols
    with torch.no_grad():
        low, high = (model.decode(symbols, torch.full((12,), ber)) for ber in (1e-3, 1e-1))
    assert torch.equal(low, high) == same


def test_hard_quantization_fixes_centres_and_passes_gradients_straight_through() -> None:
    model = make(options=SemanticNN.Options(soft_quantization=False, xai_images=4))
    z = torch.randn(2, model.n_symbols, requires_grad=True)
    impaired = flipped_symbols(model, 2, flipped=3)
    values, _ = model.transmit(z, impaired)
    soft_values, _ = make().transmit(z, impaired)
    assert torch.allclose(values, soft_values, atol=1e-6)  # the forward pass is the same
    weight = torch.rand_like(values)
    (gradient,) = torch.autograd.grad((values * weight).sum(), z)
    expected = weight.clone()
    expected[:, :3] = 0  # a damaged symbol does not depend on what was sent
    torch.testing.assert_close(gradient, expected)
    start = model.quantizer.centres().detach()
    for stage in STAGES:
        assert steps(model, stage, 5)[-1] > 0
    assert torch.equal(model.quantizer.centres().detach(), start)


WRONG = {
    "compression must be 0 to below 1": {"compression": 1.0},
    "stage1 must be 0 to 1": {"stage1": -0.1},
    "usage must be at least 0": {"usage": -1.0},
    "xai_weight must be at least 0": {"xai_weight": -1.0},
    "xai_images must be at least 1": {"xai_images": 0},
}


@pytest.mark.parametrize("message", WRONG)
def test_options_refuse_value_out_of_range(message: str) -> None:
    with pytest.raises(TrainError, match=f"options: {message}"):
        settings.build(SemanticNN.Options, WRONG[message], "options")

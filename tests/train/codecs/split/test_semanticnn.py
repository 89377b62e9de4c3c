"""SemanticNN: shapes for every stem, what reaches what by which loss, attribution, and what each option changes."""

import math

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from torch.nn import functional as F

from tests.train.codecs.split.test_baselines import batch, link, small_classifier, train_steps
from train.classifiers.architectures import ARCHITECTURES, Classifier, build
from train.codecs.split import semanticnn
from train.codecs.split.semanticnn import Options, concentration, middle, usage
from train.codecs.split.split_codec import Stage
from train.config import QuantizerConfig
from train.errors import TrainError
from train.impairment import Impairment

STAGES = ("stage 1", "stage 2")


def system(
    size: int = 8, classifier: Classifier | None = None, seed: int = 0, **options: float
) -> semanticnn.SemanticNN:
    """Freshly initialised, for pictures of size x size."""
    torch.manual_seed(seed)
    return semanticnn.SemanticNN(
        classifier or small_classifier(), (size, size, 3), QuantizerConfig(), Options(**options)
    ).train()


def gradients(model: semanticnn.SemanticNN, loss: Tensor) -> dict[str, float]:
    """Largest absolute gradient of each parameter that the loss reaches."""
    model.zero_grad()
    loss.backward()
    return {name: float(p.grad.abs().max()) for name, p in model.named_parameters() if p.grad is not None}


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
def test_the_code_is_a_quarter_as_high_and_wide_with_half_the_channels(
    architecture: str, latent: tuple[int, int, int]
) -> None:
    model = system(32, build(architecture, 10)).eval()
    assert set(ARCHITECTURES) == {"mobilenet_v2", "resnet50", "efficientnet_v2_s", "resnet20"}
    assert model.latent_shape == latent and model.n_symbols == math.prod(latent)
    images = torch.rand(2, 3, 32, 32)
    levels = model.send(images)
    assert levels.shape == (2, model.n_symbols) and 0 <= int(levels.min()) <= int(levels.max()) <= 7
    with torch.no_grad():
        assert model.decode(levels, torch.full((2,), 0.01)).shape == (2, 10)
        code = torch.zeros(2, latent[2], *latent[:2])
        assert model.reconstruct(code, torch.zeros(2)).shape[1:] == model.feature_shape


def test_features_that_do_not_divide_by_4_are_refused() -> None:
    with pytest.raises(TrainError, match="features of a multiple of 4, the stem's are 10 x 10"):
        system(10)


def test_every_place_of_the_code_has_its_say_in_every_corner_that_it_covers() -> None:
    """Paddings cut no more than the border: each corner of the features depends on the code's corner, and no other."""
    model = system(32)
    h, w, c = model.latent_shape
    code = torch.randn(1, c, h, w, requires_grad=True)
    for layer in model.decoder.expand:  # attention looks at the whole code
        layer.attention.factor[2].weight.data.zero_()
    reached = torch.autograd.grad(model.reconstruct(code, torch.zeros(1))[0, :, -1, -1].square().sum(), code)[0]
    reached = reached.abs().sum((0, 1))
    assert reached[-1, -1] > 0 and reached[0].sum() == reached[:, 0].sum() == 0


def test_the_code_has_unit_power() -> None:
    model = system()
    code = model.encode(model.stem(batch()[0]), torch.zeros(12))
    torch.testing.assert_close(code.square().mean((1, 2, 3)), torch.ones(12))


def test_at_the_start_every_level_is_used() -> None:
    levels = torch.cat([system(32, seed=seed).send(torch.rand(20, 3, 32, 32)).flatten() for seed in range(4)])
    assert (levels.bincount(minlength=8) / len(levels)).min() > 0.03


# Who learns from what


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_teaches_encoder_centres_and_decoder_and_not_the_classifier(stage: str) -> None:
    model = system(xai_images=4)
    model.quantizer.first.data -= 0.1  # off the start's symmetry
    reached = gradients(model, model.loss(stage, *batch(), link(model, flipped=2)))
    for name in ("conv.weight", "norm.g", "activation.weight", "quantizer.first", "quantizer.gaps"):
        assert reached[name] > 0, name
    learned = {name for name, p in model.named_parameters() if p.requires_grad}
    assert reached.keys() == learned and not any(name.startswith("classifier.") for name in learned)
    assert all(reached[name] > 0 for name in learned if name.startswith("decoder.") and name.endswith("conv.weight"))


def test_stage_1_wants_the_clean_features() -> None:
    model = system()
    images, labels = batch()
    impaired = link(model, flipped=4)
    with torch.no_grad():
        values, _ = model.transmit(model.latent_in_order(images, impaired.given_ber), impaired)
        cleaned = model.reconstruct(model.place(values), impaired.given_ber)
        expected = F.mse_loss(cleaned, model.classifier.features(images))
        assert not torch.equal(values, model.transmit(model.latent_in_order(images, impaired.given_ber), link(model))[0])
    torch.testing.assert_close(model.loss("stage 1", images, labels, impaired), expected)
    torch.testing.assert_close(model.loss("stage 1", images, 3 - labels, impaired), expected)


def test_stage_2_is_cross_entropy_with_usage_and_xai_by_their_weights() -> None:
    images, labels = batch()
    found = {}
    for name, options in {
        "task": {"xai": False, "usage": 0.0},
        "usage": {"xai": False, "usage": 3.0},
        "xai": {"usage": 0.0, "xai_weight": 0.25, "xai_images": 12},
    }.items():
        model = system(**options)
        found[name] = model.loss("stage 2", images, labels, link(model, flipped=2)).detach()
    z = model.latent_in_order(images, torch.zeros(12))
    values, soft = model.transmit(z, link(model, flipped=2))
    task = F.cross_entropy(model.classify_values(values, torch.full((12,), 1e-2)), labels)
    clean, _ = model.transmit(z, link(model))
    torch.testing.assert_close(found["task"], task.detach())
    torch.testing.assert_close(found["usage"], (task + 3 * usage(soft)).detach())
    spread = concentration(model.attribution(clean, labels))
    torch.testing.assert_close(found["xai"], (task + 0.25 * spread).detach())


def test_usage_is_least_where_all_centres_serve_alike_and_pulls_towards_it() -> None:
    model = system()
    levels = model.quantizer.n_levels
    even = torch.full((2, 3, levels), 1 / levels)
    one = F.one_hot(torch.zeros(2, 3, dtype=torch.int64), levels).float()
    assert usage(even) == 0
    torch.testing.assert_close(usage(one), torch.tensor(((7 / 8) ** 2 + 7 * (1 / 8) ** 2) / 8))
    z = (0.2 * torch.randn(64, 32)).requires_grad_()  # hardly reaches the outer centres
    before = usage(model.transmit(z, no_flips(z))[1])
    before.backward()
    after = usage(model.transmit((z - 2000 * z.grad).detach(), no_flips(z))[1])
    assert after < before
    assert gradients(model, usage(model.transmit(z.detach(), no_flips(z))[1]))["quantizer.gaps"] > 0


def no_flips(z: Tensor) -> Impairment:
    flips = torch.zeros(z.shape, dtype=torch.int64)
    return Impairment(flips, flips.bool(), torch.full((len(z),), 1e-3))


def steps(model: semanticnn.SemanticNN, stage: str, count: int) -> list[float]:
    """Loss of each of some steps of a stage."""
    return train_steps(model, count, stage, 5e-3)


@pytest.mark.parametrize("stage", STAGES)
def test_the_loss_falls_the_centres_move_and_a_seed_repeats_it(stage: str) -> None:
    model = system(xai_images=4)
    start = model.quantizer.centres().detach()
    losses = steps(model, stage, 25)
    assert losses[-1] < 0.8 * losses[0]
    moved = model.quantizer.centres().detach()
    assert (moved - start).abs().max() > 1e-3 and (moved.diff() > 0).all()
    assert steps(system(xai_images=4), stage, 3) == losses[:3]
    assert steps(system(xai_images=4, seed=1), stage, 1) != losses[:1]


# XAI


def test_the_xai_term_alone_reaches_the_encoder_through_what_it_sends() -> None:
    model = system()
    images, labels = batch()
    clean, _ = model.transmit(model.latent_in_order(images, torch.zeros(12)), link(model))
    reached = gradients(model, concentration(model.attribution(clean, labels)))
    assert reached["conv.weight"] > 0 and reached["quantizer.gaps"] > 0
    # The attributed gradients are constants: the decoder learns from the task alone.
    assert not any(name.startswith("decoder.") for name in reached)


def test_descending_the_xai_term_concentrates_the_attribution() -> None:
    model = system()
    images, labels = batch()
    optimizer = torch.optim.Adam(model.conv.parameters(), 3e-3)
    spread = []
    for _ in range(20):
        clean, _ = model.transmit(model.latent_in_order(images, torch.zeros(12)), link(model))
        loss = concentration(model.attribution(clean, labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        spread.append(loss.item())
    assert np.mean(spread[-5:]) < np.mean(spread[:5]) - 0.01


def test_attribution_is_the_trapezoid_of_the_loss_and_many_steps_would_be_complete() -> None:
    """Completeness (Sundararajan et al. 2017, proposition 1): the attributions add up to the difference of losses."""
    model = system().eval()
    images, labels = batch()
    values = model.transmit(model.latent_in_order(images, torch.zeros(12)), link(model))[0].detach()

    def losses(point: Tensor, wanted: Tensor) -> Tensor:
        logits = model.classify_values(point, torch.full((len(point),), 1e-4))
        return F.cross_entropy(logits, wanted, reduction="none")

    def slope(point: Tensor) -> Tensor:
        point = point.clone().requires_grad_()
        return torch.autograd.grad(losses(point, labels).sum(), point)[0]

    got = model.attribution(values.requires_grad_(), labels).detach()
    trapezoid = 0.5 * (slope(values.detach()) + slope(torch.zeros_like(values))) * values.detach()
    torch.testing.assert_close(2 * got, trapezoid)  # captum's n weights add up to (n - 1) / n
    exact = IntegratedGradients(losses).attribute(values, additional_forward_args=labels, n_steps=50)
    with torch.no_grad():
        difference = losses(values, labels) - losses(torch.zeros_like(values), labels)
    torch.testing.assert_close(exact.sum(1), difference, rtol=0.02, atol=0.01)


def test_concentration_is_0_for_one_symbol_and_1_for_all_alike() -> None:
    one = torch.zeros(3, 16)
    one[:, 5] = -2.0
    torch.testing.assert_close(concentration(one), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(concentration(torch.full((3, 16), 0.3)), torch.tensor(1.0))
    half = torch.cat([torch.ones(1, 4), torch.zeros(1, 12)], 1)
    torch.testing.assert_close(concentration(half), torch.tensor(0.5), atol=1e-4, rtol=0)


# Options


def test_stages_are_those_of_the_share() -> None:
    assert system().stages == (Stage("stage 1", 0.3), Stage("stage 2", 0.7))
    assert system(stage1=0.0).stages == (Stage("stage 2", 1.0),)
    assert system(stage1=1.0).stages == (Stage("stage 1", 1.0),)


def test_compression_sends_the_middle_and_the_border_is_decoded_from_it() -> None:
    whole, half = system(32), system(32, compression=0.75)
    assert (whole.latent_shape, whole.n_symbols) == ((8, 8, 4), 256)
    assert half.n_symbols == 64
    latent = half.place(torch.ones(1, 64))
    assert latent[0, :, 2:6, 2:6].eq(1).all() and latent.sum() == 64
    z = half.encode(half.stem(torch.rand(2, 3, 32, 32)), torch.zeros(2))
    sent = z.permute(0, 2, 3, 1).flatten(1)[:, half.order]
    assert torch.equal(half.place(sent)[:, :, 2:6, 2:6], z[:, :, 2:6, 2:6])
    loss = half.loss("stage 2", torch.rand(4, 3, 32, 32), torch.arange(4), link(half, 4))
    assert gradients(half, loss)["conv.weight"] > 0


@pytest.mark.parametrize("compression", [0.0, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("grid", [(2, 2, 3), (4, 4, 16), (5, 7, 2)])
def test_what_is_sent_lies_inside_once_each(grid: tuple[int, int, int], compression: float) -> None:
    order = middle(grid, compression)
    h, w, c = grid
    assert len(order) == len(order.unique()) >= c and int(order.max()) < h * w * c
    assert len(order) <= h * w * c and (compression > 0 or len(order) == h * w * c)


def test_a_symbol_that_did_not_arrive_is_an_empty_one() -> None:
    model = system().eval()
    levels = model.send(batch()[0])
    ber = torch.full((12,), 1e-2)
    with torch.no_grad():
        values = model.quantizer.centres()[levels]
        values[:, 5:] = 0
        levels[:, 5:] = -1
        torch.testing.assert_close(model.decode(levels, ber), model.classify_values(values, ber))


@pytest.mark.parametrize(("told", "same"), [(True, False), (False, True)])
def test_the_decoder_hears_the_ber_unless_told_not_to(told: bool, same: bool) -> None:
    model = system(ber_input=told).eval()
    levels = model.send(batch()[0])
    with torch.no_grad():
        low, high = (model.decode(levels, torch.full((12,), ber)) for ber in (1e-3, 1e-1))
    assert torch.equal(low, high) == same


def test_without_soft_quantization_centres_stay_and_gradients_go_straight_through() -> None:
    model = system(soft_quantization=False, xai_images=4)
    z = torch.randn(2, model.n_symbols, requires_grad=True)
    impaired = link(model, 2, flipped=3)
    values, _ = model.transmit(z, impaired)
    soft_values, _ = system().transmit(z, impaired)
    assert torch.allclose(values, soft_values, atol=1e-6)  # what is sent is the same
    weight = torch.rand_like(values)
    (gradient,) = torch.autograd.grad((values * weight).sum(), z)
    expected = weight.clone()
    expected[:, :3] = 0  # what was sent does not show in a damaged symbol
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
def test_an_option_out_of_range_is_named(message: str) -> None:
    with pytest.raises(TrainError, match=f"options: {message}"):
        Options(**WRONG[message])

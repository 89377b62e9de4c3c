"""AgileNN: two halves of a stem, importance and its losses, the local answer on its way to the host, int8."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.support.codec import impairment
from tests.train.codecs.split.support import gradient
from train import settings
from train.classifiers.architectures import build
from train.codecs.encoder import SCORE_SCALE
from train.codecs.fakequant import calibrate
from train.codecs.split.agilenn import AgileNN, importance_losses
from train.config import QuantizerConfig
from train.errors import TrainError

SIZE, CLASSES, LOCAL = 16, 5, 3


def make(architecture: str = "resnet20", seed: int = 3, **options: float) -> AgileNN:
    torch.manual_seed(seed)
    classifier = build(architecture, CLASSES)
    with torch.no_grad():
        for module in classifier.stem.modules():
            if isinstance(module, nn.BatchNorm2d):  # after some training
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    chosen = settings.build(AgileNN.Options, {"xai_images": 4, **options}, "options")
    return AgileNN(classifier, (SIZE, SIZE, 3), QuantizerConfig(), chosen)


def batch(n: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, 3, SIZE, SIZE, generator=generator), torch.arange(n) % CLASSES


def test_halves_of_the_stem_compute_the_classifiers_features() -> None:
    codec, (images, _) = make().eval(), batch()
    with torch.no_grad():
        assert torch.allclose(codec.stem(images), codec.classifier.features(images).clamp_max(6), atol=1e-6)
    assert codec.n_local == LOCAL
    assert [unit.conv.out_channels for unit in codec.encoder.units()][::2] == [LOCAL, 13, CLASSES]


def test_payload_with_the_answer_is_no_longer_than_that_of_the_other_codecs() -> None:
    codec = make()
    h, w, c = codec.latent_shape
    assert (h, w, c) == (4, 4, 8) and codec.n_symbols == 4 * 4 * 8 - 6
    assert 16 + 3 * codec.n_symbols <= 3 * 4 * 4 * 8 < 16 + 3 * (codec.n_symbols + 1)


@pytest.mark.parametrize("architecture", ["resnet20", "mobilenet_v2"])
def test_loss_reaches_all_but_the_frozen_networks(architecture: str) -> None:
    codec = make(architecture)
    codec.loss("task", *batch(), impairment(codec, 12, flips=(torch.arange(codec.n_symbols) < 3).long())).backward()
    for name, parameter in codec.named_parameters():
        if name.startswith(("classifier.", "reference.")):
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_train_keeps_the_frozen_networks_in_evaluation_mode() -> None:
    codec = make("mobilenet_v2").train()
    assert codec.encoder.training and codec.decoder.training
    assert not any(module.training for part in (codec.classifier, codec.reference) for module in part.modules())


def test_losses_of_importance_alone_move_importance_to_the_local_channels() -> None:
    codec, (images, labels) = make(), batch()
    optimizer = torch.optim.Adam(codec.encoder.parameters(), 1e-2)
    shares = []
    for _ in range(15):
        importance = codec.importance(codec.stem(images), labels)
        skewness, disorder = importance_losses(importance, LOCAL, 0.8)
        shares.append((importance[:, :LOCAL].sum(1) / importance.sum(1)).mean().item())
        optimizer.zero_grad()
        (skewness + disorder).backward()
        optimizer.step()
    assert shares[-1] > 1.5 * shares[0]


def test_importance_is_that_of_a_linear_network_by_hand() -> None:
    codec, (images, labels) = make().eval(), batch(2)
    weights = torch.randn(CLASSES, 16)
    codec.reference.classify = lambda features: features.mean((2, 3)) @ weights.T  # type: ignore[method-assign]
    features = codec.stem(images).detach().requires_grad_()
    found = codec.importance(features, labels[:2])

    def slope(point: Tensor) -> Tensor:  # of the cross-entropy, by each channel's mean
        wrong = F.softmax(point.mean((2, 3)) @ weights.T, 1) - F.one_hot(labels[:2], CLASSES)
        return wrong @ weights

    both = (slope(features) + slope(torch.zeros_like(features))) / 2
    expected = (both[:, :, None, None] * features / features[0, 0].numel()).abs().sum((2, 3))
    torch.testing.assert_close(found, expected)


def test_importance_losses_are_zero_where_the_local_channels_suffice() -> None:
    enough = torch.tensor([[5.0, 4.0, 0.5, 0.5]])
    assert [loss.item() for loss in importance_losses(enough, 2, 0.8)] == [0.0, 0.0]
    lacking = torch.tensor([[3.0, 1.0, 4.0, 2.0]])  # 40 % local; the third exceeds the second by 30 %
    assert [loss.item() for loss in importance_losses(lacking, 2, 0.8)] == pytest.approx([0.4, 0.3])


def test_decode_weighs_the_answer_and_does_without() -> None:
    codec, (images, _) = make().eval(), batch()
    with torch.no_grad():
        codec.encoder.units()[-1].conv.weight.mul_(500)  # a board that is sure
    symbols, words = codec.send(images)
    assert words is not None
    ber = torch.full((12,), 1e-3)
    without, answered = codec.decode(symbols, ber), codec.decode(symbols, ber, words)
    assert torch.equal(without, codec.decode(symbols, ber, torch.full((12,), -1)))
    local = codec.board_logits(images).argmax(1)
    gain = (answered - without)[torch.arange(12), local]
    assert (gain[:, None] >= answered - without - 1e-6).all()
    damaged = codec.decode(symbols, torch.full((12,), 0.5), words)  # such a link says nothing about the class
    assert (damaged - without).std(1).max() < 1e-4 and (answered - without).std(1).min() > 0.1


def test_received_answer_has_the_gradient_of_the_local_predictor_unless_damaged() -> None:
    codec, (images, _) = make(), batch()
    for changes, reached in (({}, True), ({"answer_flips": 1}, False), ({"answer_missing": True}, False)):
        board = codec.board_logits(images).detach().requires_grad_()
        received = codec._received(board, impairment(codec, 12, **changes))
        if received.requires_grad:
            received[:, 0].sum().backward()
        assert (board.grad is not None and bool(board.grad.any())) == reached


def test_combination_is_learned_and_scaled() -> None:
    codec, (images, labels) = make(), batch()
    codec.loss("task", images, labels, impairment(codec, 12)).backward()
    assert gradient(codec, "reweighting").abs().sum() > 0
    codec.eval()
    symbols, words = codec.send(images)
    before = codec.decode(symbols, torch.full((12,), 1e-3), words)
    codec.scale_logits(2.0)
    torch.testing.assert_close(codec.decode(symbols, torch.full((12,), 1e-3), words), before / 2)


def test_fold_and_calibrate_keep_code_and_scores() -> None:
    codec = make("mobilenet_v2").eval()
    images, _ = batch(40)
    with torch.no_grad():
        before = codec.encoder.outputs(images)
        codec.encoder.fold()
        for one, other in zip(codec.encoder.outputs(images), before, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
        calibrate(codec.encoder, images)
        rounded = codec.encoder.outputs(images)
        assert all(0 < (one - other).abs().mean() < 0.1 for one, other in zip(rounded, before, strict=True))
        # A board and `send` compute the same.
        scores = rounded[1].flatten(1) * SCORE_SCALE
        assert torch.equal(codec.send(images).answers, codec.answers(scores))  # type: ignore[arg-type]
        z = rounded[0].permute(0, 2, 3, 1).flatten(1)[:, codec.order]
        assert torch.equal(codec.send(images).symbols, codec.quantizer.nearest(z))


def test_encoder_macs_count_both_halves() -> None:
    codec = make()
    stem, pool, code, answer = 256 * 27 * 16, 256 * LOCAL, 16 * 13 * 16 * 8, LOCAL * CLASSES
    assert codec.encoder_macs() == stem + pool + code + answer


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"local_share": 1.0}, "options: local_share must be above 0 and below 1"),
        ({"rho": 1.5}, "options: rho must be 0 to 1"),
        ({"task_weight": 0.0}, "options: task_weight must be above 0 and at most 1"),
        ({"xai_images": 0}, "options: xai_images must be at least 1"),
    ],
)
def test_options_are_checked(option: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainError, match=f"^{message}$"):
        replace(AgileNN.Options(), **option)


@pytest.mark.parametrize("architecture", ["efficientnet_v2_s", "resnet50"])
def test_build_refuses_other_stems(architecture: str) -> None:
    with pytest.raises(TrainError, match=r"^an int8 encoder needs a stem of a 3x3 convolution, .*$"):
        AgileNN(build(architecture, CLASSES), (32, 32, 3), QuantizerConfig(), AgileNN.Options())

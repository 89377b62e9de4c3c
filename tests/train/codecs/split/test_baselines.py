"""ADJSCC, DeepCOD and BottleNet++: shapes, use of the link's condition, gradients, losses."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from channel_sim.channels.bsc import BER_GRID
from tests.support import ROOT
from tests.train.codecs.split.support import batch, flipped_symbols, gradient, small_classifier, train_steps
from train import evaluate
from train.classifiers.architectures import ARCHITECTURES, Classifier, build
from train.codecs.deployable import Payload
from train.codecs.quantizer import Quantizer
from train.codecs.split import adjscc, bottlenetpp, deepcod
from train.codecs.split.registry import SPLIT_CODECS
from train.codecs.split.split_codec import SplitCodec
from train.config import QuantizerConfig
from train.errors import TrainError
from train.trainers.optimizer import adamw
from train.trainers.split import SplitConfig

EACH = pytest.mark.parametrize("name", ["adjscc", "deepcod", "bottlenetpp"])


def make(name: str, size: int = 8, classifier: Classifier | None = None, seed: int = 0) -> SplitCodec:
    """Return a codec, freshly initialised, for images of size x size."""
    torch.manual_seed(seed)
    codec = SPLIT_CODECS[name]
    return codec(classifier or small_classifier(), (size, size, 3), QuantizerConfig(), codec.Options())


@EACH
@pytest.mark.parametrize("size", [4, 8, 12, 56])
def test_code_has_a_quarter_of_the_size_and_half_the_channels(name: str, size: int) -> None:
    codec = make(name, size).eval()
    ber = torch.full((2,), 1e-2)
    features = torch.rand(2, 8, size, size)
    code = codec.encode(features, ber)
    assert code.shape == (2, 4, size // 4, size // 4)
    assert codec.n_symbols == code[0].numel()
    assert codec.reconstruct(code, ber).shape == features.shape


@EACH
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_send_and_decode_for_every_base_classifier(name: str, architecture: str) -> None:
    codec = make(name, 32, build(architecture, 4)).eval()
    symbols, answers = codec.send(torch.rand(2, 3, 32, 32))
    assert answers is None and symbols.shape == (2, codec.n_symbols)
    assert symbols.min() >= 0 and symbols.max() < 8
    assert codec.decode(symbols, torch.full((2,), 1e-2)).shape == (2, 4)


@EACH
def test_build_refuses_features_that_do_not_divide_by_4(name: str) -> None:
    codec = SPLIT_CODECS[name].__name__
    with pytest.raises(TrainError, match=f"{codec} needs features .* multiples of 4, and the stem's are 6 x 6"):
        make(name, 6)


@EACH
def test_config_refuses_options(name: str) -> None:
    config = SplitConfig.load(ROOT / f"configs/systems/cifar10-{name}.toml").as_dict() | {"options": {"xai": True}}
    with pytest.raises(TrainError, match="config: options: unknown setting 'xai'; known: none"):
        SplitConfig.from_dict(config)


@EACH
def test_loss_reaches_encoder_centres_and_decoder_only(name: str) -> None:
    codec = make(name)
    if name == "deepcod":  # attention starts as the identity and gets gradients from its second step on
        for layer in codec.modules():
            if isinstance(layer, deepcod.SelfAttention):
                nn.init.ones_(layer.gamma)
    codec.loss("task", *batch(), flipped_symbols(codec, flipped=3)).backward()
    for part, parameter in codec.named_parameters():
        if part.startswith("classifier."):
            assert parameter.grad is None, part
        elif part.endswith("key.bias"):  # adds the same to every position's score: the softmax drops it
            continue
        else:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, part


@EACH
def test_training_lowers_the_loss_and_repeats_with_a_seed(name: str) -> None:
    losses = train_steps(make(name), 25)
    assert losses[-1] < 0.9 * losses[0]
    assert losses[:5] == train_steps(make(name), 5)
    assert losses[:5] != train_steps(make(name, seed=1), 5)


def test_adjscc_uses_the_snr_at_both_ends() -> None:
    codec = make("adjscc").eval()
    features = torch.rand(3, 8, 8, 8)
    good, bad = torch.full((3,), 1e-4), torch.full((3,), 1e-1)
    code = codec.encode(features, good)
    assert not torch.allclose(code, codec.encode(features, bad), atol=1e-3)
    assert not torch.allclose(codec.reconstruct(code, good), codec.reconstruct(code, bad), atol=1e-3)


@EACH
def test_accuracies_given_ber_give_the_ber_to_an_encoder_that_adapts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = make(name)
    images, labels = (255 * batch()[0]).byte().permute(0, 2, 3, 1).numpy(), batch()[1].numpy()
    given = []
    send = codec.send

    def recorded(batch: Tensor, ber: Tensor | None) -> Payload:
        given.append(None if ber is None else ber[0].item())
        return send(batch, ber)

    monkeypatch.setattr(codec, "send", recorded)
    figures = evaluate.accuracies_given_ber(codec, images, labels)
    assert given == ([None] if name == "deepcod" else pytest.approx(BER_GRID))
    assert list(figures) == ["0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1"]
    monkeypatch.undo()
    same = torch.equal(evaluate.encode(codec, images, given_ber=0.1).symbols, evaluate.encode(codec, images).symbols)
    assert same == (name == "deepcod") == (not codec.adapts)


def test_bottlenetpp_uses_the_ber_at_the_encoder_only() -> None:
    codec = make("bottlenetpp").eval()
    features = torch.rand(3, 8, 8, 8)
    good, bad = torch.full((3,), 1e-4), torch.full((3,), 1e-1)
    code = codec.encode(features, good)
    assert not torch.allclose(code, codec.encode(features, bad), atol=1e-3)
    assert torch.equal(codec.reconstruct(code, good), codec.reconstruct(code, bad))


def test_bottlenetpp_code_starts_in_the_units_of_the_centres() -> None:
    codec = make("bottlenetpp", 32)
    code = codec.encode(torch.rand(64, 8, 32, 32), torch.full((64,), 1e-2))
    assert code.mean().item() == pytest.approx(0, abs=0.02) and code.std().item() == pytest.approx(1, abs=0.05)
    assert code.abs().max() <= 0.5 / bottlenetpp.DEVIATION
    assert (codec.quantizer.nearest(code).flatten().bincount(minlength=8) > 0).all()


def test_adjscc_code_has_unit_power() -> None:
    codec = make("adjscc").eval()
    code = codec.encode(5 * torch.rand(3, 8, 8, 8), torch.full((3,), 1e-2))
    assert torch.allclose(code.square().mean((1, 2, 3)), torch.ones(3), atol=1e-4)


def test_adjscc_uses_every_level_at_the_start() -> None:
    starts = [make("adjscc", 32, seed=seed) for seed in range(4)]
    symbols = torch.cat([codec.send(torch.rand(20, 3, 32, 32)).symbols.flatten() for codec in starts])
    assert (symbols.bincount(minlength=8) / len(symbols)).min() > 0.03


def test_weight_decay_applies_only_to_kernels() -> None:
    codec = make("adjscc", 32, build("mobilenet_v2", 4))
    names = {id(parameter): name for name, parameter in codec.named_parameters()}
    decayed, rest = ([names[id(p)] for p in group["params"]] for group in adamw(codec, 0.05).param_groups)
    assert decayed and all(name.endswith("weight") and ".norm." not in name for name in decayed)
    assert {"norm.g", "encoder.0.norm.g", "decoder.0.norm.b", "quantizer.gaps", "last.bias"} <= set(rest)


def test_snr_is_that_of_bpsk() -> None:
    # Q(sqrt(2 snr)) of 0, 4 and 8 dB, from a table of BPSK error rates.
    ber = torch.tensor([7.865e-2, 1.250e-2, 1.909e-4])
    assert torch.allclose(4 * adjscc.snr(ber), torch.tensor([0.0, 4.0, 8.0]), atol=0.01)
    assert torch.isfinite(adjscc.snr(torch.tensor([0.0, 0.5]))).all()


def test_deepcod_ignores_the_ber() -> None:
    codec = make("deepcod").eval()
    features = torch.rand(3, 8, 8, 8)
    good, bad = torch.full((3,), 1e-4), torch.full((3,), 1e-1)
    code = codec.encode(features, good)
    assert torch.equal(code, codec.encode(features, bad))
    assert torch.equal(codec.reconstruct(code, good), codec.reconstruct(code, bad))


def test_distillation_reaches_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = make("deepcod")
    monkeypatch.setattr(deepcod, "ORTHOGONAL", 0.0)
    monkeypatch.setattr(F, "cross_entropy", lambda logits, labels: 0.0)
    codec.loss("task", *batch(), flipped_symbols(codec)).backward()
    assert gradient(codec, "conv.weight").abs().sum() > 0
    assert all(gradient(codec, f"quantizer.{name}").abs().sum() > 0 for name in ("first", "gaps"))


def test_distillation_loss_is_zero_for_clean_features(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = make("deepcod")
    assert isinstance(codec, deepcod.DeepCOD)
    images, labels = batch()
    clean = codec.classifier.features(images)
    monkeypatch.setattr(codec, "reconstruct", lambda values, ber: clean)
    loss = codec.loss("task", images, labels, flipped_symbols(codec))
    kernels = deepcod.ORTHOGONAL * sum(deepcod.orthogonality_loss(layer.weight) for layer in codec.convolutions())
    assert loss.item() == pytest.approx((F.cross_entropy(codec.classifier(images), labels) + kernels).item(), rel=1e-5)


def test_deepcod_runs_the_blocks_once_for_teacher_and_student_each() -> None:
    codec = make("deepcod")
    runs = []
    codec.classifier.blocks[0].register_forward_hook(lambda *_: runs.append(1))
    codec.loss("task", *batch(), flipped_symbols(codec))
    assert len(runs) == 2


def test_orthogonality_loss_is_zero_for_orthonormal_kernels() -> None:
    weight = nn.init.orthogonal_(torch.empty(4, 3, 2, 2))
    assert deepcod.orthogonality_loss(weight).item() == pytest.approx(0, abs=1e-9)
    assert deepcod.orthogonality_loss(2 * weight).item() == pytest.approx(4 * 3**2 / 2, rel=1e-5)


@EACH
@pytest.mark.parametrize("data", ["cifar10", "cifar100"])
def test_comparison_config_matches_semanticnn(name: str, data: str) -> None:
    config = SplitConfig.load(ROOT / f"configs/systems/{data}-{name}.toml")
    reference = SplitConfig.load(ROOT / f"configs/systems/{data}-semanticnn.toml")
    assert config.system == name
    assert (config.data, config.schedule, config.classifier) == (
        reference.data,
        reference.schedule,
        reference.classifier,
    )
    assert Quantizer(config.quantizer.bits, 1.0).n_levels == 8

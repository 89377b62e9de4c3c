"""ADJSCC and DeepCOD: shapes, who is told the link's condition, what reaches the encoder."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.support import ROOT
from train import evaluate
from train.classifiers.architectures import ARCHITECTURES, Classifier, build
from train.codecs.quantizer import Quantizer
from train.codecs.split import adjscc, deepcod
from train.codecs.split.split_codec import SplitCodec
from train.config import QuantizerConfig
from train.errors import TrainError
from train.impairment import Impairment
from train.trainers import split as system_run
from train.trainers.optimizer import adamw

SYSTEMS = {"adjscc": adjscc, "deepcod": deepcod}
BOTH = pytest.mark.parametrize("name", SYSTEMS)


def small_classifier(classes: int = 4) -> Classifier:
    """A stem that keeps the picture's size, five blocks, a head."""
    blocks = [nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()) for _ in range(5)]
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))
    classifier = Classifier(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()), blocks, head)
    for layer in classifier.modules():  # PyTorch's own start lets the signal fade
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return classifier


def system(name: str, size: int = 8, classifier: Classifier | None = None, seed: int = 0) -> SplitCodec:
    """A system, freshly initialised, for pictures of size x size."""
    torch.manual_seed(seed)
    module = SYSTEMS[name]
    return module.System(classifier or small_classifier(), (size, size, 3), QuantizerConfig(), module.Options())


def batch(size: int = 8, n: int = 12) -> tuple[Tensor, Tensor]:
    """Random pictures (n, 3, size, size) and labels (n,)."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, 3, size, size, generator=generator), torch.arange(n) % 4


def link(codec: SplitCodec, n: int = 12, flipped: int = 0) -> Impairment:
    """A link that flips the lowest bit of the first `flipped` symbols of each picture, told as BER 1e-2."""
    flips = torch.zeros(n, codec.n_symbols, dtype=torch.int64)
    flips[:, :flipped] = 1
    return Impairment(flips, torch.zeros_like(flips, dtype=torch.bool), torch.full((n,), 1e-2))


def train_steps(codec: SplitCodec, steps: int, stage: str = "task", rate: float = 1e-2) -> list[float]:
    """Loss of each of some steps on one batch, whose classes are those that the base classifier sees in it."""
    images, _ = batch()
    with torch.no_grad():
        labels = codec.classifier(images).argmax(1)
    optimizer = torch.optim.AdamW([p for p in codec.parameters() if p.requires_grad], rate)
    losses = []
    for _ in range(steps):
        loss = codec.loss(stage, images, labels, link(codec, flipped=2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@BOTH
@pytest.mark.parametrize("size", [4, 8, 12, 56])
def test_a_code_is_a_quarter_as_high_and_wide_with_half_the_channels(name: str, size: int) -> None:
    codec = system(name, size).eval()
    ber = torch.full((2,), 1e-2)
    features = torch.rand(2, 8, size, size)
    code = codec.encode(features, ber)
    assert code.shape == (2, 4, size // 4, size // 4)
    assert codec.n_symbols == code[0].numel()
    assert codec.reconstruct(code, ber).shape == features.shape


@BOTH
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_goes_around_every_base_classifier(name: str, architecture: str) -> None:
    codec = system(name, 32, build(architecture, 4)).eval()
    levels = codec.send(torch.rand(2, 3, 32, 32))
    assert levels.shape == (2, codec.n_symbols)
    assert levels.min() >= 0 and levels.max() < 8
    assert codec.decode(levels, torch.full((2,), 1e-2)).shape == (2, 4)


@BOTH
def test_features_that_do_not_divide_by_4_are_refused(name: str) -> None:
    with pytest.raises(TrainError, match=f"{name} needs features of a multiple of 4, the stem's are 6 x 6"):
        system(name, 6)


@BOTH
def test_there_is_nothing_to_set(name: str) -> None:
    config = system_run.load(ROOT / f"configs/systems/cifar10-{name}.toml").as_dict() | {"options": {"xai": True}}
    with pytest.raises(TrainError, match="config: options: unknown setting 'xai'; known: none"):
        system_run.from_dict(config)


@BOTH
def test_encoder_centres_and_decoder_learn_and_the_classifier_does_not(name: str) -> None:
    codec = system(name)
    if name == "deepcod":  # an attention that starts as nothing gets gradients from its second step on
        for layer in codec.modules():
            if isinstance(layer, deepcod.SelfAttention):
                nn.init.ones_(layer.gamma)
    codec.loss("task", *batch(), link(codec, flipped=3)).backward()
    for part, parameter in codec.named_parameters():
        if part.startswith("classifier."):
            assert parameter.grad is None, part
        elif part.endswith("key.bias"):  # adds the same to every position's score: the softmax drops it
            continue
        else:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, part


@BOTH
def test_the_loss_falls_and_a_seed_repeats_it(name: str) -> None:
    losses = train_steps(system(name), 25)
    assert losses[-1] < 0.9 * losses[0]
    assert losses[:5] == train_steps(system(name), 5)
    assert losses[:5] != train_steps(system(name, seed=1), 5)


def test_adjscc_is_told_the_snr_at_both_ends() -> None:
    codec = system("adjscc").eval()
    features = torch.rand(3, 8, 8, 8)
    good, bad = torch.full((3,), 1e-4), torch.full((3,), 1e-1)
    code = codec.encode(features, good)
    assert not torch.allclose(code, codec.encode(features, bad), atol=1e-3)
    assert not torch.allclose(codec.reconstruct(code, good), codec.reconstruct(code, bad), atol=1e-3)


@BOTH
def test_held_out_figures_are_those_of_a_told_encoder(name: str) -> None:
    codec = system(name)
    images, labels = (255 * batch()[0]).byte().permute(0, 2, 3, 1).numpy(), batch()[1].numpy()
    told = []
    send = codec.send
    codec.send = lambda pictures, ber: told.append(ber[0].item()) or send(pictures, ber)
    figures = system_run.told_at_both_ends(codec, images, labels)
    assert told == pytest.approx(evaluate.BER_GRID)
    assert list(figures) == ["0", "0.001", "0.003", "0.01", "0.03", "0.05", "0.1"]
    del codec.send
    same = torch.equal(evaluate.encode(codec, images, given_ber=0.1), evaluate.encode(codec, images))
    assert same == (name == "deepcod")


def test_adjscc_sends_unit_power() -> None:
    codec = system("adjscc").eval()
    code = codec.encode(5 * torch.rand(3, 8, 8, 8), torch.full((3,), 1e-2))
    assert torch.allclose(code.square().mean((1, 2, 3)), torch.ones(3), atol=1e-4)


def test_at_its_start_adjscc_uses_every_level() -> None:
    starts = [system("adjscc", 32, seed=seed) for seed in range(4)]
    levels = torch.cat([codec.send(torch.rand(20, 3, 32, 32)).flatten() for codec in starts])
    assert (levels.bincount(minlength=8) / len(levels)).min() > 0.03


def test_weight_decay_acts_on_kernels_alone() -> None:
    codec = system("adjscc", 32, build("mobilenet_v2", 4))
    names = {id(parameter): name for name, parameter in codec.named_parameters()}
    decayed, rest = ([names[id(p)] for p in group["params"]] for group in adamw(codec, 0.05).param_groups)
    assert decayed and all(name.endswith("weight") and ".norm." not in name for name in decayed)
    assert {"norm.g", "encoder.0.norm.g", "decoder.0.norm.b", "quantizer.gaps", "last.bias"} <= set(rest)


def test_the_snr_is_that_of_bpsk() -> None:
    # Q(sqrt(2 snr)) of 0, 4 and 8 dB, as any table of BPSK has them.
    ber = torch.tensor([7.865e-2, 1.250e-2, 1.909e-4])
    assert torch.allclose(4 * adjscc.snr(ber), torch.tensor([0.0, 4.0, 8.0]), atol=0.01)
    assert torch.isfinite(adjscc.snr(torch.tensor([0.0, 0.5]))).all()


def test_deepcod_is_told_nothing() -> None:
    codec = system("deepcod").eval()
    features = torch.rand(3, 8, 8, 8)
    good, bad = torch.full((3,), 1e-4), torch.full((3,), 1e-1)
    code = codec.encode(features, good)
    assert torch.equal(code, codec.encode(features, bad))
    assert torch.equal(codec.reconstruct(code, good), codec.reconstruct(code, bad))


def test_distillation_alone_reaches_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = system("deepcod")
    monkeypatch.setattr(deepcod, "ORTHOGONAL", 0.0)
    monkeypatch.setattr(F, "cross_entropy", lambda logits, labels: 0.0)
    codec.loss("task", *batch(), link(codec)).backward()
    assert codec.conv.weight.grad.abs().sum() > 0
    assert all(parameter.grad.abs().sum() > 0 for parameter in codec.quantizer.parameters())


def test_distillation_wants_what_the_classifier_makes_of_clean_features(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = system("deepcod")
    images, labels = batch()
    clean = codec.classifier.features(images)
    monkeypatch.setattr(codec, "reconstruct", lambda values, ber: clean)
    loss = codec.loss("task", images, labels, link(codec))
    kernels = deepcod.ORTHOGONAL * sum(deepcod.skew(layer.weight) for layer in codec.convolutions())
    assert loss.item() == pytest.approx((F.cross_entropy(codec.classifier(images), labels) + kernels).item(), rel=1e-5)


def test_deepcod_runs_the_blocks_once_for_the_target_and_once_for_the_student() -> None:
    codec = system("deepcod")
    runs = []
    codec.classifier.blocks[0].register_forward_hook(lambda *_: runs.append(1))
    codec.loss("task", *batch(), link(codec))
    assert len(runs) == 2


def test_orthonormal_kernels_are_not_punished() -> None:
    weight = nn.init.orthogonal_(torch.empty(4, 3, 2, 2))
    assert deepcod.skew(weight).item() == pytest.approx(0, abs=1e-9)
    assert deepcod.skew(2 * weight).item() == pytest.approx(4 * 3**2 / 2, rel=1e-5)


@BOTH
@pytest.mark.parametrize("data", ["cifar10", "cifar100"])
def test_the_comparison_trains_it_as_it_trains_semanticnn(name: str, data: str) -> None:
    ours = system_run.load(ROOT / f"configs/systems/{data}-{name}.toml")
    theirs = system_run.load(ROOT / f"configs/systems/{data}-semanticnn.toml")
    assert ours.system == name
    assert (ours.data, ours.schedule, ours.classifier) == (theirs.data, theirs.schedule, theirs.classifier)
    assert Quantizer(ours.quantizer.bits, 1.0).n_levels == 8

"""Data-parallel training: processes that `torchrun` starts share every batch, and compute what one would.

Of W processes, process r has the images r, r + W, ... of each batch. Gradients and loss are means over the processes,
batch norm measures the whole batch, and all random numbers are drawn for the whole batch: figures do not depend on W,
up to the order of sums. The first process alone evaluates, prints and writes. Without torchrun, there is one process,
and every function here is the identity.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn import functional as F

from train.data.torchvision_import import ops
from train.errors import TrainError
from wire.system import STOP_SIGNALS

WAIT = timedelta(days=1)  # while the first process downloads or evaluates; torchrun ends the others if it fails


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Return whether this process evaluates, prints and writes."""
    return rank() == 0


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the processes that torchrun has started. Only the first one prints to standard output.

    If one fails, torchrun ends the others. Of all errors that follow, only the first is raised, in its process; the
    other processes exit with status 1.
    """
    store, number, count = next(rendezvous("env://"))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=WAIT)
    try:
        with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing if number else sys.stdout):
            yield
            wait()  # none leaves while another one may fail
    except BaseException as error:
        for stop in STOP_SIGNALS:  # torchrun's, which would be reported as an interruption
            signal.signal(stop, signal.SIG_IGN)
        failures = 2
        with contextlib.suppress(RuntimeError):  # torchrun itself has ended
            failures = store.add(f"inkling failures {os.environ['TORCHELASTIC_RESTART_COUNT']}", 1)
        if failures > 1:
            raise SystemExit(1) from None
        if isinstance(error, RuntimeError) and _is_of_a_lost_process(error):
            raise TrainError("another process of this training has ended without an error of its own") from None
        raise
    dist.destroy_process_group()


def _is_of_a_lost_process(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower() or "by peer" in str(error)


def local_device(name: str | None) -> str | None:
    """Return the device of this process for `--device`: with several processes, one GPU for each, or the CPU.

    Raises TrainError for a single GPU's name, and if there are fewer GPUs than processes.
    """
    if world_size() == 1 or name == "cpu":
        return name
    if name is None and not torch.cuda.is_available():
        return "cpu"
    if name not in (None, "cuda"):
        raise TrainError(f"--device {name}: each process of torchrun has a GPU of its own; use cuda or cpu")
    number, count, found = int(os.environ["LOCAL_RANK"]), os.environ["LOCAL_WORLD_SIZE"], torch.cuda.device_count()
    if number >= found:
        raise TrainError(f"torchrun started {count} processes, and there are {found} GPUs: lower --nproc-per-node")
    torch.cuda.set_device(number)
    return f"cuda:{number}"


def part(batch: Tensor) -> Tensor:
    """Return this process's images of a whole batch, the first axis."""
    return batch[rank() :: world_size()] if world_size() > 1 else batch


def leading(count: int, n_images: int) -> tuple[int, float]:
    """Return how many of a batch's first `count` images this process has as its first ones, and the weight of a mean.

    n_images: number of images of this process. The mean over all processes of weighted means over these images is the
    mean over the first `count` images of the whole batch.
    """
    count = min(count, n_images * world_size())
    own = len(range(rank(), count, world_size()))
    return own, own * world_size() / count


def share(model: nn.Module, batch: int) -> None:
    """Let a model's layers that depend on the whole batch do so across the processes, and give all the same weights.

    Raises TrainError if a batch cannot be divided by the number of processes.
    """
    if world_size() == 1:
        return
    if batch % world_size():
        raise TrainError(f"schedule.batch = {batch} is not a multiple of the {world_size()} processes")
    for module in model.modules():
        # The class alone changes: weights, their names and the code that asks for nn.BatchNorm2d stay valid.
        if type(module) in _SHARED:
            module.__class__ = _SHARED[type(module)]
    same_weights(model)


def same_weights(*models: nn.Module) -> None:
    """Copy weights and buffers of the first process to all others."""
    if world_size() > 1:
        for model in models:
            for weight in model.state_dict().values():
                sent = weight.contiguous()  # of weights that are channels last in memory, a copy
                dist.broadcast(sent, 0)
                weight.copy_(sent)


@torch.no_grad()
def average_gradients(model: nn.Module) -> None:
    """Replace the gradients by their means over the processes."""
    if world_size() == 1:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    means = mean(torch.cat([gradient.flatten() for gradient in gradients]))
    for gradient, values in zip(gradients, means.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(values.view_as(gradient))


def mean(value: Tensor) -> Tensor:
    """Return the mean over the processes of a tensor of equal shapes, with gradients."""
    return _Sum.apply(value) / world_size() if world_size() > 1 else value


def wait() -> None:
    """Wait for all processes."""
    mean(torch.zeros(1))


@contextlib.contextmanager
def first_alone() -> Iterator[None]:
    """Let the others wait until the first process has left the block, for what it leaves in files."""
    if not is_first():
        wait()
    yield
    if is_first():
        wait()


def check_same(epoch: int, folder: object) -> None:
    """Wait for all processes; raise TrainError if they did not find the same checkpoint in a run's folder."""
    if mean(torch.tensor([float(epoch)])).item() != epoch:
        raise TrainError(f"the processes found different checkpoints in {folder}: they need one folder for all")


class _Sum(torch.autograd.Function):
    """Sum over the processes. Its gradient is the sum of the gradients, as every process's loss depends on it."""

    @staticmethod
    def forward(_context: object, value: Tensor) -> Tensor:
        total = value.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: object, gradient: Tensor) -> Tensor:
        return _Sum.forward(_context, gradient)


class _BatchNorm2d(nn.BatchNorm2d):
    """Batch norm that measures the whole batch in training. PyTorch's SyncBatchNorm needs a GPU."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.running_mean is None or self.running_var is None or self.momentum is None:
            return super().forward(x)
        values = x.float() if x.dtype.itemsize < 4 else x
        variances, means = torch.var_mean(values, (0, 2, 3), correction=0)
        # In double precision, the variance between the processes loses no digits.
        means, variances = means.double(), variances.double()
        total, squares = mean(torch.cat([means, variances + means.square()])).chunk(2)
        variance = squares - total.square()
        with torch.no_grad():
            n = world_size() * x.numel() / x.shape[1]
            self.running_mean.lerp_(total.to(self.running_mean), self.momentum)
            self.running_var.lerp_((variance * n / (n - 1)).to(self.running_var), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        scale = (variance + self.eps).rsqrt().to(values)
        normalised = (values - total.to(values)[:, None, None]) * scale[:, None, None]
        return (normalised * self.weight[:, None, None] + self.bias[:, None, None]).to(x.dtype)


class _Dropout(nn.Dropout):
    """Dropout whose mask is drawn for the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        ones = x.new_ones(len(x) * world_size(), *x.shape[1:])
        return x * part(F.dropout(ones, self.p, self.training))


class _StochasticDepth(ops.StochasticDepth):
    """Stochastic depth whose choice of images is drawn for the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        ones = x.new_ones(len(x) * world_size(), *[1] * (x.ndim - 1))
        return x * part(ops.stochastic_depth(ones, self.p, self.mode, self.training))


_SHARED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm2d: _BatchNorm2d,
    nn.Dropout: _Dropout,
    ops.StochasticDepth: _StochasticDepth,
}

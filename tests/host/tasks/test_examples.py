"""Examples: damaged copies, and the memory that images are added to."""

import numpy as np
import pytest

from host.tasks.examples import COPY_BERS, Examples, Memory, TaskError
from wire.payload import symbols_to_bits


def memory(groups: list[int], labels: list[int], start: float = 0) -> Memory:
    embeddings = start + np.arange(len(groups), dtype=np.float16)[:, None]
    return Memory(embeddings, np.array(labels), np.array(groups), np.full(len(groups), 1e-3, np.float32))


def test_damaged_copies_have_flips_at_their_rates_and_the_same_gaps() -> None:
    rng = np.random.default_rng(0)
    symbols = rng.integers(-1, 8, (50, 400))
    examples = Examples(symbols, np.arange(50) % 2, np.arange(50), np.full(50, 0.1), ("a", "b"), "tests")
    copies = examples.with_damaged_copies(3, seed=1)
    assert copies.symbols.shape == (150, 400) and (copies.symbols[:50] == symbols).all()
    assert copies.groups.tolist() == [*range(50)] * 3 and copies.labels.tolist() == [0, 1] * 75
    received = symbols >= 0
    for number, ber in enumerate(COPY_BERS, 1):
        copy = copies.symbols[50 * number : 50 * (number + 1)]
        assert ((copy < 0) == ~received).all()
        flips = symbols_to_bits(copy[received], 3) != symbols_to_bits(symbols[received], 3)
        assert flips.mean() == pytest.approx(ber, rel=0.1)
        # An error of the link and an added one cancel out.
        assert copies.bers[50 * number] == pytest.approx(0.1 * (1 - ber) + ber * 0.9)
    again = examples.with_damaged_copies(3, seed=1)
    assert (again.symbols == copies.symbols).all()


def test_copies_count_within_their_group() -> None:
    assert memory([5, 9, 5, 5, 9], [0] * 5).copies.tolist() == [0, 0, 1, 2, 1]


def test_joined_skips_known_images() -> None:
    both = memory([1, 2, 1], [0, 1, 0]).joined(memory([2, 3, 3], [1, 0, 0], start=10))
    assert both.groups.tolist() == [1, 2, 1, 3, 3] and both.labels.tolist() == [0, 1, 0, 0, 0]
    assert both.embeddings.ravel().tolist() == [0, 1, 2, 11, 12] and len(both.bers) == 5


def test_joined_refuses_an_image_with_another_class() -> None:
    with pytest.raises(TaskError, match="another class now"):
        memory([1, 2], [0, 1]).joined(memory([2], [0]))

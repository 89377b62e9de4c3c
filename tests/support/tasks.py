"""Helpers for the tests of tasks: labelled readings of a general bundle, and tasks taught from them."""

import json
from pathlib import Path

import numpy as np

from host.classify.decoder import EmbeddingDecoder
from host.tasks.examples import Examples
from host.tasks.task import Task, teach
from wire.bundle import Bundle

CLASSES = ("ant", "bee", "cat")
BER = 1e-3


def class_symbols(bundle: Bundle, label: int, number: int) -> np.ndarray:
    """Return symbols (S,) of image `number` of a class: the class's own, with a third of them changed."""
    levels = 1 << bundle.bits_per_symbol
    prototype = np.random.default_rng([7, label]).integers(0, levels, bundle.n_symbols)
    rng = np.random.default_rng([8, label, number])
    changed = rng.random(bundle.n_symbols) < 0.3
    return np.where(changed, rng.integers(0, levels, bundle.n_symbols), prototype)


def make_examples(bundle: Bundle, classes: tuple[str, ...] = CLASSES, images: int = 8, first: int = 0) -> Examples:
    """Return undamaged examples of classes, whose symbols depend on their place in the alphabet."""
    labels = np.repeat(np.arange(len(classes)), images)
    kinds = [ord(classes[label][0]) for label in labels]
    numbers = first + np.tile(np.arange(images), len(classes))
    symbols = [class_symbols(bundle, kind, number) for kind, number in zip(kinds, numbers.tolist(), strict=True)]
    groups = np.array(kinds) * 1000 + numbers
    return Examples(np.array(symbols), labels, groups, np.full(len(labels), BER), classes, "tests")


def make_task(bundle: Bundle, name: str = "animals", classes: tuple[str, ...] = CLASSES) -> Task:
    """Return a task taught from `make_examples` with damaged copies."""
    examples = make_examples(bundle, classes).with_damaged_copies(bundle.bits_per_symbol, 0)
    return teach(bundle, EmbeddingDecoder(bundle), name, examples)


def write_readings(file: Path, bundle: Bundle, examples: Examples, prefix: str = "r") -> None:
    """Write examples as JSON lines of `receive`, with what teaching needs and image ids of the prefix and a number."""
    lines = [
        {
            "time": 1.8e9 + row,
            "device": 7,
            "model_id": bundle.model_id,
            "image_id": f"{prefix}{row}",
            "symbols": examples.symbols[row].tolist(),
            "payload_ber": examples.bers[row],
            "tasks": {},
        }
        for row in range(len(examples.labels))
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

"""Inkling and its opponents, each on its own."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from benchmarks.encoding import Encoded
from benchmarks.general.data.problems import ImageSet, problems
from benchmarks.general.schemes.heads import accuracies, unit
from benchmarks.general.schemes.inkling import Taught, prefixes
from benchmarks.general.schemes.pretrained import RESOLUTIONS, best_file
from benchmarks.general.schemes.scratch import Training, board_layers, train
from benchmarks.general.schemes.trunk import feature_maps, readable
from host.classify.decoder import EmbeddingDecoder
from host.reference import ReferenceEncoder
from host.tasks.examples import Examples
from host.tasks.task import SEED, teach
from tests.benchmarks.general.conftest import colours
from wire.bundle import Bundle


def test_accuracies_use_the_features_that_generalise(colour_set: ImageSet) -> None:
    found = problems(colour_set, 1, (5,))
    rng = np.random.default_rng(0)
    useful = colour_set.images.mean(axis=(1, 2))
    features = {"noise": rng.normal(size=(len(useful), 50)), "colours": useful}
    done: list[int] = []
    accuracy, used = accuracies(features, found, lambda: done.append(1))
    assert used == ["colours", "colours"] and accuracy.min() > 0.8 and len(done) == 2


def test_unit_keeps_zeros() -> None:
    np.testing.assert_allclose(unit(np.array([[3.0, 4.0], [0.0, 0.0]])), np.array([[0.6, 0.8], [0, 0]]))


def test_feature_maps_are_what_the_latent_heads_read(general: Bundle, colour_set: ImageSet) -> None:
    images = colour_set.images[:4]
    (last,) = feature_maps(general.encoder_path, images)
    assert last.shape == (4, 4, 4, 72) and last.min() >= 0 and last.max() <= 6
    interpreter = Interpreter(model_path=str(general.encoder_path))
    interpreter.allocate_tensors()
    tensors = {tuple(t["shape"]): t for t in interpreter.get_tensor_details() if t["dtype"] == np.int8}
    kernel = tensors[(8, 1, 1, 72)]
    scales = kernel["quantization_parameters"]["scales"]
    weights = interpreter.get_tensor(kernel["index"])[:, 0, 0].astype(float) * scales[:, None]
    scale, zero_point = ReferenceEncoder(general.encoder_path).output_quantization
    outputs = scale * (ReferenceEncoder(general.encoder_path).outputs(images).reshape(4, 4, 4, 8) - float(zero_point))
    # The head's bias is the same everywhere, so differences between positions are those of the products.
    products = last @ weights.T
    np.testing.assert_allclose(products - products[:, :1, :1], outputs - outputs[:, :1, :1], atol=1.1 * scale)


def test_readable_features() -> None:
    maps = [np.ones((2, 4, 4, 3), np.float32), np.arange(2 * 2 * 2 * 5, dtype=np.float32).reshape(2, 2, 2, 5)]
    features = readable(maps)
    assert {name: rows.shape[1] for name, rows in features.items()} == {
        "last stage, mean": 5,
        "all stages, mean": 8,
        "all stages, mean and deviation": 16,
        "last stage, every position": 20,
    }
    assert features["all stages, mean"][1].tolist() == [1, 1, 1, 27.5, 28.5, 29.5, 30.5, 31.5]


@pytest.mark.parametrize("kind", ["webp", "jpeg"])
@pytest.mark.parametrize("budget", [36, 72, 144])
def test_best_file_fits_the_budget(kind: str, budget: int) -> None:
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
    image = np.asarray(rough)
    found = {resolution: best_file(image, kind, budget, resolution) for resolution in RESOLUTIONS}
    assert all(0 < file.bare_bytes <= min(budget, file.file_bytes) for file in found.values())
    sides = {resolution: len(file.pixels) for resolution, file in found.items()}
    assert all(side <= resolution for resolution, side in sides.items()) and sides[8] == 8
    assert sides[64] < 64 or budget == 144, "too detailed, so that a smaller resolution is taken"
    assert found[16].bare_bytes > budget / 2, "a higher quality would not fit"


def test_best_file_of_an_image_that_never_fits_is_grey() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    file = best_file(noise, "webp", 3, 64)
    assert (file.bare_bytes, set(file.pixels.ravel().tolist())) == (0, {128})


def colour_symbols(bundle: Bundle, images: ImageSet) -> np.ndarray:
    """Return symbols (N, S): those of the class, a fifth of them changed."""
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 8, (3, bundle.n_symbols))
    strange = rng.integers(0, 8, (len(images.labels), bundle.n_symbols))
    return np.where(rng.random(strange.shape) < 0.2, strange, classes[images.labels])


def test_taught_sends_test_images_through_the_receiver(general: Bundle, colour_set: ImageSet, tmp_path: Path) -> None:
    found = problems(colour_set, 2, (5,))
    done: list[int] = []
    taught = Taught(general, colour_symbols(general, colour_set), colour_set, found, tmp_path)
    taught.teach(done.append)
    assert prefixes(general) == {48: 0, 24: 1} and done == [1] * 4
    clean = taught.counts(0, 0.0, 0, done.append)
    assert clean.shape == (4, 3) and clean[:, 1:].tolist() == [[20, 20]] * 4 and clean[:, 0].min() > 15
    damaged = taught.counts(1, 0.2, 0, done.append)
    assert damaged[:, 0].sum() < clean[:, 0].sum() and (damaged[:, 1] < 20).any() and (damaged[:, 2] == 20).all()
    assert len(done) == 4 + 30 + 30
    again = Taught(general, colour_symbols(general, colour_set), colour_set, found, tmp_path)
    again.teach(done.append)
    done.clear()
    assert np.array_equal(again.counts(1, 0.2, 0, done.append), damaged) and not done, "kept"
    assert 0 < taught.seconds(found[0]) < 5


def test_taught_heads_are_those_of_inkling_teach(general: Bundle, colour_set: ImageSet, tmp_path: Path) -> None:
    (problem, _) = problems(colour_set, 1, (5,))
    symbols = colour_symbols(general, colour_set)
    Taught(general, symbols, colour_set, [problem], tmp_path).teach(lambda n: None)
    rows = problem.taught
    examples = Examples(symbols[rows], problem.taught_labels, rows, np.zeros(10), ("a", "b"), "images")
    copies = examples.with_damaged_copies(general.bits_per_symbol, SEED)
    head = teach(general, EmbeddingDecoder(general), "task", copies).fitted.head
    kept = np.load(tmp_path / "head-0-0-5.npy")
    assert np.array_equal(kept[:-1], head.weights) and np.array_equal(kept[-1], head.bias)


def test_taught_images_are_sent_as_encoded(general: Bundle, colour_set: ImageSet) -> None:
    outputs = ReferenceEncoder(general.encoder_path).outputs(colour_set.images[:3])
    assert np.array_equal(Encoded.of(general, outputs).symbols, general.symbols(outputs))


def test_board_layers_replace_the_latent_heads() -> None:
    assert board_layers(["conv4s2 8", "head 2", "sep4s2 8", "head 4"]) == ("conv4s2 8", "sep4s2 8", "pool", "answer")


@pytest.mark.training
def test_training_from_scratch_learns_colours() -> None:
    (images, labels), (judged, judged_labels) = colours(10, 0), colours(20, 1)
    layers = ("conv4s2 8", "sep4s2 8", "pool", "answer")
    accuracy = [
        train(Training(layers, 3, images, labels, judged, judged_labels, steps, True, 0)) for steps in (1, 60, 60)
    ]
    assert accuracy[0] < 0.8 < 0.9 < accuracy[1] and accuracy[1] == accuracy[2]

"""Contents of the packets in the comparison: answers of several boards, features of each prefix, compressed images."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from benchmarks.adaptive.schemes.opponents import CompressedImages, Content
from benchmarks.device.baseline import load as load_baseline
from benchmarks.device.curve import SAME_COST, least_cost
from benchmarks.encoding import Encoded, classes_if_intact, encode, outputs_of
from benchmarks.goodput.compressed import classifiers
from benchmarks.images import TestImages
from host.classify.classifier import LogitsModel
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle

BOARD, FEATURES, IMAGES = "board alone", "features", "images"
COSTLY = "costlier board alone"  # not an opponent at equal device cost


@dataclass(frozen=True)
class Costs:
    """Instructions per image, from the figures of `make bench-device`."""

    by_name: dict[str, dict]
    details: dict[str, dict]  # which model was measured under the name
    whole_model: dict  # of the baseline: a classifier that was measured with another engine
    file: Path

    @classmethod
    def read(cls, file: Path) -> "Costs":
        """Read device.json, and device_details.json beside it. Raises BundleError if that fails."""
        try:
            by_name, details = (
                json.loads(each.read_text(encoding="utf-8")) for each in (file, file.with_stem(f"{file.stem}_details"))
            )
            return cls(by_name, details, load_baseline().whole_model, file)
        except (OSError, ValueError) as error:
            raise BundleError(f"{file} cannot be read ({error}): run make bench-device") from None

    def instructions(self, name: str, model_id: str | None = None) -> int:
        """Return those of a bundle or a classifier, by the engine with the fewest.

        Raises BundleError if it was not measured, or if another model than `model_id` was.
        """
        measured = self.details.get(name, {}).get("model_id")
        if model_id is not None and measured not in (None, model_id):
            raise BundleError(
                f"{self.file} has costs of {name} as model {measured}, not {model_id}: "
                "run python -m benchmarks.device with it"
            )
        cost = least_cost(self.by_name.get(name, {}))
        counts = [cost["instructions"]] if cost else []
        if name == self.whole_model.get("stem"):
            counts.append(self.whole_model["instructions"])
        if not counts:
            raise BundleError(f"{self.file} has no costs of {name}: run python -m benchmarks.device with it")
        return min(counts)


def own_answers(bundle: Bundle, encoded: Encoded, labels: np.ndarray, costs: Costs) -> Content:
    """Return the answers of the adaptive bundle's own board."""
    assert encoded.classes is not None
    return Content(
        f"{BOARD} ({bundle.name})", 1, encoded.classes == labels, costs.instructions(bundle.name, bundle.model_id)
    )


def other_answers(path: Path, test: TestImages, own: Content, costs: Costs, bar: Progress, kept: Path) -> Content:
    """Return the answers of another bundle's board, or of a classifier in a .tflite file, to the same images.

    Its outputs are kept in the folder `kept`. Raises BundleError if it takes other images or has no answers.
    """
    if path.suffix == ".tflite":
        scores = outputs_of(path, test.images, bar, _outputs_file(kept, path))
        correct, instructions = scores.argmax(axis=1) == test.labels, costs.instructions(path.stem)
        name = path.stem
    else:
        bundle = load_bundle(path)
        if bundle.input_shape != test.images.shape[1:] or bundle.answer is None:
            raise BundleError(f"bundle {path}: it takes other images, or its board does not answer")
        encoded = encode(bundle, test.images, bar, _outputs_file(kept, bundle.encoder_path))
        correct, instructions = encoded.classes == test.labels, costs.instructions(bundle.name, bundle.model_id)
        name = bundle.name
    times = instructions / own.instructions
    scheme = f"{BOARD} ({name})" if times <= SAME_COST else f"{COSTLY} ({name}, {times:.1f} x the instructions)"
    return Content(scheme, 1, np.asarray(correct), instructions)


def _outputs_file(kept: Path, encoder: Path) -> Path:
    """Return the file for the outputs of an encoder, which is named after its bytes."""
    return kept / f"board_{hashlib.sha256(encoder.read_bytes()).hexdigest()[:16]}.npy"


def features(
    bundle: Bundle, decoder: LogitsModel, encoded: Encoded, labels: np.ndarray, chunks: Sequence[int], costs: Costs
) -> list[Content]:
    """Return the features of each prefix, as a host classifies them if they arrive undamaged."""
    instructions = costs.instructions(bundle.name, bundle.model_id)
    return [
        Content(
            FEATURES,
            bundle.chunk_bytes(chunk),
            classes_if_intact(bundle, decoder, encoded, chunk) == labels,
            instructions,
        )
        for chunk in chunks
    ]


def compressed(
    dataset: str, folder: Path, index: np.ndarray, coding_rates: Sequence[int], log: Callable[[str], None]
) -> list[CompressedImages]:
    """Return JPEG and WebP of the test images `index` (n,), in their bare forms, if their classifiers are there."""
    found = []
    for form, file in classifiers(dataset, folder, log):
        with np.load(file.with_suffix(".npz")) as kept:
            sizes, correct = kept["bare_bytes"][index], kept["correct"][index]
        found += [
            CompressedImages(f"{IMAGES}, {form.title}", f"4/{rate}, explicit header", sizes, correct, rate)
            for rate in coding_rates
        ]
    return found

"""General bundles: embeddings, and tasks that share one decoding."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from host.classify.classifier import Classifier, Reading
from host.classify.decoder import BATCH, EmbeddingDecoder, Prediction
from host.classify.general import TaskModel, TaskSet
from host.errors import HostError
from host.receive.stream import StreamReceiver
from tests.support.host import features, images, make_bundle, make_frame, symbols_of, weights
from wire.bundle import Bundle

SIZE = 12


class FakeTask:
    """Task of two classes, by the sign of the embedding's first value, that rejects values near 0."""

    def __init__(self, name: str, model_id: str, limit: float = 0.0) -> None:
        self.name, self.model_id, self._limit = name, model_id, limit

    def predict(self, embeddings: np.ndarray) -> list[Prediction | None]:
        first = embeddings[:, 0].tolist()
        return [Prediction(int(x > 0), "-+"[x > 0], abs(x)) if abs(x) > self._limit else None for x in first]


class FakeDecoder:
    """Decoder whose embeddings are the first symbols, and which counts the images that it decodes."""

    images = 0

    def embeddings(self, symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
        self.images += len(symbols)
        return symbols[:, :SIZE] - 3.5


@pytest.fixture(scope="module")
def general(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """128 symbols of 3 bits, embeddings of 12 values."""
    return make_bundle(tmp_path_factory.mktemp("general") / "general", seed=5, embedding=SIZE)


def expected_embeddings(symbols: np.ndarray, ber: np.ndarray) -> np.ndarray:
    sums = np.maximum(symbols, 0) @ weights(5, 128, SIZE) - ber[:, None] + 1
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def read(bundles: Sequence[Bundle], tasks: Sequence[TaskModel], *frames: bytes) -> list[Reading]:
    """Return the readings of frames that arrive on one line."""
    receiver, classifier = StreamReceiver(bundles), Classifier.of(bundles, tasks)
    return [classifier.read(frame) for data in frames for frame in images(receiver.feed(data))]


@pytest.mark.parametrize("count", [1, BATCH, 2 * BATCH + 3])
def test_embeddings_match_weights_and_have_unit_length(general: Bundle, count: int) -> None:
    symbols = np.random.default_rng(0).integers(-1, 8, (count, 128))
    ber = np.linspace(0, 0.5, count)
    embeddings = EmbeddingDecoder(general).embeddings(symbols, ber)
    np.testing.assert_allclose(embeddings, expected_embeddings(symbols, ber), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_embedding_decoder_refuses_other_lengths(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", embedding=SIZE)
    model = onnx.load(bundle.decoder_path)
    model.graph.node[-1].op_type = "Mul"  # the length squared, in place of 1
    onnx.save(model, str(bundle.decoder_path))
    with pytest.raises(HostError, match=r"decoder\.onnx gives embeddings of length .*, not 1$"):
        EmbeddingDecoder(bundle)


def test_embedding_decoder_refuses_other_sizes_and_outputs(tmp_path: Path) -> None:
    bundle, other = make_bundle(tmp_path / "b", embedding=SIZE), make_bundle(tmp_path / "other", embedding=SIZE + 1)
    bundle.decoder_path.write_bytes(other.decoder_path.read_bytes())
    with pytest.raises(HostError, match=r"decoder\.onnx gives float32 \(2, 13\) for 2 images, not float32 \(2, 12\)"):
        EmbeddingDecoder(bundle)
    plain = make_bundle(tmp_path / "plain")
    bundle.decoder_path.write_bytes(plain.decoder_path.read_bytes())
    with pytest.raises(HostError, match=r"decoder\.onnx cannot be run: .*embedding"):
        EmbeddingDecoder(bundle)


def test_reading_has_the_predictions_of_all_tasks(general: Bundle) -> None:
    tasks = [FakeTask("sign", general.model_id), FakeTask("large", general.model_id, 2.0)]
    (reading,) = read([general], tasks, make_frame(general, 4))
    first = float(expected_embeddings(symbols_of(general, 4)[None], np.array([reading.payload_ber]))[0, 0])
    prediction = reading.tasks["sign"]
    assert prediction is not None and prediction.index == (first > 0)
    assert prediction.confidence == pytest.approx(abs(first), abs=1e-5)
    assert reading.tasks["large"] is None and reading.class_prediction is None
    with pytest.raises(ValueError, match="bundle general has no classes of its own"):
        _ = reading.prediction
    assert reading.as_json()["tasks"] == {
        "sign": {"label": prediction.label, "index": prediction.index, "confidence": round(abs(first), 4)},
        "large": {"label": None, "index": None, "confidence": None},
    }


def test_json_has_what_teaching_needs(general: Bundle) -> None:
    prefix, whole, next_one = read(
        [general], [], make_frame(general, 3, chunk=1), make_frame(general, 3, chunk=2), make_frame(general, 4)
    )
    values = prefix.as_json()
    assert values["symbols"] == [*symbols_of(general, 3, chunk=1).tolist(), *[-1] * 64]
    assert values["payload_ber"] == pytest.approx(prefix.payload_ber, rel=1e-3) and values["tasks"] == {}
    assert [values[key] for key in ("class", "index", "confidence")] == [None] * 3
    assert json.loads(json.dumps(values)) == values
    assert values["image_id"] == whole.as_json()["image_id"] != next_one.as_json()["image_id"]
    assert values["image_id"].endswith("-7-3")


def test_image_ids_differ_between_classifiers(general: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = set()
    for ms in (1000, 1001):
        monkeypatch.setattr("host.classify.classifier.time.time_ns", lambda ms=ms: ms * 1_000_000)
        ids |= {reading.image_id for reading in read([general], [], make_frame(general, 3))}
    assert ids == {"3e8-7-3", "3e9-7-3"}


def test_json_of_a_bundle_with_classes_has_no_tasks(bundle: Bundle) -> None:
    (reading,) = read([bundle], [], make_frame(bundle, 3))
    assert not {"tasks", "symbols", "image_id"} & set(reading.as_json())


def test_image_is_decoded_once_for_all_tasks(general: Bundle) -> None:
    decoder = FakeDecoder()
    tasks = [FakeTask(name, general.model_id) for name in "abc"]
    receiver = StreamReceiver([general])
    frames = [frame for n in range(5) for frame in features(receiver.feed(make_frame(general, n)))]
    readings = Classifier({}, {general.model_id: TaskSet(decoder, tasks)}).read_all(frames)
    assert decoder.images == 5 and all(set(reading.tasks) == set("abc") for reading in readings)


def test_tasks_are_those_of_the_readings_model(general: Bundle, bundle: Bundle, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", seed=6, n_symbols=41, bits=5, embedding=SIZE)
    tasks = [FakeTask("of general", general.model_id), FakeTask("of other", other.model_id)]
    frames = [make_frame(model, 2, device=device) for device, model in enumerate((general, other, bundle))]
    readings = read([general, other, bundle], tasks, *frames)
    assert [set(reading.tasks) for reading in readings] == [{"of general"}, {"of other"}, set()]
    assert readings[2].prediction.label in bundle.classes


def test_general_bundle_without_tasks_needs_no_decoder(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", embedding=SIZE)
    bundle.decoder_path.unlink()
    (reading,) = read([bundle], [], make_frame(bundle, 0))
    assert reading.tasks == {}
    with pytest.raises(HostError, match=r"decoder\.onnx cannot be read"):
        read([bundle], [FakeTask("sign", bundle.model_id)], make_frame(bundle, 0))

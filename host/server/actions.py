"""What the page may do beyond the store: teach tasks, draw previews, and say how all parts are."""

import io
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from host.classify.decoder import EmbeddingDecoder
from host.classify.preview import PreviewDecoder
from host.errors import HostError
from host.serve.interface import BundleInfo, Lesson
from host.server.inputs import InputState
from host.server.sink import Sink
from host.server.worker import SiteWorker
from host.site.records import Json, ReadingRecord
from host.store.query import ReadingQuery
from host.store.store import Store
from host.tasks import files
from host.tasks.examples import Examples, TaskError, group_of
from host.tasks.report import with_report
from host.tasks.task import SEED, Task, check_name, teach
from wire.bundle import Bundle

Health = Callable[[], tuple[str, str, str]]  # name, state, text of one part


@dataclass(frozen=True)
class Parts:
    """The parts of the process that the page acts on."""

    store: Store
    sink: Sink
    workers: Sequence[SiteWorker]
    inputs: Sequence[InputState]
    others: Sequence[Health] = ()


class ServerActions:
    """Actions of the page of one process; see `host.serve.interface.Actions`."""

    def __init__(self, bundles: Sequence[Bundle], tasks: Sequence[Task], parts: Parts) -> None:
        self._bundles: Mapping[str, Bundle] = {bundle.model_id: bundle for bundle in bundles}
        self._used: dict[tuple[str, str], Task] = {(task.model_id, task.name): task for task in tasks}
        self._parts = parts
        self._previews: dict[str, PreviewDecoder] = {}
        self._preview_lock = threading.Lock()  # a network runs one image at a time

    def bundles(self) -> list[BundleInfo]:
        """Return the bundles of all sites, with the classes of the tasks that answer."""
        return [
            BundleInfo(
                bundle.name,
                bundle.model_id,
                () if bundle.embedding else tuple(bundle.classes),
                1 << bundle.bits_per_symbol,
                bundle.n_symbols,
                bundle.embedding is not None,
                bundle.has_preview,
                {name: task.classes for (model_id, name), task in sorted(self._used.items()) if model_id == key},
            )
            for key, bundle in self._bundles.items()
        ]

    def teach(self, lesson: Lesson, on_step: Callable[[str], None]) -> Json:
        """Teach a task from labelled readings, and use it from the next frame on. Return its figures."""
        bundle = self._bundle(lesson.model_id)
        check_name(lesson.task)
        exists = lesson.task in files.names(bundle)
        if lesson.mode == "new" and exists:
            raise TaskError(f"bundle {bundle.name} has a task {lesson.task!r} already: add to it, or replace it")
        if lesson.mode == "add" and not exists:
            raise TaskError(f"bundle {bundle.name} has no task {lesson.task!r} to add to: teach it as a new one")
        on_step("reading the labelled readings")
        examples = self._examples(lesson, bundle).with_damaged_copies(bundle.bits_per_symbol, SEED)
        on_step("decoding and fitting")
        decoder = EmbeddingDecoder(bundle)
        earlier = files.load(bundle, lesson.task) if lesson.mode == "add" else None
        task = teach(bundle, decoder, lesson.task, examples, earlier=earlier)
        on_step("measuring on left-out images")
        task = with_report(task, bundle, decoder, examples)
        on_step("writing the task")
        files.save(task, bundle)
        self._used[task.model_id, task.name] = task
        for worker in self._parts.workers:
            worker.use_task(task)
        return task.fitted.figures

    def preview(self, reading: ReadingRecord) -> bytes | None:
        """Return a PNG file of what the reading may have seen; None if its bundle has no previews."""
        bundle = self._bundles.get(reading.model_id)
        if bundle is None or not bundle.has_preview or len(reading.symbols) != bundle.n_symbols:
            return None
        with self._preview_lock:
            decoder = self._previews.setdefault(bundle.model_id, PreviewDecoder(bundle))
            pixels = decoder.images(np.array([reading.symbols], np.int64), np.array([reading.payload_ber]))[0]
        content = io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(content, "PNG")
        return content.getvalue()

    def health(self) -> Json:
        """Return `status` and `inputs`, each with `name`, `state` and `text`. Only a lost one is a fault."""
        now = time.monotonic()
        inputs = [state.as_json(now) for state in self._parts.inputs]
        inputs += [
            {"name": f"site {worker.site.name}", "state": "lost", "text": "its engine ended by a fault: see the log"}
            for worker in self._parts.workers
            if worker.failure
        ]
        if self._parts.sink.problem:
            inputs.append({"name": "store", "state": "lost", "text": self._parts.sink.problem})
        inputs += [dict(zip(("name", "state", "text"), part(), strict=True)) for part in self._parts.others]
        bad = any(one["state"] == "lost" for one in inputs)
        return {"status": "degraded" if bad else "ok", "inputs": inputs}

    def _bundle(self, model_id: str) -> Bundle:
        bundle = self._bundles.get(model_id)
        if bundle is None:
            raise HostError(f"no bundle of this host has the model {model_id!r}")
        if bundle.embedding is None:
            raise HostError(f"bundle {bundle.name} has classes of its own: only general bundles can be taught")
        return bundle

    def _examples(self, lesson: Lesson, bundle: Bundle) -> Examples:
        """Return the readings with the lesson's labels as examples. Raises HostError if there are none."""
        left_out, found = {*lesson.without}, []
        for label in dict.fromkeys(lesson.labels):
            for reading, _ in self._parts.store.stream(ReadingQuery(human_label=label)):
                fits = reading.model_id == bundle.model_id and len(reading.symbols) == bundle.n_symbols
                if fits and reading.id not in left_out:
                    found.append((reading, label))
        if not found:
            raise HostError(f"no readings of bundle {bundle.name} have these labels: label some, of at least 2 classes")
        classes = tuple(dict.fromkeys(label for _, label in found))
        return Examples(
            np.array([reading.symbols for reading, _ in found], np.int64),
            np.array([classes.index(label) for _, label in found], np.int64),
            np.array([group_of(f"{bundle.model_id} {reading.id}".encode()) for reading, _ in found], np.int64),
            np.array([reading.payload_ber for reading, _ in found]),
            classes,
            "readings",
        )

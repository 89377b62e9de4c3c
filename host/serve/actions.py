"""What the page may do with the bundles of a host: previews of readings, and the teaching of tasks."""

import threading
from collections.abc import Callable, Sequence

from host.classify.decoder import EmbeddingDecoder
from host.classify.preview import PreviewDecoder
from host.errors import HostError
from host.image.png import png_of
from host.serve.interface import BundleInfo, Lesson, ReadingStore
from host.serve.stored import ReadingQuery
from host.site.records import Json, ReadingRecord
from host.store.data_set import examples, fits
from host.tasks.examples import Examples, TaskError
from host.tasks.files import load, names, save
from host.tasks.report import with_report
from host.tasks.task import SEED, Task, teach
from wire.bundle import Bundle


class BundleActions:
    """Actions with the bundles of a host.

    on_task: called with each task that was taught, which then answers; it may raise HostError. withdraw, health: as in
    Actions.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        store: ReadingStore,
        on_task: Callable[[Bundle, Task], None],
        withdraw: Callable[[str, int], None],
        health: Callable[[], Json],
    ) -> None:
        self.withdraw, self.health = withdraw, health
        self._bundles = {bundle.model_id: bundle for bundle in bundles}
        self._store = store
        self._on_task = on_task
        self._lock = threading.Lock()  # of the preview networks, which run one at a time
        self._previews: dict[str, PreviewDecoder] = {}

    def bundles(self) -> list[BundleInfo]:
        """Return the bundles and their tasks."""
        return [
            BundleInfo(
                name=bundle.name,
                model_id=bundle.model_id,
                classes=tuple(bundle.classes),
                levels=1 << bundle.bits_per_symbol,
                n_symbols=bundle.n_symbols,
                general=bundle.embedding is not None,
                preview=bundle.has_preview,
                tasks=self._tasks(bundle),
            )
            for bundle in self._bundles.values()
        ]

    def preview(self, reading: ReadingRecord) -> bytes | None:
        """Return a PNG file that shows what the reading may have seen, None if its bundle cannot. Raises HostError."""
        bundle = self._bundles.get(reading.model_id)
        if bundle is None or not bundle.has_preview or len(reading.symbols) != bundle.n_symbols:
            return None
        with self._lock:
            if bundle.model_id not in self._previews:
                self._previews[bundle.model_id] = PreviewDecoder(bundle)
            image = self._previews[bundle.model_id].image(reading.symbols, reading.payload_ber)
        return png_of(image)

    def teach(self, lesson: Lesson, on_step: Callable[[str], None]) -> Json:
        """Teach a task from labelled readings and use it from the next frame on. Return its figures.

        on_step is given the name of each step of work. Raises HostError.
        """
        bundle = self._bundles.get(lesson.model_id)
        if bundle is None or bundle.embedding is None:
            raise TaskError(f"this host has no general bundle of model {lesson.model_id}: only these can be taught")
        earlier = self._earlier(bundle, lesson)
        on_step("reading the labelled readings")
        examples = self._examples(bundle, lesson).with_damaged_copies(bundle.bits_per_symbol, SEED)
        decoder = EmbeddingDecoder(bundle)
        on_step("decoding and fitting")
        task = teach(bundle, decoder, lesson.task, examples, earlier=earlier)
        on_step("judging it on left-out images")
        task = with_report(task, bundle, decoder, examples)
        on_step("saving")
        save(task, bundle)
        self._on_task(bundle, task)
        return {"task": task.name, "classes": list(task.classes), **task.fitted.figures}

    def _earlier(self, bundle: Bundle, lesson: Lesson) -> Task | None:
        exists = lesson.task in names(bundle)
        if exists and lesson.mode == "new":
            raise TaskError(f"bundle {bundle.name} has task {lesson.task!r}: add to it, or replace it")
        if not exists and lesson.mode == "add":
            raise TaskError(f"bundle {bundle.name} has no task {lesson.task!r} to add to")
        return load(bundle, lesson.task) if lesson.mode == "add" else None

    def _examples(self, bundle: Bundle, lesson: Lesson) -> Examples:
        found = [
            (reading, label)
            for label in lesson.labels
            for reading, _ in self._store.stream(ReadingQuery(human_label=label))
            if reading.id not in lesson.without and fits(reading, bundle)
        ]
        given = {label for _, label in found}
        missing = next((label for label in lesson.labels if label not in given), None)
        if missing is not None:
            raise TaskError(f"no reading of this bundle has the label {missing!r} any more")
        return examples(found, bundle)

    def _tasks(self, bundle: Bundle) -> dict[str, tuple[str, ...]]:
        """Return the classes by task, without tasks that are damaged."""
        found = {}
        for name in names(bundle):
            try:
                found[name] = load(bundle, name).classes
            except HostError:
                continue
        return found

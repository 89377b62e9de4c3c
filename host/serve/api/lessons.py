"""The teaching of a task in the background: one lesson at a time, whose progress everyone can see."""

import logging
import threading
from dataclasses import asdict, dataclass, replace

from host.errors import HostError
from host.serve.api.responses import ApiError
from host.serve.interface import Actions, Lesson
from host.site.records import Json

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far the latest lesson is."""

    state: str = "idle"  # idle, running, done or failed
    model_id: str | None = None
    task: str | None = None
    step: str | None = None  # of a running lesson
    report: Json | None = None  # figures of one that is done
    error: str | None = None  # of one that failed

    def as_json(self) -> Json:
        """Return the JSON object of the API."""
        return asdict(self)


class Lessons:
    """Runs lessons in a thread of their own."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._lock = threading.Lock()
        self._progress = Progress()

    @property
    def progress(self) -> Progress:
        """The state of the latest lesson."""
        with self._lock:
            return self._progress

    def start(self, lesson: Lesson) -> Progress:
        """Start a lesson and return its state. Raises ApiError while another one runs."""
        with self._lock:
            if self._progress.state == "running":
                raise ApiError(f"task {self._progress.task} is being taught: try again when it is done", 409)
            self._progress = Progress("running", lesson.model_id, lesson.task, "starting")
            threading.Thread(target=self._run, args=(lesson,), name="lesson", daemon=True).start()
            return self._progress

    def _run(self, lesson: Lesson) -> None:
        try:
            report = self._actions.teach(lesson, self._step)
        except HostError as error:
            self._end(state="failed", error=str(error))
        except Exception:  # a thread that dies silently would leave the lesson running for ever
            _log.exception("teaching task %s failed", lesson.task)
            self._end(state="failed", error="the host failed to teach this: its log says why")
        else:
            self._end(state="done", report=report)

    def _step(self, name: str) -> None:
        with self._lock:
            self._progress = replace(self._progress, step=name)

    def _end(self, state: str, report: Json | None = None, error: str | None = None) -> None:
        with self._lock:
            self._progress = replace(self._progress, state=state, step=None, report=report, error=error)

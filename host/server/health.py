"""Health of a server: whether each of its parts is well."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from host.server.inputs import InputState
from host.server.sink import Sink
from host.server.worker import SiteWorker
from host.site.records import Json

Part = Callable[[], tuple[str, str, str]]  # name, state, text


@dataclass(frozen=True)
class Health:
    """The parts of a process that can be unwell. `others` are asked for their name, state and text."""

    sink: Sink
    workers: Sequence[SiteWorker]
    inputs: Sequence[InputState]
    others: Sequence[Part] = ()

    def __call__(self) -> Json:
        """Return `status` and `inputs`, each with `name`, `state` and `text`. Only a lost one is a fault."""
        now = time.monotonic()
        parts = [state.as_json(now) for state in self.inputs]
        parts += [
            {"name": f"site {worker.site.name}", "state": "lost", "text": "its engine ended by a fault: see the log"}
            for worker in self.workers
            if worker.failure
        ]
        if self.sink.problem:
            parts.append({"name": "store", "state": "lost", "text": self.sink.problem})
        parts += [dict(zip(("name", "state", "text"), part(), strict=True)) for part in self.others]
        bad = any(one["state"] == "lost" for one in parts)
        return {"status": "degraded" if bad else "ok", "inputs": parts}

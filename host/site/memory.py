"""Memory of a site across restarts, beside its sources: records given out, and the bit error rates of links."""

import json
from collections.abc import Callable, Iterator

from host.classify.ber import BerEstimator
from host.classify.classifier import Classifier
from host.receive.senders.registry import Key
from host.receive.senders.state import StateFile, Statement
from host.site.outbox import Outbox
from wire.files import to_json

# Bit error rates of links are saved so often at most: each takes some kilobytes, and a few frames replace them.
LINKS_S = 10.0


class Memory:
    """The outbox of a site, and the bit error rates of its links, in its state file."""

    def __init__(self, state: StateFile | None, classifier: Classifier, clock: Callable[[], float]) -> None:
        """Load what the state file has into the classifier. Raises HostError if it is damaged."""
        self.outbox = Outbox(state)
        self._classifier, self._clock = classifier, clock
        self._links: set[Key] = set()  # whose bit error rates have changed since they were saved
        self._saved = clock()
        if state:
            for device, model_id, gateway, content in state.read("SELECT device, model_id, gateway, state FROM link"):
                try:
                    estimator = BerEstimator.of_json(json.loads(content))
                except (ValueError, TypeError, KeyError):
                    raise state.damaged() from None
                classifier.restore(int(device), str(model_id), str(gateway), estimator)

    def changes(self, changed: set[Key], final: bool) -> Iterator[Statement]:
        """Iterate over the changes of the state file, with frames of these sources. final: all that there are."""
        yield from self.outbox.changes()
        self._links |= changed
        if not self._links or (self._clock() - self._saved < LINKS_S and not final):
            return
        rows = [
            (*key, gateway, to_json(estimator.as_json()))
            for key in self._links
            for gateway, estimator in self._classifier.estimators(*key).items()
        ]
        self._links, self._saved = set(), self._clock()
        yield "INSERT OR REPLACE INTO link VALUES(?, ?, ?, ?)", rows
        yield "DELETE FROM link WHERE (device, model_id) NOT IN (SELECT device, model_id FROM source)", [()]

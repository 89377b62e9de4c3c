"""Devices with a key: the policies that `inkling receive` follows, and its notes on frames that it refuses."""

import argparse
from pathlib import Path
from typing import NamedTuple

from host.cli.arguments import key_path
from host.cli.output import Output
from host.cli.reports.notes import Notes
from host.errors import HostError
from host.keys.key_file import DEMANDS, KeyFile, state_path, taken_path
from host.keys.policy import Auth, DevicePolicy
from host.keys.taken import TakenImages
from host.receive.secured.devices import Refusal
from host.site.events import REFUSALS


class Trust(NamedTuple):
    """What a host demands: policies by device, of all devices at least `require`. And where it keeps its state."""

    policies: dict[int, DevicePolicy]
    counters: dict[int, int]  # from which on the images of a device have its key
    require: Auth
    state: Path | None
    taken: TakenImages | None  # what other commands used up

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Trust":
        """Return what the arguments and the key file say. Raises HostError if the key file cannot be used.

        With keys, there is a state file in any case: a host that forgets the counters accepts old frames again.
        """
        require = DEMANDS[options.require_auth] if options.require_auth else Auth.NONE
        path = key_path(options)
        file = KeyFile.load(path)
        policies = file.policies
        if require and not any(policy.keys for policy in policies.values()):
            raise HostError(f"--require-auth would refuse all frames: {path} has no key of any device")
        beside = state_path(path) if policies else None
        taken = TakenImages(taken_path(path)) if policies else None
        return cls(policies, file.counters, require, options.state or beside, taken)


class RefusalNotes:
    """Notes on refused frames: one for each device and reason, and their number."""

    def __init__(self, output: Output) -> None:
        self.count = 0
        self._output, self._notes = output, Notes(output)
        self._noted: set[tuple[int, Refusal]] = set()

    def add(self, device: int, reason: Refusal) -> None:
        """Count a refused frame, and note the first one of a device for a reason."""
        self.count += 1
        if (device, reason) in self._noted:
            return
        self._noted.add((device, reason))
        self._output.json_line(event="refused", device=device, gateway=False, reason=reason.value)
        self._notes.add(REFUSALS[reason].format(device=device))

    def flush(self) -> None:
        """Print the notes left out."""
        self._notes.flush()

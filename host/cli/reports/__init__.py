"""Reports of `inkling receive` that are no readings: notes, and the state of devices."""

"""Data of replies that need more than the fields of `wire.control`."""

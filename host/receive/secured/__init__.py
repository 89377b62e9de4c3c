"""Receiver of secured frames: the devices that hold a key, their counters, and the search for their frames."""

"""What a bad link does to frames: bit flips, byte loss, truncation; and a live proxy between serial ends."""

from channel_sim.bsc import BitFlips
from channel_sim.channel import Channel, Compose
from channel_sim.erasure import ByteLoss, Truncation
from channel_sim.stream import Statistics, Stream

__all__ = ["BitFlips", "ByteLoss", "Channel", "Compose", "Statistics", "Stream", "Truncation"]

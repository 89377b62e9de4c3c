"""Models of bad links (bit flips, bursts, fading, LoRa, losses) and a live proxy for serial lines."""

from channel_sim.channels.bsc import BER_GRID, BitFlips
from channel_sim.channels.by_ber import AT_BER, at_ber
from channel_sim.channels.channel import Channel, Compose
from channel_sim.channels.erasure import ByteLoss, Duplicate, FrameLoss, Truncation
from channel_sim.channels.gilbert_elliott import GilbertElliott
from channel_sim.channels.lora import LoRa, Reception
from channel_sim.channels.lora_theory import bit_error_rate, symbol_error_rate
from channel_sim.channels.parse import HELP, parse
from channel_sim.channels.psk import Psk
from channel_sim.live.stream import Statistics, Stream

__all__ = [
    "AT_BER",
    "BER_GRID",
    "HELP",
    "BitFlips",
    "ByteLoss",
    "Channel",
    "Compose",
    "Duplicate",
    "FrameLoss",
    "GilbertElliott",
    "LoRa",
    "Psk",
    "Reception",
    "Statistics",
    "Stream",
    "Truncation",
    "at_ber",
    "bit_error_rate",
    "parse",
    "symbol_error_rate",
]

"""What a bad link does to frames: bit flips, bursts, fades, LoRa, losses; and a live proxy between serial ends."""

from channel_sim.bsc import BitFlips
from channel_sim.channel import Channel, Compose
from channel_sim.erasure import ByteLoss, Duplicate, FrameLoss, Truncation
from channel_sim.gilbert_elliott import GilbertElliott
from channel_sim.lora import LoRa, Reception
from channel_sim.lora_air import messages_an_hour
from channel_sim.lora_theory import bit_error_rate, symbol_error_rate
from channel_sim.psk import Psk
from channel_sim.severity import AT_BER, at_ber
from channel_sim.spec import HELP, parse
from channel_sim.stream import Statistics, Stream

__all__ = [
    "AT_BER",
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
    "messages_an_hour",
    "parse",
    "symbol_error_rate",
]

"""Channels from text: `bsc:ber=0.05`, `lora:snr=-9,sf=7`; `+` joins channels in series."""

import inspect
import re
from collections.abc import Callable

from channel_sim.channels.bsc import BitFlips
from channel_sim.channels.channel import Channel, ChannelError, Compose
from channel_sim.channels.erasure import ByteLoss, Duplicate, FrameLoss, Truncation
from channel_sim.channels.gilbert_elliott import GilbertElliott
from channel_sim.channels.lora import LoRa
from channel_sim.channels.psk import Psk


def parse(text: str) -> Channel:
    """Return the channel that the text describes. Raises ChannelError, which lists the known channels or settings."""
    channels = [_parse_one(part) for part in re.split(r"\+(?=[a-z])", text)]
    return channels[0] if len(channels) == 1 else Compose(*channels)


def _parse_one(text: str) -> Channel:
    name, _, settings = text.partition(":")
    if name not in _MODELS:
        raise ChannelError(f"unknown channel {name!r}; known: {', '.join(_MODELS)}")
    known = inspect.signature(_MODELS[name]).parameters
    values = {}
    for setting in filter(None, settings.split(",")):
        key, _, value = setting.partition("=")
        parameter = known.get(key.replace("-", "_"))
        if parameter is None:
            raise ChannelError(f"{name} has no setting {key!r}; it is {_usage(name)}")
        try:
            values[parameter.name] = parameter.annotation(value)
        except ValueError:
            kind = "a whole number" if parameter.annotation is int else "a number"
            raise ChannelError(f"{name}: {key} is {kind}, not {value!r}; it is {_usage(name)}") from None
    missing = [key for key, p in known.items() if p.default is p.empty and key not in values]
    if missing:
        raise ChannelError(f"{name} needs {missing[0].replace('_', '-')}; it is {_usage(name)}")
    try:
        return _MODELS[name](**values)
    except ValueError as error:
        raise ChannelError(f"{name}: {error}") from None


def _bsc(ber: float) -> Channel:
    """independent bit flips"""
    return BitFlips(ber)


def _bursts(ber: float, burst: float = 16, ber_bad: float = 0.5) -> Channel:
    """Gilbert-Elliott channel, by mean BER and mean burst length in bits"""
    return GilbertElliott.bursts(ber, burst, ber_bad)


def _gilbert_elliott(good_to_bad: float, bad_to_good: float, ber_good: float = 0, ber_bad: float = 0.5) -> Channel:
    """Gilbert-Elliott channel, by transition probabilities per bit and the BER of each state"""
    return GilbertElliott(good_to_bad, bad_to_good, ber_good, ber_bad)


def _bpsk(ebn0: float, fading: str = "none", coherence: int = 1) -> Channel:
    """BPSK; Eb/N0 in dB; fading none or rayleigh, with a new gain every `coherence` symbols"""
    return _psk(1, ebn0, fading, coherence)


def _qpsk(ebn0: float, fading: str = "none", coherence: int = 1) -> Channel:
    """QPSK, likewise"""
    return _psk(2, ebn0, fading, coherence)


def _psk(bits_per_symbol: int, ebn0: float, fading: str, coherence: int) -> Channel:
    if fading not in ("none", "rayleigh"):
        raise ChannelError(f"fading is none or rayleigh, not {fading!r}")
    return Psk(ebn0, bits_per_symbol, coherence if fading == "rayleigh" else None)


def _lora(snr: float, sf: int = 7, cr: int = 5, bw: float = 125, header: str = "explicit") -> Channel:
    """LoRa; SNR in dB in `bw` kHz, SF 7 to 12, coding rate 5 to 8 (4/5 to 4/8), header explicit or implicit"""
    if header not in ("explicit", "implicit"):
        raise ChannelError(f"a header is explicit or implicit, not {header!r}")
    return LoRa(snr, sf, cr, bw * 1e3, explicit_header=header == "explicit")


def _byte_loss(p: float) -> Channel:
    """independent losses of bytes"""
    return ByteLoss(p)


def _truncation(p: float) -> Channel:
    """truncated frames"""
    return Truncation(p)


def _frame_loss(p: float) -> Channel:
    """lost frames"""
    return FrameLoss(p)


def _duplicate(p: float) -> Channel:
    """duplicated frames"""
    return Duplicate(p)


_MODELS: dict[str, Callable[..., Channel]] = {
    "bsc": _bsc,
    "bursts": _bursts,
    "gilbert-elliott": _gilbert_elliott,
    "bpsk": _bpsk,
    "qpsk": _qpsk,
    "lora": _lora,
    "byte-loss": _byte_loss,
    "truncation": _truncation,
    "frame-loss": _frame_loss,
    "duplicate": _duplicate,
}


def _usage(name: str) -> str:
    """Return the settings of a channel as text: `lora:snr=,sf=7,cr=5,bw=125,header=explicit`."""
    settings = inspect.signature(_MODELS[name]).parameters.values()
    shown = (f"{s.name.replace('_', '-')}={'' if s.default is s.empty else s.default}" for s in settings)
    return f"{name}:{','.join(shown)}"


HELP = "channels (settings with a value are optional; + joins channels):\n" + "\n".join(
    f"  {_usage(name)}\n      {model.__doc__}" for name, model in _MODELS.items()
)

"""The table of commands. Modules are named, not imported: each is imported only when its command is used."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command: `parser` names the function that adds its arguments, `run` the one that runs it.

    Both are `module:function`. `parser` must import nothing slow, so that `--help` is fast. `extra` is the optional
    part of the installation that the command needs.
    """

    help: str
    parser: str
    run: str
    extra: str | None = None
    on_interrupt: str = ""  # a message for Ctrl-C
    ends_in_time: bool = False  # within seconds of a signal, at any point; the others first finish a step of work


@dataclass(frozen=True)
class Group:
    """Commands under one name."""

    help: str
    commands: "dict[str, Command | Group]"
    epilog: str = ""


def _host(name: str, help: str, extra: str | None = None) -> Command:
    return Command(help, f"host.cli.parsers:{name}", f"host.cli.{name}:run", extra, ends_in_time=True)


def _keys(name: str, help: str, module: str) -> Command:
    return Command(help, f"host.cli.keys.parsers:{name}", f"host.cli.keys.{module}:{name}", ends_in_time=True)


def _sim(name: str, help: str) -> Command:
    return Command(help, f"channel_sim.cli.parsers:{name}", f"channel_sim.cli.{name}:run", ends_in_time=True)


KEYS = Group(
    "give device keys to boards, and manage those of this host",
    {
        "list": _keys("list_keys", "list the devices in the key file", "stored"),
        "add": _keys("add", "give a board a key", "boards"),
        "rotate": _keys("rotate", "give a board a new key in place of its old one", "boards"),
        "revoke": _keys("revoke", "refuse the frames of a device", "stored"),
        "remove": _keys("remove", "forget the key of a device, whose plain frames are taken then", "stored"),
        "require": _keys("require", "set how much of a device's frames must be authentic", "stored"),
    },
    """examples:
  inkling keys add --port /dev/ttyUSB0
  inkling keys list""",
)

MQTT = Group(
    "manage what this host has published to an MQTT broker",
    {
        "withdraw": Command(
            "remove devices from Home Assistant and from the broker",
            "host.cli.mqtt.parsers:withdraw",
            "host.cli.mqtt.withdraw:run",
            "serve",
            ends_in_time=True,
        )
    },
    """examples:
  inkling mqtt withdraw --mqtt mqtt://localhost --site home --device 3""",
)

HOST = Group(
    "receive and classify frames, and talk to boards",
    {
        "receive": _host("receive", "receive and classify what boards or a gateway send"),
        # Not in time: it first finishes what has arrived.
        "decode": Command(
            "decode what gateways of many sites publish to an MQTT broker",
            "host.cli.site.parsers:decode",
            "host.cli.site.decode:run",
            "serve",
        ),
        # Not in time: it first writes what was received, and sends what the broker can take.
        "serve": Command(
            "receive, classify, remember, show on a page, and publish",
            "host.cli.site.parsers:serve",
            "host.cli.site.serve:run",
            "serve",
        ),
        "run": _host("run", "send images to a board and classify what it returns"),
        "capture": _host("capture", "let a board take an image and classify what it returns"),
        "readings": Command(
            "list, convert or export stored readings",
            "host.cli.readings.parsers:readings",
            "host.cli.readings.command:run",
            ends_in_time=True,
        ),
        "teach": _host("teach", "teach the host new classes for boards with a general bundle"),
        "find": _host("find", "find the readings that are most like one of them"),
        "devices": _host("devices", "list serial ports and the boards on them"),
        "info": _host("info", "show a board's firmware, model and memory"),
        "mode": _host("mode", "show or set what a board sends: answers or features"),
        "flash": _host("flash", "build the firmware with a bundle and flash a board", "firmware"),
        "keys": KEYS,
        # Not in time: it first sends what the broker can take, for two seconds.
        "gateway": Command(
            "publish what gateway boards and LoRa concentrators receive to an MQTT broker",
            "host.cli.mqtt.parsers:gateway",
            "host.cli.mqtt.gateway:run",
            "serve",
        ),
        "mqtt": MQTT,
        "bench": _host("bench", "time a board's encoder and model its energy"),
    },
    """examples:
  inkling flash --env esp32dev --bundle bundles/cifar10
  inkling info --port /dev/ttyUSB0
  inkling run cat.jpg --port /dev/ttyUSB0 --bundle bundles/cifar10
  inkling receive --port /dev/ttyUSB0 --bundle bundles/cifar10 --json readings.jsonl""",
)

SIM = Group(
    "simulate bad links, live or replayed",
    {
        "proxy": _sim("proxy", "corrupt live traffic between a board and a host"),
        "replay": _sim("replay", "replay a recording to a host"),
        "lora": _sim("lora", "print air time and error rates of a LoRa link"),
        "air": _sim("air", "connect simulated radios"),
    },
    """examples:
  inkling sim proxy --board /dev/ttyUSB0 --listen tcp://127.0.0.1:4001 --ber 0.05 --record trace.jsonl
  inkling sim replay trace.jsonl --listen tcp://127.0.0.1:4001 --channel bursts:ber=0.02""",
)

TRAIN = Command(
    "train a codec or a base classifier",
    "train.cli:parser",
    "train.cli:run",
    "train",
    "interrupted; the same command resumes after the last finished epoch",
)
SWEEP = Command(
    "train a config with several values of its settings, and rank them",
    "train.sweep:parser",
    "train.sweep:run",
    "sweep",
    "interrupted; the same command resumes",
)
EXPORT = Command(
    "turn a trained run into a bundle", "export.cli:parser", "export.cli:run", "export", "interrupted; nothing written"
)
EVALUATE = Command(
    "test a bundle or a run on its test images",
    "export.evaluation.cli:parser",
    "export.evaluation.cli:run",
    "export",
    "interrupted",
)
COMPLETION = Command("print a shell completion script", "inkling.completion:parser", "inkling.completion:run")

ROOT = Group(
    "Image recognition for microcontrollers over bad links: a few dozen bytes per image, robust to bit errors.",
    {
        **HOST.commands,
        "sim": SIM,
        "train": TRAIN,
        "sweep": SWEEP,
        "export": EXPORT,
        "evaluate": EVALUATE,
        "completion": COMPLETION,
    },
    HOST.epilog,
)

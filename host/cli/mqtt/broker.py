"""The broker that a command names."""

from argparse import Namespace

from host.mqtt.broker import Broker


def broker_of(options: Namespace) -> Broker:
    """Return the broker of `add_broker`. Raises HostError."""
    return Broker.of(
        options.mqtt,
        password_file=options.password_file,
        ca=options.ca,
        certificate=options.certificate,
        key=options.key,
    )

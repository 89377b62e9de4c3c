"""`inkling mqtt withdraw`: remove devices from Home Assistant and from the broker."""

import argparse
import time

from host.cli.mqtt.broker import broker_of
from host.errors import HostError
from host.mqtt import topics
from host.mqtt.sender import MemoryOutbox, Sender
from host.publish.home_assistant import config_topic

CONNECT_S, SEND_S, POLL_S = 15.0, 10.0, 0.02


def run(options: argparse.Namespace) -> int:
    """Clear the retained messages of the devices, and return the exit status. Raises HostError."""
    broker, site = broker_of(options), topics.check_name(options.site, "site")
    outbox = MemoryOutbox(most=1)
    for device in dict.fromkeys(options.device):
        outbox.clear(config_topic(options.prefix, site, device))
        outbox.clear(topics.state(site, device))
    sender = Sender(broker, "", [outbox], announced=False)
    sender.start()
    try:
        if problem := sender.first_attempt(CONNECT_S):
            raise HostError(problem)
        deadline = time.monotonic() + SEND_S
        while outbox.waiting and not sender.refused and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if outbox.waiting:
            raise HostError(f"{broker} did not take the withdrawal: check the permissions of the user")
    finally:
        sender.close()
    print(f"withdrawn: {', '.join(f'device {device}' for device in dict.fromkeys(options.device))} of {site}")
    return 0

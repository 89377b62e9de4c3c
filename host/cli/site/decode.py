"""`inkling decode`: decode what gateways of many sites publish, one partition of them."""

import argparse
import logging

from host.cli.mqtt.broker import broker_of
from host.cli.site.logs import logged
from host.publish.home_assistant import HomeAssistant
from host.server.decoding import Decoder, DecodeSettings
from wire.bundle import load as load_bundle
from wire.system import stop_signals


def run(options: argparse.Namespace) -> int:
    """Decode until a signal. Return the exit status."""
    remainder, partitions = options.partition
    settings = DecodeSettings(
        remainder,
        partitions,
        [load_bundle(path) for path in dict.fromkeys(options.bundle)],
        options.state,
        options.keys_folder,
        options.task,
        home_assistant=None if options.no_home_assistant else HomeAssistant(),
    )
    decoder = Decoder(settings, broker_of(options))
    with logged(options.log_json), stop_signals(decoder.stopped.set), decoder.lock():
        if not decoder.stopped.is_set():
            logging.info("partition %d/%d at %s, states in %s", remainder, partitions, options.mqtt, options.state)
            decoder.run()
        logging.info("%d packets, %d of them lost, %d records", decoder.packets, decoder.lost, decoder.records)
    return 0

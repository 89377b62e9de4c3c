"""Gateways over the network: packets of serial lines and of Semtech packet forwarders, to a broker and from it."""

"""Copies of a packet that several gateways received: grouped first, identified from their combined bits second."""

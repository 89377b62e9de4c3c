"""Boards on a port: the client of a board, ports, flashing, energy."""

TIMEOUT_S = 2.0  # in which a board has to answer

"""Boards on a port: the client of a board, ports, flashing and energy."""

TIMEOUT_S = 2.0  # maximum time that a board takes to respond

"""A whole deployment on one machine, without any hardware, for `make serve-demo`."""

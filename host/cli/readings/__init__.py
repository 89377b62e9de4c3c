"""`inkling readings`: its arguments, its formats and the command."""

"""The console command `inkling`: every task of the project as a sub-command."""

__version__ = "0.1.0"

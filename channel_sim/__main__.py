"""Run `python -m channel_sim`."""

import sys

from inkling.cli import main
from inkling.commands import SIM

if __name__ == "__main__":
    sys.exit(main(group=SIM, prog="python -m channel_sim"))

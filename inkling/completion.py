"""`inkling completion`: print a completion script for a shell."""

import argparse


def parser(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = "Prints a script that completes commands and options."
    parser.epilog = """examples:
  inkling completion bash > ~/.local/share/bash-completion/completions/inkling
  inkling completion zsh > ~/.zfunc/_inkling"""
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="shell to print the script for")


def run(options: argparse.Namespace) -> int:
    """Print the script and return the exit status."""
    import shtab

    from inkling.cli import build_all
    from inkling.commands import ROOT

    print(shtab.complete(build_all(ROOT, "inkling"), shell=options.shell))
    return 0

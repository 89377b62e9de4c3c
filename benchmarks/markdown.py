"""Tables in Markdown."""

from collections.abc import Sequence


def table(text: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a text, which may be empty, and a table: the first column to the left, the others to the right."""
    lines = [
        *([text] if text else []),
        f"| {' | '.join(head)} |",
        "| --- |" + " ---: |" * (len(head) - 1),
        *[f"| {' | '.join(row)} |" for row in rows],
    ]
    return "\n".join(lines) + "\n"

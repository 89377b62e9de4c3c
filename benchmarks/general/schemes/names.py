"""The schemes' names in the figures."""

REFITTED, SCRATCH, PERFECT = "refitted", "scratch", "perfect"


def inkling(size: int) -> str:
    """Return the name of Inkling with payloads of that many bytes."""
    return f"inkling-{size}"


def compressed(kind: str, size: int) -> str:
    """Return the name of compressed images of that many bytes."""
    return f"{kind}-{size}"

"""The section of docs/RESULTS.md on answer frames, from answers.json."""

from benchmarks.markdown import table

FIGURES = {  # of one experiment: key -> heading
    "right": "correct",
    "lost": "lost",
    "wrong": "wrong",
    "unsure": "marked unsure",
    "wrong_but_sure": "wrong, not marked",
}
METHOD = """An answer frame has 8 bytes (12 with the sync word of a serial line) and no CRC. Classes and confidence
levels are random and equally likely; bits flip independently. *Known device*: the receiver compares with all answers
that the device can send next. *New device*: an empty receiver decodes the BCH code, up to 5 flips. *Correct* and
*wrong* are by class, *lost* was not found, *unsure* is an answer with another class less than 4 flips farther away,
which the host marks. An image whose answer is lost or wrong counts as wrong in all accuracies.
"""


def section(answers: dict) -> str:
    """Return the section in Markdown."""
    return "\n".join(
        [
            "## Answer frames\n",
            f"{answers['frames']:,} frames per bit error rate, seed {answers['seed']}; {answers['date']}, "
            f"`{answers['command']}`.\n",
            METHOD,
            *[_received(name, by_ber) for name, by_ber in answers["received"].items() if _is_shown(name)],
            _losses(answers),
            _false(answers),
            _layouts(answers),
        ]
    )


def _is_shown(name: str) -> bool:
    """Return True for the experiments that are shown in full: by radio, with the classes of the two bundles."""
    return name.endswith("radio") and name.startswith(("10 ", "100 "))


def _received(name: str, by_ber: dict[str, dict[str, float]]) -> str:
    return table(
        f"{name}, %:\n",
        ["", *by_ber],
        [[heading, *[_percent(row[key]) for row in by_ber.values()]] for key, heading in FIGURES.items()],
    )


def _losses(answers: dict) -> str:
    """Return the shares that do not arrive as they were sent, of everything that was measured and of opponents."""
    bers = list(next(iter(answers["received"].values())))
    rows = [
        [f"answer frame, {name}", *[_percent(1 - row["right"]) for row in by_ber.values()]]
        for name, by_ber in answers["received"].items()
    ]
    rows += [
        [f"one byte, {name}", *[_percent(share) for share in by_ber.values()]]
        for name, by_ber in answers["opponents"].items()
    ]
    return table(
        "Lost or wrong, %, beside one byte behind a 3-byte header and a CRC, and the same in a BCH code of the length "
        "of an answer frame (computed; every flip that is not corrected loses the packet):\n",
        ["", *bers],
        rows,
    )


def _false(answers: dict) -> str:
    shares = "; ".join(f"{name} {share:.2g}" for name, share in answers["false_per_packet"].items())
    return (
        f"False answers per foreign packet of exactly 8 random bytes ({answers['noise_packets']:,} packets each): "
        f"{shares}. Foreign packets of other lengths are never answers.\n"
    )


def _layouts(answers: dict) -> str:
    bers = list(next(iter(answers["layouts"].values())))
    rows = [
        [name, *[f"{_percent(1 - row['right'])} ({_percent(row['unsure'])})" for row in by_ber.values()]]
        for name, by_ber in answers["layouts"].items()
    ]
    return table(
        "Would more bytes help a known device? Lost or wrong, and in brackets unsure, %, of layouts with bits of the "
        "answer word after the 8 bytes. At SF7 and 4/5 they take 5 symbols more, 14 % of the air time of an answer:\n",
        ["", *bers],
        rows,
    )


def _percent(share: float) -> str:
    """Return a share in percent with three digits: 12.3, 0.04, 0."""
    return f"{100 * share:.1f}" if share >= 0.01 or not share else f"{100 * share:.2g}"

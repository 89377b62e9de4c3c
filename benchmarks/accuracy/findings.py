"""Findings about the paper's claims, in sentences made from the figures of the comparison under equal terms."""

import math
from statistics import mean

from benchmarks.accuracy.experiments import BOARD, INKLING, PLAIN, Figures
from benchmarks.images import title

PAPERS_SYSTEM = "semanticnn"
NOISY = "0.1"  # the BER at which robustness is judged
ROBUST = 0.9  # share of its clean accuracy that a robust system keeps there
PAPERS_RATIOS = (56.82, 344.83)  # features to payload, in the abstract
QUESTIONS = {
    "noxai": "XAI",
    "nostage1": "Stage 1",
    "hard": "Soft quantization",
    "noberinput": "BER as an input of the decoder",
}
# What is worth what: each system and the one before it, which differs in one thing.
STEPS = {
    "Inkling's encoder": ("semanticnn_inkling", "semanticnn_device"),
    "Inkling's host": ("inkling_frozen", "semanticnn_inkling"),
    "joint training": (INKLING, "inkling_frozen"),
}
NOT_SEEN = "not seen at this budget"


def difference(one: Figures, other: Figures) -> tuple[float, float]:
    """Return the mean over the BER grid of one's accuracy minus the other's, and the margin of that difference.

    The margin is 1.96 standard errors of a difference of two proportions.
    """
    p, q = (mean(figures["accuracy"].values()) for figures in (one, other))
    return p - q, 1.96 * math.sqrt(p * (1 - p) / one["images"] + q * (1 - q) / other["images"])


def complete(figures: Figures, ablations: list[Figures]) -> list[Figures]:
    """Return the ablations of a system on the same data set and base classifier."""
    same = ("system", "dataset", "classifier", "base_trained")
    return [a for a in ablations if all(a.get(key, False) == figures.get(key, False) for key in same)]


def findings(measured: dict[str, Figures], expected: dict[str, str | None]) -> list[str]:
    """Return the paragraphs; `expected` gives the ablation, or None, of every experiment, measured or not."""
    rows = list(measured.values())
    whole = [row for row in rows if row["system"] == PAPERS_SYSTEM and not row["ablation"]]
    ablations = [row for row in rows if row["system"] == PAPERS_SYSTEM and row["ablation"]]
    names = [name for name in dict.fromkeys(expected.values()) if name]
    lines = [_ablation(name, whole, ablations) for name in sorted(names, key=_order)]
    lines += [_robust(row, rows) for row in whole] or ["- **Robust at high BER.** Not measured yet."]
    lines += [_others(row, rows) for row in whole]
    lines += [_steps(row, rows) for row in rows if row["system"] == PLAIN]
    lines += [_smaller(whole)] + [line for row in whole for line in _defaults(row, rows)]
    return [line for line in lines if line]


def _order(ablation: str) -> int:
    return list(QUESTIONS).index(ablation) if ablation in QUESTIONS else len(QUESTIONS)


def _where(figures: Figures) -> str:
    trained = ", trained with the systems" if figures.get("base_trained") else ""
    return f"{title(figures['dataset'])}, `{figures['classifier']}`{trained}"


def _name(figures: Figures) -> str:
    """Return the system's name as the configs spell it; Inkling with its bytes, as there may be several."""
    size = f" ({figures['payload_bytes']:g} bytes)" if figures["system"] == INKLING else ""
    return f"`{figures['system'].replace('_', '-')}`{size}"


def _ablation(ablation: str, whole: list[Figures], ablations: list[Figures]) -> str:
    question = QUESTIONS.get(ablation, f"The part that `{ablation}` leaves out")
    parts = []
    for figures in whole:
        for without in complete(figures, [a for a in ablations if a["ablation"] == ablation]):
            gain, margin = difference(figures, without)
            noisy = figures["accuracy"][NOISY] - without["accuracy"][NOISY]
            points = f"{_points(gain, margin)}; {100 * noisy:+.2f} at BER {NOISY}"
            parts.append(f"{_where(figures)}: {_verdict(gain, margin)} ({points})")
    return f"- **{question}.** {'; '.join(parts) if parts else 'Not measured yet'}."


def _verdict(gain: float, margin: float) -> str:
    if abs(gain) <= margin:
        return "no significant difference at this budget"
    return "it helps" if gain > 0 else "it lowers accuracy at this budget"


def _against(gain: float, margin: float, other: str) -> str:
    word = "no significant difference from" if abs(gain) <= margin else ("better than" if gain > 0 else "worse than")
    return f"{word} {other} ({_points(gain, margin)})"


def _points(gain: float, margin: float) -> str:
    return f"{100 * gain:+.2f} points, margin {100 * margin:.2f}"


def _kept(figures: Figures) -> float:
    return figures["accuracy"][NOISY] / figures["accuracy"]["0"]


def _rivals(figures: Figures, rows: list[Figures]) -> list[Figures]:
    """Return the other systems on the same data set, on the same base classifier if they have one.

    Where the base classifier is trained with the system, it is in those, too.
    """
    return [
        row
        for row in rows
        if row["dataset"] == figures["dataset"]
        and (row["classifier"] is None or _base(row) == _base(figures))
        and row["system"] != figures["system"]
        and not row["ablation"]
    ]


def _base(figures: Figures) -> tuple[str, bool]:
    return figures["classifier"], figures.get("base_trained", False)


def _robust(figures: Figures, rows: list[Figures]) -> str:
    rivals = sorted(_rivals(figures, rows), key=lambda row: row["system"])
    plain = max((_kept(row) for row in rivals if row["system"] == PLAIN), default=0.0)
    robust = _kept(figures) >= ROBUST and _kept(figures) > plain
    others = "; ".join(f"{_name(row)} {100 * _kept(row):.1f} %" for row in rivals)
    return (
        f"- **Robust at high BER** ({_where(figures)}): at BER {NOISY}, {_name(figures)} keeps "
        f"{100 * _kept(figures):.1f} % of its clean accuracy{f' ({others})' if others else ''}. Robust means here "
        f"that a system keeps {100 * ROBUST:.0f} %, and more than `{PLAIN}`: {'seen' if robust else NOT_SEEN}."
    )


def _others(figures: Figures, rows: list[Figures]) -> str:
    parts = []
    for rival in sorted(_rivals(figures, rows), key=lambda row: row["system"]):
        if rival["system"] not in (PLAIN, BOARD) and not rival["system"].startswith((PAPERS_SYSTEM, INKLING)):
            parts.append(_against(*difference(figures, rival), _name(rival)))
    if not parts:
        return ""
    return f"- **Against the other learned codecs** ({_where(figures)}): at this budget, {'; '.join(parts)}."


def _steps(base: Figures, rows: list[Figures]) -> str:
    """Return what leads from SemanticNN on a device to Inkling, of the base classifier of these figures."""
    found = {row["system"]: row for row in [base, *_rivals(base, rows)] if row["system"] != INKLING}
    if frozen := found.get("inkling_frozen"):
        for row in _rivals(base, rows):
            if row["system"] == INKLING and row["payload_bytes"] == frozen["payload_bytes"]:
                found[INKLING] = row
    parts = [
        f"{what} {_points(*difference(found[one], found[other]))}"
        for what, (one, other) in STEPS.items()
        if one in found and other in found
    ]
    if not parts:
        return ""
    return f"- **From SemanticNN on a device to Inkling**, at the same bytes ({_where(base)}): {'; '.join(parts)}."


def _smaller(whole: list[Figures]) -> str:
    low, high = PAPERS_RATIOS
    claim = f"- **{low:g} to {high:g} times smaller** than the features"
    parts = []
    for figures in whole:
        floats, rgb = figures["ratio_float_features"], figures["ratio_rgb"]
        word = "supported" if low <= floats <= high else "not supported"
        parts.append(f"{_where(figures)}: {floats:.0f} : 1, {word}; against the raw pixels {rgb:.0f} : 1")
    if not parts:
        return f"{claim}. Not measured yet."
    return f"{claim}, as the paper's abstract says. This depends on sizes alone, not on training. {'; '.join(parts)}."


def _defaults(figures: Figures, rows: list[Figures]) -> list[str]:
    """Return one line for each codec of Inkling on the same data set, and for each board that only answers."""
    return [_default(figures, row) for row in _rivals(figures, rows) if row["system"] in (INKLING, BOARD)]


def _default(figures: Figures, inkling: Figures) -> str:
    name = "Inkling" if inkling["system"] == INKLING else "The board alone"
    teacher = "with a teacher" if inkling["recipe"]["config"]["teacher"] else "without a teacher"
    return (
        f"- **{name}** ({_where(figures)}): {inkling['payload_bytes']:g} bytes against "
        f"{figures['payload_bytes']:g}, {inkling['epochs']} epochs in total {teacher} against {figures['epochs']}, "
        f"{inkling['encoder_macs'] / 1e6:.2f} million MACs on the device against {figures['encoder_macs'] / 1e6:.2f}: "
        f"{_against(*difference(inkling, figures), _name(figures))}."
    )

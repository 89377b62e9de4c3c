"""What the comparison under equal terms says of the paper's claims, in sentences made from its figures."""

import math
from statistics import mean

from benchmarks.accuracy.experiments import INKLING, PLAIN

PAPERS_SYSTEM = "semanticnn"
NOISY = "0.1"  # the BER at which robustness is judged
ROBUST = 0.9  # share of its clean accuracy that a robust system keeps there
PAPERS_RATIOS = (56.82, 344.83)  # features to payload, in the abstract
QUESTIONS = {
    "noxai": "XAI",
    "nostage1": "Stage 1",
    "hard": "Soft quantization",
    "noberinput": "Telling the decoder the BER",
}

Figures = dict  # one cell's JSON
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


def title(dataset: str) -> str:
    """A data set as it is written."""
    return DATASETS.get(dataset, dataset)


def difference(one: Figures, other: Figures) -> tuple[float, float]:
    """Mean over the BER grid of one's accuracy less the other's, and what chance may make of it."""
    p, q = (mean(figures["accuracy"].values()) for figures in (one, other))
    return p - q, 1.96 * math.sqrt(p * (1 - p) / one["images"] + q * (1 - q) / other["images"])


def complete(figures: Figures, ablations: list[Figures]) -> list[Figures]:
    """The ablations of a system on the same data set and base classifier."""
    same = ("system", "dataset", "classifier")
    return [a for a in ablations if all(a[key] == figures[key] for key in same)]


def findings(measured: dict[str, Figures], expected: dict[str, str | None]) -> list[str]:
    """The paragraphs; `expected` gives the ablation, or None, of every cell, also of those not measured yet."""
    cells = list(measured.values())
    whole = [c for c in cells if c["system"] == PAPERS_SYSTEM and not c["ablation"]]
    ablations = [c for c in cells if c["system"] == PAPERS_SYSTEM and c["ablation"]]
    wanted = [a for a in dict.fromkeys(expected.values()) if a]
    lines = [_ablation(name, whole, ablations) for name in sorted(wanted, key=_order)]
    lines += [_robust(c, cells) for c in whole] or ["- **Robust at high BER.** Not measured yet."]
    lines += [_others(c, cells) for c in whole]
    lines += [_smaller(whole)] + [_default(c, cells) for c in whole]
    return [line for line in lines if line]


def _order(ablation: str) -> int:
    return list(QUESTIONS).index(ablation) if ablation in QUESTIONS else len(QUESTIONS)


def _where(figures: Figures) -> str:
    return f"{title(figures['dataset'])}, `{figures['classifier']}`"


def _ablation(ablation: str, whole: list[Figures], ablations: list[Figures]) -> str:
    name = QUESTIONS.get(ablation, f"What `{ablation}` leaves out")
    said = []
    for figures in whole:
        for without in complete(figures, [a for a in ablations if a["ablation"] == ablation]):
            gain, chance = difference(figures, without)
            noisy = figures["accuracy"][NOISY] - without["accuracy"][NOISY]
            said.append(
                f"{_where(figures)}: {_verdict(gain, chance)} ({_points(gain)} in the mean over the BER grid, "
                f"{_points(noisy)} at {NOISY}; chance may make {100 * chance:.2f})"
            )
    return f"- **{name}.** {'; '.join(said) if said else 'Not measured yet'}."


def _verdict(gain: float, chance: float) -> str:
    if abs(gain) <= chance:
        return "no difference that these images show"
    return "it helps" if gain > 0 else "it does harm"


def _against(gain: float, chance: float, other: str) -> str:
    word = "on a par with" if abs(gain) <= chance else ("better than" if gain > 0 else "worse than")
    return f"{word} `{other}` ({_points(gain)} in the mean over the BER grid; chance may make {100 * chance:.2f})"


def _points(value: float) -> str:
    return f"{100 * value:+.2f} points"


def _kept(figures: Figures) -> float:
    return figures["accuracy"][NOISY] / figures["accuracy"]["0"]


def _rivals(figures: Figures, cells: list[Figures]) -> list[Figures]:
    """The other systems on the same data set, on the same base classifier where they have one."""
    return [
        c
        for c in cells
        if c["dataset"] == figures["dataset"]
        and c["classifier"] in (None, figures["classifier"])
        and c["system"] != figures["system"]
        and not c["ablation"]
    ]


def _robust(figures: Figures, cells: list[Figures]) -> str:
    others = {c["system"]: _kept(c) for c in _rivals(figures, cells)}
    held = _kept(figures) >= ROBUST and _kept(figures) > others.get(PLAIN, 0.0)
    said = "; ".join(f"`{name}` {100 * kept:.1f} %" for name, kept in sorted(others.items()))
    return (
        f"- **Robust at high BER** ({_where(figures)}): at {NOISY} it keeps {100 * _kept(figures):.1f} % of its clean "
        f"accuracy{f' ({said})' if said else ''}. We call {100 * ROBUST:.0f} %, and more than `{PLAIN}` keeps, robust: "
        f"{'supported' if held else 'not supported'}."
    )


def _others(figures: Figures, cells: list[Figures]) -> str:
    said = []
    for rival in sorted(_rivals(figures, cells), key=lambda c: c["system"]):
        if rival["system"] not in (INKLING, PLAIN) and not rival["system"].startswith(PAPERS_SYSTEM):
            said.append(_against(*difference(figures, rival), rival["system"]))
    return f"- **Against the other learned codecs** ({_where(figures)}): {'; '.join(said)}." if said else ""


def _smaller(whole: list[Figures]) -> str:
    low, high = PAPERS_RATIOS
    claim = f"- **{low:g} to {high:g} times smaller** than the features"
    said = []
    for figures in whole:
        floats, rgb = figures["ratio_float_features"], figures["ratio_rgb"]
        word = "supported" if low <= floats <= high else "not supported"
        said.append(f"{_where(figures)}: {floats:.0f} : 1, {word}; against the raw pixels {rgb:.0f} : 1")
    if not said:
        return f"{claim}. Not measured yet."
    return f"{claim}, as the paper's abstract has it. Sizes alone decide that, no training: {'; '.join(said)}."


def _default(figures: Figures, cells: list[Figures]) -> str:
    ours = [c for c in _rivals(figures, cells) if c["system"] == INKLING]
    if not ours:
        return ""
    gain, chance = difference(ours[0], figures)
    return (
        f"- **Inkling's default** ({_where(figures)}): {ours[0]['payload_bytes']:g} bytes against "
        f"{figures['payload_bytes']:g}, {ours[0]['epochs']} epochs in all against {figures['epochs']}, "
        f"{ours[0]['encoder_macs'] / 1e6:.2f} million MACs on the device against {figures['encoder_macs'] / 1e6:.2f}: "
        f"{_against(gain, chance, PAPERS_SYSTEM)}."
    )

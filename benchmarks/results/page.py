"""docs/RESULTS.md: its sections, and the committed figures that each of them needs."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy import codec_page
from benchmarks.accuracy import page as accuracy_page
from benchmarks.accuracy.experiments import experiments, stored
from benchmarks.accuracy.references import references, with_instructions
from benchmarks.adaptive import page as adaptive_page
from benchmarks.adaptive import plots as adaptive_plots
from benchmarks.answers import page as answers_page
from benchmarks.command import BUNDLE, RESULTS, ResultsError, read_json, result_file
from benchmarks.decode_rate import page as rate_page
from benchmarks.demo import page as demo_page
from benchmarks.device import crypto
from benchmarks.device import page as device_page
from benchmarks.device.baseline import load as load_baseline
from benchmarks.gateways import page as gateways_page
from benchmarks.general import page as general_page
from benchmarks.general import plots as general_plots
from benchmarks.goodput import page as goodput_page
from benchmarks.goodput.plots import draw_lora, draw_serial
from benchmarks.receiver import page as receiver_page
from benchmarks.serve_soak import page as soak_page
from benchmarks.store import page as store_page
from wire.errors import InklingError

PAGE = Path("docs/RESULTS.md")
BUNDLE_SECTION = "codec"
GENERAL = "general64"  # the bundle whose classes are taught later
FEATURES = "cifar10-features"  # the bundle of the sections that compare ways of sending features
HEAD = """# Results

`make results` writes this page from the figures in `benchmarks/results`, which `make bench-codec`,
`make bench-adaptive`, `make bench-answers`, `make bench-receiver`, `make bench-gateways`, `make bench-soak`,
`make bench-decode`, `make bench-store`, `make bench-goodput`, `make bench-device`, `make bench-accuracy`,
`make bench-general` and `make demo` measure. Nothing here is typed by hand.

- *Accuracy* is the share of delivered frames that are classified correctly; *of all sent* counts lost frames as wrong.
- *BER* is the bit error rate: true bit flips, independent of each other, over the whole frame with its sync word and
  header.
- 1 kB = 1000 bytes.
"""


@dataclass(frozen=True)
class Section:
    """A section of the page: its heading, the command that measures its figures, its text and its plots.

    read: folder of the results -> figures; text: figures -> Markdown; draw: folder, figures -> names of the plots.
    bundle: whose figures these are; those of one bundle must be of one model.
    """

    heading: str
    command: str
    read: Callable[[Path], tuple[Any, ...]]
    text: Callable[..., str]
    draw: Callable[..., list[str]] = lambda folder, *figures: []
    bundle: str = BUNDLE.name


def _json(name: str) -> Callable[[Path], tuple[Any, ...]]:
    return lambda results: (read_json(results / name),)


def _read_device(results: Path) -> tuple[Any, ...]:
    costs = read_json(results / "device.json")
    details = read_json(results / "device_details.json")
    bundle = next(iter(costs), "")
    for name in costs:
        if name not in details:
            raise ResultsError(f"{results / 'device_details.json'} has nothing about {name!r}")
    return bundle, costs, details, load_baseline(results / "device_baseline.json")


def _read_accuracy(results: Path) -> tuple[Any, ...]:
    measured = stored(results / "accuracy")
    if not measured:
        raise ResultsError(f"{results / 'accuracy'} has no figures")
    return experiments(), with_instructions(measured, results), references(results)


def _of_bundle(name: str) -> dict[str, Section]:
    """Return the sections about one bundle that ships, by the names of their files."""
    bundle = Path("bundles") / name
    codec, adaptive = (result_file(benchmark, bundle).stem for benchmark in ("codec", "adaptive"))
    argument = "" if bundle == BUNDLE else f" ARGS='--bundle {bundle}'"
    return {
        codec: Section(
            f"The bundle {name}",
            f"make bench-codec{argument}",
            _json(f"{codec}.json"),
            codec_page.section,
            codec_page.draw,
            name,
        ),
        adaptive: Section(
            f"Adaptive mode, {name}",
            f"make bench-adaptive{argument}",
            _json(f"{adaptive}.json"),
            adaptive_page.section,
            adaptive_plots.draw,
            name,
        ),
    }


# The sections about bundles, the default one first; those of a bundle that does not ship yet, and the comparison of the
# adaptive mode, which takes hours, are there once they are measured.
ABOUT_BUNDLES = {
    key: section
    for name in ("cifar10", "cifar100")
    for key, section in _of_bundle(name).items()
    if key == BUNDLE_SECTION or (RESULTS / f"{key}.json").is_file()
}

# The section about classes that are taught later, once they are measured.
TAUGHT_LATER = {
    key: Section(
        "Classes taught later",
        "make bench-general",
        _json(f"{key}.json"),
        general_page.section,
        general_plots.draw,
        GENERAL,
    )
    for key in ("general",)
    if (RESULTS / f"{key}.json").is_file()
}

# Sections whose figures take long, once they are measured.
LATER = {
    "gateways": Section(
        "Copies of several gateways",
        "make bench-gateways",
        _json("gateways.json"),
        gateways_page.section,
        gateways_page.draw,
        FEATURES,
    ),
    "soak": Section(
        "A deployment whose processes are killed",
        "make bench-soak",
        _json("soak.json"),
        soak_page.section,
    ),
    "decode_rate": Section(
        "Packets per second of inkling decode",
        "make bench-decode",
        _json("decode_rate.json"),
        rate_page.section,
    ),
    "store": Section("The store", "make bench-store", _json("store.json"), store_page.section),
}

SECTIONS = {
    **ABOUT_BUNDLES,
    **TAUGHT_LATER,
    "answers": Section("Answer frames", "make bench-answers", _json("answers.json"), answers_page.section),
    "receiver": Section(
        "The receiver at its limits",
        "make bench-receiver",
        receiver_page.read,
        receiver_page.section,
    ),
    **{key: section for key, section in LATER.items() if (RESULTS / f"{key}.json").is_file()},
    "goodput": Section(
        "Goodput over a bad link",
        "make bench-goodput ARGS='--bundle bundles/cifar10-features'",
        _json("goodput.json"),
        goodput_page.section,
        lambda folder, figures: [*draw_lora(folder, figures), *draw_serial(folder, figures)],
        FEATURES,
    ),
    "device": Section(
        "On the device",
        "make bench-device",
        _read_device,
        lambda *figures: f"## On the device\n\n{device_page.section(*figures)}",
        device_page.draw,
    ),
    "crypto": Section(
        "Secured frames on the device", "python -m benchmarks.device.crypto", _json("crypto.json"), crypto.section
    ),
    "demo": Section("The demo", "make demo ARGS=--record", _json("demo.json"), demo_page.section),
    "accuracy": Section(
        "Systems under equal terms",
        "make bench-accuracy",
        _read_accuracy,
        accuracy_page.section,
        lambda folder, _, measured, __: accuracy_page.draw(folder, measured),
    ),
}


def read_figures(results: Path, names: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Return the figures of these sections. Raises ResultsError if some are missing, or are of different models."""
    figures: dict[str, tuple[Any, ...]] = {}
    problems = []
    for name in names:
        try:
            figures[name] = SECTIONS[name].read(results)
        except InklingError as error:
            problems.append(f"{error}: run {SECTIONS[name].command}")
    if problems:
        raise ResultsError("; ".join(problems))
    for bundle in {section.bundle for section in SECTIONS.values()}:
        models = {
            name: model_id
            for name, parts in figures.items()
            if SECTIONS[name].bundle == bundle and (model_id := _model_id(name, parts)) is not None
        }
        if len(set(models.values())) > 1:
            listed = ", ".join(f"{name} {model_id}" for name, model_id in models.items())
            raise ResultsError(f"the figures are of different models: {listed}; measure again those of the old model")
    return figures


def _model_id(name: str, parts: tuple[Any, ...]) -> str | None:
    """Return the model that the figures of a section are of; None if they are of no single one."""
    if name == "device":
        bundle, _, details, _ = parts
        return details[bundle]["model_id"]
    return next((part["model_id"] for part in parts if isinstance(part, dict) and "model_id" in part), None)


def page(figures: dict[str, tuple[Any, ...]], old: str = "") -> str:
    """Return the page with these sections; those without figures stay as they are in the old page."""
    texts = sections_of(old)
    for name, arguments in figures.items():
        texts[SECTIONS[name].heading] = SECTIONS[name].text(*arguments).rstrip("\n") + "\n"
    return "\n".join([HEAD, *[texts[one.heading] for one in SECTIONS.values() if one.heading in texts]])


def sections_of(text: str) -> dict[str, str]:
    """Return the sections of a page by their headings."""
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}

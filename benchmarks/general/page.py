"""The section of docs/RESULTS.md on classes that are taught later, from general.json."""

from benchmarks.general.data.problems import POOL, TEST_IMAGES
from benchmarks.general.findings import GOAL_SET, findings, goals, percent, shots_of, spread, title
from benchmarks.general.plots import BYTES_SHOTS, NOISY, file_names
from benchmarks.general.schemes import names
from benchmarks.markdown import table

METHOD = """- *Images*: training has seen none of them. Each of {seeds} seeds chooses other images to teach (5 are among
  the 20, and these among the 100) from at most {pool} per class; of the left-out classes there are several draws. Test
  images are up to {tested:,}, the same number of each class, and never taught; those of blood cells are from other
  photographs. CIFAR-10 and the digits (8 x 8) are enlarged, the cells cropped by their boxes and scaled.
- *Inkling*: symbols of the int8 encoder by TFLite's reference kernels, as the firmware computes them. Tasks are taught
  by the code of `inkling teach`, from the whole payload and its damaged copies; one head serves all prefixes and bit
  error rates. Frames with true bit flips pass the real receiver, which knows the device, and the decoder is given the
  BER that it estimates. Accuracy is of frames delivered; *of all sent* counts lost ones as wrong.
- *Board alone, from scratch*: the bundle's trunk ({layers}) with a pooled answer head, trained on the taught images
  with random crops and mirror images, in float, which is in its favour. The number of steps is chosen on a fifth of the
  taught images, everything else on classes that no problem has.
- *Board alone, pretrained trunk, refitted and reflashed*: the fair opponent, which somebody has to fetch. The ridge
  regression of `inkling teach` on the int8 trunk's feature maps before the latent heads, which have more bits than any
  payload: the mean of the last stage or of all, means and deviations, or every position, whichever is most accurate on
  taught images that are left out. Its arithmetic after the trunk is in float. Boards that answer alone
  send one byte; it is assumed to arrive always, at any bit error rate.
- *WebP, JPEG*: of each image the highest quality whose file fits; the best of {resolutions} pixels is chosen on taught
  images, and an image that does not fit is sent at the next lower one. WebP's container and JPEG's header and tables
  are not counted. The pretrained network ({network}, images enlarged to {network_size}) and the same ridge regression
  follow. Over a clean link only: a single wrong bit can destroy such a file.
- *Perfect image*: the same network on the image itself, the ceiling. It has seen ImageNet, to which Tiny ImageNet's
  classes belong; blood cells and digits are outside its world.
- ± is the standard deviation over draws of classes and seeds.
"""


def section(figures: dict) -> str:
    """Return the section in Markdown."""
    by_images, by_bytes = file_names(figures)
    sets = figures["sets"]
    parts = [
        "## Classes taught later\n",
        f"Bundle {figures['bundle']}, model {figures['model_id']}; {figures['date']}, `{figures['command']}`.\n",
        f"![accuracy against images per class]({by_images})\n",
        "### Findings\n",
        *findings(figures),
    ]
    if GOAL_SET in sets:
        parts.append(
            table(f"Goals, on {sets[GOAL_SET]['title']}:\n", ["goal", "measured", "met"], list(goals(figures)))
        )
    for of_set in sets.values():
        parts += [f"### {of_set['title']}\n", _accuracies(of_set), _by_ber(figures, of_set)]
    shown = f"At {BYTES_SHOTS} images per class; of Inkling also at a BER of {NOISY}:\n"
    parts += ["### Bytes\n", shown, f"![accuracy against bytes]({by_bytes})\n", _sizes(figures), "### Method\n"]
    return "\n".join([*parts, _method(figures)])


def _accuracies(of_set: dict) -> str:
    shots = shots_of(of_set)
    text = (
        f"{of_set['classes']} classes, {of_set['test_images']:,} test images, runs: "
        f"{len(of_set['runs'])} (draws of classes: {of_set['class_draws']}), clean link, accuracy in percent:\n"
    )
    rows = [[title(name), *(_cell(of_set, name, count) for count in shots)] for name in of_set["schemes"]]
    used = [f"{name} {count}" for name, count in of_set["schemes"][names.REFITTED]["features"].items() if count]
    steps = [f"{count} at {n} per class" for n, count in of_set["schemes"][names.SCRATCH]["steps"].items()]
    return table(text, ["images per class", *shots], rows) + (
        f"\nFeatures of the refitted board, number of problems: {', '.join(used)}. Steps of the training from scratch: "
        f"{', '.join(steps)}.\n"
    )


def _by_ber(figures: dict, of_set: dict) -> str:
    shots = shots_of(of_set)
    own = [names.inkling(size) for size in figures["payload_bytes"]]
    bers = list(of_set["schemes"][own[0]]["by_shots"][shots[0]])
    rows = [
        [f"{title(name)}, {count} per class", *(_noisy_cell(of_set, name, count, ber) for ber in bers)]
        for name in own
        for count in shots
    ]
    return table("By bit error rate, in brackets of all sent:\n", ["", *bers], rows)


def _cell(of_set: dict, name: str, shots: str) -> str:
    values = percent(of_set, name, shots)
    return f"{values.mean():.1f} ± {spread(values):.1f}"


def _noisy_cell(of_set: dict, name: str, shots: str, ber: str) -> str:
    values, sent = (percent(of_set, name, shots, ber, key) for key in ("accuracy", "accuracy_sent"))
    return f"{values.mean():.1f} ± {spread(values):.1f} ({sent.mean():.1f})"


def _sizes(figures: dict) -> str:
    rows = [
        [
            f"{of_set['title']}, {title(name).replace(' and the pretrained network', '')}",
            f"{scheme['resolution']}",
            f"{scheme['bare_bytes']:.1f}",
            f"{scheme['file_bytes']:.1f}" if name.startswith("webp") else "-",
        ]
        for of_set in figures["sets"].values()
        for name, scheme in of_set["schemes"].items()
        if "resolution" in scheme
    ]
    return table(
        "Compressed images, mean bytes of the test images:\n",
        ["", "pixels across, at most", "bytes counted", "with WebP's container"],
        rows,
    )


def _method(figures: dict) -> str:
    facts = {key: figures[key] for key in ("seeds", "network", "network_size")} | {"pool": POOL, "tested": TEST_IMAGES}
    layers = ", ".join(figures["layers"])
    return METHOD.format(**facts, layers=layers, resolutions=", ".join(map(str, figures["resolutions"])))

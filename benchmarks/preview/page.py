"""The figures in docs/preview.md, written from preview.json between two marks."""

import re
from pathlib import Path

from benchmarks.command import ResultsError, read_json
from benchmarks.images import title
from benchmarks.markdown import table

DOCS, PAGE, SHEET, FIGURES = Path("docs"), "preview.md", "preview.png", "preview.json"
BEGIN = "<!-- Written by `python -m benchmarks.preview` and `make results`. -->\n"
END = "<!-- End of what is written. -->\n"
NOT_MEASURED = "No preview network has been measured yet.\n"


def section(figures: dict) -> str:
    """Return the figures in Markdown."""
    rows = [
        [f"{size} bytes", ber, f"{row['psnr']:.1f} dB", f"{row['ssim']:.3f}", f"{row['cosine']:.3f}"]
        for size, by_ber in figures["payload_bytes"].items()
        for ber, row in by_ber.items()
    ]
    text = (
        f"Bundle {figures['bundle']}, model {figures['model_id']}; {figures['images']:,} "
        f"{title(figures['dataset'])} test images, which chose nothing, {figures['images_of_left_out_classes']:,} of "
        f"them of classes that the codec has never seen. Frames with true bit flips pass through the receiver, whose "
        f"estimate of the bit error rate the network is given; the figures are means over the frames delivered, one "
        f"draw of flips, seed {figures['seed']}; {figures['date']}, `{figures['command']}`. A preview takes "
        f"{figures['preview_ms']:.1f} ms on one core of the machine that measured.\n"
    )
    meanings = (
        "\n*PSNR* and *SSIM* (Gaussian windows, scikit-image) compare pixels and local structure. *Cosine* is "
        f"that of the embeddings of preview and image by {figures['network']}: a perceptual measure, as LPIPS is, and "
        "1 for equal images. Two different test images have "
        f"{figures['cosine_of_other_images']:.3f} in the mean. The codec was trained to carry this embedding; the "
        "preview network was not trained for it.\n"
    )
    sheet = (
        f"\n![Photographs and their previews]({SHEET})\n\nPhotographs that come with scikit-image and are free of "
        "rights, cropped and scaled as on a board. Neither network has seen them.\n"
    )
    return table(text, ["payload", "BER", "PSNR", "SSIM", "cosine"], rows) + meanings + sheet


def filled(text: str, content: str) -> str:
    """Return the text of a page with `content` between its marks. Raises ResultsError without these."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ResultsError(f"{PAGE} has no lines {BEGIN.strip()} and {END.strip()}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def content_of(text: str) -> str:
    """Return what is between the marks of a page."""
    found = re.search(f"{re.escape(BEGIN)}\n(.*)\n{re.escape(END)}", text, re.DOTALL)
    if not found:
        raise ResultsError(f"{PAGE} has no lines {BEGIN.strip()} and {END.strip()}")
    return found[1]


def check(docs: Path) -> None:
    """Raise ResultsError or OSError if the page cannot be filled."""
    content_of((docs / PAGE).read_text(encoding="utf-8"))


def write(figures: dict, docs: Path) -> None:
    """Fill the page in a folder."""
    file = docs / PAGE
    file.write_text(filled(file.read_text(encoding="utf-8"), section(figures)), encoding="utf-8")


def refresh(results: Path, docs: Path) -> list[str]:
    """Fill the page from the figures in a folder, if there are both; return the names of the files written."""
    if not (results / FIGURES).is_file() or not (docs / PAGE).is_file():
        return []
    write(read_json(results / FIGURES), docs)
    return [str(docs / PAGE)]

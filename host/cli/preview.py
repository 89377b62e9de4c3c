"""Previews as PNG files: what a general bundle's preview network makes of received symbols."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from host.classify.classifier import Reading
from host.classify.preview import PreviewDecoder
from host.errors import HostError
from host.image.png import png_of
from wire import files
from wire.bundle import Bundle


class PreviewFile:
    """File that gets the preview of a reading. Raises HostError if the bundle has no preview network."""

    def __init__(self, file: Path, bundle: Bundle) -> None:
        self._file, self._decoder = file, PreviewDecoder(bundle)

    def write(self, reading: Reading) -> None:
        """Write the preview. Raises HostError if the file cannot be written."""
        write_png(self._decoder.image(reading.symbols, reading.payload_ber), self._file)


class PreviewFolder:
    """Folder that gets the preview of each image, IMAGE_ID.png; of a bundle without a preview network, none.

    A later frame of the image replaces its preview by that from all its frames. Of bundles with equal model_id, the
    last one counts, as in a Classifier. Raises HostError if no bundle has a preview network, if one cannot be run, or
    if the folder cannot be written to; it is made if it is missing.
    """

    def __init__(self, folder: Path, bundles: Sequence[Bundle]) -> None:
        by_id = {bundle.model_id: bundle for bundle in bundles}
        self._decoders = {
            model_id: PreviewDecoder(bundle) for model_id, bundle in by_id.items() if bundle.has_preview
        } or {bundles[0].model_id: PreviewDecoder(bundles[0])}  # which says what is missing
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
        except OSError as error:
            raise HostError(f"cannot write to {folder}: {error.strerror}") from None

    def write(self, reading: Reading) -> None:
        """Write the preview of a reading, if its bundle has them. Raises HostError if the file cannot be written."""
        decoder = self._decoders.get(reading.frame.model.model_id)
        if decoder:
            image = decoder.image(reading.symbols, reading.payload_ber)
            write_png(image, self._folder / f"{reading.image_id}.png")


def write_png(pixels: np.ndarray, file: Path) -> None:
    """Write an image, uint8 (H, W, 1 or 3), completely or not at all. Raises HostError if it cannot be written."""
    write_whole(png_of(pixels), file)


def write_whole(content: bytes, file: Path) -> None:
    """Write a file completely or not at all. Raises HostError if it cannot be written."""
    try:
        files.write_whole(file, content)
    except OSError as error:
        raise HostError(f"cannot write {file}: {error.strerror}") from None

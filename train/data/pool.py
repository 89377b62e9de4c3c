"""Images of several data sets, without labels: what a general codec learns from."""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from host.errors import HostError
from host.image.folder import files_below, other_files_note
from train.config import DataConfig, GeneralConfig
from train.data import image_folder
from train.data.datasets import FOLDER, Dataset, find, load_for
from train.data.sampling import TEST_SPLIT, TEST_SUBSET
from train.errors import TrainError

TEST_IMAGES = 2000


def load_pool(config: GeneralConfig, log: Callable[[str], None] = print, *, strict: bool = False) -> Dataset:
    """Load the images of all data sets of a run, without those of the classes that it leaves out.

    Image files that cannot be read are left out and logged; if `strict`, they are errors.

    Labels number the images, training images first: what an image's embedding is found by. Raises TrainError if a data
    set cannot be loaded or has grey images, and for a class that is not in data.name.
    """
    shape: tuple[int, int, int] | None = None
    train: list[np.ndarray] = []
    test: list[np.ndarray] = []
    names = [config.data.name, *config.embedding.more]
    for name in names:
        data = load_images(name, config.data, shape, log, strict=strict)
        if data.x_train.shape[3] != 3:
            raise TrainError(f"{name}: embeddings are of colour images, these have {data.x_train.shape[3]} channel")
        left_out = config.embedding.left_out if shape is None else ()
        if max(left_out, default=-1) >= len(data.classes) or min(left_out, default=0) < 0:
            raise TrainError(f"embedding.left_out: {name} has the classes 0 to {len(data.classes) - 1}")
        shape = shape or (data.x_train.shape[1], data.x_train.shape[2], 3)
        for images, labels, parts in ((data.x_train, data.y_train, train), (data.x_test, data.y_test, test)):
            parts.append(resized(images[~np.isin(labels, left_out)], shape))
        log(f"{name}: {len(train[-1]):,} images" + (f", without {len(left_out)} classes" if left_out else ""))
    x_train, x_test = np.concatenate(train), np.concatenate(test)
    chosen = np.sort(np.random.default_rng(TEST_SUBSET).permutation(len(x_test))[:TEST_IMAGES])
    n = len(x_train)
    return Dataset(" + ".join(names), x_train, np.arange(n), x_test[chosen], n + np.arange(len(chosen)), ("image",), "")


def load_images(
    name: str,
    data: DataConfig,
    shape: tuple[int, int, int] | None = None,
    log: Callable[[str], None] = print,
    *,
    strict: bool = False,
) -> Dataset:
    """Load one data set; a folder needs no folders of classes, and is resized to `shape` or else to data.size.

    Raises TrainError if it cannot be loaded, or if `strict` and an image file cannot be read.
    """
    size = data.size if shape is None else shape[:2]
    if not name.startswith(FOLDER):
        return load_for(DataConfig(name), log, labelled=False)
    if size is None:
        raise TrainError(f"{name}: set data.size = [H, W], the size of the encoder's input")
    folder = find(name.removeprefix(FOLDER))
    try:
        found = files_below(folder)
    except HostError as error:
        raise TrainError(str(error)) from None
    for note in other_files_note(folder, found.others):
        log(note)
    read = image_folder.read(found.images, np.zeros(len(found.images), np.int64), (*size, 3), log, strict)
    n_images = len(read.pixels)
    if n_images < 2:
        raise TrainError(f"{name}: needs two or more images (such as .jpg and .png), found {n_images}")
    order = np.random.default_rng(TEST_SPLIT).permutation(n_images)
    n_test = max(1, round(data.test_share * n_images))
    test, train = np.sort(order[:n_test]), np.sort(order[n_test:])
    x, y = read.pixels, read.labels
    return Dataset(name, x[train], y[train], x[test], y[test], ("image",))


def resized(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return images uint8 (N, h, w, 3) at the size (H, W, 3)."""
    if images.shape[1:] == shape:
        return images
    height, width, _ = shape

    def each() -> Iterator[np.ndarray]:
        for image in images:
            yield np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))

    return np.stack(list(each())) if len(images) else np.zeros((0, *shape), np.uint8)

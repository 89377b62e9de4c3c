"""The data set on which a bundle is evaluated: that of its recipe."""

from collections.abc import Callable

from train import settings
from train.config import DataConfig
from train.data.datasets import Dataset, load_for
from train.errors import TrainError
from wire.bundle import Bundle, BundleError

NO_CLASSES = "has no classes to test: inkling teach reports the accuracy of a task"


def data_config(bundle: Bundle) -> DataConfig:
    """Return the table `[data]` of a bundle's recipe. Raises BundleError if there is none, or for a general bundle."""
    if bundle.embedding:
        raise BundleError(f"bundle {bundle.path} {NO_CLASSES}")
    try:
        return settings.build(DataConfig, bundle.manifest["recipe"]["data"], "recipe.data")
    except (KeyError, TypeError, TrainError) as error:
        reason = "has no recipe that names a data set" if not isinstance(error, TrainError) else f"has {error}"
        raise BundleError(f"bundle {bundle.path}: bundle.json {reason}") from None


def data_of(bundle: Bundle, log: Callable[[str], None] = print) -> Dataset:
    """Return the data set of a bundle's recipe.

    Raises BundleError for a general bundle, or if the images do not fit the encoder, and TrainError if the data set
    cannot be loaded.
    """
    data = load_for(data_config(bundle), log)
    if data.x_test.shape[1:] != bundle.input_shape:
        raise BundleError(f"bundle {bundle.path} takes {bundle.input_shape}, the images are {data.x_test.shape[1:]}")
    return data

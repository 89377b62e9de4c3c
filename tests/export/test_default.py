"""The default bundle: the documented payloads, and the config that makes it."""

import numpy as np
import pytest

from tests.support.train import ROOT
from train.codecs.codec import sending_order
from train.codecs.encoder import Encoder
from train.config import CodecConfig
from wire.bundle import Bundle, load

MAX_PAYLOAD_BYTES, PREFIX_BYTES = 144, [48, 24, 12]


@pytest.fixture(scope="module")
def default() -> Bundle:
    return load(ROOT / "bundles" / "cifar10")


def test_bundle_has_the_documented_payloads(default: Bundle) -> None:
    whole, *prefixes = [default.chunk_bytes(i) for i, (first, _) in enumerate(default.chunks) if first == 0]
    assert whole <= MAX_PAYLOAD_BYTES and prefixes == PREFIX_BYTES
    first, count = default.chunks[4]  # continues the 48 bytes
    assert first == default.chunks[1][1] and first + count == default.n_symbols
    assert (default.input_shape, len(default.classes), default.class_count) == ((32, 32, 3), 10, 10)


def test_recipe_is_the_default_config(default: Bundle) -> None:
    assert CodecConfig.from_dict(default.manifest["recipe"]) == CodecConfig.load(ROOT / "configs" / "cifar10.toml")


def test_shapes_are_those_of_the_recipe(default: Bundle) -> None:
    encoder = Encoder((32, 32, 3), default.manifest["recipe"]["encoder"]["layers"], 10)
    assert default.heads == tuple(encoder.heads) and encoder.has_answer
    assert default.symbol_order.tolist() == sending_order(encoder.heads).tolist()
    assert default.manifest["encoder_macs"] == encoder.macs(32, 32)


def test_prefix_of_48_bytes_holds_the_deepest_head(default: Bundle) -> None:
    first, count = default.chunks[1]
    deepest = int(np.prod(default.heads[-1]))
    assert first == 0 and deepest <= count
    assert sorted(default.symbol_order[:deepest]) == [*range(default.latent_size - deepest, default.latent_size)]


def test_golden_images_are_of_all_classes(default: Bundle) -> None:
    with np.load(default.golden_path) as golden:
        assert set(golden["labels"][:10].tolist()) == set(range(10))

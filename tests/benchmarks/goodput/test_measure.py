"""Figures of JPEG and WebP that are taken over from earlier figures."""

import json
from pathlib import Path

import pytest

from benchmarks.command import RESULTS
from benchmarks.goodput.measure import earlier_compressed
from wire.bundle import BundleError
from wire.bundle import load as load_bundle

COMMITTED = RESULTS / "goodput.json"
BUNDLE = load_bundle(Path("bundles/cifar10-features"))


def test_earlier_compressed_takes_over_jpeg_and_webp_only() -> None:
    committed = json.loads(COMMITTED.read_text())
    earlier = earlier_compressed(COMMITTED, BUNDLE, committed["images"], committed["seed"])
    assert earlier["compressed"] == committed["compressed"]
    for name, link in committed["links"].items():
        taken = earlier["links"][name]
        assert {"webp", "webp_bare", "jpeg1", "jpeg1_bare", "jpeg5", "jpeg5_bare"} == taken.keys()
        assert all(taken[key] == link["schemes"][key] for key in taken)


@pytest.mark.parametrize(("images", "seed"), [(100, 0), (10_000, 1)])
def test_earlier_compressed_refuses_another_run(images: int, seed: int) -> None:
    with pytest.raises(BundleError, match="of model 126d5a4d, 10000 images and seed 0"):
        earlier_compressed(COMMITTED, BUNDLE, images, seed)


@pytest.mark.parametrize("text", ["", "[]", '{"model_id": "126d5a4d", "images": 1, "seed": 0}'])
def test_earlier_compressed_refuses_other_files(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(BundleError, match=r"other.json has no figures of this benchmark"):
        earlier_compressed(file, BUNDLE, 1, 0)

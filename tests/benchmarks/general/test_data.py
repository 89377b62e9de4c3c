"""Image sets and problems: what is taught is never tested on, and training has seen neither."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.command import ResultsError
from benchmarks.general.data import cells
from benchmarks.general.data.problems import ImageSet, chosen, problems, split
from benchmarks.general.data.sets import SETS, load
from wire.bundle import Bundle, BundleError
from wire.bundle import load as load_bundle


def test_problems_teach_pool_images_and_test_on_the_others(colour_set: ImageSet) -> None:
    found = problems(colour_set, 2, (2, 5, 20))
    assert [problem.name for problem in found] == [f"{d}-{s}-{n}" for d in (0, 1) for s in (0, 1) for n in (2, 5)]
    for problem in found:
        classes = np.array(colour_set.draws[problem.draw])
        assert problem.taught.max() < colour_set.n_pool <= problem.test.min()
        assert np.bincount(problem.taught_labels).tolist() == [problem.shots] * 2
        assert np.bincount(problem.test_labels).tolist() == [10, 10]
        for images, labels in ((problem.taught, problem.taught_labels), (problem.test, problem.test_labels)):
            assert len(set(images.tolist())) == len(images)
            assert np.array_equal(colour_set.labels[images], classes[labels])
    few, many = found[0], found[1]
    assert set(few.taught) < set(many.taught)
    assert set(found[1].taught) != set(found[3].taught), "another seed"


def test_split_tests_equally_many_images_of_each_class() -> None:
    labels, tested = np.repeat([0, 1], [300, 40]), np.repeat([0, 1], [9, 7])
    images, kept, n_pool = split((np.arange(340), 1000 + np.arange(16)), (labels, tested), 2)
    assert n_pool == 240 and np.bincount(kept[:n_pool]).tolist() == [200, 40]
    assert np.bincount(kept[n_pool:]).tolist() == [7, 7] and images[n_pool:].min() >= 1000 > images[:n_pool].max()
    most = split((np.arange(340), np.arange(16)), (labels, tested), 500)
    assert np.bincount(most[1][most[2] :]).tolist() == [2, 2], "1,000 images of 500 classes"


def test_chosen_draws_from_the_whole_class() -> None:
    labels = np.repeat([0, 1, 2], 100)
    first, second = chosen(labels, 10, 0), chosen(labels, 10, 1)
    assert len(set(first.tolist())) == 30 and first.max() - first.min() > 150 and set(first) != set(second)


def test_digest_tells_sets_apart(colour_set: ImageSet) -> None:
    other = replace(colour_set, n_pool=colour_set.n_pool - 1)
    assert len({colour_set.digest, replace(colour_set, draws=((0, 1),)).digest, other.digest}) == 3


BOXES = (
    ("RBC", 0, 0, 40, 30),
    ("WBC", 60, 20, 120, 80),
    ("Platelets", 130, 90, 150, 110),
    ("WBC", 5, 90, 9, 94),
)


def write_clone(folder: Path) -> None:
    """Write three photographs, each with a red cell, a white one and a platelet, as the repository has them."""
    root = folder / "BCCD_Dataset" / "BCCD"
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / part).mkdir(parents=True)
    for number, part in enumerate(cells.TAUGHT + cells.TESTED):
        (root / "ImageSets" / "Main" / f"{part}.txt").write_text(f"photo{number}\n")
        photo, items = np.full((120, 160, 3), 255, np.uint8), []
        boxes = [
            ("RBC", 0, 0, 40, 30),
            ("WBC", 60, 20, 120, 80),
            ("Platelets", 130, 90, 150, 110),
            ("WBC", 5, 90, 9, 94),
        ]
        for label, (name, left, top, right, bottom) in enumerate(boxes):
            photo[top:bottom, left:right] = np.eye(3)[label % 3] * (100 + 40 * number)
            corners = zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom), strict=True)
            box = "".join(f"<{key}>{value}</{key}>" for key, value in corners)
            items.append(f"<object><name>{name}</name><bndbox>{box}</bndbox></object>")
        Image.fromarray(photo).save(root / "JPEGImages" / f"photo{number}.jpg", quality=95)
        (root / "Annotations" / f"photo{number}.xml").write_text(f"<annotation>{''.join(items)}</annotation>")


def test_cells_are_cropped_around_their_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKLING_DATA", str(tmp_path))
    write_clone(tmp_path)
    (taught, labels), (tested, tested_labels) = cells.load(64)
    assert labels.tolist() == [0, 1, 2] and tested_labels.tolist() == [0, 1, 2] * 2, "the box of 4 pixels is a mistake"
    assert taught.shape == (3, 64, 64, 3) and tested.shape == (6, 64, 64, 3)
    for images, brightness in ((taught, 100), (tested[:3], 140), (tested[3:], 180)):
        for label, image in enumerate(images):
            assert abs(image[20:44, 20:40].mean(axis=(0, 1)) - np.eye(3)[label] * brightness).max() < 12
    assert taught[0][63, 20].min() > 200, "below the red cell, whose crop is moved into the photograph"


def test_cells_report_a_missing_and_a_damaged_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKLING_DATA", str(tmp_path))
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ResultsError, match=r"no blood cells at .*BCCD_Dataset: clone https://github.com/\S+ to there"):
        cells.load(64)
    write_clone(tmp_path)
    (tmp_path / "BCCD_Dataset" / "BCCD" / "Annotations" / "photo1.xml").write_text("<annotation>")
    with pytest.raises(ResultsError, match=r"BCCD_Dataset is not the BCCD data set \(ParseError: .*\)"):
        cells.load(64)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("cifar10", {"embedding": {"more": ["cifar10"]}}, "its training has seen CIFAR-10"),
        ("tiny-imagenet", {}, "its training did not leave out 20 classes of tiny-imagenet-200"),
        (
            "tiny-imagenet",
            {"data": {"name": "cifar100"}, "embedding": {"left_out": list(range(40))}},
            "did not leave out",
        ),
    ],
)
def test_sets_refuse_a_bundle_that_has_seen_them(
    general: Bundle, name: str, changes: dict[str, dict], message: str
) -> None:
    manifest = dict(general.manifest)
    manifest["recipe"] = {key: values | changes.get(key, {}) for key, values in manifest["recipe"].items()}
    (general.path / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=message):
        load(name, load_bundle(general.path), print)


def test_digits_are_enlarged_and_grey(general: Bundle) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is only in the environment of development")
    digits = SETS["digits"](general, print)
    assert digits.images.shape == (1797, 32, 32, 3) and digits.images.max() > 250 and not digits.flip
    assert np.array_equal(digits.images[..., 0], digits.images[..., 2])
    assert (digits.n_test, digits.least) == (700, 104) and np.bincount(digits.labels).tolist()[:2] == [178, 182]

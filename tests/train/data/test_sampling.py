"""Tests of the stratified choice of images."""

import numpy as np

from train.data.sampling import stratified

SORTED = np.repeat(np.arange(10), 60)  # as in a folder with one folder per class


def test_stratified_takes_the_same_share_of_every_class() -> None:
    for n in 10, 50, 600:
        assert np.bincount(SORTED[stratified(SORTED, n)], minlength=10).tolist() == [n // 10] * 10
    counts = np.bincount(SORTED[stratified(SORTED, 25)], minlength=10)
    assert counts.sum() == 25 and set(counts) == {2, 3}


def test_stratified_gives_uneven_classes_their_shares() -> None:
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    assert np.bincount(labels[stratified(labels, 100)]).tolist() == [90, 9, 1]
    assert np.bincount(labels[stratified(labels, 20)], minlength=3).tolist() == [18, 2, 0]


def test_stratified_chooses_each_image_once_and_all_if_there_are_not_more() -> None:
    assert sorted(stratified(SORTED, 600)) == list(range(600))
    assert sorted(stratified(SORTED, 10_000)) == list(range(600))
    assert len(set(stratified(SORTED, 333))) == 333
    assert stratified(np.zeros(0, np.int64), 5).shape == (0,)


def test_stratified_is_seeded_and_a_smaller_choice_is_part_of_a_larger_one() -> None:
    np.testing.assert_array_equal(stratified(SORTED, 37), stratified(SORTED, 200)[:37])
    assert set(stratified(SORTED, 200, (0, 0))) != set(stratified(SORTED, 200, (0, 1)))


def test_stratified_order_is_random_over_the_classes() -> None:
    chosen = SORTED[stratified(SORTED, 10)]
    assert sorted(chosen) == list(range(10)) and chosen.tolist() != sorted(chosen)

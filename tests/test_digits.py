"""Digits, photographs and points: their content, reproducibility, and invalid arguments."""

import json

import pytest
import torch

from edu_diffusion.data import digits, files, photos, points
from edu_diffusion.errors import EduError


@pytest.mark.parametrize("name", ["digits", "photos"])
def test_the_files_are_the_ones_that_were_prepared(name):
    root = files.folder("datasets", name)
    stored = json.loads((root / "checksums.json").read_text())
    assert {path: files.sha256(root / path) for path in stored} == stored
    there = {p.name for p in root.iterdir() if p.suffix in (".png", ".csv")}
    assert there == set(stored), "every file of data has its checksum"


def test_as_many_digits_as_the_card_says():
    card = (files.folder("datasets", "digits") / "README.md").read_text()
    for split, words in (("train", "training (1,437)"), ("test", "testing (360)")):
        assert f"({len(digits.digits(split).labels):,})" in words and words in card
        assert digits.digits(split).labels.bincount().min() >= 30, "every digit occurs"


def test_a_digit_has_seventeen_amounts_of_ink():
    images = digits.digits().images
    assert images.shape[1:] == (1, 8, 8) and images.dtype == torch.float32
    assert torch.equal(images.unique(), torch.linspace(-1, 1, 17))


def test_the_first_digit_is_where_it_was_on_the_form():
    """The first digit of the file is a zero; here two of its rows, as amounts of ink."""
    first = (digits.digits().images[0, 0] + 1) * 8
    assert first[0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0] and first[4].tolist() == [0, 5, 8, 0, 0, 9, 8, 0]
    assert digits.digits().labels[:10].tolist() == list(range(10))


def test_training_and_testing_share_no_picture():
    train, test = (digits.digits(split).images.flatten(1) for split in digits.SPLITS)
    assert torch.cdist(test, train).min() > 0.5


def test_batches_depend_on_the_seed_alone():
    one, same, other = (digits.batch(16, seed) for seed in (5, 5, 6))
    assert torch.equal(one.images, same.images) and torch.equal(one.labels, same.labels)
    assert not torch.equal(one.images, other.images)
    known = {tuple(x.flatten().tolist()): int(y) for x, y in zip(*digits.digits())}
    together = [known[tuple(x.flatten().tolist())] == y for x, y in zip(*one)]
    assert all(together), "picture and label belong together"


def test_all_of_one_digit():
    sevens = digits.of_class(7, "test")
    assert len(sevens) == (digits.digits("test").labels == 7).sum() and 20 < len(sevens) < 60


def test_an_unknown_split_is_a_sentence():
    with pytest.raises(EduError, match="'train' or 'test'"):
        digits.digits("validation")


@pytest.mark.parametrize("name", photos.NAMES)
def test_photographs(name):
    photo = photos.photo(name, 32)
    assert photo.shape == (1, 3, 32, 32) and photo.abs().max() <= 1 and photo.std() > 0.2
    assert f"`{name}.png`" in (files.folder("datasets", "photos") / "README.md").read_text()


def test_an_unknown_photograph_is_a_sentence():
    with pytest.raises(EduError, match="cat, coffee, rocket"):
        photos.photo("dog")


def test_points_lie_where_the_picture_has_something():
    amounts = torch.zeros(4, 8)
    amounts[0, 7], amounts[3, 0] = 3, 1  # three times as much at the top right as at the bottom left
    cloud = points.cloud(amounts, n=4000, seed=1)
    top = cloud[:, 1] > 0
    assert cloud.shape == (4000, 2) and abs(top.float().mean() - 0.75) < 0.03
    assert (cloud[top] >= torch.tensor([0.75, 0.5])).all() and (cloud[top] <= 1).all()
    assert (cloud[~top] <= torch.tensor([-0.75, -0.5])).all()
    assert torch.equal(cloud, points.cloud(amounts, n=4000, seed=1))


@pytest.mark.parametrize("amounts", [torch.zeros(3, 3), torch.ones(3), -torch.ones(3, 3)])
def test_points_of_nothing_are_refused(amounts):
    with pytest.raises(EduError, match="above zero"):
        points.cloud(amounts)

"""Figures of the U-Net's inside: the picture without a part, and the time embedding."""

import pytest
import torch
from look import pixels

from edu_diffusion.figures.unet import time_embedding, without

X = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_difference_is_measured_and_placed():
    other = X.clone()
    other[:, 50:, 50:] = X[:, 50:, 50:] + torch.where(X[:, 50:, 50:] > 0, -1.0, 1.0)
    picture = without(X, other, "skip.0")
    mean = 14 * 14 / 64**2
    assert f"without skip.0, and the difference of the two: on average {mean:.2f} on" in picture.alt
    assert picture.alt.endswith("most at the bottom, right.")
    screen = pixels(picture)
    corner, edge = 30 + 4 * 57 + 2, 2 * (256 + 8) + 8
    assert (abs(screen[corner, edge + 4 * 57 + 2] - [253, 231, 55]) < 3).all(), "yellow where it differs by 1"
    assert (abs(screen[32, edge + 2] - [0, 34, 78]) < 3).all(), "dark blue where it does not"
    assert screen.shape == (256 + 60, 3 * 264 + 8, 3)


def test_nothing_changed_is_said():
    assert without(X, X, "skip.0").alt.endswith("on average 0.00 on a scale from 0 to 2: nothing changed.")


def test_the_time_embedding_marks_its_step():
    rows = [torch.tensor([-1.0, 1.0, 0.0, i]) for i in (0.0, 0.1, 1.0)]
    picture = time_embedding(rows, [999, 499, 0], 1)
    assert "4 numbers at each of 3 steps" in picture.alt and "marked is step 2, t = 499" in picture.alt
    assert "Farthest from it is step 3, at a distance of 0.9." in picture.alt
    screen = pixels(picture)
    below, above, none = (screen[52 + 33, 130 + 850 * i // 8] for i in (1, 3, 5))
    assert below[2] > below[1] and above[0] > above[2] and (none > 235).all()
    assert picture.png != time_embedding(rows, [999, 499, 0], 0).png


def test_wide_embeddings_and_many_steps_fit_the_page():
    height, width, _ = pixels(time_embedding(torch.randn(20, 1280), range(20), 19)).shape
    assert width <= 1010 and height <= 700


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: without(X, X[:, :32], "skip.0"), r"shapes \(3, 64, 64\) and \(3, 32, 64\)"),
        (lambda: time_embedding(torch.zeros(2, 4), [1, 0], 2), "2 rows, 2 timesteps and the step 2"),
        (lambda: time_embedding(torch.zeros(2, 4), [1], 0), "one timestep for each row"),
    ],
)
def test_wrong_inputs_are_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()

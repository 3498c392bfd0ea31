"""The figures of lessons 03 and 07: what a dial does, orders of samplers, and one picture under all schedules."""

import numpy as np
import pytest
import torch
from look import described_and_legible, pixels

from edu_diffusion import figures
from edu_diffusion.figures import style
from edu_diffusion.figures.noise_stages import QUANTITIES

X = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
BETAS = {name: torch.linspace(1e-4, last, 100) for name, last in zip("abcde", (0.02, 0.05, 0.1, 0.3, 1.0))}
COUNTS = [10, 20, 40]
ERRORS = {"first": [0.4, 0.2, 0.1], "second": [0.4, 0.1, 0.025]}


def sheet(names="abcde", t=40, show=QUANTITIES[0], size=64):
    return figures.noising({n: x[:, :size, :size] for n, x in zip(names, X)}, {n: BETAS[n] for n in names}, t, show)


MAKE = {
    "effect": lambda: figures.effect(
        (1, 2, 4), {"right": {"digits": [0.6, 0.8, 0.9]}, "variety": {"a": [3, 2, 1], "b": [4, 3, 3]}}, "g"
    ),
    "effect of nothing": lambda: figures.effect((1, 2), {"right": {"digits": [0.0, 0.0]}}, "g"),
    "orders": lambda: figures.orders(COUNTS, ERRORS),
    "noising": sheet,
    "noising of one": lambda: sheet("a", 0, QUANTITIES[1], 32),
    "noising, beta": lambda: sheet(t=99, show=QUANTITIES[2]),
}


@pytest.mark.parametrize("name", MAKE)
def test_described_legible_and_the_same_every_time(name):
    picture = MAKE[name]()
    described_and_legible(picture, words=20)
    assert picture.png == MAKE[name]().png


def test_an_effect_tells_every_point_or_where_each_curve_begins_and_ends():
    alt = MAKE["effect"]().alt
    assert "right: 0.6 at 1, 0.8 at 2, 0.9 at 4" in alt and "variety, a: 3 at 1, 2 at 2, 1 at 4" in alt and "g, 1 to 4" in alt
    assert "right: 0 at 0, 11 at 11." in figures.effect(range(12), {"right": {"digits": range(12)}}, "g").alt


def test_the_order_is_the_slope():
    assert figures.order(COUNTS, ERRORS["first"]) == pytest.approx(1)
    assert figures.order(COUNTS, ERRORS["second"]) == pytest.approx(2)
    alt = MAKE["orders"]().alt
    assert "first: 0.4 falls to 0.1, order 1.0" in alt and "order 2.0" in alt


def test_the_noisy_pictures_are_shown_as_they_are():
    screen = pixels(sheet())
    for k in range(5):
        x = style.GAP + k * (128 + style.GAP)
        assert np.array_equal(screen[30:158, x : x + 128], style.rgb(X[k]).repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("show, told", [(QUANTITIES[0], "a: 0.5"), (QUANTITIES[1], "a: 1,"), (QUANTITIES[2], "a: 0.5")])
def test_each_axis_has_its_own_numbers(show, told):
    betas = {"a": torch.tensor([0.5, 0.5])}
    alt = figures.noising({"a": X[0]}, betas, 0, show).alt
    assert told in alt and f"curves of the {show}" in alt and "factor of the picture 71%" in alt


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: figures.effect((1, 2), {"right": {"digits": [0.6]}}, "g"), "number of values of 'digits' is not"),
        (lambda: figures.orders(COUNTS, {"exact": [0.1, 0.0, 0.0]}), "'exact' cannot be plotted"),
        (lambda: figures.orders(COUNTS, {"short": [0.1]}), "give 3 numbers above zero"),
        (lambda: figures.noising({"a": X[0]}, BETAS, 0), "one picture for each"),
        (lambda: sheet(show="gamma"), "'gamma'"),
    ],
)
def test_mistakes_are_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()

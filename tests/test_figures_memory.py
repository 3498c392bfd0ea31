"""The bars of memory: what is drawn, and the alt text that says the same."""

import numpy as np
import pytest
from PIL import Image

from edu_diffusion import figures, models
from edu_diffusion.figures.memory import Need
from edu_diffusion.figures.style import BLUE, ORANGE

NEEDS = [Need("float32", 4e9, 1e9), Need("float16", 2e9, 0.5e9), Need("float16, tiling", 2e9, 0.2e9)]


def coloured(picture, color):
    """The number of pixels of a colour."""
    import io

    pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(pixels - wanted).max(-1) < 8).sum()


def test_the_alt_text_says_what_fits():
    alt = figures.memory_bars(NEEDS, budget=3e9).alt
    assert "Available are 3 GB." in alt and "float32 5 GB (4 weights, 1 activations), which does not fit" in alt
    assert "float16, tiling 2.2 GB (2 weights, 0.2 activations), which fits" in alt
    assert "fit" not in figures.memory_bars(NEEDS).alt
    assert "a bar for each of 3 ways to draw" in alt and "each of 3 phases:" in figures.memory_bars(NEEDS, what="phases").alt


def test_the_bars_are_as_long_as_their_bytes():
    one = figures.memory_bars([Need("a", 4e9, 1e9)])
    bare = figures.memory_bars([Need("a", 0, 0)])
    blue, orange = (coloured(one, c) - coloured(bare, c) for c in (BLUE, ORANGE))
    assert blue / orange == pytest.approx(4, rel=0.1)


def test_the_budget_is_drawn():
    assert figures.memory_bars(NEEDS, budget=3e9).png != figures.memory_bars(NEEDS, budget=3.5e9).png


@pytest.mark.parametrize("needs, unit", [([], "GB"), ([Need("a", -1, 0)], "GB"), (NEEDS, "kB")])
def test_wrong_arguments_are_a_sentence(needs, unit):
    with pytest.raises(ValueError, match="needs and the unit is"):
        figures.memory_bars(needs, unit=unit)


def test_it_takes_what_the_planner_gives():
    now = models.plan("base", batch=8)
    needs = [
        (one.name, one.plan.resident[one.plan.phase], one.plan.phases[one.plan.phase]) for one in models.options("base", batch=8)
    ]
    picture = figures.memory_bars([("now", now.resident[now.phase], now.phases[now.phase]), *needs], budget=now.peak, unit="MB")
    assert f"now {now.peak / 1e6:.3g} MB" in picture.alt and "all of these" in picture.alt

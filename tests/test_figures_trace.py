"""Figures of what a trace holds: attention over the picture, feature maps, what each block costs."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from look import described_and_legible, pixels

from edu_diffusion.figures.attention import attention_overlay, place
from edu_diffusion.figures.features import block_bars, feature_maps
from edu_diffusion.figures.style import GAP

Row = namedtuple("Row", "name parameters nbytes seconds low high")
GENERATOR = torch.Generator().manual_seed(0)
X = torch.rand(3, 64, 64, generator=GENERATOR) * 2 - 1
HEATS = torch.rand(9, 64, 64, generator=GENERATOR) * torch.linspace(0.02, 0.5, 9)[:, None, None]
LONG = "a small hippopotamus face on a blue ground"
H = torch.randn(128, 8, 8, generator=GENERATOR)
ROWS = [Row(f"down_blocks.{i}", 10 ** (i + 2), 3000 * i, 0.002 * i, 0.001 * i, 0.003 * i) for i in range(14)]
MAKE = {
    "overlay": lambda: attention_overlay(X, HEATS[:3], ["cat", "blue", "background"]),
    "overlay of a sentence": lambda: attention_overlay(X, HEATS, [*LONG.split(), "<end>"]),
    "overlay, own scales": lambda: attention_overlay(X, HEATS[:1], ["cat"], shared=False, scale=4),
    "features": lambda: feature_maps(H, "mid_block"),
    "few features": lambda: feature_maps(H[:4, :3], "conv_out"),
    "large features": lambda: feature_maps(H.repeat(3, 8, 12), "down_blocks.0.resnets.0"),
    "bars": lambda: block_bars(ROWS, "The U-Net", "Median of 5 runs."),
    "one bar": lambda: block_bars(ROWS[:1]),
}


@pytest.mark.parametrize("name", MAKE)
def test_every_figure_is_a_described_picture_that_fits_a_small_screen(name):
    described_and_legible(MAKE[name]())


def panels(picture, count):
    """The middle of each panel of 128 x 128 pixels in the first row."""
    return [pixels(picture)[GAP + 64, GAP + 64 + i * (128 + GAP)] for i in range(count)]


def test_heat_is_yellow_where_the_share_is_large_and_blue_where_it_is_small():
    grey, heats = torch.zeros(3, 64, 64), torch.tensor([0.4, 0.2, 0])[:, None, None].expand(3, 64, 64)
    image, most, half, none = panels(attention_overlay(grey, heats, ["a", "b", "c"]), 4)
    assert (image == 128).all()
    assert most[0] > 200 and most[0] - most[2] > 60, "yellow"
    assert none[2] - none[0] > 40, "blue"
    assert none.sum() < half.sum() < most.sum(), "brighter with the share: also without colours"
    own = panels(attention_overlay(grey, heats[:2], ["a", "b"], shared=False), 3)
    assert (own[1] == own[2]).all() and (own[1] == most).all(), "each on its own scale"


def test_the_picture_shows_through_the_heat():
    half = -torch.ones(3, 64, 64)
    half[:, :, 32:] = 1
    screen = pixels(attention_overlay(half, torch.full((1, 64, 64), 0.1), ["a"]))
    black, white = (screen[GAP + 64, 2 * GAP + 128 + x] for x in (20, 100))
    assert (white - black > 60).all()


def test_the_alt_text_tells_how_much_and_where():
    heats = torch.zeros(2, 64, 64)
    heats[0, 5, 60], heats[1] = 0.234, 0.01
    alt = attention_overlay(X, heats, ["cat", "blue"]).alt
    assert '"cat" up to 23 %, most at the top, right; "blue" up to 1 %, about the same everywhere.' in alt
    assert "all on one scale" in alt
    assert "its own scale" in attention_overlay(X, heats, ["cat", "blue"], shared=False).alt


@pytest.mark.parametrize(
    "y, x, words",
    [
        (0, 0, "most at the top, left"),
        (4, 4, "most in the middle"),
        (8, 4, "most at the bottom"),
        (3, 8, "most in the middle, right"),
    ],
)
def test_places(y, x, words):
    heat = np.zeros((9, 9))
    heat[y, x] = 1
    assert place(heat) == words
    assert place(10 + heat) == "about the same everywhere"


def test_no_attention_at_all_is_no_division_by_zero():
    assert "up to 0 %" in attention_overlay(X, 0 * HEATS[:1], ["nothing"]).alt


def test_channels_are_purple_below_zero_and_orange_above_in_their_order():
    h = torch.zeros(3, 2, 2)
    h[1], h[2] = -1, 1
    screen = pixels(feature_maps(h, "x", limit=1.0))
    zero, below, above = (screen[46 + 20, 44 + 20 + i * (64 + 4)] for i in range(3))
    assert (zero > 235).all() and below[2] > below[1] and above[0] > above[2]


def test_the_alt_text_of_features_is_computed():
    h = torch.tensor([-1.0, 3.0]).view(2, 1, 1).expand(2, 4, 6)
    alt = feature_maps(h, "mid_block", most=1).alt
    assert alt.startswith("1 of the 2 channels of mid_block, maps of 4 x 6,")
    assert "Values from -1 to 3, mean 1; 50 % are above zero." in alt
    assert feature_maps(0 * h, "nothing").png, "no division by zero"


def test_the_alt_text_of_bars_is_computed():
    rows = [Row("conv_in", 2560, 2048, 0.001, 0.0005, 0.002), Row("mid_block", 1_500_000, 1024, 0.003, 0.003, 0.004)]
    alt = block_bars(rows, "The U-Net").alt
    assert alt.startswith("The U-Net: bars for 2 blocks. Most parameters: mid_block, 1.5 M, 100 % of 1.5 M.")
    assert "Most time of one run: mid_block, 3.0 ms, 75 % of 4.0 ms." in alt
    assert "Most memory of the output: conv_in, 2.0 KiB, 67 % of 3.0 KiB." in alt


def test_bars_are_as_long_as_their_numbers():
    rows = [Row("a", 100, 1, 1.0, 1.0, 1.0), Row("b", 50, 1, 1.0, 1.0, 1.0), Row("c", 0, 0, 0.0, 0.0, 0.0)]
    screen = pixels(block_bars(rows))
    orange = ((screen - [230, 159, 0]) ** 2).sum(2) < 30
    long, short, none = (orange[58 + 10 + 20 * i].sum() for i in range(3))
    assert long == pytest.approx(262 / 1.4, abs=2) and short == pytest.approx(long / 2, abs=2) and none == 0


def test_one_slow_run_does_not_make_all_bars_short():
    calm = Row("a", 1, 1, 0.010, 0.009, 0.011)
    wild = pixels(block_bars([calm, calm._replace(high=9.0)]))
    quiet = pixels(block_bars([calm, calm]))
    blue = [((screen[58:98] - [0, 114, 178]) ** 2).sum(2) < 30 for screen in (wild, quiet)]
    assert np.flatnonzero(blue[0].any(0))[-1] == np.flatnonzero(blue[1].any(0))[-1]


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: attention_overlay(X, HEATS[:2], ["one"]), r"heat maps \(2, 64, 64\) and 1 words .* \(3, 64, 64\)"),
        (lambda: attention_overlay(X, HEATS[:1, :32], ["one"]), "one heat map of the picture's size for each word"),
        (lambda: attention_overlay(X, HEATS[:0], []), "0 words"),
        (lambda: feature_maps(H[None], "x"), r"\(1, 128, 8, 8\); it must be \(channels, height, width\)"),
        (lambda: feature_maps(H[:0], "x"), r"shape \(0, 8, 8\)"),
        (lambda: block_bars([]), "no blocks to draw"),
    ],
)
def test_mistakes_are_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()

"""Figures of what CLIP compares: the numbers drawn are the numbers given, and the alt text is computed."""

import numpy as np
import pytest
import torch
from look import described_and_legible, pixels

from edu_diffusion.figures.artists import text_mask
from edu_diffusion.figures.clip import caption_growth, caption_neighbours, contrast, fitted, rank, similarity_map, swapped_word
from edu_diffusion.figures.style import INK, canvas

RANDOM = torch.Generator().manual_seed(0)
X = torch.rand(40, 3, 64, 64, generator=RANDOM) * 2 - 1
NAMES = [f"a small thing number {i} on a blue background, twemoji style" for i in range(40)]
COSINES = torch.rand(40, 40, generator=RANDOM) * 1.6 - 0.8
PIECES = ["<start>", "a", "red", "cat"]
FALLING = COSINES[0].sort(descending=True)[0]
MAKE = {
    "map": lambda: similarity_map(COSINES, NAMES, X),
    "map of one": lambda: similarity_map(COSINES[:1, :1], NAMES[:1], X[:1]),
    "neighbours": lambda: caption_neighbours("a cat", X, FALLING, NAMES[:8], FALLING[:8]),
    "a neighbour": lambda: caption_neighbours("a cat", X[:1, :, :16, :32], FALLING[:1], [], []),
    "growth": lambda: caption_growth(PIECES, COSINES[:4], X, 3),
    "no growth": lambda: caption_growth(PIECES[:1], COSINES[:1, :1], X[:1], 0),
    "long growth": lambda: caption_growth(["cat"] * 76, COSINES[[0] * 76, :2], X[:2], 0),
    "swap": lambda: swapped_word("a red cat", "a red dog", X, COSINES[0], COSINES[1]),
    "one swap": lambda: swapped_word("a red cat", "a red dog", X[:1], COSINES[0, :1], COSINES[1, :1]),
}


@pytest.mark.parametrize("name", MAKE)
def test_every_figure_is_a_described_picture_that_fits_a_small_screen(name):
    described_and_legible(MAKE[name]())


@pytest.mark.parametrize("name", MAKE)
def test_a_page_1024_pixels_wide_shows_it_at_full_size(name):
    assert pixels(MAKE[name]()).shape[1] <= 960


def test_the_map_is_brightest_where_captions_and_pictures_agree():
    screen = pixels(similarity_map(2 * torch.eye(3) - 1, NAMES[:3], X[:3]))
    cells = np.array([[screen[64 + 48 * i + 6, 350 + 48 * j + 6] for j in range(3)] for i in range(3)])
    assert (abs(cells[np.eye(3) == 1] - [253, 231, 55]) < 3).all(), "cividis ends in yellow"
    assert (abs(cells[np.eye(3) == 0] - [0, 34, 78]) < 3).all(), "and begins in dark blue"


def test_the_map_counts_the_captions_that_find_their_picture():
    cosines = torch.tensor([[0.9, 0.1, 0.2], [0.5, 0.4, 0.3], [0.0, 0.1, 0.7]])
    alt = similarity_map(cosines, NAMES[:3], X[:3]).alt
    assert "3 captions and pictures: cosines from 0.00 to 0.90. 2 of 3 captions are most similar to" in alt
    assert "2 captions and pictures (of 3)" in similarity_map(cosines, NAMES[:3], X[:3], most=2).alt


def test_neighbours_are_told_in_their_order():
    alt = caption_neighbours("a cat", X[:2], [0.9, -0.2], ["a lion"], [0.75]).alt
    assert alt == ('The 2 pictures nearest to "a cat", with cosines 0.90, -0.20. The nearest captions: "a lion" 0.75.')
    assert "The 7 pictures" in MAKE["neighbours"]().alt and "captions: none" in MAKE["a neighbour"]().alt


def test_growth_tells_the_token_that_lifts_the_caption_most():
    cosines = torch.tensor([[0.1, 0.3], [0.2, 0.3], [0.15, 0.3], [0.65, 0.7]])
    alt = caption_growth(PIECES, cosines, X[:2], 0).alt
    assert "4 tokens (<start> a red cat), and in grey to 1 others" in alt
    assert 'it starts at 0.10; the largest rise, +0.50, is at "cat"; it ends at 0.65' in alt
    assert alt.endswith("rank 2 of 2.")
    assert [rank(np.array([0.3, 0.9, 0.5]), i) for i in range(3)] == [3, 1, 2]


def test_only_the_chosen_line_is_strong():
    level = torch.tensor([[0.0, 1.0]] * 2)
    low, high = (pixels(caption_growth(PIECES[:2], level, X[:2], i)) for i in (0, 1))
    blue = [abs(screen[:300, 100:800] - [0, 114, 178]).sum(2) < 20 for screen in (low, high)]
    strong = [np.flatnonzero(rows.any(1)).mean() for rows in blue]
    assert strong[1] < 60 and strong[0] > 230, "the line at 1 is at the top, that at 0 at the bottom"


def test_bars_begin_in_the_middle_and_the_most_changed_picture_stands_first():
    after = torch.tensor([0.1, 0.5, -1.0])
    picture = swapped_word("a cat", "a dog", X[:3], torch.zeros(3), after)
    assert "; picture 2 changes from 0.00 to 0.50, picture 3 changes from 0.00 to -1.00." in picture.alt
    orange = (abs(pixels(picture) - [230, 159, 0]).sum(2) < 20)[:, 130:690]
    assert orange[60 + 33, :270].all() and not orange[60 + 33, 290:].any(), "to the left, full length"
    second = orange[60 + 56 + 33]
    assert second[285:415].all() and not second[:270].any() and not second[425:].any(), "half as far, right"


def test_what_changes_nothing_is_drawn_too():
    assert "from 0.10 to 0.10" in swapped_word("a", "a", X[:2], [0.1, 0.1], [0.1, 0.1]).alt


def test_a_dollar_is_a_dollar():
    fitted(canvas(300, 100), r"$\nothing$ for 5 $", 0, 50, 300)
    plain, dollars = (text_mask(words, 10).width for words in ("xx", "$xx$"))
    assert dollars > plain + 10
    for picture in (similarity_map([[0.5]], ["$$"], X[:1]), caption_growth(["$x_$"], [[0.5]], X[:1], 0)):
        assert picture.png


def test_words_on_a_cell_stand_out():
    assert contrast(0.0) == "white" and contrast(1.0) == INK


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: similarity_map(COSINES[:2], NAMES[:2], X[:2]), r"2 captions, 2 pictures and cosines \(2, 40\)"),
        (lambda: similarity_map(COSINES[:2, :3], NAMES[:2], X[:3]), "one picture for each caption"),
        (lambda: caption_neighbours("a", X[:2], [0.1], [], []), "2 pictures with 1 cosines"),
        (lambda: caption_neighbours("a", X[:1], [0.1], ["b"], []), "1 captions with 0"),
        (lambda: caption_growth(PIECES, COSINES[:4], X, 40), "chosen picture 40"),
        (lambda: caption_growth(PIECES, COSINES[:3], X, 0), r"4 tokens, 40 pictures, cosines \(3, 40\)"),
        (lambda: swapped_word("a", "b", X[:2], [0.1, 0.2], [0.1]), r"cosines \(2,\) and \(1,\)"),
    ],
)
def test_wrong_numbers_are_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()

"""Pixels and words that are copied onto figures: at their place, unchanged, and like matplotlib's own."""

import numpy as np
import pytest

from edu_diffusion.figures.artists import draw_text, mark, paste, pixels_of, resized, text_mask
from edu_diffusion.figures.schedule_plots import plot
from edu_diffusion.figures.static_layer import static_layer
from edu_diffusion.figures.style import INK, canvas, coloured, write


def test_pixels_are_copied_to_their_place():
    fig, pixels = canvas(40, 30), np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    paste(fig, pixels, 11, 3)
    page = pixels_of(fig)
    assert (page[3:8, 11:18, :3] == pixels).all()
    page[3:8, 11:18] = 255
    assert (page == 255).all()


def test_of_two_pictures_the_later_is_seen():
    fig = canvas(20, 20)
    for colour in (0, 200):
        paste(fig, np.full((10, 10, 3), colour, np.uint8), colour // 50, 0)
    assert (pixels_of(fig)[:10, 4:14, :3] == 200).all() and (pixels_of(fig)[:10, :4, :3] == 0).all()


@pytest.mark.parametrize(
    "text, style",
    [
        ("timestep t = 301", {}),
        ("two\nlines", {}),
        ("a name", {"ha": "right", "va": "top"}),
        ("upward", {"rotation": 90}),
        ("bold", {"weight": "bold"}),
        ("x = 1", {"family": "monospace"}),
    ],
)
def test_words_look_like_those_of_matplotlib(text, style):
    ours, theirs = canvas(160, 100), canvas(160, 100)
    write(ours, 80, 50, text, 11, **style)
    theirs.text(0.5, 0.5, text, fontsize=11, color=INK, parse_math=False, **{"ha": "center", "va": "center"} | style)
    a, b = (255 - pixels_of(fig)[:, :, 0].astype(float) for fig in (ours, theirs))
    shifted = [np.roll(b, (dy, dx), (0, 1)) for dy in range(-5, 6) for dx in range(-3, 4)]
    alike = max((a * s).sum() / np.sqrt((a * a).sum() * (s * s).sum()) for s in shifted)
    assert alike > (0.7 if "\n" in text else 0.85) and 0.98 < a.sum() / b.sum() < 1.02  # between pixels, not on them


def ink(text, points=10, align="left"):
    return np.asarray(text_mask(text, points, align))


def test_a_line_has_its_place_whatever_its_letters_and_wherever_it_is_put():
    one, other = ink("t = 123"), ink("t = 321")
    assert (one == ink("t = 123", align="right")).all()
    assert one.shape == other.shape and (one != other).any(), "digits are equally wide"
    assert len(ink("e")) == len(ink("gl")) and not ink("e")[:3].any() and ink("gl")[:3].any()


@pytest.mark.parametrize("letter", "fjrJTgp")
def test_letters_are_smooth_and_none_is_cut(letter):
    alone, inside = (ink(text, 11).astype(int) for text in (letter, f" {letter} "))
    assert alone.sum() == inside.sum(), "a letter that leans out of its width"
    assert ((inside > 0) & (inside < 255)).any(), "soft edges"


def test_no_text_draws_nothing():
    fig = canvas(20, 20)
    write(fig, 10, 10, "")
    assert (pixels_of(fig) == 255).all()


def test_lines_begin_where_they_are_told():
    left, right = (ink("a\nlonger", align=side) for side in ("left", "right"))
    half = left.shape[0] // 2
    assert left[:half, :10].any() and not left[:half, -10:].any()
    assert right[:half, -10:].any() and not right[:half, :10].any()


@pytest.mark.parametrize("wide, high", [(6, 4), (7, 5), (3, 2), (30, 22)])
def test_a_pixel_becomes_a_rectangle(wide, high):
    small = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, 2)
    large = resized(small, wide, high)
    assert large.shape == (high, wide, 3) and (large[0, 0] == 0).all() and (large[-1, -1] == 5).all()
    counts = np.bincount(large[:, :, 0].ravel(), minlength=6)
    assert counts.min() >= (wide // 3) * (high // 2)


def test_colours_are_those_of_the_map():
    from matplotlib import colormaps

    values = np.linspace(-1, 2, 61)
    expected = colormaps["cividis"](np.clip(values, 0, 1), bytes=True)[:, :3]
    assert (coloured(values, "cividis") == expected).all()


def test_a_mark_lands_on_its_curve():
    x = np.linspace(1, 10, 50)
    for scale in ("linear", "log"):

        def paint(sheet, scale=scale):
            axes = plot(sheet, 40, 10, 200, 100)
            axes.plot(x, x**2, color="red", linewidth=1)
            axes.set_yscale(scale)
            return axes

        base, fig = static_layer(("a mark", scale), 300, 150, paint), canvas(300, 150)
        paste(fig, base.pixels, 0, 0)
        across, down = (round(value) for value in base.at(x[30], x[30] ** 2))
        near = pixels_of(fig)[down - 2 : down + 3, across - 2 : across + 3, :3].reshape(-1, 3).astype(int)
        assert (near[:, 0] - near[:, 1] > 100).any(), scale
        mark(fig, [across], [down], "o", color="blue", markersize=6)
        assert (pixels_of(fig)[down, across, :3] == (0, 0, 255)).all()


def test_what_does_not_change_is_painted_once():
    made = []

    def paint(sheet):
        made.append(sheet)
        return plot(sheet, 20, 10, 60, 40)

    one = static_layer(("once", 1), 100, 80, paint)
    assert static_layer(("once", 1), 100, 80, paint) is one and len(made) == 1
    for other in range(20):
        static_layer(("once", other + 2), 100, 80, paint)
    assert static_layer(("once", 1), 100, 80, paint) is not one, "only the last ones are kept"


def test_an_unknown_side_is_refused():
    with pytest.raises((KeyError, ValueError)):
        draw_text(canvas(10, 10), 0, 0, "a", 10, INK, ha="middle")


@pytest.mark.parametrize("points", [6, 7.5, 9.5, 11])
def test_a_text_of_many_lines_has_room_for_all(points):
    """Every line is drawn whole, below the one before it."""
    line = ink("a big door", points)
    for n in (2, 3, 11):
        page = ink("\n".join(["a big door"] * n), points)
        begin = (len(page) - len(line)) // (n - 1)
        assert all((page[i * begin : i * begin + len(line)] >= line).all() for i in range(n)), n
        assert begin >= len(line) and page.shape == (begin * (n - 1) + len(line), line.shape[1])

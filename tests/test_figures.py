"""Pictures: their bytes, their alt text, their pixels, and mistakes in what is given to them."""

import base64
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from look import described_and_legible, pixels

from edu_diffusion import figures
from edu_diffusion.figures import style

History = namedtuple("Progress", "step loss seconds left")
CURVES = {"straight": torch.linspace(0.999, 0.01, 100), "bent": torch.linspace(0.999, 0.0, 100) ** 2}
GREY = torch.linspace(-1, 1, 12 * 64).reshape(12, 1, 8, 8)
X = torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
Z = torch.randn(3, 4, 16, 16, generator=torch.Generator().manual_seed(0))
MAKE = {
    "row": lambda: figures.row(X[:3], ["a cat", "a dog on a purple background, noto style", "c"]),
    "film": lambda: figures.film_strip(X[:4], X[2:], ["t = 999", "t = 749", "t = 499", "t = 49"], X[0], "a cat"),
    "film of one": lambda: figures.film_strip(X[:1], X[:1], ["t = 999"]),
    "nearest": lambda: figures.nearest(X[0], X[1:4], ["cat, noto: 0.10", "dog", "cow"]),
    "pipeline": lambda: figures.pipeline_map("unet"),
    "channels": lambda: figures.channels([Z[0], Z[1]], ["noise", "latent"]),
    "maps": lambda: figures.maps(Z.abs()[:, 0], ["latent", "time", "text"]),
    "tokens": lambda: figures.tokens(torch.randn(32, 128), ["<start>", "a", "cat"]),
    "digits": lambda: figures.digits(GREY, range(12)),
    "training, samples below": lambda: figures.training([History(1, 0.5, 1.0, 9.0)], images=GREY[:10], scale=16),
    "clouds": lambda: figures.clouds([torch.randn(50, 2)] * 3, ["t = 0", "t = 1", "t = 2"], groups=range(50)),
    "schedules": lambda: figures.schedules(CURVES, mark=50),
    "noise level": lambda: figures.noise_level(X[0] * 3, CURVES, "bent", 40),
    "histogram": lambda: figures.histogram({"normal": torch.randn(500), "uniform": torch.rand(500)}),
    "training": lambda: figures.training(
        [History(i + 1, 1 / (i + 1), float(i), 9.0 - i) for i in range(5)],
        (1.0, "zero predictor"),
        [(1, 9.0), (4, 2.0)],
        "distance",
        GREY,
    ),
}


@pytest.mark.parametrize("name", MAKE)
def test_every_figure_is_a_described_picture_that_fits_a_small_screen(name):
    described_and_legible(MAKE[name](), words=20, narrowest=100)


@pytest.mark.parametrize("name", MAKE)
def test_the_same_figure_has_the_same_bytes(name):
    torch.manual_seed(0)
    first = MAKE[name]().png
    torch.manual_seed(0)
    assert first == MAKE[name]().png


def test_a_picture_in_every_kind_of_viewer():
    picture = figures.Picture(b"\x89PNG bytes", 'a "cat" <on> blue & green\nlines')
    data = picture._repr_mimebundle_(include=None, exclude=None)
    assert base64.b64decode(data["image/png"]) == picture.png
    assert data["image/png"] in data["text/html"]
    assert 'alt="a &quot;cat&quot; &lt;on&gt; blue &amp; green lines"' in data["text/html"]
    assert data["text/plain"] == repr(picture) == '[picture: a "cat" <on> blue & green lines]'


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_no_picture_without_words(alt):
    with pytest.raises(ValueError, match="alt text"):
        figures.Picture(b"", alt)


def test_the_page_knows_the_size_of_a_picture_before_it_is_decoded():
    picture = MAKE["row"]()
    height, width, _ = pixels(picture).shape
    assert f'width="{width}" height="{height}"' in picture.html()


def test_a_picture_is_saved(tmp_path):
    picture = MAKE["row"]()
    picture.save(tmp_path / "row.png")
    assert (tmp_path / "row.png").read_bytes() == picture.png


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_pixel_art_is_enlarged_exactly(scale):
    """Every pixel of the picture is a square of scale x scale equal pixels on the screen."""
    screen = pixels(figures.row(X[:2], ["a", "b"], scale=scale))
    for i in range(2):
        x = style.GAP + i * (64 * scale + style.GAP)
        found = screen[style.GAP : style.GAP + 64 * scale, x : x + 64 * scale]
        expected = style.rgb(X[i]).repeat(scale, 0).repeat(scale, 1)
        assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_picture_keeps_its_form_and_a_label_all_of_its_words():
    wide, words = torch.rand(3, 3, 16, 32) * 2 - 1, "a big smiling face with heart-eyes in the middle on a red background"
    one, two, three = (
        pixels(figures.contact_sheet(wide, [words, "b", label], columns=2, scale=4)) for label in ("c", words, words * 2)
    )
    found = one[style.GAP : style.GAP + 64, style.GAP : style.GAP + 128]
    assert np.abs(found.astype(int) - style.rgb(wide[0]).repeat(4, 0).repeat(4, 1)).max() <= 1
    assert one.shape[1] == 2 * 128 + 3 * style.GAP and one.shape[0] < two.shape[0] < three.shape[0]
    assert one.shape[0] - 2 * 64 - 3 * style.GAP == 6 * 17, "five lines in the first row, one in the second"


def test_the_film_shows_noise_above_and_the_guess_below():
    black, white = -torch.ones(2, 3, 64, 64), torch.ones(2, 3, 64, 64)
    screen = pixels(figures.film_strip(black, white, ["a", "b"], result=torch.zeros(3, 64, 64)))
    assert (screen[90, 60] == 0).all() and (screen[220, 60] == 255).all() and (screen[150, 450] == 128).all()


def test_the_difference_is_measured():
    assert "on average 0.00" in figures.nearest(X[0], X[:1], ["same"]).alt
    assert "on average 0.50" in figures.nearest(torch.zeros(3, 8, 8), torch.full((1, 3, 8, 8), 0.5), ["grey"]).alt


def test_rgb_rounds_like_the_bytes_of_a_file():
    from edu_diffusion.steps import to_uint8

    assert np.array_equal(style.rgb(X[0]), to_uint8(X[:1])[0].numpy())
    assert np.array_equal(style.rgb(X[0].numpy()), style.rgb(X[0].double())), "numpy and other precisions too"


def test_purple_is_below_zero_and_orange_above():
    latent = torch.tensor([-3.0, 3.0]).view(2, 1, 1).expand(2, 8, 8)
    screen = pixels(figures.channels([latent], ["x"], scale=6)).astype(int)
    below, above = screen[48, 214], screen[48, 214 + 48 + style.GAP]
    assert below[2] > below[1] and above[0] > above[2]


def test_maps_on_one_scale_or_on_their_own():
    small, large = torch.full((8, 8), 0.1), torch.full((8, 8), 1.0)
    shared, own = figures.maps([small, large], ["a", "b"]), figures.maps([small, large], ["a", "b"], shared=False)
    left, right = (60, 50), (60, 50 + 8 * 10 + 4 * style.GAP)
    assert (pixels(shared)[left] != pixels(shared)[right]).any() and "one scale" in shared.alt
    assert (pixels(own)[left] == pixels(own)[right]).all() and "own scale" in own.alt
    assert figures.maps([0 * small], ["nothing"]).png, "no division by zero"
    assert figures.maps([small], ["a"], alt="Where is it?").alt == "Where is it?"


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: figures.row(X[:2], ["one"]), "2 pictures and 1 labels"),
        (lambda: figures.contact_sheet(X[:2], ["one"]), "2 pictures and 1 labels"),
        (lambda: figures.film_strip(X[:2], X[:1], ["a", "b"]), "the same length"),
        (lambda: figures.nearest(X[0], X[:2], ["one"]), "2 reference pictures and 1 labels"),
        (lambda: figures.nearest(X[0], X[:0], []), "0 reference pictures"),
        (lambda: figures.row(X[None, 0], ["a"], scale=2) and figures.row(X[None], ["a"]), r"\(6, 3, 64, 64\).*x\[0\]"),
        (lambda: figures.digits(GREY, [1]), "12 pictures and 1 labels"),
        (lambda: figures.clouds([X[0, 0]], []), "1 clouds and 0 labels"),
        (lambda: figures.pipeline_map("u-net"), "no part 'u-net'; its parts are prompt"),
    ],
)
def test_mistakes_are_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_source_shows_the_lines_of_the_package():
    from edu_diffusion.steps import decode, guide

    assert "return eps_u + g * (eps_c - eps_u)" in repr(figures.source(guide))
    data = figures.source(decode)._repr_mimebundle_()
    assert "def decode(pipe, z_0)" in data["text/plain"], "a decorated function shows itself, not the decorator"
    assert data["text/markdown"].startswith("```python\n@torch.no_grad()\ndef decode")


def test_pyplot_is_never_imported():
    code = "import sys, edu_diffusion.figures as f; f.pipeline_map(); print('matplotlib.pyplot' in sys.modules)"
    root = Path(figures.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root).stdout == "False\n"


def test_a_digit_is_white_ink_on_black():
    """Every pixel is a square of scale x scale; its label is below it."""
    screen = pixels(figures.digits(GREY[:2], "ab", scale=10))
    assert screen[9, 9].max() <= 2 and abs(int(screen[9 + 70, 88 + 70, 0]) - 127.5 * (1 + GREY[1, 0, 7, 7])) <= 2
    assert (screen[4:84, 4:84].reshape(8, 10, 8, 10, 3).std((1, 3)) < 0.5).all()


def test_points_are_where_they_are():
    """x to the right, y up; other groups, other colours."""
    screen = pixels(figures.clouds([[[0, 2.9]] * 9 + [[2.9, 0]]], ["x"], groups=[0] * 9 + [1], limit=3, edge=180)).astype(int)
    top, right = screen[8:18, 93:103].reshape(-1, 3).min(0), screen[93:103, 178:187].reshape(-1, 3).min(0)
    assert top[0] < 60 < top[2], "blue, near the top"
    assert right[2] < 160 < right[0], "orange, at the right"


def test_a_schedule_tells_where_signal_and_noise_are_equal():
    alt = figures.schedules({"half": torch.tensor([0.9, 0.6, 0.5, 0.1])}).alt
    assert "equal at t = 2, ratio never below 0.01, at the end 0.1000 left" in alt
    assert "ratio below 0.01 from t = 1 on" in figures.schedules({"steep": torch.tensor([0.9, 0.005, 0.001])}).alt
    assert "signal 0.900, signal-to-noise ratio 9;" not in figures.noise_level(X[0], {"a": [0.9, 0.5]}, "a", 1).alt
    assert "t = 0: signal 0.900, signal-to-noise ratio 9." in figures.noise_level(X[0], {"a": [0.9, 0.5]}, "a", 0).alt


def test_a_training_says_how_far_it_is():
    alt = figures.training([History(7, 0.25, 5.0, 15.0)], (1.0, "zero predictor")).alt
    assert "25% of its time" in alt and "the loss began at 0.250, after 7 steps it is 0.250, against 1 (zero predictor)" in alt
    assert "distance from 9 to 2" in MAKE["training"]().alt
    assert "100%" in figures.training([History(7, 0.25, 5.0, 0.0)]).alt


def test_samples_of_a_training_stand_on_the_right_or_large_below():
    small, large = MAKE["training"](), MAKE["training, samples below"]()
    assert "on the right 12 samples" in small.alt and "below it 10 samples" in large.alt
    assert pixels(small).shape[:2] == (320, 870) and pixels(large).shape[:2] == (320 + 17 * 16 + 8, 44 * 16 + 16)
    first = pixels(large)[321:448, 9:136]
    assert (first.reshape(-1, 3).max(1) < 40).all() and (pixels(large)[321:448, 138:150] == 255).all(), "128 pixels, then a line"


def test_a_film_says_how_soft_its_predictions_are():
    soft, hard = torch.zeros(3, 64, 64), -torch.ones(3, 64, 64)
    hard[..., ::2] = 1.0
    assert "a: 0.000, 0.00; b: 2.000, 1.00." in figures.film_strip([soft, soft], [soft, hard], ["a", "b"]).alt

"""Models side by side: bars as long as their parameters, a table of what differs, and the alt text that says the same."""

import io

import numpy as np
import pytest
from PIL import Image

from edu_diffusion import figures, models
from edu_diffusion.figures.style import BLUE, GREEN, ORANGE, PINK
from edu_diffusion.models import Architecture

FACTS = {"image": 512, "latent": (4, 64, 64), "tokens": 77, "widths": [768], "channels": [320, 640], "transformers": [1, 0]}
ONE = Architecture({"text_encoder": 10**8, "unet": 8 * 10**8, "vae": 10**8}, **FACTS, prediction="epsilon", scaling_factor=0.18215)
TWO = ONE._replace(
    parameters={"text_encoder": 10**8, "text_encoder_2": 4 * 10**8, "unet": 4 * 10**8, "vae": 10**8}, prediction="v_prediction"
)


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)


def area(picture, color):
    """The number of pixels of a colour, below the legend."""
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(pixels(picture)[40:] - wanted).max(-1) < 8).sum()


def test_areas_are_parameters():
    picture = figures.architectures({"one": ONE})
    blue, orange, green = (area(picture, color) for color in (BLUE, ORANGE, GREEN))
    assert orange / blue == pytest.approx(8, rel=0.1) and green / blue == pytest.approx(1, rel=0.1) and not area(picture, PINK)
    both = figures.architectures({"one": ONE, "two": TWO})
    assert area(both, PINK) / area(both, GREEN) == pytest.approx(2, rel=0.1)


def test_the_alt_text_says_every_number():
    alt = figures.architectures({"one": ONE, "two": TWO}).alt
    assert "2 models side by side" in alt and "one: 1 billion parameters (text encoder 100 million, U-Net 800 million" in alt
    assert "text encoder 2 400 million" in alt and "the U-Net predicts noise" in alt and "the U-Net predicts v" in alt
    assert "latent 4 x 64 x 64" in alt and "scaling factor 0.18215" in alt


def test_what_differs_is_bold():
    """Only the rows in which the models differ look different from those of equal models."""
    same = pixels(figures.architectures({"a": ONE, "b": ONE}))
    other = pixels(figures.architectures({"a": ONE, "b": ONE._replace(prediction="v_prediction")}))
    rows = np.flatnonzero((same != other).any((1, 2)))
    assert len(rows) and np.ptp(rows) < 26
    assert (same != other)[:, : 150 + 160].any(), "the row is bold in the unchanged column, too"


@pytest.mark.parametrize("count", [0, 7])
def test_too_few_and_too_many_are_a_sentence(count):
    with pytest.raises(ValueError, match=f"There are {count} models; one to six"):
        figures.architectures({str(i): ONE for i in range(count)})


def test_it_takes_what_models_give():
    assert "8.39 million parameters" in figures.architectures({"base": models.architecture("base")}).alt

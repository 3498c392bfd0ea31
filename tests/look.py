"""Looking at pictures: their pixels, and what every one of them must be."""

import io

import numpy as np
from PIL import Image


def pixels(picture):
    """The colours of a Picture, (height, width, 3), whole numbers from 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)


def described_and_legible(picture, words=60, narrowest=300):
    """Assert that a Picture is described in a line, fits a small screen, and shows something on white paper.

    words: the least length of its description. narrowest: its least width in pixels.
    """
    screen = pixels(picture)
    height, width, _ = screen.shape
    assert narrowest <= width <= 1010 and height <= 700
    assert len(picture.alt) >= words and "\n" not in picture.alt and "  " not in picture.alt
    assert screen.std() > 5, "something is drawn"
    assert (screen[[0, -1]].reshape(-1, 3).mean(0) > 150).all(), "on white paper"

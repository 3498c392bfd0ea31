"""The size of a picture: read from the command line or from a picture's text, the model's own, and the noise of that size."""

import re

from edu_diffusion.data.arguments import SIZE_ADVICE
from edu_diffusion.errors import EduError

SIDES = re.compile(r" *(\d{1,6}) *(?:[x×] *(\d{1,6}) *)?")


def pair(text):
    """(height, width) of a size as it is written: one number for a square, or the width, an x and the height."""
    found = SIDES.fullmatch(text)
    if not found:
        raise EduError(f"size must be {SIZE_ADVICE}, not {text[:40]!r}")
    width, height = (int(number) for number in (found[1], found[2] or found[1]))
    return height, width


def words(size):
    """The size as it is written, the width first."""
    return f"{size[1]}x{size[0]}"


def own(pipe):
    """(height, width) of the pictures that a model was made for."""
    edge = pipe.unet.config.sample_size
    height, width = [edge, edge] if isinstance(edge, int) else edge
    return height * pipe.vae_scale_factor, width * pipe.vae_scale_factor


def chosen(pipe, settings, asked, same_weights):
    """(height, width) to draw: what the command line asks for, or that of the picture if it was made by this model."""
    return settings["size"] if settings.get("size") and (asked or same_weights) else own(pipe)


def noise(pipe, seed, size):
    """The noise to start from, or None where it is what the loop takes by itself: in the size of the model, or for size None."""
    from edu_diffusion import steps

    if size is None or size == own(pipe):
        return None
    return steps.initial_noise(pipe, [seed], [n // pipe.vae_scale_factor for n in size])

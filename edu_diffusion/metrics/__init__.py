"""Metrics of generative quality: variety, calibration, image quality, and the effect of guidance and steps.

    python3 -m edu_diffusion judge open         # all of these for checkpoints/base

    calibration.py   over many seeds of an open prompt, the histogram of unspecified attributes against the true distribution
    variety.py       how different the images of one prompt are
    steps.py         Fréchet distance to real pictures, by the number of denoising steps
    quality.py       PSNR inside the sprite, unevenness of the background, distance of its colour from the palette
    guidance.py      the default guidance scale, and its effect on accuracy, variety and habits
"""

from .calibration import calibration, open_prompts, single
from .guidance import choose, effect, habits, plain_call
from .quality import quality
from .steps import by_steps
from .variety import variety

__all__ = ["by_steps", "calibration", "choose", "effect", "habits", "open_prompts", "plain_call", "quality", "single", "variety"]

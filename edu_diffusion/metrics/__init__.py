"""Measures of what diffusion is for: variety, the right variety, and control over it.

    python3 -m edu_diffusion judge open         # all of these for checkpoints/base

    calibration.py   over many seeds of an open prompt, the histogram of what is unsaid against the world's own
    variety.py       how different the pictures of one prompt are
    steps.py         how far sets of pictures are from real ones, by the number of denoising steps
    quality.py       decibels inside the sprite, unevenness of the background, distance of its colour from the palette
    guidance.py      which default guidance, and what it does to accuracy, variety and habits
"""

from .calibration import calibration, open_prompts, single
from .guidance import choose, effect, habits
from .quality import quality
from .steps import by_steps
from .variety import variety

__all__ = ["by_steps", "calibration", "choose", "effect", "habits", "open_prompts", "quality", "single", "variety"]

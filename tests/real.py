"""Narrow pipelines with random weights that are shaped like the published ones, with a tokenizer for any text.

See edu_diffusion/models/random_weights.py: same classes, blocks, layers, heads and options, smaller widths.
"""

import tiny

from edu_diffusion import models


def sd15():
    """Shaped like Stable Diffusion 1.4 and 1.5."""
    return models.narrow("sd15", tokenizer=tiny.tokenizer())


def sd2():
    return models.narrow("sd2", tokenizer=tiny.tokenizer())


def sdxl(turbo=False, seed=0):
    """Shaped like Stable Diffusion XL's base model; Turbo's differs in the scheduler."""
    return models.narrow("turbo" if turbo else "sdxl", seed=seed, tokenizer=tiny.tokenizer())

"""Suppress the libraries' own messages where this package reports the problems itself."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


def pipeline_class() -> "type[StableDiffusionPipeline]":
    """diffusers.StableDiffusionPipeline; its first import comments on optional packages that nobody needs here."""
    with quiet():
        from diffusers import StableDiffusionPipeline
    return StableDiffusionPipeline


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars or load reports from the libraries inside the block; this package reports what is wrong."""
    from diffusers.utils import logging as one
    from transformers.utils import logging as other

    before = [(logging, logging.get_verbosity(), logging.is_progress_bar_enabled()) for logging in (one, other)]
    for logging, _, _ in before:
        logging.disable_progress_bar()
        logging.set_verbosity_error()
    try:
        yield
    finally:
        for logging, level, bar in before:  # as it was: one such block may be inside another
            logging.set_verbosity(level)
            if bar:
                logging.enable_progress_bar()

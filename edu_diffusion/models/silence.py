"""Suppress the libraries' own messages where this package reports the problems itself."""

import contextlib


@contextlib.contextmanager
def quiet():
    """No progress bars or load reports from the libraries inside the block; this package reports what is wrong."""
    from diffusers.utils import logging as one
    from transformers.utils import logging as other
    levels = one.get_verbosity(), other.get_verbosity()
    for logging in (one, other):
        logging.disable_progress_bar()
        logging.set_verbosity_error()
    try:
        yield
    finally:
        for logging, level in zip((one, other), levels):
            logging.enable_progress_bar()
            logging.set_verbosity(level)

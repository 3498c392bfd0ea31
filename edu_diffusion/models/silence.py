"""The libraries' own messages, kept back while ours say what is wrong."""

import contextlib


@contextlib.contextmanager
def quiet():
    """No progress bars and load reports of the libraries inside the block; what is wrong is ours to say."""
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

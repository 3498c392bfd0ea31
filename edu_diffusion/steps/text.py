"""What every use of a text encoder needs: token ids, a warning about what is cut off, and evaluation mode."""

import warnings
from contextlib import contextmanager

__all__ = []


def token_ids(pipe, tokenizer, prompts):
    """Return the ids of prompts and their attention mask, padded to the tokenizer's length, on the pipeline's device."""
    prompts = pipe.maybe_convert_prompt(prompts, tokenizer)  # textual inversion: a word may be several tokens
    warn_if_cut(tokenizer, prompts)
    return tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").to(pipe.device)


@contextmanager
def in_use(model):
    """Put a model into evaluation mode (no dropout) inside the `with` block; every part is then set back."""
    modes = [(part, part.training) for part in model.modules()] if model.training else []
    for part, _ in modes:
        part.training = False
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def warn_if_cut(tokenizer, prompts):
    """Warn when a prompt has more tokens than the text encoder can read."""
    for prompt, ids in zip(prompts, tokenizer(prompts, verbose=False).input_ids, strict=True):
        if len(ids) > tokenizer.model_max_length:
            warnings.warn(f"The prompt {prompt[:40]!r}... has {len(ids) - 2} tokens; only the first "
                          f"{tokenizer.model_max_length - 2} are read.", stacklevel=3)

"""Other ways to attend, put into a U-Net of the library for as long as a block runs.

An attention processor is the library's name for the function that an Attention module calls to do its work.
Those here are given the one that was there before, and leave to it whatever they do not change: then it stays
the same bit for bit.
"""

from contextlib import contextmanager

from .covered import covered

__all__ = []


@contextmanager
def processed(unet, make):
    """Replace the processors of a U-Net by make(name, the one before) while the block runs; None: none.

    Raises ValueError where one is replaced in an attention with more to it than `attend` covers.
    """
    before = dict(unet.attn_processors)
    made = {name: make(name, old) for name, old in before.items()}
    for name in filter(made.get, made):
        covered(unet.get_submodule(name.removesuffix(".processor")))
    unet.set_attn_processor({name: made[name] or old for name, old in before.items()})
    try:
        yield unet
    finally:
        unet.set_attn_processor(before)


def crossed(name):
    """Whether a processor's name is that of a cross-attention, which reads the text."""
    return ".attn2." in name

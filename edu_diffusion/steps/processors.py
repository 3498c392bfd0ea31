"""Custom attention processors, put into a library U-Net inside a `with` block.

An attention processor is the library's name for the function that an Attention module calls to compute attention.
Those here receive the previous processor and use it for everything that they do not change: that part stays
the same bit for bit.
"""

from contextlib import contextmanager

from .supported import check_supported

__all__ = []


@contextmanager
def processed(unet, make):
    """Replace each processor of a U-Net by make(name, old) inside the `with` block; where make gives None, old stays.

    Raises ValueError if one is replaced in an attention module that `attend` does not support.
    """
    before = dict(unet.attn_processors)
    made = {name: make(name, old) for name, old in before.items()}
    for name in filter(made.get, made):
        check_supported(unet.get_submodule(name.removesuffix(".processor")))
    unet.set_attn_processor({name: made[name] or old for name, old in before.items()})
    try:
        yield unet
    finally:
        unet.set_attn_processor(before)


def crossed(name):
    """Whether a processor's name is that of a cross-attention, which attends to the text."""
    return ".attn2." in name

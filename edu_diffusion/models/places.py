"""Where in a file with the original key names each tensor of the library's models is."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from . import openclip
from .original import OPENCLIP, PREFIX, XL_TEXT, as_kept, original_names


class Place(NamedTuple):
    """Where in the file a tensor of the library's model is."""

    name: str  # the original's
    shape: tuple[int, ...]  # there
    take: Callable  # from the file's tensor to the library's


def places_of(part, blank, held, xl):
    """{name of a tensor in the library's model: its Place}. held: {original name: shape} of the file; xl: whether it is an XL."""
    prefix = OPENCLIP.get(part, "")
    if prefix and any(name.startswith(prefix) for name in held):
        return {name: in_openclip(prefix, name, tensor) for name, tensor in blank.state_dict().items()}
    names = original_names(part, blank)
    if xl and part == "text_encoder":
        names = {name: XL_TEXT + original.removeprefix(PREFIX[part]) for name, original in names.items()}
    state = blank.state_dict()
    return {name: Place(original, tuple(as_kept(original, state[name]).shape), same) for name, original in names.items()}


def in_openclip(prefix, name, tensor):
    """The Place of a text encoder's tensor under OpenCLIP's names."""
    where, _ = openclip.original(name)
    return Place(prefix + where, openclip.shape(name, tensor), functools.partial(openclip.taken, name))


def same(tensor):
    """A tensor that is the same in the file and in the library's model."""
    return tensor


def wanted(places):
    """{original name: shape} of all parts. places: {part: {name: Place}}."""
    return {place.name: place.shape for part in places.values() for place in part.values()}


def used(held, blanks):
    """{original name: shape} without what an OpenCLIP text encoder has and the model does not use."""
    encoders = [(prefix, blanks[part].config.num_hidden_layers) for part, prefix in OPENCLIP.items() if part in blanks]
    patterns = [openclip.unused(prefix, layers) for prefix, layers in encoders]
    projection = OPENCLIP["text_encoder_2"] + "text_projection"  # the first one's is not used
    return {name: shape for name, shape in held.items() if name == projection or not any(one.fullmatch(name) for one in patterns)}

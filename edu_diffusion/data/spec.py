"""What is in a picture, as numbers: a Spec of index tensors, and the lists that they are indices into."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from . import words
from .world import world

COLOURS = list(words.COLOURS)
STYLES = list(words.STYLES)
SIZES = list(words.SIZES)
PLACES = list(words.PLACES)
ALL_STYLES = [*STYLES, words.NEW_STYLE]


class Spec(NamedTuple):
    """The content of each picture: LongTensors of shape (B,), indices into the lists of this module.

    count: copies of the object, 1 to 3. other: a second, different object, or -1; then place is that of the first one, and
    the other is placed opposite.
    """

    concept: torch.Tensor
    colour: torch.Tensor
    style: torch.Tensor
    size: torch.Tensor
    place: torch.Tensor
    count: torch.Tensor
    other: torch.Tensor


def spec_of(rows: Sequence[dict]) -> Spec:
    """The Spec of prompt rows (dicts with id, colour, style, size, place; count and other where there are any).

    Unspecified attributes get a placeholder for rendering, which is not the right answer: white, twemoji, medium, centre.
    """
    index = lambda id: world().by_id[id].index if id else -1
    concept, other = ([index(r.get(key, "")) for r in rows] for key in ("id", "other"))
    colour, size = [COLOURS.index(r["colour"] or "white") for r in rows], [SIZES.index(r["size"] or "medium") for r in rows]
    style, place = [ALL_STYLES.index(r["style"] or "twemoji") for r in rows], [PLACES.index(r["place"] or "centre") for r in rows]
    count = [int(r.get("count") or 1) for r in rows]
    several = [c > 1 or o >= 0 for c, o in zip(count, other)]
    size = [0 if s else v for s, v in zip(several, size)]
    place = [1 if o >= 0 and not p else p for o, p in zip(other, place)]
    return Spec(*map(torch.tensor, (concept, colour, style, size, place, count, other)))

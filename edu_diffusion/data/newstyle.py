"""The new drawing style as a task: the adapters' training data, and the prompts to evaluate them with.

The style is Fluent's high-contrast one: black lines on a transparent background. The base was not trained on
it. On a black background it is invisible, so that colour is left out; and every fifth core concept is
held out in this style, to distinguish a learned style from memorised sprites.
"""

import functools

import torch

from . import scenes, words
from .arguments import check_batch
from .world import FULL, prompts, world

ALWAYS = ("concept", "style")  # what every caption names: the concept, and the new style
BLACK = scenes.COLOURS.index("black")


@functools.cache
def unseen() -> torch.Tensor:
    """Indices of the core concepts that are held out in the new style: LongTensor."""
    return world().tier("core")[::5]


def batch(n: int, seed: int = 0, style: str = words.NEW_STYLE) -> scenes.Scenes:
    """n random scenes of the other core concepts in one style, the same for the same arguments. Returns Scenes."""
    n, seed = check_batch(n, seed)
    rng = torch.Generator().manual_seed(seed)
    spec = scenes.draw_spec(2 * n + 16, rng, held_out=("style",), styles=(style,))
    fine = (spec.colour != BLACK) & ~torch.isin(spec.concept, unseen())
    spec = scenes.Spec(*(part[fine][:n] for part in spec))
    images, masks = scenes.render(spec, rng)
    return scenes.Scenes(images, masks, [scenes.say(spec, i, rng, always=ALWAYS) for i in range(n)], spec)


def rows(style: str = words.NEW_STYLE, limit: int | None = None) -> list[dict]:
    """The frozen core prompts that name everything and a colour other than black, each asking for the style; "": for none.

    Rows are dicts as those of prompts(), and "new" is whether the concept is held out.
    """
    held = {world().concepts[i].id for i in unseen().tolist()}
    asked = [r for r in prompts("core", FULL) if r["colour"] != "black"][:limit]
    return [
        {
            **r,
            "style": style,
            "new": r["id"] in held,
            "prompt": words.caption(world().by_id[r["id"]].name, r["colour"], r["size"], r["place"], style),
        }
        for r in asked
    ]

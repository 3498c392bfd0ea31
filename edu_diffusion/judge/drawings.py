"""A second judge, built otherwise and never trained: the drawing that is nearest to a picture, pixel by pixel.

It shares nothing with the classifier, so where both agree neither was fooled. And it measures memory: how often
the picture is nearest to just that training drawing that was asked for.
"""

import torch

from ..data import scenes
from ..data.world import world


def nearest(images, rows, tier="core"):
    """The drawing nearest to each picture: (concepts (B,), styles (B,), distances (B,)).

    Every drawing of the tier is painted as the prompt row says (its size and place, on the picture's own
    background) and compared: root mean square, in units of [-1, 1].
    """
    images, grounds = images.cpu(), ground(images.cpu())
    found = [None] * len(rows)
    for size, place in sorted({(r["size"], r["place"]) for r in rows}):
        sprites, opacity, spec = drawings(size, place, tier)
        for i in [i for i, r in enumerate(rows) if (r["size"], r["place"]) == (size, place)]:
            painted = sprites + (1 - opacity) * grounds[i]
            distance = (painted - images[i]).square().mean((1, 2, 3)).sqrt()
            best = int(distance.argmin())
            found[i] = spec.concept[best], spec.style[best], distance[best]
    return tuple(torch.stack(column) for column in zip(*found))


def ground(images):
    """The colour of each picture's frame, channel by channel its median: (B, 3, 1, 1)."""
    frame = torch.cat([images[..., :2, :].flatten(2), images[..., -2:, :].flatten(2),
                       images[..., :2].flatten(2), images[..., -2:].flatten(2)], dim=2)
    return frame.median(dim=2).values[:, :, None, None]


def drawings(size, place, tier):
    """Every drawing of a tier at one size and place: colour x opacity (n, 3, 64, 64), opacity (n, 1, 64, 64), Spec."""
    concepts, n = world().tier(tier), len(scenes.STYLES)
    rows = [{"id": world().concepts[i].id, "colour": colour, "style": style, "size": size, "place": place}
            for colour in ("black", "white") for i in concepts for style in scenes.STYLES]
    spec = scenes.spec_of(rows)
    images = scenes.render(spec)[0]
    dark, light = images.chunk(2)  # the same drawing on both tells what shines through
    black, white = (scenes.PALETTE[scenes.COLOURS.index(c)][:, None, None] for c in ("black", "white"))
    opacity = 1 - ((light - dark) / (white - black)).mean(1, keepdim=True)
    half = len(concepts) * n
    return dark - (1 - opacity) * black, opacity, scenes.Spec(*(part[:half] for part in spec))

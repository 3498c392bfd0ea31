"""A second judge, built otherwise and never trained: the drawing that is nearest to a picture, pixel by pixel.

It shares nothing with the classifier, so where both agree neither was fooled. And it measures memory: how often
the picture is nearest to the very drawing that was asked for, among all drawings, also those no training saw.
"""

import torch

from ..data import scenes, words
from ..data.world import world


def nearest(images, rows, tier="core", styles=scenes.STYLES):
    """The drawing nearest to each picture: (concepts (B,), styles (B,), distances (B,)).

    Every drawing of the tier is painted as the prompt row says (its size and place, on the picture's own
    background) and compared: root mean square, in units of [-1, 1]. styles: which drawing styles there are.
    """
    images, grounds = images.cpu(), ground(images.cpu())
    found = [None] * len(rows)
    for size, place in sorted({(r["size"], r["place"]) for r in rows}):
        sprites, opacity, spec = drawings(size, place, tier, styles)
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


def drawings(size, place, tier, styles=scenes.STYLES):
    """Every drawing of a tier at one size and place: colour x opacity (n, 3, 64, 64), opacity (n, 1, 64, 64), Spec.

    On a ground g in [-1, 1] such a drawing is colour x opacity + (1 - opacity) g, as scenes.render paints it.
    """
    concepts, edge = world().tier(tier), words.SIZES[size]
    rows = [{"id": world().concepts[i].id, "colour": "", "style": style, "size": size, "place": place}
            for i in concepts for style in styles]
    spec = scenes.spec_of(rows)
    drawn = torch.stack([world().sprites(style, edge)[concepts] for style in styles], dim=1).flatten(0, 1).float() / 255
    y, x = scenes._corners(spec)[0, 0].tolist()
    drawn = torch.nn.functional.pad(drawn, (x, scenes.PICTURE - edge - x, y, scenes.PICTURE - edge - y))
    return 2 * drawn[:, :3] - drawn[:, 3:], drawn[:, 3:], spec

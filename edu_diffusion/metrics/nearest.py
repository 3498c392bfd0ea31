"""A second judge, independent and never trained: the reference sprite that is nearest to an image, pixel by pixel.

It shares nothing with the classifier, so where both agree neither was fooled. And it measures memorisation: how often
an image is nearest to the very sprite that was asked for, among all sprites, including those outside the training data.
"""

import functools
from collections.abc import Sequence

import torch
from torch.nn.functional import avg_pool2d

from ..data import compositing, scenes, words
from ..data.world import world

POOL = 2  # pixels are compared in blocks of POOL x POOL: a quarter of the numbers, and tolerant to shifts of a pixel


def nearest_reference(
    images: torch.Tensor, styles: Sequence[str] = scenes.STYLES, tier: str = "core", batch: int = 1000
) -> tuple[torch.Tensor, ...]:
    """The nearest reference to each image, without knowing the prompt: concepts, styles, distances, sizes, places.

    Every sprite of the tier, in every style, size and place, is rendered on the image's own background and compared.
    images: (B, 3, 64, 64) in [-1, 1]. styles: which drawing styles to consider. Returns five (B,) tensors on the CPU;
    distances are root mean squares in units of [-1, 1], of images averaged over blocks of 2 x 2 pixels.
    """
    cells = [(size, place) for size in scenes.SIZES for place in scenes.PLACES if size != "big" or place == "centre"]
    spec, distance = best(images, (references(size, place, tier, tuple(styles)) for size, place in cells), batch)
    return spec.concept, spec.style, distance, spec.size, spec.place


def nearest_as_asked(
    images: torch.Tensor, rows: Sequence[dict], tier: str = "core", styles: Sequence[str] = scenes.STYLES
) -> tuple[torch.Tensor, ...]:
    """The same, knowing where to look: only sprites of each prompt row's size and place. Returns concepts, styles, distances."""
    found: list = [None] * len(rows)
    for size, place in sorted({(r["size"], r["place"]) for r in rows}):
        mine = [i for i, r in enumerate(rows) if (r["size"], r["place"]) == (size, place)]
        spec, distance = best(images[mine], [references(size or "medium", place or "centre", tier, tuple(styles))])
        for k, i in enumerate(mine):
            found[i] = spec.concept[k], spec.style[k], distance[k]
    return tuple(torch.stack(column) for column in zip(*found))


def best(images, sets, batch=1000):
    """The nearest of all references: (Spec of (B,) tensors, distances (B,)), on the CPU.

    sets: an iterable of what `references` returns: colour, opacity, Spec.
    """
    least = torch.full((len(images),), torch.inf)
    found = scenes.Spec(*(torch.zeros(len(images), dtype=torch.long) for _ in scenes.Spec._fields))
    for colour, opacity, spec in sets:
        value, index = (torch.cat(parts) for parts in zip(*(row_minima(x, colour, opacity) for x in images.split(batch))))
        nearer = value < least
        least = torch.where(nearer, value, least)
        found = scenes.Spec(*(torch.where(nearer, new[index], old) for new, old in zip(spec, found)))
    return found, least


def row_minima(images, colour, opacity):
    """Each image's distance to the nearest reference, and the index of that reference: (B,), (B,)."""
    value, index = distances(images.float(), colour.to(images.device), opacity.to(images.device)).min(dim=1)
    return value.cpu(), index.cpu()


def distances(images, colour, opacity):
    """Root mean square distances between images and references rendered on the images' own backgrounds: (B, n).

    With s the reference's colour, a its opacity, g the image's background and y = x - g, the rendered reference differs from x
    by s - a g - y. Squared and summed that is |s|^2 + g^2 |a|^2 - 2 g s.a + |y|^2 - 2 s.y + 2 a.(g y): matrix products.

    images: (B, 3, H, W). colour (n, 3, H / POOL, W / POOL), opacity (n, 1, H / POOL, W / POOL): as `references` returns them.
    """
    x, s, a = avg_pool2d(images, POOL), colour, opacity
    g = ground(images)
    y = x - g
    g = g[..., 0, 0]
    numbers = x[0].numel()
    own = s.square().sum((1, 2, 3)) + torch.outer(g.square().sum(1), a.square().sum((1, 2, 3)))
    own = own - 2 * g @ (s * a).sum((2, 3)).T + y.square().sum((1, 2, 3))[:, None]
    cross = torch.cat([y.flatten(1), -(g[..., None, None] * y).sum(1).flatten(1)], 1) @ torch.cat([s, a], 1).flatten(1).T
    return ((own - 2 * cross).clamp(min=0) / numbers).sqrt()


def ground(images):
    """The background colour of each image, the median of its frame in each channel: (B, 3, 1, 1)."""
    frame = torch.cat(
        [images[..., :2, :].flatten(2), images[..., -2:, :].flatten(2), images[..., :2].flatten(2), images[..., -2:].flatten(2)],
        dim=2,
    )
    return frame.median(dim=2).values[:, :, None, None]


def references(size, place, tier, styles):
    """What `drawings` returns, averaged over blocks; of the core tier all of it is cached, 100 MB for three styles."""
    make = pooled if tier == "core" else pooled.__wrapped__
    return make(size, place, tier, styles)


@functools.lru_cache(maxsize=40)
def pooled(size, place, tier, styles):
    colour, opacity, spec = drawings(size, place, tier, styles)
    return avg_pool2d(colour, POOL), avg_pool2d(opacity, POOL), spec


def drawings(size, place, tier, styles=scenes.STYLES):
    """Every sprite of a tier at one size and place: colour x opacity (n, 3, 64, 64), opacity (n, 1, 64, 64), Spec.

    On a background g in [-1, 1] such a sprite is rendered as colour x opacity + (1 - opacity) g, as in scenes.render.
    """
    concepts, edge = world().tier(tier), words.SIZES[size]
    rows = [
        {"id": world().concepts[i].id, "colour": "", "style": style, "size": size, "place": place}
        for i in concepts
        for style in styles
    ]
    spec = scenes.spec_of(rows)
    drawn = torch.stack([world().sprites(style, edge)[concepts] for style in styles], dim=1).flatten(0, 1).float() / 255
    y, x = compositing.corners(spec)[0, 0].tolist()
    drawn = torch.nn.functional.pad(drawn, (x, scenes.PICTURE - edge - x, y, scenes.PICTURE - edge - y))
    return 2 * drawn[:, :3] - drawn[:, 3:], drawn[:, 3:], spec

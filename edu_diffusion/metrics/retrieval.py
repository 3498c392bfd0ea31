"""CLIP retrieval: in a pool of 64 captioned images, does each caption find its image, and each image its caption?

The captions name everything, so that each is true only of its own image. Half of a pool are hard
negatives, pairs that show the same concept on another background or in another style: recognising the concept is not enough.
"""

from collections.abc import Callable

import torch

from ..data import scenes

POOL = 64


@torch.no_grad()
def recall(
    embed: Callable[[list[str], torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    tier: str = "core",
    pools: int = 10,
    seed: int = 777,
) -> dict[str, torch.Tensor]:
    """Recall at 1, in both directions: {"text_to_image": (n,) bool, "image_to_text": (n,) bool}.

    embed(captions, images) -> text and image embeddings, (B, width) each.
    """
    hits: dict[str, list[torch.Tensor]] = {"text_to_image": [], "image_to_text": []}
    for i in range(pools):
        scene = pool(tier, seed + i)
        text, image = (torch.nn.functional.normalize(e, dim=1) for e in embed(scene.captions, scene.images))
        alike, own = text @ image.T, torch.arange(POOL, device=text.device)
        hits["text_to_image"].append(alike.argmax(1) == own)
        hits["image_to_text"].append(alike.argmax(0) == own)
    return {way: torch.cat(found) for way, found in hits.items()}


def pool(tier, seed):
    """64 scenes with 64 different captions: 32 concepts, each twice, the second time with another colour or style."""
    rng = torch.Generator().manual_seed(seed)
    first = unique(scenes.draw_spec(400, rng, tier), POOL // 2)
    second = changed(first, rng)
    spec = scenes.Spec(*(torch.cat(parts) for parts in zip(first, second)))
    images, masks = scenes.render(spec, rng)
    return scenes.Scenes(images, masks, [scenes.say(spec, i, rng, plain=True) for i in range(POOL)], spec)


def unique(spec, n):
    """The first n scenes of different concepts."""
    seen = {}
    for i, concept in enumerate(spec.concept.tolist()):
        seen.setdefault(concept, i)
    rows = torch.tensor(list(seen.values())[:n])
    return scenes.Spec(*(part[rows] for part in spec))


def changed(spec, rng):
    """The same scenes, every other one on another background, the rest in another style."""
    odd = torch.arange(len(spec.concept)) % 2 == 1
    step = torch.randint(1, 3, (len(odd),), generator=rng)
    colour = torch.where(odd, (spec.colour + step) % len(scenes.COLOURS), spec.colour)
    style = torch.where(odd, spec.style, (spec.style + step) % len(scenes.STYLES))
    return spec._replace(colour=colour, style=style)

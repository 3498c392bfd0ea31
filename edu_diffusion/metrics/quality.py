"""How clean are the images? Compared with the truth where the prompt determines it, and with the VAE's own reconstruction.

quality         PSNR (dB) inside the sprite, against the true scene through the VAE, where everything is as asked
mottle          unevenness of a background that should be one colour, in grey levels (0 to 255)
colour_off      distance of the background from the palette's colour, in grey levels
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import max_pool2d

from ..data import jpeg, scenes
from ..data.world import prompts
from .accuracy import read
from .judge import Judge
from .sampling import GUIDANCE, draw, through_vae
from .statistics import mean, score

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

LEVELS = 127.5  # grey levels in a unit of [-1, 1]
APART = 4  # minimum distance of background pixels from the sprite
ENOUGH = 64  # minimum number of background pixels for an image to be counted


def quality_scores(
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    guidance: float = GUIDANCE,
    rows: Sequence[dict] | None = None,
    seeds: Sequence[int] = (0,),
    n_steps: int = 20,
    batch: int | None = None,
    limit: int | None = None,
) -> dict[str, dict]:
    """Scores of images of prompts that name everything: {name: score}; _vae: the same of real scenes through the VAE.

    quality_as_asked: the share of images whose concept, style, size and place match the true scene by the judge;
    the scores of generated images count these alone. rows: None is the core's full prompts, the first `limit`.
    """
    rows = prompts("core", "full")[:limit] if rows is None else rows
    spec, many = scenes.spec_of(rows), len(seeds)
    scene, masks = scenes.render(spec)
    truth = through_vae(pipe, scene).cpu()
    drawn = torch.cat([draw(pipe, rows, seed, guidance, n_steps, batch).cpu() for seed in seeds])
    repeated = scenes.Spec(*(part.repeat(many) for part in spec))
    fine = as_asked(judge, drawn, repeated)
    scores = measured(drawn, truth.repeat(many, 1, 1, 1), masks.repeat(many, 1, 1, 1), repeated.colour, fine)
    ceiling = measured(truth, scene, masks, spec.colour, torch.ones(len(rows), dtype=torch.bool))
    return {"quality_as_asked": score(fine)} | scores | {f"{name}_vae": value for name, value in ceiling.items()}


def as_asked(judge, images, spec):
    """Where the judge reads the same concept, style, size and place as in the Spec: (B,)."""
    found = read(judge, images)
    found["concept"] = found["concept"][:, 0]
    return torch.stack([found[part] == getattr(spec, part) for part in ("concept", "style", "size", "place")]).all(0)


def measured(images, truth, masks, colour, fine):
    """The three scores of the images that are fine, (B,) bool; an empty dict without any."""
    if not fine.any():
        return {}
    images, truth, masks, colour = (x[fine] for x in (images, truth, masks, colour))
    db = torch.tensor([jpeg.psnr(x, y, mask[0]) for x, y, mask in zip(images, truth, masks)])
    uneven, off = backgrounds(images, masks, colour)
    return {"quality": mean(db, "dB"), "mottle": mean(uneven, "levels"), "colour_off": mean(off, "levels")}


def backgrounds(images, masks, colour):
    """For each image with enough background, its unevenness and its distance from the palette's colour: two (n,), in grey levels.

    The unevenness is the root mean square of the deviations from the median colour. images: (B, 3, H, W),
    masks: (B, 1, H, W), where the object is. colour: (B,), indices into the palette.
    """
    near = max_pool2d(masks.float(), 2 * APART + 1, stride=1, padding=APART)[:, 0] > 0
    pixels = [(image[:, ~mask], scenes.PALETTE[c]) for image, mask, c in zip(images, near, colour) if (~mask).sum() >= ENOUGH]
    middles = [x.median(dim=1).values for x, _ in pixels]
    uneven = [(x - middle[:, None]).square().mean().sqrt() for (x, _), middle in zip(pixels, middles)]
    off = [(middle - own).square().mean().sqrt() for (_, own), middle in zip(pixels, middles)]
    return LEVELS * torch.stack(uneven), LEVELS * torch.stack(off)

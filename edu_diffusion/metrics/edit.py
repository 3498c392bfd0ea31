"""Was the image edited as asked, and nothing else changed? Scores of img2img, inpainting, outpainting and DDIM inversion.

The images are real scenes, of the frozen core prompts whose pairs are in the training data. img2img asks for the
next prompt of the list, inpainting for the next prompt's object in a box around this one's, outpainting for the same
scene on a wider canvas; inversion uses the prompt that describes the image. Differences are paired.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .. import steps
from ..data import scenes, words
from ..data.world import prompts, world
from .accuracy import background, right
from .judge import Judge, load_judge
from .sampling import GUIDANCE, STEPS, through_vae
from .statistics import mean, paired, score

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
MARGIN = 16  # pixels added to the canvas, left and right
LONGER = 5  # times as many steps, for a more accurate inversion


@torch.no_grad()
def scores(
    pipe: "StableDiffusionPipeline",
    seeds: Sequence[int] = (0, 1000, 2000),
    limit: int | None = None,
    judge: Judge | None = None,
    n_steps: int = STEPS,
) -> dict[str, dict]:
    """All scores of editing with a pipeline: {name: score}.

    edit_distance_*: root mean square distance from the original, in [-1, 1], for each strength; edit_further_*: the increase
    over the next lower strength; edit_monotone: share of images whose distance never decreases with the strength.
    edit_concept_*: the requested object is recognised. *_untouched: no pixel outside the mask differs after pasting.
    invert_*: PSNR (dB) of the reconstruction from the inverted noise, beside that of the VAE.
    seeds: of the sampling; limit: only the first prompts; judge: a Judge, None is the shipped one.
    """
    rows = prompts("core", "full")[:limit]
    real = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))
    judge = judge or load_judge(pipe.device)
    given = {"steps": n_steps, "guidance": GUIDANCE}
    return (
        repainted(pipe, judge, rows, real[0], seeds, given)
        | exchanged(pipe, judge, rows, *real, seeds, given)
        | widened(pipe, rows, real[0], seeds, given)
        | inverted(pipe, rows, real[0], n_steps)
    )


def repainted(pipe, judge, rows, images, seeds, given):
    """img2img to the next prompt, at every strength."""
    wanted = turned(rows)
    far, hits = {}, {}
    for strength in STRENGTHS:
        drawn = torch.cat([ends(steps.img2img, pipe, wanted, seed, (images,), strength=strength, **given) for seed in seeds])
        far[strength] = distance(drawn, images.repeat(len(seeds), 1, 1, 1))
        hits[strength] = right(judge, drawn.to(pipe.device), wanted * len(seeds))["concept"]
    before = right(judge, images.to(pipe.device), wanted)["concept"].repeat(len(seeds))
    return (
        further(far)
        | {f"edit_concept_{s:g}": score(h) for s, h in hits.items()}
        | {"edit_concept_gain": paired(before, hits[STRENGTHS[-2]])}
    )


def further(far):
    """Scores of distances, {strength: (n,)}: their means, what each strength adds, and the share that never decrease."""
    levels = sorted(far)
    pairs = list(zip(levels, levels[1:]))
    always = torch.stack([far[b] >= far[a] for a, b in pairs]).all(0)
    return (
        {f"edit_distance_{s:g}": mean(d) for s, d in far.items()}
        | {f"edit_further_{b:g}": paired(far[a], far[b]) for a, b in pairs}
        | {"edit_monotone": score(always)}
    )


def exchanged(pipe, judge, rows, images, masks, seeds, given):
    """Inpainting: the next prompt's object in place of this one's."""
    wanted, holes = other_things(rows), boxes(masks)
    drawn = torch.cat([ends(steps.inpaint, pipe, wanted, seed, (images, holes), **given) for seed in seeds])
    pictures, holes = (x.repeat(len(seeds), 1, 1, 1) for x in (images, holes))
    pasted = steps.paste(pictures, drawn, holes)
    outside = (drawn - pictures).abs().mean(1, keepdim=True) * (1 - holes)
    hits = right(judge, pasted.to(pipe.device), wanted * len(seeds))["concept"]
    return {
        "inpaint_concept": score(hits),
        "inpaint_untouched": score(untouched(pasted, pictures, holes)),
        "inpaint_outside_unpasted": mean(outside.sum((1, 2, 3)) / (1 - holes).sum((1, 2, 3)).clamp(min=1)),
    }


def widened(pipe, rows, images, seeds, given):
    """Outpainting: the canvas extended left and right; the margin should have the background's colour."""
    canvas, margin = steps.expand_canvas(images, left=MARGIN, right=MARGIN)
    drawn = torch.cat([ends(steps.inpaint, pipe, rows, seed, (canvas, margin), **given) for seed in seeds])
    many = canvas.repeat(len(seeds), 1, 1, 1)
    pasted = steps.paste(many, drawn, margin)
    sides = torch.cat([pasted[..., :MARGIN], pasted[..., -MARGIN:]], dim=3)
    colour = scenes.spec_of(rows).colour.repeat(len(seeds))
    said = torch.tensor([bool(r["colour"]) for r in rows]).repeat(len(seeds))
    return {
        "outpaint_untouched": score(untouched(pasted, many, margin)),
        "outpaint_colour": score((background(sides).cpu() == colour)[said]),
    }


def inverted(pipe, rows, images, n_steps):
    """DDIM inversion and reconstruction, without guidance, with few and with more steps."""
    ceiling = decibels(through_vae(pipe, images).cpu().float(), images)
    found = {"invert_ceiling": mean(ceiling, "dB")}
    for name, count in (("invert", n_steps), ("invert_longer", LONGER * n_steps)):
        back = torch.cat([there_and_back(pipe, part, images[i : i + 40], count) for i, part in parts(rows)])
        db = decibels(back, images)
        found |= {f"{name}_psnr": mean(db, "dB"), f"{name}_loss": paired(ceiling, db, "dB")}
    return found


def there_and_back(pipe, rows, images, count):
    texts = [r["prompt"] for r in rows]
    *_, noisy = steps.invert(pipe, texts, images, steps=count)
    return steps.final(pipe, steps.generate(pipe, texts, z_T=noisy.z_t, steps=count, guidance=1.0)).cpu()


def ends(loop, pipe, rows, seed, tensors, **given):
    """The final images of an editing loop; a single tensor is used for all images, others image by image."""
    found = []
    for i, part in parts(rows):
        own = [x if len(x) == 1 else x[i : i + len(part)] for x in tensors]
        found.append(steps.final(pipe, loop(pipe, [r["prompt"] for r in part], *own, seed=seed + i, **given)).cpu())
    return torch.cat(found)


def parts(rows, size=40):
    """(index of the first, rows) of each batch."""
    return [(i, rows[i : i + size]) for i in range(0, len(rows), size)]


def turned(rows):
    """Every row's successor; the last one's is the first."""
    return rows[1:] + rows[:1]


def other_things(rows):
    """The rows with the next row's object, and prompts that say so."""
    told = []
    for row, other in zip(rows, turned(rows)):
        name = world().by_id[other["id"]].name
        text = words.caption(name, row["colour"], row["size"], row["place"], row["style"])
        told.append({**row, "id": other["id"], "prompt": text})
    return told


def boxes(masks, cell=4):
    """The box around each object, rounded up to whole cells of the latent plus one: (B, 1, H, W), float."""
    holes = torch.zeros(masks.shape)
    for hole, mask in zip(holes, masks):
        rows, columns = (mask[0].any(axis).nonzero()[:, 0] for axis in (1, 0))
        span = [slice(max(int(x.min()) // cell - 1, 0) * cell, (int(x.max()) // cell + 2) * cell) for x in (rows, columns)]
        hole[0, span[0], span[1]] = 1
    return holes


def distance(a, b):
    """Root mean square difference of each pair of images: (B,)."""
    return (a - b).square().mean((1, 2, 3)).sqrt()


def decibels(a, b):
    """Peak signal-to-noise ratio (PSNR) of images in [-1, 1]: (B,)."""
    return -20 * torch.log10(distance(a, b).clamp(min=1e-6) / 2)


def untouched(after, before, mask):
    """Whether all pixels outside the mask are bit for bit the same: (B,)."""
    return ((after == before) | (mask >= 0.5)).flatten(1).all(1)

"""Was the picture edited as asked, and no more? Scores of img2img, inpainting, outpainting and inversion.

The pictures are real scenes, of the frozen core prompts that name a pair seen in training. img2img asks for the
next prompt of the list, inpainting for the next prompt's thing in a box around this one's, outpainting for the same
picture on a wider canvas; inversion is told what the picture shows. Differences are paired.
"""

import torch

from .. import steps
from ..data import scenes, words
from ..data.world import prompts, world
from .evaluate import GUIDANCE, STEPS, through_vae
from .marks import background, mean, paired, right, score
from .network import load_judge

STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
MARGIN = 16  # pixels: how much a canvas grows, left and right
LONGER = 5  # times as many steps, for a truer inversion


@torch.no_grad()
def scores(pipe, seeds=(0, 1000, 2000), limit=None, judge=None, n_steps=STEPS):
    """All scores of editing with a pipeline: {name: score}.

    edit_distance_*: root mean square from the picture, in [-1, 1], for each strength; edit_further_*: what a
    strength adds to the one below; edit_monotone: share of pictures that no strength brings nearer.
    edit_concept_*: the asked thing is named. *_untouched: no pixel outside the mask differs after the paste.
    invert_*: decibels of the picture drawn again from its noise, beside the VAE round trip's.
    seeds: of the sampling; limit: only the first prompts; judge: a Judge, None is the shipped one.
    """
    rows = prompts("core", "full")[:limit]
    real = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))
    judge = judge or load_judge(pipe.device)
    given = {"steps": n_steps, "guidance": GUIDANCE}
    return (repainted(pipe, judge, rows, real[0], seeds, given) | exchanged(pipe, judge, rows, *real, seeds, given)
            | widened(pipe, rows, real[0], seeds, given) | inverted(pipe, rows, real[0], n_steps))


def repainted(pipe, judge, rows, images, seeds, given):
    """img2img to the next prompt, at every strength."""
    wanted = turned(rows)
    far, hits = {}, {}
    for strength in STRENGTHS:
        drawn = torch.cat([ends(steps.img2img, pipe, wanted, seed, (images,), strength=strength, **given)
                           for seed in seeds])
        far[strength] = distance(drawn, images.repeat(len(seeds), 1, 1, 1))
        hits[strength] = right(judge, drawn.to(pipe.device), wanted * len(seeds))["concept"]
    before = right(judge, images.to(pipe.device), wanted)["concept"].repeat(len(seeds))
    return (further(far) | {f"edit_concept_{s:g}": score(h) for s, h in hits.items()}
            | {"edit_concept_gain": paired(before, hits[STRENGTHS[-2]])})


def further(far):
    """Scores of distances, {strength: (n,)}: their means, what each strength adds, and the share that always rise."""
    levels = sorted(far)
    pairs = list(zip(levels, levels[1:]))
    always = torch.stack([far[b] >= far[a] for a, b in pairs]).all(0)
    return ({f"edit_distance_{s:g}": mean(d) for s, d in far.items()}
            | {f"edit_further_{b:g}": paired(far[a], far[b]) for a, b in pairs} | {"edit_monotone": score(always)})


def exchanged(pipe, judge, rows, images, masks, seeds, given):
    """Inpainting: the next prompt's thing where this one's is."""
    wanted, holes = other_things(rows), boxes(masks)
    drawn = torch.cat([ends(steps.inpaint, pipe, wanted, seed, (images, holes), **given) for seed in seeds])
    pictures, holes = (x.repeat(len(seeds), 1, 1, 1) for x in (images, holes))
    pasted = steps.paste(pictures, drawn, holes)
    outside = (drawn - pictures).abs().mean(1, keepdim=True) * (1 - holes)
    hits = right(judge, pasted.to(pipe.device), wanted * len(seeds))["concept"]
    return {"inpaint_concept": score(hits), "inpaint_untouched": score(untouched(pasted, pictures, holes)),
            "inpaint_outside_unpasted": mean(outside.sum((1, 2, 3)) / (1 - holes).sum((1, 2, 3)).clamp(min=1))}


def widened(pipe, rows, images, seeds, given):
    """Outpainting: the canvas grown left and right; the margin's colour is the background's."""
    canvas, margin = steps.grow(images, left=MARGIN, right=MARGIN)
    drawn = torch.cat([ends(steps.inpaint, pipe, rows, seed, (canvas, margin), **given) for seed in seeds])
    many = canvas.repeat(len(seeds), 1, 1, 1)
    pasted = steps.paste(many, drawn, margin)
    sides = torch.cat([pasted[..., :MARGIN], pasted[..., -MARGIN:]], dim=3)
    colour = scenes.spec_of(rows).colour.repeat(len(seeds))
    said = torch.tensor([bool(r["colour"]) for r in rows]).repeat(len(seeds))
    return {"outpaint_untouched": score(untouched(pasted, many, margin)),
            "outpaint_colour": score((background(sides).cpu() == colour)[said])}


def inverted(pipe, rows, images, n_steps):
    """Inversion: to the noise and back, without guidance, with few and with more steps."""
    ceiling = decibels(through_vae(pipe, images).cpu().float(), images)
    found = {"invert_ceiling": mean(ceiling, "dB")}
    for name, count in (("invert", n_steps), ("invert_longer", LONGER * n_steps)):
        back = torch.cat([there_and_back(pipe, part, images[i:i + 40], count) for i, part in parts(rows)])
        db = decibels(back, images)
        found |= {f"{name}_psnr": mean(db, "dB"), f"{name}_loss": paired(ceiling, db, "dB")}
    return found


def there_and_back(pipe, rows, images, count):
    texts = [r["prompt"] for r in rows]
    *_, noisy = steps.invert(pipe, texts, images, steps=count)
    *_, clean = steps.generate(pipe, texts, z_T=noisy.z_t, steps=count, guidance=1.0)
    return steps.decode(pipe, clean.z_s).cpu().float()


def ends(loop, pipe, rows, seed, tensors, **given):
    """The pictures that a loop of editing ends with; a tensor for all is handed on, others picture by picture."""
    found = []
    for i, part in parts(rows):
        own = [x if len(x) == 1 else x[i:i + len(part)] for x in tensors]
        *_, state = loop(pipe, [r["prompt"] for r in part], *own, seed=seed + i, **given)
        found.append(steps.decode(pipe, state.z_s).cpu().float())
    return torch.cat(found)


def parts(rows, size=40):
    """(where it begins, some rows), one batch after the other."""
    return [(i, rows[i:i + size]) for i in range(0, len(rows), size)]


def turned(rows):
    """Every row's next one; the last one's is the first."""
    return rows[1:] + rows[:1]


def other_things(rows):
    """The rows with the next row's thing, and the prompts that say so."""
    told = []
    for row, other in zip(rows, turned(rows)):
        name = world().by_id[other["id"]].name
        text = words.caption(name, row["colour"], row["size"], row["place"], row["style"])
        told.append({**row, "id": other["id"], "prompt": text})
    return told


def boxes(masks, cell=4):
    """The box around each thing, as far as whole cells of the latent and one more: (B, 1, H, W), float."""
    holes = torch.zeros(masks.shape)
    for hole, mask in zip(holes, masks):
        rows, columns = (mask[0].any(axis).nonzero()[:, 0] for axis in (1, 0))
        span = [slice(max(int(x.min()) // cell - 1, 0) * cell, (int(x.max()) // cell + 2) * cell)
                for x in (rows, columns)]
        hole[0, span[0], span[1]] = 1
    return holes


def distance(a, b):
    """Root mean square of each picture's difference: (B,)."""
    return (a - b).square().mean((1, 2, 3)).sqrt()


def decibels(a, b):
    """Peak signal-to-noise ratio of pictures in [-1, 1]: (B,)."""
    return -20 * torch.log10(distance(a, b).clamp(min=1e-6) / 2)


def untouched(after, before, mask):
    """Whether all pixels outside the mask are the same, bit for bit: (B,)."""
    return ((after == before) | (mask >= 0.5)).flatten(1).all(1)

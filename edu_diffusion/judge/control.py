"""Does the drawing follow the condition? Measured on the drawing itself, beside what it would be without.

    canny           F1 of the drawing's edges and the condition's, with a tolerance of one pixel
    segmentation    overlap (intersection over union) of the drawing's shape and the condition's
    depth           rank correlation (Spearman) of the pixels' nearness
    pose            how many pixels head, hands and feet are from where they should be

Every prompt and seed is drawn three times: with its condition, without, and with the condition of another prompt. The
differences are paired: what a prompt or a seed is worth by itself drops out. The seeds of a prompt count as one case.
The ceiling is the real picture through the VAE: no latent model can follow lines that the VAE does not keep.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from .. import steps
from ..data import conditions, scenes, stick
from ..data.world import prompts
from .evaluate import GUIDANCE, STEPS, through_vae
from .marks import mean, paired

MOST = 160  # cases where there is no frozen list: depth and pose


class Cases(NamedTuple):
    """What is drawn for a judgement. truth: what the drawing is compared with."""

    images: torch.Tensor  # (B, 3, 64, 64), the real pictures
    captions: list
    shown: torch.Tensor  # (B, 3, 64, 64), the conditions
    truth: torch.Tensor


def scores(pipe, controlnet, kind, seeds=(0, 1000, 2000), limit=None):
    """{name: score} of a ControlNet on held-out cases, the names beginning with the kind and the measure.

    kind: one of conditions.KINDS. limit: only the first cases. The plain name is the drawing with its condition;
    _without: none; _shuffled: that of another prompt; _foreign: the same drawing compared with that other condition;
    _ceiling: the real picture through the VAE; _of_ceiling: the plain one as a share of it, 0 to 1 or a little more;
    _gain and _over_shuffled: the paired differences. Each with its 95 % interval.
    """
    name, measure, unit = MEASURES[conditions.known(kind)]
    cases = held_out(kind, limit)
    other = cases._replace(shown=cases.shown.roll(1, 0), truth=cases.truth.roll(1, 0))
    pictures = {seed: drawn(pipe, controlnet, other, seed) for seed in seeds}
    found = {"": [measure(drawn(pipe, controlnet, cases, seed), cases.truth) for seed in seeds],
             "_without": [measure(drawn(pipe, None, cases, seed), cases.truth) for seed in seeds],
             "_shuffled": [measure(x, cases.truth) for x in pictures.values()],
             "_foreign": [measure(x, other.truth) for x in pictures.values()],
             "_ceiling": [measure(through_vae(pipe, cases.images.to(pipe.device)).cpu(), cases.truth)]}
    found = {key: torch.stack(values).mean(0) for key, values in found.items()}
    table = {key: mean(values, unit) for key, values in found.items()}
    table["_of_ceiling"] = {"value": round((found[""].mean() / found["_ceiling"].mean()).item(), 4), "n": len(cases.truth)}
    table["_gain"] = paired(found["_without"], found[""], unit)
    table["_over_shuffled"] = paired(found["_shuffled"], found[""], unit)
    return {f"{kind}_{name}{key}": value for key, value in table.items()}


def quick(pipe, controlnet, kind, cases, n_steps=8):
    """One number while a ControlNet is trained: the mean of the kind's measure, drawn in few steps without guidance."""
    _, measure, _ = MEASURES[kind]
    return measure(drawn(pipe, controlnet, cases, n_steps=n_steps, guidance=1.0), cases.truth).mean().item()


def held_out(kind, limit=None):
    """Cases that no training saw: canny and segmentation take the frozen prompts with held-out pairs.

    Depth takes scenes of one to three things, pose stick figures, both by a seed of their own.
    """
    if kind == "pose":
        some = stick.batch(min(limit or MOST, MOST), seed=2**40)
        return Cases(some.images, some.captions, some.skeletons, stick.ends(some.keypoints))
    if kind == "depth":
        some = scenes.batch(min(limit or MOST, MOST), 2**40, counts=(1, 1, 2, 3), held_out=("colour", "style"))
        captions = some.captions
    else:
        rows = [r for split in zip(prompts("core", "heldout_colour"), prompts("core", "heldout_style")) for r in split]
        captions, spec = [r["prompt"] for r in rows[:limit]], scenes.spec_of(rows[:limit])
        some = scenes.Scenes(*scenes.render(spec, torch.Generator().manual_seed(7)), captions, spec)
    shown = conditions.of_scenes(kind, some)
    return Cases(some.images, captions, shown, shown)


def drawn(pipe, controlnet, cases, seed=0, batch=40, n_steps=STEPS, guidance=GUIDANCE):
    """Pictures of the cases by the readable loop, (B, 3, 64, 64) on the CPU; case i uses seed + i."""
    pictures = []
    for i in range(0, len(cases.captions), batch):
        control = steps.Control(controlnet, cases.shown[i:i + batch]) if controlnet is not None else None
        *_, last = steps.generate(pipe, cases.captions[i:i + batch], seed=seed + i, steps=n_steps, guidance=guidance,
                                  control=control)
        pictures.append(steps.decode(pipe, last.z_s).float().cpu())
    return torch.cat(pictures)


def edge_f1(images, lines, tolerance=1):
    """How well the edges of pictures agree with lines (B, 3, H, W): (B,), 0 to 1.

    F1 = 2 P R / (P + R): P is the share of the drawn edge pixels with a line within `tolerance` pixels, R the share
    of the lines with such an edge. Without lines, a picture without edges is right.
    """
    edges, lines = conditions.canny(images)[:, :1], lines[:, :1].to(images.device)
    near = [F.max_pool2d(x, 2 * tolerance + 1, stride=1, padding=tolerance) for x in (lines, edges)]
    hits = [(x * other).sum((1, 2, 3)) for x, other in zip((edges, lines), near)]
    most = [x.sum((1, 2, 3)) for x in (edges, lines)]
    P, R = (hit / n.clamp(min=1) for hit, n in zip(hits, most))
    f1 = 2 * P * R / (P + R).clamp(min=1e-9)
    return torch.where((most[0] + most[1]) == 0, torch.ones_like(f1), f1)


def mask_iou(images, shapes):
    """Overlap of the things in pictures and the shapes in a map (B, 3, H, W), whatever its colours: (B,), 0 to 1."""
    thing, shape = conditions.foreground(images), shapes.to(images.device).amax(1, keepdim=True) > 0
    both, either = (thing & shape).sum((1, 2, 3)), (thing | shape).sum((1, 2, 3))
    return both / either.clamp(min=1)


def rank_agreement(images, depths):
    """Spearman's correlation of the pixels' nearness in pictures and in a map (B, 3, H, W): (B,), -1 to 1."""
    one, other = (ranks(x[:, 0]) for x in (conditions.of_pictures("depth", images), depths.to(images.device)))
    return F.cosine_similarity(one, other, dim=1)  # of centred ranks; 0 where a map is all of one depth


def ranks(depth):
    """The pixels' ranks less their mean, equal ones sharing theirs: (B, H, W) -> (B, H W). depth: 0 to 1."""
    levels = (depth.flatten(1).sqrt() * 64).round().long()
    counts = torch.zeros(len(levels), 65, device=depth.device).scatter_add_(1, levels, torch.ones_like(levels).float())
    shared = counts.cumsum(1) - (counts - 1) / 2
    found = shared.gather(1, levels)
    return found - found.mean(1, keepdim=True)


def keypoint_distance(images, ends):
    """How far head, hands and feet are from where they should be, on average: (B,), in pixels. ends: (B, 5, 2)."""
    return (stick.find(images) - ends.to(images.device)).norm(dim=2).mean(1)


MEASURES = {"canny": ("f1", edge_f1, None), "segmentation": ("iou", mask_iou, None),
            "depth": ("rank", rank_agreement, None), "pose": ("distance", keypoint_distance, "px")}  # name, measure, unit

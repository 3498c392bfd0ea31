"""Does the image follow the condition? Measured on the generated image, and compared with images without the condition.

    canny           F1 of the image's edges and the condition's, with a tolerance of one pixel
    segmentation    overlap (intersection over union, IoU) of the image's shape and the condition's
    depth           rank correlation (Spearman) of the pixels' nearness
    pose            distance of head, hands and feet from where they should be, in pixels

Every case and seed is sampled three times: with its condition, without, and with the condition of another case; then
the same three with an empty caption. The differences are paired, so the effects of caption and seed cancel
out. The seeds of a case count as one. The captions are open: the condition decides what they leave unspecified.
The ceiling is the real picture through the VAE: no latent diffusion model can follow lines that the VAE does not keep.
Hand-drawn shapes (data/shapes.py) are harder: no scene looks like them, so only the condition determines their shape.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F

from .. import steps
from ..data import conditions, pose, scenes, shapes
from ..data.world import world
from .sampling import GUIDANCE, STEPS, through_vae
from .statistics import mean, paired

if TYPE_CHECKING:
    from diffusers import ControlNetModel, StableDiffusionPipeline

SEED = 2**40  # of the cases: far beyond the seeds of any training
MOST = 160  # cases
DRAWN = 20 * MOST  # scenes to select them from: about one in ten has a held-out pair
COUNTS = {"depth": (1, 1, 2, 3)}  # objects in a scene; by default one: depth needs several to order
SHAPE = "a thing on a blue background"  # the prompt for shapes


class Cases(NamedTuple):
    """The cases of an evaluation. truth: what the generated image is compared with."""

    images: torch.Tensor  # (B, 3, 64, 64), the real pictures
    captions: list
    shown: torch.Tensor  # (B, 3, 64, 64), the conditions
    truth: torch.Tensor


def scores(
    pipe: "StableDiffusionPipeline",
    controlnet: "ControlNetModel",
    kind: str,
    seeds: Sequence[int] = (0, 1000, 2000),
    limit: int | None = None,
) -> dict[str, dict]:
    """{name: score} of a ControlNet on held-out cases, the names beginning with the kind and the metric.

    kind: one of conditions.KINDS. limit: only the first cases. The plain name is the image with its condition;
    _without: none; _shuffled: that of another case; _foreign: the same image compared with that other condition;
    _ceiling: the real picture through the VAE; _of_ceiling: the plain one as a fraction of it, 0 to 1 or slightly more;
    _gain and _over_shuffled: the paired differences. _empty and what follows it: the same with an empty caption.
    {kind}_shapes_iou...: see shape_scores. Each with its 95 % interval.
    """
    name, measure, unit = MEASURES[conditions.known(kind)]
    cases = held_out(kind, limit)
    ceiling = measure(through_vae(pipe, cases.images.to(pipe.device)).cpu(), cases.truth)
    said = compared(pipe, controlnet, cases, measure, seeds)
    unsaid = compared(pipe, controlnet, cases._replace(captions=[""] * len(cases.captions)), measure, seeds)
    del unsaid["_foreign"]
    of_ceiling = {"value": round((said[""].mean() / ceiling.mean()).item(), 4), "n": len(ceiling)}
    table = gains(said, unit) | {"_ceiling": mean(ceiling, unit), "_of_ceiling": of_ceiling}
    table |= {f"_empty{key}": value for key, value in gains(unsaid, unit).items()}
    return {f"{kind}_{name}{key}": value for key, value in table.items()} | shape_scores(pipe, controlnet, kind, seeds, limit)


def compared(pipe, controlnet, cases, measure, seeds):
    """{suffix: (B,) values of the metric, averaged over the seeds}: with the condition, without, with another one."""
    other = cases._replace(shown=cases.shown.roll(1, 0), truth=cases.truth.roll(1, 0))
    found = {
        "": [measure(drawn(pipe, controlnet, cases, seed), cases.truth) for seed in seeds],
        "_without": [measure(drawn(pipe, None, cases, seed), cases.truth) for seed in seeds],
    }
    pictures = [drawn(pipe, controlnet, other, seed) for seed in seeds]
    found["_shuffled"] = [measure(x, cases.truth) for x in pictures]
    found["_foreign"] = [measure(x, other.truth) for x in pictures]
    return {key: torch.stack(values).mean(0) for key, values in found.items()}


def gains(found, unit):
    """{suffix: score} of the results of `compared`, and of its paired differences."""
    table = {key: mean(values, unit) for key, values in found.items()}
    return table | {
        "_gain": paired(found["_without"], found[""], unit),
        "_over_shuffled": paired(found["_shuffled"], found[""], unit),
    }


def shape_scores(pipe, controlnet, kind, seeds=(0, 1000, 2000), limit=None):
    """{name: score}: IoU of the image's foreground and a hand-drawn shape, 0 to 1, over the shapes.

    {kind}_shapes_iou: with the prompt "a thing on a blue background"; _without: the same seeds without the
    ControlNet; _empty: with the ControlNet and no prompt; _foreign: the first images compared with the
    next shape, since any blob in the middle overlaps with all of them; _gain: the first minus _without, paired.
    Empty for kinds that cannot show a shape. limit: only the first shapes.
    """
    if kind not in shapes.CONDITIONS:
        return {}
    names = shapes.NAMES[:limit]
    truth, shown = shapes.filled(names), shapes.CONDITIONS[kind](names)
    cases, nothing = (Cases(2 * truth - 1, [prompt] * len(names), shown, truth) for prompt in (SHAPE, ""))
    tried = {"": (controlnet, cases), "_without": (None, cases), "_empty": (controlnet, nothing)}
    pictures = {key: [drawn(pipe, net, some, seed) for seed in seeds] for key, (net, some) in tried.items()}
    found = {key: overlap(every, truth) for key, every in pictures.items()}
    found["_foreign"] = overlap(pictures[""], truth.roll(1, 0))
    table = {key: mean(values) for key, values in found.items()} | {"_gain": paired(found["_without"], found[""])}
    return {f"{kind}_shapes_iou{key}": value for key, value in table.items()}


def overlap(pictures, truth):
    """The mean IoU of several sets of images, one per seed, with the same shapes: (B,)."""
    return torch.stack([mask_iou(x, truth) for x in pictures]).mean(0)


def quick(pipe, controlnet, kind, cases, n_steps=8):
    """One number during training: the mean of the kind's metric, sampled in few steps without guidance."""
    _, measure, _ = MEASURES[kind]
    return measure(drawn(pipe, controlnet, cases, n_steps=n_steps, guidance=1.0), cases.truth).mean().item()


def held_out(kind, limit=None):
    """Cases outside all training data: scenes with a held-out pair and open captions; for pose, stick figures.

    limit: only the first ones; they are the same for every limit.
    """
    if kind == "pose":
        some = pose.batch(MOST, SEED)
        cases = Cases(some.images, some.captions, some.skeletons, pose.ends(some.keypoints))
    else:
        some = open_scenes(COUNTS.get(kind, (1,)))
        shown = conditions.of_scenes(kind, some)
        cases = Cases(some.images, some.captions, shown, shown)
    return Cases(*(part[:limit] for part in cases))


def open_scenes(counts=(1,), n=MOST):
    """n scenes whose colour or style is held out for their concept, with open captions."""
    rng = torch.Generator().manual_seed(SEED)
    spec = scenes.draw_spec(DRAWN, rng, counts=counts, held_out=("colour", "style"))
    seen = world().colour_allowed[spec.concept, spec.colour] & world().style_allowed[spec.concept, spec.style]
    spec = scenes.Spec(*(part[~seen][:n] for part in spec))
    images, masks = scenes.render(spec, rng)
    return scenes.Scenes(images, masks, [scenes.say(spec, i, rng) for i in range(len(images))], spec)


def drawn(pipe, controlnet, cases, seed=0, batch=40, n_steps=STEPS, guidance=GUIDANCE):
    """Images of the cases from the readable loop, (B, 3, 64, 64) on the CPU; case i uses seed + i."""
    guidance = guidance if any(cases.captions) else 1.0  # with an empty prompt guidance has no effect, and doubles the time
    pictures = []
    for i in range(0, len(cases.captions), batch):
        control = steps.Control(controlnet, cases.shown[i : i + batch]) if controlnet is not None else None
        states = steps.generate(
            pipe, cases.captions[i : i + batch], seed=seed + i, steps=n_steps, guidance=guidance, control=control
        )
        pictures.append(steps.final(pipe, states).cpu())
    return torch.cat(pictures)


def edge_f1(images, lines, tolerance=1):
    """How well the edges of images agree with lines (B, 3, H, W): (B,), 0 to 1.

    F1 = 2 P R / (P + R): the precision P is the share of edge pixels with a line within `tolerance` pixels, the recall R the
    share of line pixels with an edge nearby. Without lines, an image without edges is right.
    """
    edges, lines = conditions.canny(images)[:, :1], lines[:, :1].to(images.device)
    near = [F.max_pool2d(x, 2 * tolerance + 1, stride=1, padding=tolerance) for x in (lines, edges)]
    hits = [(x * other).sum((1, 2, 3)) for x, other in zip((edges, lines), near)]
    most = [x.sum((1, 2, 3)) for x in (edges, lines)]
    P, R = (hit / n.clamp(min=1) for hit, n in zip(hits, most))
    f1 = 2 * P * R / (P + R).clamp(min=1e-9)
    return torch.where((most[0] + most[1]) == 0, torch.ones_like(f1), f1)


def mask_iou(images, shapes):
    """Intersection over union of the objects in images and the shapes in a map (B, 3, H, W), of any colour: (B,), 0 to 1."""
    thing, shape = conditions.foreground(images), shapes.to(images.device).amax(1, keepdim=True) > 0
    both, either = (thing & shape).sum((1, 2, 3)), (thing | shape).sum((1, 2, 3))
    return both / either.clamp(min=1)


def rank_agreement(images, depths):
    """Spearman's rank correlation of the pixels' nearness in images and in a map (B, 3, H, W): (B,), -1 to 1."""
    one, other = (ranks(x[:, 0]) for x in (conditions.of_pictures("depth", images), depths.to(images.device)))
    return F.cosine_similarity(one, other, dim=1)  # of centred ranks; 0 where a map has a single depth


def ranks(depth):
    """The pixels' ranks minus their mean, ties sharing theirs: (B, H, W) -> (B, H W). depth: 0 to 1."""
    levels = (depth.flatten(1).sqrt() * 64).round().long()
    counts = torch.zeros(len(levels), 65, device=depth.device).scatter_add_(1, levels, torch.ones_like(levels).float())
    shared = counts.cumsum(1) - (counts - 1) / 2
    found = shared.gather(1, levels)
    return found - found.mean(1, keepdim=True)


def keypoint_distance(images, ends):
    """Mean distance of head, hands and feet from where they should be: (B,), in pixels. ends: (B, 5, 2)."""
    return (pose.find(images) - ends.to(images.device)).norm(dim=2).mean(1)


MEASURES = {
    "canny": ("f1", edge_f1, None),
    "segmentation": ("iou", mask_iou, None),
    "depth": ("rank", rank_agreement, None),
    "pose": ("distance", keypoint_distance, "px"),
}  # name, measure, unit

"""Numbers: did the model draw what was asked?

    python3 -m edu_diffusion judge              # the core tier's bars for checkpoints/base, into its metrics.json

A classifier trained on real scenes (train/judge.py) names concept, style, size and place; the background's
colour is read off the picture's frame. Every score stands beside its ceiling: real scenes through the VAE.
"""

import math
import pathlib

import torch
from torch import nn

from . import models, steps
from .data import files, scenes
from .data.world import prompts, world

STEPS, GUIDANCE = 20, 4.0  # fixed before any model was judged
WIDTHS = (32, 64, 128, 192)


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)

    def forward(self, x):
        h = self.conv1(torch.relu(self.norm1(x)))
        return x + self.conv2(torch.relu(self.norm2(h)))


class Judge(nn.Module):
    """A small residual classifier: pictures (B, 3, 64, 64) -> logits for concept, style, size and place."""

    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for wider in WIDTHS:
            layers += [nn.Conv2d(width, wider, 4, stride=2, padding=1), Block(wider)]
            width = wider
        self.body = nn.Sequential(*layers, nn.GroupNorm(8, width), nn.ReLU())
        self.concept = nn.Linear(width, len(world().concepts))
        self.style = nn.Linear(width, len(scenes.ALL_STYLES))
        self.size = nn.Linear(width * 16, len(scenes.SIZES))  # where things are is lost by averaging
        self.place = nn.Linear(width * 16, len(scenes.PLACES))

    def forward(self, x):
        h = self.body(x)
        mean, flat = h.mean(dim=(2, 3)), h.flatten(1)
        return {"concept": self.concept(mean * 4), "style": self.style(mean * 4),
                "size": self.size(flat), "place": self.place(flat)}


def save_judge(judge, target, card=None):
    """Write model.safetensors (fp16) and card.json."""
    from safetensors.torch import save_file
    with files.staged(pathlib.Path(target) / "model") as stage:
        save_file({k: v.half().contiguous() for k, v in judge.state_dict().items()}, stage / "model.safetensors")
        files.write_json(stage / "card.json", {**(card or {}), "sha256": files.checksums(stage)})


def load_judge(device=None):
    """The shipped judge, in evaluation mode."""
    from safetensors.torch import load_file
    path = files.folder("checkpoints", "judge") / "model.safetensors"
    judge = Judge()
    judge.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return judge.eval().to(models.pick_device(device))


def background(images):
    """Index of the palette colour nearest to the frame's median: (B, 3, 64, 64) -> (B,)."""
    frame = torch.cat([images[..., :2, :].flatten(2), images[..., -2:, :].flatten(2),
                       images[..., :2].flatten(2), images[..., -2:].flatten(2)], dim=2)
    distance = (frame.median(dim=2).values[:, None] - scenes.PALETTE.to(images)).square().sum(2)
    return distance.argmin(dim=1)


@torch.no_grad()
def right(judge, images, rows):
    """What is right in each picture, by prompt rows: dict of (B,) booleans.

    What a prompt leaves unsaid counts as right; "all" is everything that was asked.
    """
    spec, answers = scenes.spec_of(rows), judge(images)
    best = answers["concept"].topk(5, dim=1).indices.cpu()
    said = {part: torch.tensor([bool(r[part]) for r in rows]) for part in ("colour", "style")}
    verdict = {
        "concept": best[:, 0] == spec.concept, "top5": (best == spec.concept[:, None]).any(1),
        "colour": (background(images).cpu() == spec.colour) | ~said["colour"],
        "style": (answers["style"].argmax(1).cpu() == spec.style) | ~said["style"],
        "size": answers["size"].argmax(1).cpu() == spec.size,
        "place": answers["place"].argmax(1).cpu() == spec.place}
    verdict["pair"] = verdict["concept"] & verdict["colour"] & verdict["style"]
    verdict["all"] = verdict["pair"] & verdict["size"] & verdict["place"]
    return verdict


def draw(pipe, rows, seed=0, guidance=GUIDANCE, n_steps=STEPS, batch=40):
    """Pictures of the prompts, (B, 3, 64, 64), by the readable loop; picture i uses seed + i."""
    pictures = []
    for i in range(0, len(rows), batch):
        texts = [r["prompt"] for r in rows[i:i + batch]]
        for state in steps.generate(pipe, texts, seed=seed + i, steps=n_steps, guidance=guidance):
            pass
        pictures.append(steps.decode(pipe, state.z_s))
    return torch.cat(pictures).float().clamp(-1, 1)


@torch.no_grad()
def through_vae(pipe, images):
    """Encode and decode real pictures: the best any latent model can do."""
    return torch.cat([pipe.vae.decode(pipe.vae.encode(x.to(pipe.device)).latent_dist.mean).sample
                      for x in images.split(64)]).clamp(-1, 1)


def score(hits):
    """{value, n, low, high}: a share with its 95 % Wilson interval."""
    n, p, z = len(hits), hits.float().mean().item(), 1.96
    middle, reach = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * reach) / (1 + z * z / n) for sign in (-1, 1))
    return {"value": round(p, 4), "n": n, "low": round(low, 4), "high": round(high, 4)}


def summary(verdict, rows, suffix=""):
    """The named scores of a verdict over prompt rows."""
    split = {name: torch.tensor([r["split"] == name for r in rows]) for name in ("heldout_colour", "heldout_style", "own_words")}
    held = split["heldout_colour"] | split["heldout_style"]
    hits = {
        "concept_top1": verdict["concept"], "concept_top5": verdict["top5"], "colour": verdict["colour"],
        "style": verdict["style"], "size": verdict["size"], "place": verdict["place"],
        "heldout_pairs": verdict["pair"][held], "heldout_colour_pairs": verdict["pair"][split["heldout_colour"]],
        "heldout_style_pairs": verdict["pair"][split["heldout_style"]], "own_words": verdict["pair"][split["own_words"]]}
    return {name + suffix: score(h) for name, h in hits.items() if len(h)}


def evaluate(pipe, judge, tier="core", seeds=(0, 1000, 2000), limit=None):
    """All scores of a pipeline on the frozen prompts of a tier, its ceilings, and the judge on real scenes."""
    rows = prompts(tier)[:limit]
    real = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0].to(pipe.device)
    drawn = [right(judge, draw(pipe, rows, seed), rows) for seed in seeds]
    together = {k: torch.cat([d[k] for d in drawn]) for k in drawn[0]}
    scores = summary(together, rows * len(seeds))
    scores |= summary(right(judge, through_vae(pipe, real), rows), rows, "_ceiling")
    scores |= {f"judge_{k}": score(v) for k, v in right(judge, real, rows).items() if k in ("concept", "style", "size", "place")}
    return {f"{tier}_{k}" if k.startswith("concept") else k: v for k, v in scores.items()} | psnr(pipe)


@torch.no_grad()
def psnr(pipe, n=200):
    """Decibels inside the sprite's mask on scenes of the 50 concepts that no training saw: mean and tenth percentile."""
    scene = scenes.batch(n, 123, "heldout")
    images, masks = scene.images.to(pipe.device), scene.masks.to(pipe.device)
    error = ((through_vae(pipe, images) - images) / 2).square().mean(1, keepdim=True)
    db = -10 * torch.log10((error * masks).sum((1, 2, 3)) / masks.sum((1, 2, 3)).clamp(min=1))
    return {"vae_psnr_unseen": {"value": round(db.mean().item(), 2), "n": n},
            "vae_psnr_unseen_p10": {"value": round(db.quantile(0.1).item(), 2), "n": n}}

"""Recipe `control`: a ControlNet, conditioned on edges, shapes, depth or a pose (Zhang et al. 2023).

The base stays frozen. A trainable copy of its encoder (the down blocks) and middle block runs beside it; its outputs pass
through zero convolutions, so the first images are the base's own. For a while nothing seems to happen; then, within a few
dozen steps, the images begin to follow the condition (sudden convergence).

Most captions are reduced to "a thing on a blue background" or left empty; the paper empties half of them (section
3.3). A caption that says what is where leaves a condition little to add; then the copy hardly learns to use it.
"""

import os
import pathlib
from collections.abc import Iterator

import torch

from .. import models
from ..data import conditions, files, scenes, words
from ..metrics.control import COUNTS, held_out, quick
from .frozen import Frozen, trained
from .loop import Progress, fit, generator, plain_attention
from .losses import latent_loss
from .recipe import recipe
from .state import about

NOTES = "kind.json"  # in the run folder
EMPTY, GROUND = 0.3, 0.45  # shares of captions that are empty, and that name only the background's colour
SEEN = 6  # held-out images that are sampled now and then, to see when the ControlNet converges


@recipe
def train_control(
    minutes: float | None = 3.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    kind: str = "canny",
    model: str | os.PathLike = "base",
    start: str | os.PathLike | None = None,
    batch: int = 16,
    lr: float = 1e-3,
    curve: list | None = None,
) -> Iterator[Progress]:
    """Train a ControlNet, a copy of the base, to follow a condition. Yields Progress; its model is the ControlNetModel.

    kind: "canny", "segmentation", "depth" or "pose". model: the base, anything that models.load takes. start: a
    ControlNet (name or folder) to continue from; None: a fresh copy.
    curve: a list that collects rows [step, seconds, loss, score], see metrics/control.py for the scores.
    The finished run holds a vanilla ControlNetModel in <run>/model, and the curve in its card.json.
    """
    conditions.known(kind)
    curve = [] if curve is None else curve
    curve += earlier(run)
    base = Frozen(model, device)
    torch.manual_seed(seed)
    net = models.load_control(start, device) if start else models.build_controlnet(base.pipe.unet).to(base.device)
    net, unet = plain_attention(net.train()), base.pipe.unet

    def loss(step):
        rng = generator(seed, step)
        some = examples(kind, batch, seed * 1_000_003 + step, rng)
        z_0 = base.latents(some.images)
        c = base.text(some.captions)
        shown = some.conditions.to(base.device)
        return latent_loss(lambda z_t, t, c: with_control(unet, net, z_t, t, c, shown), z_0, c, base.abar, rng)

    cases = held_out(kind, SEEN)
    for progress in fit(net, loss, minutes=minutes, steps=steps, lr=lr, ema=0.99, run=run):
        if due(progress.step):
            found = quick(base.pipe, net, kind, cases)
            row = [progress.step, round(progress.seconds, 1), round(progress.loss, 4), round(found, 4)]
            curve[:] = [*(r for r in curve if r[0] < row[0]), row]  # a resumed run repeats some steps
            note(run, kind, curve)
        yield progress
    net.eval()
    base.unchanged()
    if run is not None:
        facts = {"kind": kind, "seed": seed, "lr": lr, "batch": batch, "trained": trained(net), "curve": curve}
        models.save_control(net, pathlib.Path(run) / "model", facts | about(run))


def examples(kind, n, seed, rng):
    """n images with condition maps, and captions shortened by `reduced`: conditions.Conditioned."""
    if kind == "pose":
        some = conditions.batch(kind, n, seed)
        return some._replace(captions=reduced(some.captions, None, rng))
    some = scenes.batch(n, seed, counts=COUNTS.get(kind, (1,)))
    return conditions.Conditioned(some.images, reduced(some.captions, some.spec, rng), conditions.of_scenes(kind, some))


def reduced(captions, spec, rng):
    """30 % of the captions emptied, 45 % replaced by "a thing on a blue background"; the others are kept.

    spec: of the scenes, for the background colour and number of objects; None for pictures without one: those captions are
    emptied instead.
    """
    u = torch.rand(len(captions), generator=rng).tolist()
    kept = list(captions)
    for i, (x, _) in enumerate(zip(u, captions, strict=True)):
        if x < EMPTY:
            kept[i] = ""
        elif x < EMPTY + GROUND:
            kept[i] = ground(spec, i)
    return kept


def ground(spec, i):
    """The caption of scene i that names only the background: "a thing on a blue background"."""
    return words.caption(words.THING, scenes.COLOURS[spec.colour[i]], count=int(spec.count[i])) if spec else ""


def due(step):
    """Whether to evaluate at this step: often at first, then rarely."""
    every = 25 if step <= 200 else 200
    if 200 < step <= 600:
        every = 50
    return step == 1 or step % every == 0


def with_control(unet, net, z_t, t, c, condition):
    """The U-Net's prediction with the ControlNet's residuals added."""
    residuals, mid = net(z_t, t, c, condition, return_dict=False)
    return unet(z_t, t, c, down_block_additional_residuals=residuals, mid_block_additional_residual=mid)


def earlier(run):
    """The curve of an earlier training run in the folder."""
    return files.read_json(pathlib.Path(run, NOTES)).get("curve", []) if run is not None else []


def note(run, kind, curve):
    """Store kind and curve in the run folder, where a resumed run finds them."""
    if run is not None:
        pathlib.Path(run).mkdir(parents=True, exist_ok=True)
        files.write_json(pathlib.Path(run, NOTES), {"kind": kind, "curve": curve})

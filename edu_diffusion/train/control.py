"""Recipe `control`: a ControlNet, which reads lines, shapes, depth or a pose (Zhang et al. 2023).

The base stays as it is, bit for bit. A copy of its way down and of its middle learns beside it, behind convolutions
that are zero at first; so the first picture is the base's own. For a while nothing seems to happen; then, within a
few dozen steps, the drawings begin to follow the condition.

Most captions are reduced to "a thing on a blue background" or to nothing; the paper empties half of them (section
3.3). A caption that says what there is and where leaves a condition little to add; then the copy hardly learns to read it.
"""

import json
import pathlib

import torch

from .. import models
from ..data import conditions, files, scenes, words
from ..errors import EduError
from ..judge.control import COUNTS, held_out, quick
from .adapt import Frozen, trained
from .latent import latent_loss
from .loop import about, fit, generator, plain_attention

NOTES = "kind.json"  # in the run folder
EMPTY, GROUND = 0.3, 0.45  # shares of captions that say nothing, and only the background's colour
SEEN = 6  # held-out pictures that are drawn now and then, to see when it happens


def control(minutes=3.0, steps=None, run=None, device=None, seed=0, kind="canny", model="base", start=None, batch=16,
            lr=1e-3, curve=None):
    """Teach a copy of the base to follow a condition. Yields Progress; its model is the ControlNetModel.

    kind: "canny", "segmentation", "depth" or "pose". model: the base, anything that models.load takes. start: a
    ControlNet (name or folder) to go on from; None: a fresh copy.
    curve: a list that gets a row [step, seconds, loss, measure] now and then, see judge/control.py for the measures.
    The finished run holds a vanilla ControlNetModel in <run>/model, and the curve in its card.json.
    """
    conditions.known(kind)
    curve = [] if curve is None else curve
    curve += earlier(run, kind)
    base = Frozen(model, device)
    torch.manual_seed(seed)
    net = models.load_control(start, device) if start else models.build_controlnet(base.pipe.unet).to(base.device)
    net, unet = plain_attention(net.train()), base.pipe.unet

    def loss(step):
        rng = generator(seed, step)
        some = examples(kind, batch, seed * 1_000_003 + step, rng)
        z_0, c, shown = base.latents(some.images), base.text(some.captions), some.conditions.to(base.device)
        return latent_loss(lambda z_t, t, c: steered(unet, net, z_t, t, c, shown), z_0, c, base.abar, rng)

    cases = held_out(kind, SEEN)
    for progress in fit(net, loss, minutes=minutes, steps=steps, lr=lr, ema=0.99, run=run):
        if due(progress.step):
            found = quick(base.pipe, net, kind, cases)
            row = [progress.step, round(progress.seconds, 1), round(progress.loss, 4), round(found, 4)]
            curve[:] = [*(r for r in curve if r[0] < row[0]), row]  # a resumed run takes some steps again
            note(run, kind, curve)
        yield progress
    net.eval()
    base.unchanged()
    if run is not None:
        facts = {"kind": kind, "seed": seed, "lr": lr, "batch": batch, "trained": trained(net), "curve": curve}
        models.save_control(net, pathlib.Path(run) / "model", facts | about(run))


def examples(kind, n, seed, rng):
    """n pictures with their condition maps, and captions as `reduced` leaves them: conditions.Conditioned."""
    if kind == "pose":
        some = conditions.batch(kind, n, seed)
        return some._replace(captions=reduced(some.captions, None, rng))
    some = scenes.batch(n, seed, counts=COUNTS.get(kind, (1,)))
    return conditions.Conditioned(some.images, reduced(some.captions, some.spec, rng), conditions.of_scenes(kind, some))


def reduced(captions, spec, rng):
    """30 % of the captions replaced by nothing, 45 % by "a thing on a blue background"; the others stay.

    spec: of the scenes, for the colour and how many things there are; None, for pictures that have none: they all
    lose their captions instead.
    """
    u = torch.rand(len(captions), generator=rng).tolist()
    return ["" if x < EMPTY else ground(spec, i) if x < EMPTY + GROUND else text
            for i, (x, text) in enumerate(zip(u, captions, strict=True))]


def ground(spec, i):
    """What a caption says of scene i when it says only the background: "a thing on a blue background"."""
    return words.caption(words.THING, scenes.COLOURS[spec.colour[i]], count=int(spec.count[i])) if spec else ""


def due(step):
    """Whether to look at this step: often at first, then rarely."""
    return step == 1 or step % (25 if step <= 200 else 50 if step <= 600 else 200) == 0


def steered(unet, net, z_t, t, c, condition):
    """The U-Net's answer with the ControlNet's residuals added."""
    residuals, mid = net(z_t, t, c, condition, return_dict=False)
    return unet(z_t, t, c, down_block_additional_residuals=residuals, mid_block_additional_residual=mid)


def earlier(run, kind):
    """The curve of an earlier sitting in the run folder; raise EduError if that was of another kind: states look alike."""
    path = pathlib.Path(run or "", NOTES)
    if run is None or not path.is_file():
        return []
    began = json.loads(path.read_text(encoding="utf-8"))
    if began["kind"] != kind:
        raise EduError(f"{run} began with {began['kind']}, not {kind}: choose another folder, or remove it.")
    return began.get("curve", [])


def note(run, kind, curve):
    """Keep kind and curve in the run folder, where a resumed run finds them."""
    if run is not None:
        pathlib.Path(run).mkdir(parents=True, exist_ok=True)
        files.write_json(pathlib.Path(run, NOTES), {"kind": kind, "curve": curve})

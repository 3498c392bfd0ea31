"""The stage judge: scenes of one object, sampled and composed on the device, blurred and noised as in train/judge.py."""

import torch
from torch.nn.functional import cross_entropy, interpolate

from edu_diffusion import metrics
from edu_diffusion.data import chances, scenes
from edu_diffusion.data.world import world
from edu_diffusion.train.judge import PARTS

from .compose import Layout, compose, grounds, layout_of
from .learn import learn


class Draws:
    """Uniform samples on the device: every sprite, no held-out colour; half of the concepts are core concepts."""

    def __init__(self, device):
        self.pools = [world().tier(tier).to(device) for tier in ("core", "wide")]
        self.colours = (chances.priors(world(), ("style",)).colour > 0).float().to(device)
        sizes, places = len(scenes.SIZES), len(scenes.PLACES)
        spec = scenes.Spec(
            *torch.zeros(5, sizes * places, dtype=torch.long), torch.ones(sizes * places).long(), torch.full((sizes * places,), -1)
        )
        spec = spec._replace(size=torch.arange(sizes).repeat_interleave(places), place=torch.arange(places).repeat(sizes))
        self.corners = layout_of(spec).corners.view(sizes, places, -1, 2).to(device)
        self.device = device

    def even(self, most, batch):
        return torch.randint(most, (batch,), device=self.device)

    def layout(self, batch):
        """A Layout of so many scenes of one thing."""
        core, wide = (pool[self.even(len(pool), batch)] for pool in self.pools)
        concept = torch.where(torch.rand(batch, device=self.device) < 0.5, core, wide)
        size = self.even(len(scenes.SIZES), batch)
        place = torch.where(size == chances.BIG, 0, self.even(len(scenes.PLACES), batch))
        colour = torch.multinomial(self.colours[concept], 1)[:, 0]
        style = self.even(len(scenes.STYLES), batch)
        return Layout(concept[:, None], self.corners[size, place][:, :1], style, size, colour, place)


def train(cells, out, args, seconds):
    """The stage; continues from the shipped judge. Returns (facts, the Judge)."""
    model, draws = metrics.load_judge(args.device).train(), Draws(args.device)

    def loss():
        layout = draws.layout(args.batch)
        images, _ = compose(cells, layout, jittered(layout.colour))
        truth = layout._asdict() | {"concept": layout.things[:, 0]}
        answers = model(soften(images))
        return sum(cross_entropy(answers[part].float(), truth[part]) for part in PARTS)

    facts = learn(
        "judge",
        model,
        loss,
        out,
        seconds=seconds,
        batch=args.batch,
        lr=1e-3,
        steps=args.steps,
        keep=lambda: out.weights("judge", model.state_dict()),
    )
    return facts, model.eval()


def jittered(colour):
    """Background colours of palette indices, each randomly shifted."""
    shift = torch.rand(len(colour), 3, device=colour.device) - 0.5
    return (grounds(colour) + shift * (12 / 127.5)).clamp(-1, 1)


def soften(images):
    """Blur, fine noise and noise as coarse as a latent's cells, as in train/judge.py but sampled on the device."""
    edge, device = int(torch.randint(28, 65, (1,))), images.device
    small = interpolate(images, (edge, edge), mode="bilinear", antialias=True)
    fine = torch.randn(images.shape, device=device) * (0.1 * torch.rand(1, device=device))
    coarse = torch.randn(len(images), 3, 16, 16, device=device) * (0.25 * torch.rand(1, device=device))
    whole = images.shape[-2:]
    return interpolate(small, whole, mode="bicubic") + fine + interpolate(coarse, whole, mode="bicubic")

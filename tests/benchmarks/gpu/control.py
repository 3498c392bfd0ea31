"""The stages canny and segmentation: a ControlNet on the current base, with its conditions computed on the device."""

import torch

from edu_diffusion import models
from edu_diffusion.data import conditions, scenes, words
from edu_diffusion.data.world import world
from edu_diffusion.train.control import with_control

from .base import noised
from .compose import compose
from .learn import learn

CASES = 100_000  # scenes of one thing whose conditions are found beforehand
BATCH, LR = 256, 1e-3
PLAIN, EMPTY = 0.45, 0.30  # shares of "a thing on a blue background" and of no caption; the rest are open ones


class Shown:
    """Conditions of scenes: shape (n, 1, 64, 64) uint8, 0 or 1, and their colours (n, 3)."""

    def __init__(self, kind, pool, cells, batch=2000):
        self.rows = pool.alone.nonzero()[:CASES, 0]
        layout = pool.layout.take(self.rows)
        self.colour = layout.colour
        self.shapes = torch.cat(
            [
                shape(kind, *compose(cells, layout.take(part), pool.ground[self.rows[part]]))
                for part in torch.arange(len(self.rows), device=self.rows.device).split(batch)
            ]
        )
        self.shades = shades().to(self.rows.device)[layout.things[:, 0]] if kind == "segmentation" else None

    def of(self, which):
        """The condition maps of some of the scenes, (B, 3, 64, 64)."""
        maps = self.shapes[which].float()
        return maps.repeat(1, 3, 1, 1) if self.shades is None else maps * self.shades[which][:, :, None, None]


def shape(kind, images, masks):
    """The edges of images, or the shapes of their objects: (B, 1, 64, 64) uint8."""
    return (conditions.canny(images)[:, :1] if kind == "canny" else masks).to(torch.uint8)


def shades():
    """Each concept's colour in a segmentation map: (concepts, 3)."""
    n = len(world().concepts)
    spec = scenes.Spec(torch.arange(n), *[torch.zeros(n, dtype=torch.long)] * 6)
    return conditions.segmentation(torch.ones(n, 1, 1, 1, dtype=torch.bool), spec)[:, :, 0, 0]


def train(kind, parts, pool, cells, out, args, seconds):
    """The stage of one kind. Returns (facts, the ControlNetModel)."""
    unet, text_encoder = parts.unet.eval().requires_grad_(False), parts.text_encoder.eval().requires_grad_(False)
    net, batch = models.build_controlnet(unet).to(parts.abar.device).train(), min(BATCH, args.batch)
    shown, sentences = Shown(kind, pool, cells), plain_captions(parts)

    def loss():
        which = torch.randint(len(shown.rows), (batch,), device=shown.rows.device)
        rows = shown.rows[which]
        with torch.no_grad():
            c = text_encoder(captions(pool, rows, sentences[shown.colour[which]], parts.empty)).last_hidden_state
        t, z_t, v = noised(pool.latents[rows].float(), parts.abar)
        return (with_control(unet, net, z_t, t, c, shown.of(which)).sample.float() - v).square().mean()

    facts = learn(
        kind,
        net,
        loss,
        out,
        seconds=seconds,
        batch=batch,
        lr=LR,
        steps=args.steps,
        keep=lambda: out.weights(kind, net.state_dict()),
    )
    return facts, net.eval()


def plain_captions(parts):
    """ "a thing on a blue background" for every colour, as token ids: (colours, T)."""
    texts = [words.caption(words.THING, colour) for colour in scenes.COLOURS]
    ids = parts.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
    return ids.to(parts.abar.device)


def captions(pool, rows, plain, empty):
    """Token ids of the batch: PLAIN of them name only the colour, EMPTY nothing, the rest are open."""
    u = torch.rand(len(rows), 1, device=rows.device)
    return torch.where(u < PLAIN, plain, torch.where(u < PLAIN + EMPTY, empty, pool.captions(rows)))

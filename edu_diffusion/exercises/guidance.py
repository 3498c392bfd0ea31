"""Questions of lesson 03: dropping labels, guidance, and what it does to accuracy, variety and bias; two_scales.py has another."""

import torch

from ..errors import said
from ..steps import guide, q_sample
from .denoise_loops import check_images
from .exercise import Exercise
from .guidance_choices import AMPLIFIED, OVERSHOOT, STRONGEST_ROW, TRADE_OFF
from .two_scales import TWO_SCALES

NO_LABEL, SHARE = 10, 0.1  # as in the recipe: the class that stands for "no label", and how often it replaces a label


def label_dropout(model, x_0, labels, eps, t, abar, u):
    """The training loss of a conditional model, with the label dropped where u < 0.1."""
    labels = torch.where(u < SHARE, NO_LABEL, labels)
    x_t = q_sample(x_0, eps, abar[t])
    return (model(x_t, t, labels) - eps).square().mean()


def one_batch(model, x_t, t, labels, no_label, g):
    """The guided prediction from one call of the model, on a batch of twice the size."""
    both = model(torch.cat([x_t, x_t]), t, torch.cat([no_label, labels]))
    eps_u, eps_c = both.chunk(2)
    return guide(eps_u, eps_c, g)


class Labelled(torch.nn.Module):
    """Stands in for a network: its output depends on the image, on the timestep and, by a table with 11 rows, on the label."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Parameter(torch.arange(11.0).sin()[:, None])

    def forward(self, x, t, labels):
        check_images(x)
        if len(labels) not in (1, len(x)):
            counts = len(x), len(labels)
            raise RuntimeError(said("the model got {} images and {} labels; it needs one label for each image.", *counts))
        t = torch.as_tensor(t)
        return 0.5 * x + 0.1 * t.reshape(-1, 1, 1, 1) + torch.nn.functional.embedding(labels, self.table)[:, :, None, None]


class Counting(Labelled):
    """Its output depends on the size of the batch as well: two calls can be told from one."""

    def forward(self, x, t, labels):
        return super().forward(x, t, labels) + 0.1 * len(x)


def examples():
    """Arguments (model, x_0, labels, eps, t, abar, u); the first u of the first batch is below 0.1, that of the second is not."""
    rng, found = torch.Generator().manual_seed(31), []
    for labels, t, u in (
        ([3, 7, 1, 8, 2, 4], [1, 5, 8, 2, 3, 7], [0.05, 0.5, 0.93, 0.08, 0.3, 0.7]),
        ([9, 6, 5, 7, 1], [4, 4, 6, 1, 7], [0.45, 0.02, 0.97, 0.6, 0.15]),
    ):
        x_0, eps = torch.rand(len(u), 1, 4, 4, generator=rng) * 2 - 1, torch.randn(len(u), 1, 4, 4, generator=rng)
        found.append((Labelled(), x_0, torch.tensor(labels), eps, torch.tensor(t), torch.linspace(0.99, 0.01, 9), torch.tensor(u)))
    return found


def predictions():
    """Arguments (eps_u, eps_c, g)."""
    rng = torch.Generator().manual_seed(10)
    eps_u, eps_c = torch.randn(2, 2, 4, 4, 4, generator=rng)
    return [(eps_u, eps_c, g) for g in (4.0, 1.5, 2.0)]


def noisy():
    """Arguments (model, x_t, t, labels, no_label, g): three noisy images, then four."""
    return noisy_for(Labelled)


def counted():
    """The same with a network that tells one call from two."""
    return noisy_for(Counting)


def noisy_for(network):
    rng = torch.Generator().manual_seed(32)
    return [
        (network(), torch.randn(len(labels), 2, 4, 4, generator=rng), t, torch.tensor(labels), torch.full((len(labels),), 10), g)
        for labels, t, g in (([3, 7, 1], 5, 4.0), ([9, 2, 6, 5], 2, 1.5))
    ]


def dropped(where, to=NO_LABEL):
    """A mistake in dropping labels: they are replaced where where(u) says so, by `to`."""

    def mistake(model, x_0, labels, eps, t, abar, u):
        labels = torch.where(where(u), to, labels)
        return (model(q_sample(x_0, eps, abar[t]), t, labels) - eps).square().mean()

    return mistake


def left_out(model, x_0, labels, eps, t, abar, u):
    kept = u >= SHARE
    return (model(q_sample(x_0, eps, abar[t]), t, labels) - eps)[kept].square().mean()


def blanked(model, x_0, labels, eps, t, abar, u):
    x_0 = torch.where(u[:, None, None, None] < SHARE, 0.0, x_0)
    return (model(q_sample(x_0, eps, abar[t]), t, labels) - eps).square().mean()


def joined(take, conditions=lambda labels, no_label: (no_label, labels), guided=guide):
    """A mistake in guiding with one batch: `take` gets both predictions out of it, in this order of the conditions."""

    def mistake(model, x_t, t, labels, no_label, g):
        both = model(torch.cat([x_t, x_t]), t, torch.cat(conditions(labels, no_label)))
        return guided(*take(both), g)

    return mistake


def halves(both):
    return both.chunk(2)


EXERCISES = [
    Exercise(
        "label_dropout",
        label_dropout,
        examples,
        (
            (
                "this keeps the label where u is below 0.1 and drops it in the other 90 %; it should be the other way round.",
                dropped(lambda u: u >= SHARE),
            ),
            (
                "no label is dropped here: replace those whose u is below 0.1, before the model is called. torch.where changes no "
                "tensor, it returns a new one: labels = torch.where(...).",
                dropped(lambda u: u < 0),
            ),
            ("every label is dropped, so the model never learns what a label means.", dropped(lambda u: u < 2)),
            ("0 is the label of the digit zero; the label that means no label is 10.", dropped(lambda u: u < SHARE, 0)),
            ("9 is the label of the digit nine; the label that means no label is 10.", dropped(lambda u: u < SHARE, 9)),
            (
                "above 0.9 lie 10 % of the numbers as well, but the check compares results: use those below 0.1.",
                dropped(lambda u: u > 1 - SHARE),
            ),
            ("this drops half of the labels; 10 % are below 0.1.", dropped(lambda u: u < 0.5)),
            ("this drops nine labels in ten; 10 % are below 0.1.", dropped(lambda u: u < 0.9)),
            (
                "this decides once, for the whole batch; every image has its own number in u.",
                dropped(lambda u: (u[0] < SHARE).expand(len(u))),
            ),
            ("whole examples are left out of the loss; keep them all, and replace only the label.", left_out),
            ("the image is wiped out; it stays as it is, and only its label is replaced.", blanked),
        ),
        "nine examples in ten train the conditional prediction, one in ten the unconditional one, in the same network.",
    ),
    Exercise(
        "guide",
        guide,
        predictions,
        (
            (
                "this starts from eps_c. Test it with g = 0, which must give eps_u.",
                lambda eps_u, eps_c, g: eps_c + g * (eps_c - eps_u),
            ),
            (
                "with g = 1 this gives eps_u and must give eps_c: leave out the - 1.",
                lambda eps_u, eps_c, g: eps_u + (g - 1) * (eps_c - eps_u),
            ),
            (
                "the sign of the difference is wrong: growing g must lead from eps_u towards eps_c.",
                lambda eps_u, eps_c, g: eps_u + g * (eps_u - eps_c),
            ),
            (
                "this is a weighted mean, which always lies between the two predictions; with g = 4 the result lies beyond eps_c.",
                lambda eps_u, eps_c, g: (eps_u + g * eps_c) / (1 + g),
            ),
            (
                "eps_u and eps_c are exchanged: with g = 1 the result must be eps_c.",
                lambda eps_u, eps_c, g: eps_c + g * (eps_u - eps_c),
            ),
            (
                "this is the difference times g, without a starting point. With g = 0 it gives 0 and must give eps_u.",
                lambda eps_u, eps_c, g: g * (eps_c - eps_u),
            ),
            (
                "with g = 1 this gives the sum of both predictions; it must give eps_c alone.",
                lambda eps_u, eps_c, g: eps_u + g * eps_c,
            ),
            (
                "this is g times eps_c: with g = 0 it gives 0 and must give eps_u. Are brackets missing around the difference?",
                lambda eps_u, eps_c, g: eps_u + g * eps_c - eps_u,
            ),
            ("with g = 4 this is still eps_c; the result must lie beyond it.", lambda eps_u, eps_c, g: eps_c),
        ),
        "with g between 0 and 1 you interpolate between the two predictions, with g above 1 you extrapolate.",
    ),
    TRADE_OFF,
    AMPLIFIED,
    Exercise(
        "one_batch",
        one_batch,
        noisy,
        (
            (
                "with g = 1 this returns the prediction without the label, and with larger g it moves away from the label. "
                "Follow the two halves from torch.cat through chunk to `guide`: which of the three has another order than the "
                "others? (Exchanging two of them changes nothing.)",
                joined(lambda both: both.chunk(2)[::-1]),
            ),
            ("these are the first two images, not the two halves of the batch.", joined(lambda both: (both[:1], both[1:2]))),
            (
                "this takes every other image; the first half of the batch belongs to one condition, the second half to the other.",
                joined(lambda both: (both[::2], both[1::2])),
            ),
            (
                "guidance has no effect: either both predictions are made with the label, or only that one is returned.",
                joined(halves, lambda labels, no_label: (labels, labels)),
            ),
            (
                "both predictions are made without the label: the result does not depend on it.",
                joined(halves, lambda labels, no_label: (no_label, no_label)),
            ),
            (
                "this starts from the prediction with the label; with g = 0 it must be the one without it. If the halves are still "
                "exchanged, a minus sign does not undo that.",
                joined(halves, guided=lambda eps_u, eps_c, g: eps_c + g * (eps_c - eps_u)),
            ),
            (
                "with g = 1 this gives the sum of both predictions; it must give the one with the label alone. Combine them as in "
                "`guide`.",
                joined(halves, guided=lambda eps_u, eps_c, g: eps_u + g * eps_c),
            ),
            (
                "this is the mean of both predictions; combine them as in `guide`.",
                joined(halves, guided=lambda eps_u, eps_c, g: (eps_u + eps_c) / 2),
            ),
            (
                "t is one number for the whole batch: leave it as it is, and join only the images and the labels.",
                lambda model, x_t, t, labels, no_label, g: torch.cat([t, t]),
            ),
        ),
        "one call of the model with twice the batch gives both predictions, as in every Stable Diffusion pipeline.",
        finer=counted,
        note="Yours gets the same numbers, but calls the model once for each prediction, which takes longer. Try it with one call.",
    ),
    STRONGEST_ROW,
    TWO_SCALES,
    OVERSHOOT,
]

"""Questions of lesson 09: how much of a picture img2img keeps, and what inpainting does with a mask."""

import torch

from ..steps import blend, q_sample
from .edit_choices import PIXELS_OUTSIDE, STEPS_RUN, STRENGTH_KEEPS, THINNEST_STROKE, WHICH_INPAINTED
from .exercise import Exercise


def starts():
    """Arguments (z_0, eps, abars, strength): signal levels from the noisiest to the cleanest."""
    rng = torch.Generator().manual_seed(71)
    z_0, eps = torch.randn(2, 1, 4, 3, 5, generator=rng)
    abars = torch.tensor([0.01, 0.05, 0.12, 0.2, 0.31, 0.44, 0.58, 0.73, 0.86, 0.95])
    return [(z_0, eps, abars, 0.3), (z_0, eps, abars, 0.6), (z_0, eps, abars[::2], 0.75)]


def noisy_start(z_0, eps, abars, strength):
    """The noisy latent with which img2img starts: at the first of the last `strength` of the steps."""
    return q_sample(z_0, eps, abars[len(abars) - int(len(abars) * strength)])


def at(z_0, eps, abars, index):
    return q_sample(z_0, eps, abars[index])


def run(abars, strength):
    return int(len(abars) * strength)


def step_by_step(z_0, eps, abars, strength):
    for abar in abars[len(abars) - run(abars, strength) :]:
        z_0 = q_sample(z_0, eps, abar)
    return z_0


def latents_and_masks():
    """Arguments (known, drawn, mask): one mask for both latents, and one for each."""
    rng = torch.Generator().manual_seed(15)
    known, drawn = torch.randn(2, 2, 4, 4, 6, generator=rng)
    one, each = torch.zeros(1, 1, 4, 6), (torch.rand(2, 1, 4, 6, generator=rng) > 0.5).float()
    one[..., 1:3] = 1
    return [(known, drawn, one), (known, drawn, each)]


def soft_masks():
    """The same with a mask whose edge is soft, as in differential editing."""
    return [(known, drawn, 0.25 + mask / 2) for known, drawn, mask in latents_and_masks()]


def pixel_masks():
    """Arguments (known, drawn, mask): latents and masks of the sizes that the lesson names; the masks' edges are those of cells."""
    rng = torch.Generator().manual_seed(81)
    known, drawn = torch.randn(2, 2, 4, 16, 16, generator=rng)
    masks = torch.zeros(2, 1, 1, 64, 64)
    masks[0, ..., 12:52, 32:], masks[1, ..., 12:52, :20] = 1, 1
    return [(known, drawn, mask) for mask in masks]


def mask_size(known, drawn, mask):
    return blend(known, drawn, mask[..., ::4, ::4])


def cropped(mask, known):
    return mask[..., : known.shape[2], : known.shape[3]]


EXERCISES = [
    STRENGTH_KEEPS,
    Exercise(
        "noisy_start",
        noisy_start,
        starts,
        (
            (
                "this counts from the wrong end: abars begins with the noisiest step, and strength 0.3 means the last 30 % of "
                "them.",
                lambda z_0, eps, abars, s: at(z_0, eps, abars, min(run(abars, s), len(abars) - 1)),
            ),
            (
                "one step too early: of n steps the last k begin at index n - k.",
                lambda z_0, eps, abars, s: at(z_0, eps, abars, max(len(abars) - run(abars, s) - 1, 0)),
            ),
            (
                "one step too late: of n steps the last k begin at index n - k.",
                lambda z_0, eps, abars, s: at(z_0, eps, abars, len(abars) - run(abars, s) + 1),
            ),
            (
                "the strength is not the share of noise itself: it says how many steps are run, and abars says how noisy they are.",
                lambda z_0, eps, abars, s: (1 - s) * z_0 + s * eps,
            ),
            (
                "the strength is not the share of the noise's variance: it says how many steps are run, and abars how noisy they "
                "are.",
                lambda z_0, eps, abars, s: (1 - s) ** 0.5 * z_0 + s**0.5 * eps,
            ),
            (
                "the strength is no signal level: it says how many steps are run, and abars holds the levels.",
                lambda z_0, eps, abars, s: q_sample(z_0, eps, s),
            ),
            (
                "the number of steps to run is rounded down, with int; the number left out is the rest.",
                lambda z_0, eps, abars, s: at(z_0, eps, abars, len(abars) - round(len(abars) * s)),
            ),
            (
                "the square roots are missing: abar is a share of the variance.",
                lambda z_0, eps, abars, s: (lambda a: a * z_0 + (1 - a) * eps)(abars[len(abars) - run(abars, s)]),
            ),
            (
                "the two weights are swapped: a small abar means much noise.",
                lambda z_0, eps, abars, s: q_sample(z_0, eps, 1 - abars[len(abars) - run(abars, s)]),
            ),
            ("always the noisiest step: where is the strength?", lambda z_0, eps, abars, s: at(z_0, eps, abars, 0)),
            ("always the cleanest step: where is the strength?", lambda z_0, eps, abars, s: at(z_0, eps, abars, -1)),
            (
                "the noise is added to the full latent; its own share must shrink as in lesson 01.",
                lambda z_0, eps, abars, s: z_0 + (1 - abars[len(abars) - run(abars, s)]) ** 0.5 * eps,
            ),
            (
                "the values in abars are products already: do not take their cumulative product again.",
                lambda z_0, eps, abars, s: at(z_0, eps, abars.cumprod(0), len(abars) - run(abars, s)),
            ),
            (
                "each value of abars stands for all the noise up to its step: make z_0 noisy once, with the first of the levels "
                "that are left.",
                step_by_step,
            ),
        ),
        "this is where img2img starts; the rest is the loop that you know.",
    ),
    STEPS_RUN,
    PIXELS_OUTSIDE,
    Exercise(
        "mask_size",
        mask_size,
        pixel_masks,
        (
            (
                "this cuts the top left corner out of the mask; each cell needs a pixel from its own place in the mask.",
                lambda known, drawn, mask: blend(known, drawn, cropped(mask, known)),
            ),
            (
                "this cuts the middle out of the mask; each cell needs a pixel from its own place in the mask.",
                lambda known, drawn, mask: blend(known, drawn, mask[..., 24:40, 24:40]),
            ),
            (
                "rows and columns of the mask are exchanged.",
                lambda known, drawn, mask: mask_size(known, drawn, mask.transpose(-1, -2)),
            ),
            (
                "inside and outside are swapped: where the mask is 1, the result must be the drawn latent.",
                lambda known, drawn, mask: mask_size(drawn, known, mask),
            ),
            (
                "the mask is averaged over its whole area, so all cells are mixed alike.",
                lambda known, drawn, mask: blend(known, drawn, mask.mean()),
            ),
            (
                "every cell is marked now; only those whose pixels are 1 may be.",
                lambda known, drawn, mask: blend(known, drawn, mask.amax()),
            ),
            (
                "a marked cell has the value 1/4 here, and it must be 1: a mean needs no further division.",
                lambda known, drawn, mask: blend(known, drawn, mask[..., ::4, ::4] / 4),
            ),
            (
                "a marked cell has the value 16 here, and it must be 1: take the mean or the largest of its pixels, not their sum.",
                lambda known, drawn, mask: blend(known, drawn, mask[..., ::4, ::4] * 16),
            ),
            (
                "this cuts the bottom right corner out of the mask; each cell needs a pixel from its own place in the mask.",
                lambda known, drawn, mask: blend(known, drawn, mask[..., -known.shape[2] :, -known.shape[3] :]),
            ),
            (
                "blend calculates 1 - mask, which needs numbers: turn a mask of True and False back with .float().",
                lambda known, drawn, mask: blend(known, drawn, mask[..., ::4, ::4] > 0),
            ),
            (
                "a cell is 4 pixels wide here, not 8: the mask has 64 pixels and the latent 16 positions.",
                lambda known, drawn, mask: blend(known, drawn, mask[..., ::8, ::8]),
            ),
            (
                "the rows are brought to the latent's resolution, but the columns are cut; treat both alike.",
                lambda known, drawn, mask: blend(known, drawn, mask[..., ::4, : known.shape[3]]),
            ),
            (
                "the columns are brought to the latent's resolution, but the rows are cut; treat both alike.",
                lambda known, drawn, mask: blend(known, drawn, mask[..., : known.shape[2], ::4]),
            ),
            (
                "the mask has only 4 columns now, and the latent 16. A cell is 64 // 16 = 4 pixels wide: the step is 4, not 16.",
                lambda known, drawn, mask: blend(known, drawn, mask[..., ::16, ::16]),
            ),
            (
                "the mask still has 64 columns, and the latent 16. Rows and columns are the last two dimensions: write `...,` "
                "before their slices.",
                lambda known, drawn, mask: blend(known, drawn, mask[::4, ::4]),
            ),
        ),
        "each cell of the latent now follows the pixels that it stands for.",
    ),
    WHICH_INPAINTED,
    THINNEST_STROKE,
    Exercise(
        "blend",
        blend,
        latents_and_masks,
        (
            (
                "inside and outside are swapped: where the mask is 1, the result must be the drawn latent.",
                lambda known, drawn, mask: mask * known + (1 - mask) * drawn,
            ),
            (
                "the known latent is still there inside the mask; multiply it by 1 - mask.",
                lambda known, drawn, mask: known + mask * drawn,
            ),
            (
                "the drawn latent is still there outside the mask; multiply it by the mask.",
                lambda known, drawn, mask: (1 - mask) * known + drawn,
            ),
            (
                "both are there everywhere; multiply the drawn one by the mask and the known one by 1 - mask.",
                lambda known, drawn, mask: known + drawn,
            ),
            ("this is the mean of both; the mask is not used.", lambda known, drawn, mask: (known + drawn) / 2),
            ("outside the mask there is nothing; add the known latent times 1 - mask.", lambda known, drawn, mask: mask * drawn),
            (
                "inside the mask there is nothing; add the drawn latent times the mask.",
                lambda known, drawn, mask: (1 - mask) * known,
            ),
            ("nothing is kept: this is the drawn latent everywhere.", lambda known, drawn, mask: drawn),
            ("nothing is regenerated: this is the known latent everywhere.", lambda known, drawn, mask: known),
            (
                "the sign is wrong: the known latent must be added, not subtracted.",
                lambda known, drawn, mask: mask * drawn - (1 - mask) * known,
            ),
            (
                "this is only the difference between the drawn and the known latent; add it to the known one.",
                lambda known, drawn, mask: mask * (drawn - known),
            ),
            (
                "the sign is wrong: the difference from the known to the drawn latent is drawn - known.",
                lambda known, drawn, mask: known + mask * (known - drawn),
            ),
            (
                "~ turns True into False; for a mask of numbers write 1 - mask.",
                lambda known, drawn, mask: known * ~mask + drawn * mask,
            ),
            (
                "the mask has one channel and the latents have more, so it cannot be their index; multiply, or use torch.where.",
                lambda known, drawn, mask: drawn[mask == 1],
            ),
            (
                "inside the mask both are added, and outside there is nothing: multiply the known latent by 1 - mask.",
                lambda known, drawn, mask: mask * (known + drawn),
            ),
            (
                "brackets are missing: 1 - mask as a whole multiplies the known latent.",
                lambda known, drawn, mask: 1 - mask * known + mask * drawn,
            ),
            (
                "without brackets only the 1 multiplies the known latent: write (1 - mask).",
                lambda known, drawn, mask: known - mask + mask * drawn,
            ),
        ),
        "everything outside the mask is kept, at every denoising step.",
        soft_masks,
        "One thing: yours rounds the mask, so a soft edge, with values between 0 and 1, would become a hard one.",
    ),
]

"""Lesson 09's questions: letters say what the images show, other right ways are right, a right answer runs in the loop."""

import json
import re
from pathlib import Path

import pytest
import tiny
import torch
import torch.nn.functional as F

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.exercises import edit as bank

NUMBERS = [q for q in bank.EXERCISES if type(q).__name__ == "Number"]


def refused(name, mine, fitting):
    right, words = verdict(name, mine)
    assert right is False and fitting in words, words


# ---------------------------------------------------------------- letters and numbers


@pytest.mark.parametrize("question", NUMBERS, ids=lambda q: q.name)
def test_the_number_is_right_and_a_thousand_is_not(question):
    assert verdict(question.name, question.right).right and not verdict(question.name, 1000).right


def test_the_steps_are_those_of_the_loop():
    run = lambda strength: len(steps.edit.from_strength(list(range(20)), strength))
    smallest = bank.STEPS_RUN.right
    assert run(smallest) == run(0.39) == 7 and run(smallest - 1e-6) == 6 and run(0.4) == 8


def test_the_thinnest_stroke_marks_a_cell_wherever_it_is_and_a_thinner_one_does_not():
    def marks(width):
        masks = torch.zeros(32, 1, 1, 64)
        for start, mask in enumerate(masks):
            mask[..., start : start + width] = 1
        return steps.latent_mask(masks, 8).amax((1, 2, 3)).min().item()

    assert marks(bank.THINNEST_STROKE.right) == 1 and marks(bank.THINNEST_STROKE.right - 1) == 0


def test_the_inpainted_image_stands_where_the_right_letter_says():
    """In the lesson the four images are shuffled by a seed; each letter's sentence speaks of the image that it stands for."""
    cell = next(cell for cell in lesson("09_edit") if "glued, whole, inverted, pasted" in cell)
    order = torch.randperm(4, generator=torch.Generator().manual_seed(int(re.search(r"manual_seed\((\d+)\)", cell)[1])))
    says = ["cut out of", "this is img2img", "the mask is inverted", "is the old image"]
    assert [says[i] in bank.WHICH_INPAINTED.words[letter] for i, letter in zip(order, "ABCD")] == [True] * 4
    assert "ABCD"[order.tolist().index(3)] == bank.WHICH_INPAINTED.right


def lesson(name):
    """The code cells of a lesson."""
    cells = json.loads((Path(__file__).parents[1] / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_decoding_changes_pixels_outside_the_mask():
    pipe, x, mask = tiny.pipeline(), torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., :8] = 1
    drawn = steps.final(pipe, steps.inpaint(pipe, "a cat", x, mask, steps=2))
    assert (drawn != x)[..., 16:].float().mean() > 0.9 and bank.PIXELS_OUTSIDE.right == "B"
    assert torch.equal(steps.paste(x, drawn, mask)[..., 8:], x[..., 8:])


# ---------------------------------------------------------------- functions


def start_in_one_line(z_0, eps, abars, strength):
    a = abars[-int(len(abars) * strength) :][0]
    return torch.sqrt(a) * z_0 + torch.sqrt(1 - a) * eps


def pooled(known, drawn, mask):
    return torch.where(torch.nn.functional.avg_pool2d(mask, 4) > 0.5, drawn, known)


def interpolated(known, drawn, mask):
    return steps.blend(known, drawn, torch.nn.functional.interpolate(mask, known.shape[2:]))


@pytest.mark.parametrize(
    "name, mine",
    [
        ("blend", lambda known, drawn, mask: torch.where(mask > 0.5, drawn, known)),
        ("blend", lambda known, drawn, mask: known + mask * (drawn - known)),
        ("blend", lambda known, drawn, mask: torch.lerp(known, drawn, mask.expand_as(known))),
        ("noisy_start", start_in_one_line),
        ("mask_size", pooled),
        ("mask_size", interpolated),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, steps.latent_mask(mask, 4))),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, mask[:, :, 1::4, 1::4])),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, F.interpolate(mask, (16, 16)))),
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right


def test_the_reference_is_what_the_loop_runs():
    assert EXERCISES["blend"].reference is steps.blend


def test_the_start_is_that_of_img2img():
    pipe, x = tiny.pipeline(), torch.zeros(1, 3, 32, 32)
    first = next(iter(steps.img2img(pipe, "a cat", x, strength=0.5, steps=4)))
    z_0, noise = steps.edit.latents_and_noise(pipe, x, [0])
    abars = torch.tensor([steps.edit.level(pipe, t) for t, _ in steps.edit.timesteps(pipe, 4)])
    assert torch.allclose(bank.noisy_start(z_0, noise, abars, 0.5), first.z_t, atol=1e-5)


def noised_twice(z, eps, abars):
    for abar in abars:
        z = abar.sqrt() * z + (1 - abar).sqrt() * eps
    return z


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("blend", lambda known, drawn, mask: known * mask, "the numbers differ"),
        ("blend", lambda known, drawn, mask: drawn.mul_(mask) + known, "changes what it is given"),
        ("blend", lambda known, drawn, mask: mask, "shape"),
        ("blend", lambda known, drawn: drawn, "stopped with TypeError"),
        ("noisy_start", lambda z_0, eps, abars, s: z_0, "z_0 itself"),
        ("noisy_start", lambda z_0, eps, abars, s: eps, "eps itself"),
        ("noisy_start", lambda z_0, eps, abars, s: z_0 + eps, "your result is"),
        ("noisy_start", lambda z_0, eps, abars, s: steps.q_sample(z_0, eps, abars[s]), "stopped"),
        ("noisy_start", lambda z_0, eps, abars, s: steps.q_sample(z_0, eps, abars.mean()), "your result is"),
        ("noisy_start", lambda z_0, eps, abars, s: steps.q_sample(z_0, eps, s), "no signal level"),
        ("noisy_start", lambda z_0, eps, abars, s: steps.q_sample(eps, z_0, abars[len(abars) - int(len(abars) * s)]), "swapped"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, mask), "64 columns"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, mask[::4, ::4]), "write `...,`"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, F.max_pool2d(mask, 16)), "the step is 4, not 16"),
        ("mask_size", lambda known, drawn, mask: known, "known itself"),
        ("mask_size", lambda known, drawn, mask: drawn, "marked now"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, mask[..., ::4, ::4].flip(-1)), "first at"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, mask[..., ::2, ::2]), "cannot be combined"),
        (
            "noisy_start",
            lambda z_0, eps, abars, s: steps.q_sample(z_0, eps, abars[int(len(abars) * (1 - s))]),
            "left out is the rest",
        ),
        ("noisy_start", lambda z_0, eps, abars, s: bank.noisy_start(z_0, eps, torch.cumprod(abars, 0), s), "products already"),
        ("noisy_start", lambda z_0, eps, abars, s: noised_twice(z_0, eps, abars[-int(len(abars) * s) :]), "noisy once"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, mask[..., 48:, 48:]), "bottom right"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, mask[:, :, ::4, :16]), "the columns are cut"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, mask[:, :, :16, ::4]), "the rows are cut"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, F.avg_pool2d(mask, 4) * 16), "value 16"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, F.max_pool2d(mask, 8)), "not 8"),
        ("mask_size", lambda known, drawn, mask: steps.blend(known, drawn, F.interpolate(mask, (16, 16)) == 1), ".float()"),
        ("blend", lambda known, drawn, mask: torch.where(~mask, known, drawn), "write 1 - mask"),
        ("blend", lambda known, drawn, mask: known.masked_scatter(mask == 1, drawn) + known[mask == 0], "has one channel"),
        ("blend", lambda known, drawn, mask: mask * known + mask * drawn, "both are added"),
        ("blend", lambda known, drawn, mask: known * 1 - mask + drawn * mask, "only the 1"),
        ("blend", lambda known, drawn, mask: drawn * mask + 1 - mask * known, "brackets"),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    refused(name, mine, fitting)


def test_the_broken_function_of_the_lesson_is_refused_with_its_own_hint():
    def my_mask_size(known, drawn, mask):
        small = mask[..., : known.shape[2], : known.shape[3]]
        return (1 - small) * known + small * drawn

    refused("mask_size", my_mask_size, "top left corner")


def test_the_answer_runs_in_the_real_loop():
    """And what it is given is what the exercise said: both latents, and a mask of ones and zeros."""
    pipe, x, mask, seen = tiny.pipeline(), torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32), []
    mask[..., :16] = 1

    def mine(known, drawn, m):
        seen.append((known.shape, drawn.shape, m.unique().tolist()))
        return torch.where(m > 0.5, drawn, known)

    *_, ours = steps.inpaint(pipe, "a cat", x, mask, steps=3)
    *_, theirs = steps.inpaint(pipe, "a cat", x, mask, steps=3, mix=mine)
    assert torch.equal(ours.z_s, theirs.z_s)
    assert seen == [((1, 4, 8, 8), (1, 4, 8, 8), [0.0, 1.0])] * 3

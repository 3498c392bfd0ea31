"""A question that each learner gets with images of their own: nobody else's answer fits, and no text contains it.

    ed.own_run("blue-otter")                 # four noisy versions of one scene: which one has the largest file?
    my_own_run = "C"                         # decided by looking; `report` reads it
    ed.own_run("blue-otter", my_own_run)     # the sizes, and whether the decision was right

Scene, timesteps and noise are seeded by the pseudonym, so that the teacher's `report` computes the same four images.
"""

import random
import zlib
from typing import NamedTuple

from edu_diffusion.errors import EduError, said

LETTERS = "ABCD"
PLACEHOLDER = "your-pseudonym"  # in the lessons, to be replaced
RANGES = ((20, 60), (110, 170), (260, 340), (520, 640))  # timesteps, far enough apart for sizes that differ clearly
ASKED = "Compressed without loss, which of your four images has the largest file? Look, decide, and write the letter."


class Run(NamedTuple):
    """The four images (4, 3, 64, 64) in [-1, 1], their timesteps, their sizes in bytes, the letter of the largest."""

    images: object
    timesteps: list[int]
    sizes: list[int]
    right: str


def own_run(pseudonym: str, answer: str | None = None) -> object:
    """Return the four images of a pseudonym as a Picture and print the question; with an answer, the sizes and the verdict.

    pseudonym: any text; capital letters and spaces around it do not matter. For the words that a lesson has in its place it only
    prints that they are to be replaced. answer: a letter, A to D. Raises EduError for an empty pseudonym or another answer.
    """
    from edu_diffusion import figures

    run = computed(pseudonym)
    if pseudonym.strip().lower() == PLACEHOLDER:
        return print(said("Put your pseudonym, the name of your folder, in place of {}, and run the cell again.", PLACEHOLDER))
    if not answer:
        print(said(ASKED))
        return figures.row(run.images, list(LETTERS), alt=said("Four noisy versions of one scene. {}", roughness(run.images)))
    letter = answer.strip().upper() if isinstance(answer, str) else answer
    if letter not in list(LETTERS):
        raise EduError(said("answer with one letter, A, B, C or D; this is {!r:.40}.", answer))
    right = letter == run.right
    print(said("Right: {} is the largest.", letter) if right else said("Not {}: {} is the largest.", letter, run.right))
    labels = [f"{name}: {size / 1000:.1f} kB, t = {t}" for name, t, size in zip(LETTERS, run.timesteps, run.sizes)]
    return figures.row(run.images, labels)


def roughness(images):
    """How much neighbouring pixels differ in each image, in words: what is seen at a glance, for those who do not see it."""
    rough = [(image[..., 1:] - image[..., :-1]).abs().mean().item() for image in images]
    listed = ", ".join(f"{name} {amount:.2f}" for name, amount in zip(LETTERS, rough))
    return said("Neighbouring pixels differ on average, on a scale from 0 to 2, by: {}.", listed)


def computed(pseudonym):
    """Return the Run of a pseudonym, always the same."""
    import torch

    from edu_diffusion import steps
    from edu_diffusion.data import scenes

    seed = seed_of(pseudonym)
    timesteps = [random.Random(seed + i).randint(*bounds) for i, bounds in enumerate(RANGES)]
    random.Random(seed).shuffle(timesteps)
    x_0, rng = scenes.batch(1, seed).images, torch.Generator().manual_seed(seed)
    eps = torch.randn(4, *x_0.shape[1:], generator=rng)
    abar = steps.abar(steps.scaled_linear_betas())[timesteps].reshape(-1, 1, 1, 1)
    noisy = steps.q_sample(x_0, eps, abar) / 4  # / 4: so that nothing is cut off
    sizes = [len(zlib.compress(image.numpy().tobytes())) for image in steps.to_uint8(noisy)]
    return Run((noisy * 2).clamp(-1, 1), timesteps, sizes, LETTERS[sizes.index(max(sizes))])


def seed_of(pseudonym):
    """The seed of a pseudonym. Raises EduError for none."""
    if not isinstance(pseudonym, str) or not pseudonym.strip():
        raise EduError(said("give your pseudonym as a text between quotes, such as the name of your folder."))
    return zlib.crc32(pseudonym.strip().lower().encode())

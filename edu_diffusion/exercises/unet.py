"""Questions of lesson 06: what a U-Net's parts do, and the timestep embedding; the exercises on attention are in attention.py."""

import math

import torch

from .. import steps
from .attention import ATTENTION, CAUSAL_ATTENTION, attending
from .choices import Choice, Number
from .exercise import Exercise

__all__ = ["EXERCISES", "attending"]


def timestep_embedding(t, width):
    return steps.timestep_embedding(t, width)


def times():
    """Arguments (t, width). The timesteps are small: in float32 the cosine of a large number is less exact."""
    return [(torch.tensor([0, 3, 5]), 8), (torch.tensor([17]), 6)]


def waves(t, f):
    """Cosines, then sines, of t times the frequencies."""
    return torch.cat([torch.cos(t[:, None] * f), torch.sin(t[:, None] * f)], dim=1)


def falling(width, i=None, base=10000, by=None):
    """The width / 2 frequencies base^(-i / by)."""
    i = torch.arange(width // 2) if i is None else i
    return torch.exp(-math.log(base) * i / (by or width / 2))


SEES = Choice(
    "sees",
    "D",
    {
        "A": "that is true for a single convolution, the left map. In the whole U-Net many layers follow each other, and the "
        "right map is dark nowhere.",
        "B": "two convolutions in a row see 5 x 5 positions, and there are dozens in a row here, most of them on smaller maps. "
        "The right map shows an influence from every position.",
        "C": "convolutions alone would have such a limit. But on a map of a quarter of the width, three positions span twelve of "
        "the latent's, and attention compares all positions at once.",
        "D": "every position has an influence, the near ones a stronger one. Small feature maps and attention make that possible.",
    },
    prediction=True,
)

WITHOUT_SKIPS = Choice(
    "without_skips",
    "C",
    {
        "A": "the number of weights is the same, but not what reaches the output. The two losses differ by a large factor.",
        "B": "there is room for all 64 numbers in the smallest feature maps, and the loss does fall. But after as many steps it "
        "is several times as large, and the lower rows show no digits at all.",
        "C": "the output is noise, and each of its 64 numbers has to arrive at its own place. Through the skips that is easy; "
        "all the way down and up again it has to be learned by every layer.",
        "D": "blur would come from a network that knows roughly where the ink is. The lower rows do not even show that: they are "
        "noise.",
    },
    prediction=True,
)

WORDS_SWAPPED = Choice(
    "words_swapped",
    "A",
    {
        "A": "the U-Net hardly attends to this vector, and the vectors after it still contain the blue: the text encoder has "
        "passed it on to them.",
        "B": "that is what the word means to us. For the U-Net it is one of 48 vectors, and it gets about 1 % of the attention. "
        "The second image is as blue as the first.",
        "C": "a mixture would mean that both vectors count about equally. Compare the first two images.",
        "D": "the U-Net does not read grammar; it computes with 48 vectors, whatever they are. Only one of them has changed.",
    },
    prediction=True,
)

LARGER_IMAGE = Number(
    "larger_image",
    16,
    (
        ("the number of positions grows 4 times. But every position is compared with every other one.", 4),
        ("twice as wide *and* twice as high; count the positions first.", 2),
        ("count the positions first, then the pairs: for both members of a pair there are more positions to choose from.", 8),
        ("this is the number of weights itself; the question is how many times as many there are.", 16_384**2),
        ("this is the number of positions; the question is how many times as many weights there are.", 16_384),
        ("this is the number of weights for 512 x 512; the question is how many times as many there are.", 4096**2),
    ),
    "four times as many positions, and each is compared with four times as many. This is why large images are slow, and why "
    "Stable Diffusion does not work on pixels: 512 x 512 pixels would make 64² = 4,096 times as many weights as 64 x 64 positions.",
)


EXERCISES = [
    SEES,
    WITHOUT_SKIPS,
    WORDS_SWAPPED,
    LARGER_IMAGE,
    Exercise(
        "timestep_embedding",
        timestep_embedding,
        times,
        (
            (
                "the order is reversed: the cosines come first, then the sines.",
                lambda t, width: waves(t, falling(width)).roll(width // 2, 1),
            ),
            (
                "here cosines and sines alternate; put all the cosines first, then all the sines.",
                lambda t, width: waves(t, falling(width)).unflatten(1, (2, -1)).transpose(1, 2).flatten(1),
            ),
            (
                "these are the cosines alone; append the sines with torch.cat(..., dim=1).",
                lambda t, width: waves(t, falling(width))[:, : width // 2],
            ),
            (
                "these are the sines alone; put the cosines before them with torch.cat(..., dim=1).",
                lambda t, width: waves(t, falling(width))[:, width // 2 :],
            ),
            (
                "the waves become faster with i instead of slower: the factor from one to the next must be below 1.",
                lambda t, width: waves(t, 1 / falling(width)),
            ),
            (
                "i is divided by the whole width; divide it by half of it, the number of frequencies.",
                lambda t, width: waves(t, falling(width, by=width)),
            ),
            (
                "your last frequency is 1/10000 itself. As many factors as there are frequencies lead to 1/10000; the last "
                "frequency is one factor before it.",
                lambda t, width: waves(t, falling(width, by=width / 2 - 1)),
            ),
            (
                "there are width / 2 frequencies, each with a cosine and a sine; this has twice as many.",
                lambda t, width: waves(t, falling(width, torch.arange(width))),
            ),
            (
                "there are width / 2 frequencies, each with a cosine and a sine; this has twice as many.",
                lambda t, width: waves(t, falling(width, torch.arange(width), by=width)),
            ),
            (
                "the frequencies are evenly spaced; here each is the previous one *times* the same factor.",
                lambda t, width: waves(t, torch.linspace(1, 1e-4, width // 2 + 1)[:-1]),
            ),
            (
                "the frequencies fall by the same *difference* each time; each must be the previous one times the same factor.",
                lambda t, width: waves(t, torch.linspace(1, 1e-4, width // 2)),
            ),
            (
                "the factor is too small: after width / 2 of them, and not after one, the frequency would be 1/10000.",
                lambda t, width: waves(t, 1e-4 ** torch.arange(width // 2)),
            ),
            (
                "the exponent is twice as large as it must be: the 2 of 2 i / width counts twice where i is 0, 2, 4, ... already.",
                lambda t, width: waves(t, falling(width) ** 2),
            ),
            (
                "the frequencies fall to 1/e; with exp, i / (width / 2) has to be multiplied by -log(10000).",
                lambda t, width: waves(t, falling(width, base=math.e)),
            ),
            (
                "i starts at 1; start at 0, so that the highest frequency is 1.",
                lambda t, width: waves(t, falling(width, torch.arange(1, width // 2 + 1))),
            ),
            ("the frequencies fall to 1/1000; they should fall to 1/10000.", lambda t, width: waves(t, falling(width, base=1000))),
            (
                "the result does not depend on t: multiply each t by all the frequencies.",
                lambda t, width: waves(torch.ones_like(t), falling(width)),
            ),
            (
                "there is no 2 pi here: the angles are simply t times the frequencies.",
                lambda t, width: waves(t * 2 * math.pi, falling(width)),
            ),
            ("t counts as it is, up to 1,000; do not divide it.", lambda t, width: waves(t / 1000, falling(width))),
            ("each t is multiplied by each frequency: t[:, None] * f.", lambda t, width: t * falling(width)),
            (
                "width / 2 is a decimal number, even where it is a whole one; width // 2 is an integer.",
                lambda t, width: torch.tensor([*range(width / 2)]),
            ),
            (
                "these are t times the frequencies; take their cosines and their sines.",
                lambda t, width: (t[:, None] * falling(width)).repeat(1, 2),
            ),
            ("all frequencies are the same; each i has its own.", lambda t, width: waves(t, torch.ones(width // 2))),
        ),
        "nearby timesteps get similar vectors, and no two of the 1,000 get the same one.",
    ),
    ATTENTION,
    CAUSAL_ATTENTION,
]

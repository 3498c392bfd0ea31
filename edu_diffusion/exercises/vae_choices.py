"""Letters and numbers of lesson 04: how much smaller a latent is, and what the KL term is good for."""

import math

from .choices import Choice, Number

FEWER = Number(
    "fewer",
    48,
    (
        ("this is the factor by which the edge shrinks; compare the counts of all numbers, channels included.", 8),
        ("this compares positions only; every pixel has three numbers, and every position of the latent four.", 64),
        ("the channels are the wrong way round: three belong to the image, four to the latent.", 64 * 4 / 3),
        ("this is upside down: how many times fewer numbers has the latent?", 1 / 48),
        ("this is how many numbers a latent has; how many times does that fit into the image's count?", 64 * 64 * 4),
        ("this is how many numbers the image has; divide by the latent's count.", 512 * 512 * 3),
        ("this leaves out the image's three channels.", 16),
    ),
    "786,432 numbers become 16,384, and the U-Net works on these alone.",
)

HALFWAY = Choice(
    "halfway",
    "B",
    {
        "A": "look at the framed image in the upper row: both pictures are still there, one over the other. This "
        "latent space keeps "
        "positions, so the mean of two latents is nearly the mean of two images.",
        "B": "a latent is a small image with channels of its own, and the mean of two of them decodes to nearly the "
        "mean of the images.",
        "C": "noise appears where no image has its latent, but half-way between two latents the decoder still shows "
        "both pictures, "
        "one over the other.",
        "D": "the differences do shrink, but both pictures can still be recognised in the framed image.",
    },
    prediction=True,
)

NO_PRICE = Choice(
    "no_price",
    "B",
    {
        "A": "the reconstructions do get better, but look at the map and at the counts: without the KL term random "
        "latents do not "
        "give all ten digits equally often.",
        "B": "without the KL term the encoder places its latents far apart and with little noise, so reconstructions "
        "improve; random latents "
        "then miss most of the regions where digits lie.",
        "C": "the KL term competes with the reconstruction error: it keeps noise in every latent. The printed error "
        "is smaller without it.",
        "D": "0.01 is small but counts: compare the printed spread of the latents with and without it.",
    },
    prediction=True,
)

PRECISE = Number(
    "precise",
    0.5 * (0.01 - 1 - 2 * math.log(0.1)),
    (
        (
            "this takes 0.1 for the variance; it is the standard deviation, so the variance is 0.01.",
            0.5 * (0.1 - 1 - math.log(0.1)),
        ),
        ("this is twice the divergence: a factor 1/2 is missing.", 0.01 - 1 - 2 * math.log(0.1)),
        ("this is the logarithm of 1/0.1 alone; the terms with the variance are missing.", -math.log(0.1)),
        ("the logarithm has the wrong sign: the divergence cannot be negative.", 0.5 * (0.01 - 1 + 2 * math.log(0.1))),
        ("this takes the logarithm to base 10; use the natural one, math.log.", 0.5 * (0.01 - 1 + 2)),
        ("the constant is missing: with mean 0 and standard deviation 1 the result must be 0.", 0.5 * (0.01 - 2 * math.log(0.1))),
    ),
    "about 1.81. It is as expensive as a mean of 1.9 with standard deviation 1, which has the same divergence.",
)

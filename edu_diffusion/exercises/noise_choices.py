"""Letters and numbers of lesson 01: what noise schedules do, and what a file of noise costs."""

from .choices import Choice, Number

HALF_TIME = Choice(
    "half_time",
    "B",
    {
        "A": "t = 500 is the middle of the count, but the schedule decides how much noise each timestep adds. In the right-hand "
        "plot the scaled linear curve crosses 1 well before the middle.",
        "B": "the scaled linear curve crosses 1 at t = 354. About two thirds of the timesteps belong to images with more noise "
        "than signal.",
        "C": "at t = 100 the image is easily recognised, and the plot agrees: the ratio there is still far above 1.",
        "D": "the ratio at t = 900 is about 0.014: by then there is about seventy times more noise than signal.",
    },
    prediction=True,
)

FLAT_CURVE = Choice(
    "flat_curve",
    "D",
    {
        "A": "the scaled linear curve goes below 0.01 only for about the last 65 timesteps; compare it with the one marked linear.",
        "B": "the cosine curve falls very low, but only at the very end. Ask how long a curve stays below 0.01, not "
        "how far down it goes.",
        "C": "this schedule reaches zero at the end, but it spends only about 160 timesteps below 0.01; another one spends twice "
        "as many there.",
        "D": "the linear curve falls below 0.01 at about t = 670 and stays there: a third of all training examples are almost pure "
        "noise. That is why later models use other schedules.",
    },
)

FILE_SIZE = Choice(
    "file_size",
    "C",
    {
        "A": "the number of pixels stays the same, but not what has to be stored about them: compression leaves out what can be "
        "predicted from the neighbours, and noise cannot be predicted.",
        "B": "a noisy image means less to us, but a compressor must store every pixel exactly, and none can be predicted from "
        "the others. The curve rises.",
        "C": "the more random the pixels, the less can be left out. This is what rising entropy means in practice.",
        "D": "pure noise is not simple for a compressor. It has no pattern at all, so the curve is highest at the end.",
    },
    prediction=True,
)

PIXEL_VARIANCE = Number(
    "pixel_variance",
    0.36 * 0.25 + 0.64,
    (
        ("this is what is left of the image, 0.36 times 0.25; the noise adds its own variance.", 0.09),
        ("this is the variance of the noise alone; a part of the image is left, too.", 0.64),
        ("that would be true for an image of variance 1. This one has 0.25, and its share shrinks with it.", 1.0),
        ("a factor of 0.6 changes the variance by 0.6 squared.", 0.6 * 0.25 + 0.64),
        ("0.5 is the standard deviation of the image; use its variance.", 0.36 * 0.5 + 0.64),
        ("the noise has variance 1, as always; only the image has 0.25.", 0.36 * 0.25 + 0.64 * 0.25),
        ("the image keeps its full variance here, but it is multiplied by the root of 0.36 first.", 0.25 + 0.64),
        ("this is the standard deviation; the variance is its square.", 0.73**0.5),
        ("the two weights are swapped: 0.36 belongs to the image.", 0.64 * 0.25 + 0.36),
        ("a factor multiplies the variance by its square; here the factors themselves are used.", 0.6 * 0.25 + 0.8),
    ),
    "0.36 · 0.25 + 0.64 = 0.73. Noise and image are independent, so their variances add. Only for images of variance 1 does x_t "
    "keep the same variance at every timestep.",
)

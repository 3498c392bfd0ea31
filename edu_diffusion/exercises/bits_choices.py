"""Letters and numbers of lesson 16: what fewer bits cost, and what needs memory."""

from .choices import Choice, Number

OUTLIER = Choice(
    "outlier",
    "C",
    {
        "A": "the 255 levels are spread evenly from -12.7 to 12.7. Between -0.1 and 0.1 there are only three of them.",
        "B": "nothing is clipped: the scale is made for the largest weight, and that one is exact. The others pay for it.",
        "C": "the scale is 12.7 / 127 = 0.1. For each of the other weights the nearest level is -0.1, 0 or 0.1. With a scale for "
        "every 16 weights, the damage stays in the one group that holds the large weight.",
        "D": "an even scale has the same largest error everywhere, half a step. For a weight of 12.7 this is nothing; for one of "
        "0.05 it is all of it.",
    },
    prediction=True,
)

HALF_BITS = Choice(
    "half_bits",
    "C",
    {
        "A": "half the bits are far fewer than half the levels: every bit less halves them. Look at the ratio in the last line.",
        "B": "four bits are lost, and each of them doubles the step: that is 2 x 2 x 2 x 2, not 4.",
        "C": "each bit less makes the steps twice as wide: four bits make them 2 x 2 x 2 x 2 = 16 times as wide. (With these "
        "codes it is 127 / 7, about 18 times.) The error in the U-Net's output grows about as much: from below 2 % to more than a "
        "quarter.",
        "D": "eight bits have 256 values. What counts is how much wider the steps become, and int4 still has 15 levels.",
    },
    prediction=True,
)

KEEP_FULL = Choice(
    "keep_full",
    "B",
    {
        "A": "the middle block is indeed the narrowest place, but a million weights that are each a little wrong average out: with "
        "it in full precision the error stays as it was.",
        "B": "0.07 % of the weights carry a large part of the error. Each of the two layers has only four inputs or outputs, the "
        "channels of the latent, so that little averages out; and what `conv_out` gets wrong is in the result directly. Most "
        "recipes keep such layers.",
        "C": "the prompt enters there, but errors in these many weights average out. Its bar is as long as the first one.",
        "D": "the number of weights is a poor guide: these are 20 % of all, and the error stays nearly the same. A few thousand "
        "others, in the last bar, matter far more.",
    },
    prediction=True,
)

XL_BYTES = Number(
    "xl_bytes",
    2567e6 * (4 + 16 / 64) / 8 / 1e9,
    (
        ("these are the codes alone; each group of 64 weights has a scale as well.", 2.567 * 4 / 8),
        ("a scale in half precision has 16 bits, not 32.", 2.567 * (4 + 32 / 64) / 8),
        ("a scale in half precision has 16 bits, not 8.", 2.567 * (4 + 8 / 64) / 8),
        ("these are gigabits; a byte has 8 bits.", 2.567 * 4.25),
        ("this is one byte for each weight; a code has half of that.", 2.567),
        ("this is half precision, 16 bits for each weight.", 2 * 2.567),
        ("this is single precision, 32 bits for each weight.", 4 * 2.567),
        ("this gives every weight a scale of its own; 64 weights share one.", 2.567 * 20 / 8),
        ("the question asks for gigabytes, 1,000 megabytes each.", 2567 * 4.25 / 8),
        ("the question asks for gigabytes, a billion bytes each.", 2567e6 * 4.25 / 8),
        ("these are the scales alone; the codes come on top.", 2.567 * 16 / 64 / 8),
    ),
    "16 bits for 64 weights are a quarter of a bit each, 4.25 bits together: 1.36 GB in place of 5.13 GB in half precision.",
)

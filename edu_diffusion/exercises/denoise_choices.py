"""Letters and numbers of lesson 02: what the best guess is, and how many numbers LeNet-5 has."""

from .choices import Choice, Number

FIRST_GUESS = Choice(
    "first_guess",
    "A",
    {
        "A": "from pure noise nothing can be told, so the guess with the smallest squared error is the mean of everything "
        "possible: a grey blur, the same for every start.",
        "B": "a sharp digit would be a gamble: with the wrong digit the squared error is large. The first row shows no digit yet; "
        "they take shape in later rows.",
        "C": "the guess is about the clean digit, and a clean digit contains no noise. The first row is smooth.",
        "D": "an empty image is farther from the digits than their mean is. The first row is grey where digits often have ink.",
    },
    prediction=True,
)

PERFECT_DIGITS = Choice(
    "perfect_digits",
    "C",
    {
        "A": "they look new, but the distance of each to its nearest training digit is 0: nothing is new about them.",
        "B": "only the first guesses are blurred. The less noise there is, the fewer training digits fit, in the end only one.",
        "C": "the smallest possible training loss belongs to a model that has memorised the training set. A network generates "
        "something new only because it does not reach this loss.",
        "D": "the images are perfect digits, and that without any network: the best guess can be computed from the training set.",
    },
    prediction=True,
)

C3_WEIGHTS = Number(
    "c3_parameters",
    16 * (6 * 25 + 1),
    (
        ("each of the 16 output maps has a bias as well.", 16 * 6 * 25),
        ("each output map sees all 6 input maps, with 25 weights for each.", 16 * (25 + 1)),
        ("there is one bias for each output map, not one for each of its 6 kernels.", 16 * 6 * 26),
        ("there is one bias for each output map, 16 in all.", 16 * 6 * 25 + 1),
        ("there is one bias for each output map, not for each input map.", 16 * 6 * 25 + 6),
        ("each kernel has 5 rows and 5 columns.", 16 * (6 * 5 + 1)),
        ("a convolution uses the same weights at every position, so the number of positions does not matter.", 2416 * 100),
        ("this is C3 of 1998, where most maps see only some of the six; here every map sees all of them.", 60 * 25 + 16),
    ),
    "16 · (6 · 25 + 1) = 2,416.",
    tolerance=0.0,
)

"""Exercises of lesson 00: a first image, and the seed that a name gives."""

import zlib

import torch

from .choices import Choice
from .exercise import Exercise

SEEDS = 10_000  # a seed of at most four digits is easy to read out and to type
GENERATED = (1, 4, 6, 7)  # the numbers, from 1, of the generated pictures among the eight of the vote


def name_seed(name):
    """The seed of a name, 0 to 9999: the same however it is typed."""
    text = name.strip().lower()
    return zlib.crc32(text.encode()) % SEEDS


def names():
    """Arguments (name,): capital letters, spaces around and within, an accent, two anagrams."""
    return [("Ada",), (" ada ",), ("Zoë",), ("Amy",), ("MAY",), (" Anna Lena",)]


def letters(name):
    """The sum of the letters' numbers."""
    return sum(map(ord, name.strip().lower()))


def mixed(drawn, generated):
    """The eight pictures of the vote, in the order that its options mean; both (8, 3, H, W)."""
    return torch.stack([generated[i] if i + 1 in GENERATED else drawn[i] for i in range(len(drawn))])


NAME_SEED = Exercise(
    "name_seed",
    name_seed,
    names,
    (
        (
            "the same name gives different seeds, depending on how it is typed: crc32 must read what .strip() and .lower() return; "
            "they do not change `name` itself.",
            lambda name: zlib.crc32(name.encode()) % SEEDS,
        ),
        (
            "spaces before and after the name still change the seed; text.strip() returns a text without them.",
            lambda name: zlib.crc32(name.lower().encode()) % SEEDS,
        ),
        (
            "capital letters still change the seed; text.lower() returns a text in small letters.",
            lambda name: zlib.crc32(name.strip().encode()) % SEEDS,
        ),
        (
            "all letters are capital now; the class agreed on small ones.",
            lambda name: zlib.crc32(name.strip().upper().encode()) % SEEDS,
        ),
        (
            "the space inside a name such as Anna Lena is gone, too; remove only those before and after it.",
            lambda name: zlib.crc32(name.replace(" ", "").lower().encode()) % SEEDS,
        ),
        (
            "the number has more than four digits; take its remainder after division by 10,000.",
            lambda name: zlib.crc32(name.strip().lower().encode()),
        ),
        (
            "this is the quotient of the division; the remainder is written with %.",
            lambda name: zlib.crc32(name.strip().lower().encode()) // SEEDS,
        ),
        (
            "a remainder by 9999 leaves out one of the 10,000 seeds: remainders after division by n go from 0 to n - 1.",
            lambda name: zlib.crc32(name.strip().lower().encode()) % (SEEDS - 1),
        ),
        ("this has at most three digits; up to four are wanted.", lambda name: zlib.crc32(name.strip().lower().encode()) % 1000),
        (
            "10.000 is the number ten in Python, with three decimals; write 10_000 or 10000.",
            lambda name: zlib.crc32(name.strip().lower().encode()) % 10.0,
        ),
        ("every name gets the seed of Ada; use the argument `name`.", lambda name: name_seed("Ada")),
        ("this is the number of letters; every name of three letters would get the same picture.", lambda name: len(name.strip())),
        ("this is a sum over the letters, which does not depend on their order; Amy and May would get the same picture.", letters),
        (
            "hash() gives a text another number each time Python is started, so tomorrow's picture would differ; use zlib.crc32.",
            lambda name: hash(name.strip().lower()) % SEEDS,
        ),
    ),
    "one name, one seed, however it is typed, today and tomorrow.",
    lines=(
        "def my_name_seed(name):",
        "    import zlib",
        "    text = name.strip().lower()",
        "    number = zlib.crc32(text.encode())",
        "    return number % 10_000",
    ),
)

SAME_NAME = Choice(
    "same_name",
    "B",
    {
        "A": "not one number differs. A picture that is only similar would need other random numbers at some point, and there are "
        "none: the seed determines them all.",
        "B": "all 12,288 numbers are equal. The random numbers are computed from the seed, and nothing else here is random.",
        "C": 'the prompt "a dog" alone does leave the dog open, but the seed decides what is open, and it was the same.',
        "D": "the background is not in the prompt, but it is not decided anew either: the same seed gives the same background.",
    },
    prediction=True,
)

SAME_SUM = Choice(
    "same_sum",
    "B",
    {
        "A": "they have two letters in common, but the third differs: 12 + 5 + 1 = 18 and 12 + 5 + 15 = 32.",
        "B": "1 + 13 + 25 and 13 + 1 + 25 are both 39: a sum does not depend on the order of the letters. crc32 does.",
        "C": "they rhyme, but one letter differs and so does the sum: 2 + 15 + 2 = 19 and 18 + 15 + 2 = 35.",
        "D": "different texts can have the same sum; add up the letters of each pair and you will find one.",
    },
)

FIRST_PREDICTION = Choice(
    "first_prediction",
    "C",
    {
        "A": "that is the upper row. The lower row is what the model expects to find under the noise, and all the pictures that "
        "it was trained on were scenes.",
        "B": "compare the first picture of the lower row with the last: it is pale and blurred, and the head still becomes much "
        "smaller.",
        "C": "many pictures are still possible, and the best guess is something like their mean. Size and details come later.",
        "D": "it is not empty: the prompt alone already tells the model what kind of shape to expect.",
    },
    prediction=True,
)

MADE_BY_MODEL = Choice(
    "made_by_model",
    "B",
    {
        "A": "it is exactly the other way round: these four are drawings. What made them look generated? If they seemed soft: "
        "all eight went through the same decoder, so softness tells you nothing.",
        "B": "1, 4, 6 and 7 are generated. One in four finds this by guessing; which sign did you go by? Uneven "
        "outlines and parts that do not fit together are signs of a generated picture.",
        "C": "two of these are generated, 1 and 6, which is what guessing gives on average. Look for uneven outlines and for "
        "parts that do not fit together.",
        "D": "two of these are generated, 4 and 7, which is what guessing gives on average. Look for uneven outlines and for "
        "parts that do not fit together.",
    },
)

SHARED_NOISE = Choice(
    "shared_noise",
    "A",
    {
        "A": "what the prompt leaves open is decided by the noise, and the noise is the same. Mostly, not always: some columns "
        "have two colours.",
        "B": "the prompt does not change the noise: the seed alone determines it. Look down the columns: most have one background.",
        "C": "the animal is what the prompt names, so it follows the prompt; look at what the prompt does not mention.",
        "D": "the shape of the head changes from row to row; only where and how large it is may stay.",
    },
    prediction=True,
)

EXERCISES = [SAME_NAME, NAME_SEED, SAME_SUM, FIRST_PREDICTION, MADE_BY_MODEL, SHARED_NOISE]

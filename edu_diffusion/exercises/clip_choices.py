"""Letters and numbers of lesson 05: what a trained CLIP can and cannot do."""

import math

from .choices import Choice, Number

CHANGED_ROWS = Choice(
    "changed_rows",
    "C",
    {
        "A": "its own row does change, but the picture shows that the rows of all later tokens change as well: they "
        "contain information "
        "from the tokens before them.",
        "B": "the rows above the exchanged word are white in the picture: nothing changed there. A token gets no "
        "information from "
        "later ones.",
        "C": "each token gets information from itself and from the tokens before it, never from later ones (a causal mask).",
        "D": "the last row does change, but the picture shows that all rows from the exchanged word on do.",
    },
    prediction=True,
)

GUESSING = Number(
    "guessing",
    math.log(32),
    (
        ("this is the probability of the right answer; the loss is its negative natural logarithm.", 1 / 32),
        ("this is the number of answers to choose from; the loss is a logarithm.", 32),
        ("this takes the logarithm to base 2; cross-entropy uses the natural one, math.log.", 5),
        ("this takes the logarithm to base 10; cross-entropy uses the natural one, math.log.", math.log10(32)),
        ("the two directions are averaged, not added.", 2 * math.log(32)),
        ("the sign is wrong: a loss of this kind is never negative.", -math.log(32)),
        ("this is half of it: the mean of two equal losses is that loss.", math.log(32) / 2),
        ("a loss of 0 would mean certainty about the right answer; here all 32 answers look the same.", 0),
    ),
    "a CLIP that learned nothing stays at this value; it is the baseline to compare with.",
)

MISTAKES = Choice(
    "mistakes",
    "B",
    {
        "A": "the printed counts say otherwise: most of the wrong images show the right thing. Similar images have "
        "similar embeddings, so they are the ones that are confused.",
        "B": "in this pool the thing is usually recognised, and its background or style is confused: the pool has such a "
        "hard negative for every image.",
        "C": "the printed counts say otherwise: fewer of the wrong images show another thing on the right background.",
        "D": "the printed share is below 100 %: these compositions are new, and every image has a hard negative in the pool.",
    },
    prediction=True,
)

"""Questions of lesson 17's second half: what a merged model draws, and how merges are calculated."""

import torch

from .choices import Choice
from .exercise import Exercise

MERGED = Choice(
    "merged",
    "D",
    {
        "A": "that is what one would like. At 0.5 both curves are far below the parent that is good at it.",
        "B": "half of the weights is not half of the abilities: a network is not linear. At 0.5 both curves are below half of what "
        "the better parent reaches.",
        "C": "neither parent wins at 0.5: both curves are far below the parent that is good at it. Near the ends one "
        "ability is kept and the other lost.",
        "D": "the drawings at 0.5 are neither in the old styles nor in the new one. A merge is a compromise, and which weight is "
        "best is found only by measuring both abilities.",
    },
    prediction=True,
)


def add_difference(a, b, c, weight):
    """Give model a what b learned since it was c: a + weight (b - c)."""
    return a + weight * (b - c)


def three():
    """Arguments (a, b, c, weight)."""
    rng = torch.Generator().manual_seed(18)
    draw = lambda *shape: [torch.randn(shape, generator=rng) for _ in range(3)]
    return [(*draw(3, 4), 0.7), (*draw(5), 1.0), (*draw(2, 2, 2), 0.3)]


ADD_DIFFERENCE = Exercise(
    "add_difference",
    add_difference,
    three,
    (
        (
            "the sign is wrong, so the ability is taken away: what B learned is B minus what it began as.",
            lambda a, b, c, weight: a + weight * (c - b),
        ),
        ("this adds the whole of B; what it learned is only its difference from C.", lambda a, b, c, weight: a + weight * b),
        ("the weight is missing: with weight 0 the result must be A.", lambda a, b, c, weight: a + b - c),
        (
            "this is a weighted sum of A and the difference; A stays whole, and the difference is added to it.",
            lambda a, b, c, weight: (1 - weight) * a + weight * (b - c),
        ),
        (
            "this is the weighted sum of A and B; B was fine-tuned from C, so take its difference from C.",
            lambda a, b, c, weight: (1 - weight) * a + weight * b,
        ),
        ("the weight belongs to the difference alone; A stays whole.", lambda a, b, c, weight: weight * (a + b - c)),
        ("this is the difference alone; it is to be added to A.", lambda a, b, c, weight: weight * (b - c)),
        ("this adds the difference to the model that B began as; add it to A.", lambda a, b, c, weight: c + weight * (b - c)),
        *(
            ("brackets are missing: the weight multiplies the whole difference.", slip)
            for slip in (lambda a, b, c, weight: a + weight * b - c, lambda a, b, c, weight: a + b - weight * c)
        ),
        (
            "the roles of A and B are exchanged: A stays whole, and B's difference is added.",
            lambda a, b, c, weight: b + weight * (a - c),
        ),
    ),
    "it adds to A only what B has learned, as strongly as the weight says.",
)


def unmerge(m, a, weight):
    """The parent b of the weighted sum m = (1 - weight) a + weight b."""
    return (m - (1 - weight) * a) / weight


def sums():
    """Arguments (m, a, weight): merged tensors, one parent, the other parent's weight."""
    rng = torch.Generator().manual_seed(19)
    found = []
    for shape, weight in (((3, 4), 0.25), ((5,), 0.7), ((2, 3, 2), 0.4)):
        a, b = (torch.randn(shape, generator=rng) for _ in range(2))
        found.append(((1 - weight) * a + weight * b, a, weight))
    return found


UNMERGE = Exercise(
    "unmerge",
    unmerge,
    sums,
    (
        ("the share of A is gone, but what remains is weight times B, and not yet B.", lambda m, a, weight: m - (1 - weight) * a),
        ("the whole of A is subtracted, but only 1 - weight of it is in the sum.", lambda m, a, weight: (m - a) / weight),
        (
            "this is the difference of the merged model from A; solve the equation of the weighted sum for B.",
            lambda m, a, weight: m - a,
        ),
        ("the weights are exchanged: `weight` is B's, and A has the rest.", lambda m, a, weight: (m - weight * a) / (1 - weight)),
        ("of the sum, A has the share 1 - weight.", lambda m, a, weight: (m - weight * a) / weight),
        ("divide everything by the weight, A's share as well.", lambda m, a, weight: m / weight - (1 - weight) * a),
        ("this ignores A: its share must be subtracted first.", lambda m, a, weight: m / weight),
        (
            "multiplied in place of divided: to undo the multiplication by the weight, divide.",
            lambda m, a, weight: (m - (1 - weight) * a) * weight,
        ),
        ("this is right for a weight of 0.5 only.", lambda m, a, weight: 2 * m - a),
        ("brackets are missing: the whole difference is divided.", lambda m, a, weight: m - (1 - weight) * a / weight),
        ("brackets are missing: A's share is (1 - weight) * a.", lambda m, a, weight: (m - 1 - weight * a) / weight),
        ("the share of A is added; it has to be subtracted.", lambda m, a, weight: (m + (1 - weight) * a) / weight),
        ("this merges once more; the question is how to take a merge apart.", lambda m, a, weight: (1 - weight) * a + weight * m),
        ("divide by B's weight, not by A's.", lambda m, a, weight: (m - (1 - weight) * a) / (1 - weight)),
    ),
    "from a merged file, one parent and the weight you get the other parent: a merge hides nothing.",
)

APART = Choice(
    "apart",
    "C",
    {
        "A": "that would be so if both networks did the same thing at the same place. The middle row is noisier than those at "
        "the top and the bottom.",
        "B": "the weights are averaged, not the images: the mean of two digits would look smooth, and the middle row is grainy.",
        "C": "each network learned the digits, but not in the same channels: channel 5 of one has nothing to do with channel 5 of "
        "the other. Two models that were fine-tuned from the same one still agree on this, so they can be merged.",
        "D": "at 0.5 no parent has more weight than the other. Near the ends, at 0.25 and 0.75, the nearer one does win.",
    },
    prediction=True,
)

EXERCISES = [MERGED, ADD_DIFFERENCE, UNMERGE, APART]

"""Questions of lesson 16's second half: which part needs the most memory, the peak, and how long a queue waits."""

import torch

from .choices import Choice, Number
from .exercise import Exercise


def peak(weights, activations, offload):
    """The most bytes in memory at once, over the three phases of drawing."""
    held = weights if offload else weights.sum()
    return (held + activations).max()


def phases():
    """Arguments (weights, activations, offload): the largest weights and the largest activations are in different phases."""
    sizes = [
        ([0.5, 3.4, 0.3], [0.1, 0.3, 0.8], False),
        ([0.5, 3.4, 0.3], [0.1, 0.3, 0.8], True),
        ([1.6, 5.1, 0.7], [0.2, 0.4, 6.5], True),
        ([2.0, 1.0, 0.5], [0.25, 3.0, 2.0], False),
    ]
    scale = 0.5 + torch.rand(1, generator=torch.Generator().manual_seed(0))  # the same for all: the largest stay the largest
    return [(scale * torch.tensor(weights), scale * torch.tensor(activations), offload) for weights, activations, offload in sizes]


WORST_PHASE = Choice(
    "worst_phase",
    "C",
    {
        "A": "there are two text encoders, with 0.8 billion weights, but a prompt is only 77 tokens: theirs is the smallest bar.",
        "B": "the U-Net has by far the most weights, but it works on latents of 128 x 128. Weights and activations are different "
        "things: its activations are a tenth of the largest bar.",
        "C": "the decoder has few weights, but its last layers work at 1024 x 1024 positions, with 128 or 256 channels at each. In "
        "Stable Diffusion XL it is computed in float32 as well, since it overflows in float16.",
        "D": "the image is of the same size, but the tensors are not: 77 tokens, 128 x 128 latents, 1024 x 1024 pixels. The bars "
        "differ by more than a hundred times.",
    },
    prediction=True,
)

PEAK = Exercise(
    "peak",
    peak,
    phases,
    (
        (
            "the phases run one after the other, so their activations are never there together: do not add them up.",
            lambda weights, activations, offload: (weights if offload else weights.sum()).max() + activations.sum(),
        ),
        (
            "the phases run one after the other, so their activations are never there together: do not add them up.",
            lambda weights, activations, offload: (weights + activations).max() if offload else weights.sum() + activations.sum(),
        ),
        (
            "these are the largest weights and the largest activations, which may belong to different phases: add first, for each "
            "phase, and take the maximum afterwards.",
            lambda weights, activations, offload: (weights if offload else weights.sum()).max() + activations.max(),
        ),
        (
            "offload is not used: with it, only the weights of the part that is at work lie in memory.",
            lambda weights, activations, offload: (weights.sum() + activations).max(),
        ),
        (
            "without offload the weights of all three parts lie in memory in every phase.",
            lambda weights, activations, offload: (weights + activations).max(),
        ),
        (
            "without offload the weights of all three parts lie in memory in every phase.",
            lambda weights, activations, offload: (weights + activations).max() if offload else weights.max() + activations.max(),
        ),
        (
            "the two cases are exchanged: with offload only one part lies in memory.",
            lambda weights, activations, offload: peak(weights, activations, not offload),
        ),
        (
            "this adds up all phases; the peak is the worst single moment.",
            lambda weights, activations, offload: weights.sum() + activations.sum(),
        ),
        (
            "this adds up all phases; the peak is the worst single moment.",
            lambda weights, activations, offload: weights.sum() + (activations.sum() if offload else activations.max()),
        ),
        ("the weights are missing: they lie in memory, too.", lambda weights, activations, offload: activations.max()),
        (
            "with offload the weights of the part that is at work lie in memory, too; only the others wait outside.",
            lambda weights, activations, offload: activations.max() + (0 if offload else weights.sum()),
        ),
        *(
            (
                "one part is chosen beforehand; which phase is the worst depends on the numbers: calculate all three, and take the "
                "maximum.",
                lambda weights, activations, offload, k=k, always=always: (
                    weights[k] + activations[k] if offload else weights.sum() + (activations[k] if always else activations.max())
                ),
            )
            for k in (1, 2)
            for always in (True, False)
        ),
        (
            "weights and activations lie in memory together: add them, do not take the larger one.",
            lambda weights, activations, offload: (
                torch.maximum(weights, activations).max() if offload else weights.sum() + activations.max()
            ),
        ),
        (
            "the activations are missing: these are the weights alone.",
            lambda weights, activations, offload: (weights if offload else weights.sum()).max(),
        ),
        *(
            ("this is the number of the worst phase; the question asks for its bytes.", worst)
            for worst in (
                lambda weights, activations, offload: ((weights if offload else weights.sum()) + activations).argmax(),
                lambda weights, activations, offload: (
                    (weights + activations).argmax() if offload else weights.sum() + activations.argmax()
                ),
            )
        ),
        (
            "this is the phase that needs the least; a computer must be able to do the one that needs the most.",
            lambda weights, activations, offload: ((weights if offload else weights.sum()) + activations).min(),
        ),
        (
            "this is a mean over the phases; if the worst moment does not fit, the others do not help.",
            lambda weights, activations, offload: ((weights if offload else weights.sum()) + activations).mean(),
        ),
    ),
    "the worst moment decides, and offload changes which moment that is.",
)

LAST_WAITS = Number(
    "last_waits",
    9.6,
    (
        ("a batch is not done in part: the last six people need a whole run of their own.", 30 / 8 * 2.4),
        ("after three runs 24 people have an image; six are still waiting.", 3 * 2.4),
        ("eight people share a run, so that 30 people need fewer than 30 runs.", 30 * 2.4),
        ("this is one run; it serves eight people.", 2.4),
        ("four runs are right; how long does each take?", 4),
        ("this divides the time of a run by eight; but people wait for whole runs, and for those before theirs.", 2.4 / 8),
        ("so many runs at once would need the memory of four batches.", 2.4 / 4),
    ),
    "four runs of 2.4 s. The first eight have their image after 2.4 s, although one alone would have had it sooner: a larger batch "
    "raises the throughput, and may raise the latency of the first.",
)

EXERCISES = [WORST_PHASE, PEAK, LAST_WAITS]

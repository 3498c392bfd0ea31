"""Letters and numbers of lesson 07: noise that is added, steps that are spared."""

from .choices import Choice, Number

ADDS_NOISE = Choice(
    "adds_noise",
    "C",
    {
        "A": "this is often said, but in the table only two of the six draw random numbers at all.",
        "B": "two of the six draw random numbers: with another seed they end elsewhere, although the start is the same.",
        "C": "only these two draw new noise. For the other four the seed counts once, for the noise at the start; after that the "
        "path is fixed.",
        "D": "being called second-order has nothing to do with noise: Heun evaluates the model twice, DPM++ 2M looks back one "
        "step, and neither draws a random number.",
    },
    prediction=True,
)

ONE_JUMP = Choice(
    "one_jump",
    "B",
    {
        "A": "small steps help only because the model is evaluated again after each of them. Here it is not, and the two results "
        "are equal.",
        "B": "as long as the predicted noise is the same, the guess of the clean image is the same, and it makes no difference "
        "where you stop on the way. New predictions are what steps are for.",
        "C": "the rounding errors of 20 steps are about a millionth. The two results are equal.",
        "D": "that is what happens with a new prediction in each step. With the first prediction alone, 20 steps are as blurred "
        "as one.",
    },
    prediction=True,
)

HEUN_ERROR = Choice(
    "heun_error",
    "A",
    {
        "A": "order 2: twice as many steps, a quarter of the error. DDIM has order 1.",
        "B": "that is DDIM's slope. Heun's line is steeper: follow it from 20 steps to 40.",
        "C": "Heun evaluates the model twice in each step, but that is a cost; its error does not have to follow. Read the slope.",
        "D": "no sampler is exact with finitely many steps; the line falls, but it does not drop to zero.",
    },
    prediction=True,
)

FEW_CALLS = Choice(
    "few_calls",
    "D",
    {
        "A": "an order says how fast the error falls with small steps, not how large it is with huge ones. At 4 evaluations DDIM "
        "is about as good as DPM++ 2M, and far better than Heun.",
        "B": "at 4 evaluations it has looked back only over huge steps, and that gains little. But it does not harm either: its "
        "error is about that of DDIM.",
        "C": "two of them are about the same, but the third line starts far higher.",
        "D": "Heun pays two evaluations for each step, so it makes half as many, and looks ahead over huge distances. What an "
        "order promises holds for small steps only.",
    },
    prediction=True,
)

FRESH_NOISE = Number(
    "fresh_noise",
    0.8,
    (
        ("standard deviations do not add, variances do.", 0.4),
        ("this is the variance of the fresh noise; the question asks for its standard deviation.", 0.64),
        ("the noise that is still there counts, too: only what is missing is added.", 1.0),
        ("this is what is there already.", 0.6),
        ("1.67 is the noise before the step; the fresh noise is added to the 0.6 that are left after it.", (1.67**2 - 1) ** 0.5),
        ("1.67 is the noise before the step; the fresh noise is added to the 0.6 that are left after it.", (1.67**2 - 0.36) ** 0.5),
        ("1.67 is the noise before the step; the fresh noise is added to the 0.6 that are left after it.", 0.67),
        ("1.67 is the noise before the step; the fresh noise is added to the 0.6 that are left after it.", 1.07),
        ("the variance of what is there is 0.36, and 1 is the *sum*: subtract.", 1.36**0.5),
        ("the variance of what is there is 0.36, and 1 is the *sum*: subtract.", 1.36),
        ("standard deviations do not add, variances do; and take the root at the end.", 0.4**0.5),
    ),
    "0.6² + 0.8² = 1. So most of the noise at the end of this step is new, and the old noise, with the path so far, is largely "
    "forgotten. This is why ancestral samplers give another image with every seed, and with every number of steps.",
)

"""Exercise of lesson 07: the step of Heun's sampler, made of two steps of DDIM."""

import torch

from ..errors import said
from ..steps import ddim_step, heun_step
from .exercise import Exercise


def predict(x, *more):
    """Stands in for a network at timestep s: a formula that depends on the image."""
    if more:
        raise TypeError(said("model takes the image alone, as in model(x); it is at timestep s already."))
    return torch.tanh(1.5 * x) - 0.2


def steps_to_go():
    """Arguments (x_t, eps, abar_t, abar_s, model): an early step, a late one, and the last one, to abar_s = 1."""
    rng = torch.Generator().manual_seed(18)
    x_t, eps = torch.randn(2, 2, 4, 3, 5, generator=rng)
    return [(x_t, eps, torch.tensor(t), torch.tensor(s), predict) for t, s in ((0.1, 0.35), (0.6, 0.95), (0.8, 1.0))]


def changed(second):
    """A mistake in the second half of a step: second(x_t, x_s, eps, eps_s, abar_t, abar_s)."""

    def mistake(x_t, eps, abar_t, abar_s, model):
        x_s = ddim_step(x_t, eps, abar_t, abar_s)
        return x_s if abar_s == 1 else second(x_t, x_s, eps, model(x_s), abar_t, abar_s)

    return mistake


def never_ending(x_t, eps, abar_t, abar_s, model):
    x_s = ddim_step(x_t, eps, abar_t, abar_s)
    return ddim_step(x_t, (eps + model(x_s)) / 2, abar_t, abar_s)


def asks_too_early(x_t, eps, abar_t, abar_s, model):
    x_s = ddim_step(x_t, eps, abar_t, abar_s)
    return x_s if abar_s == 1 else ddim_step(x_t, (eps + model(x_t)) / 2, abar_t, abar_s)


def half_way(x_t, eps, abar_t, abar_s, model):
    x_s = ddim_step(x_t, eps, abar_t, abar_s)
    return x_s if abar_s == 1 else ddim_step(x_t, model((x_t + x_s) / 2), abar_t, abar_s)


def the_other_way_round(x_t, eps, abar_t, abar_s, model):
    return never_ending(x_t, eps, abar_t, abar_s, model) if abar_s == 1 else ddim_step(x_t, eps, abar_t, abar_s)


HEUN_STEP = Exercise(
    "heun_step",
    heun_step,
    steps_to_go,
    (
        (
            "this is the trial step alone, DDIM's; the second prediction is missing.",
            lambda x_t, eps, abar_t, abar_s, model: ddim_step(x_t, eps, abar_t, abar_s),
        ),
        (
            "the very last step must be DDIM's alone: where abar_s is 1 (not abar_t), there is no noise left that the model could "
            "predict.",
            never_ending,
        ),
        (
            "the model is evaluated at x_t again, where you have its prediction already; evaluate it at the end of the trial step.",
            asks_too_early,
        ),
        (
            "the second step starts at x_s, so you have gone the distance twice; it must start at x_t again.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: ddim_step(x_s, (eps + eps_s) / 2, a, b)),
        ),
        (
            "the second step starts at x_s and uses the new prediction alone; start at x_t again, with the mean of both.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: ddim_step(x_s, eps_s, a, b)),
        ),
        (
            "only the prediction at the end is used; take the mean of both.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: ddim_step(x_t, eps_s, a, b)),
        ),
        (
            "this is the sum of both predictions, which is twice as much noise as needed; take their mean.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: ddim_step(x_t, eps + eps_s, a, b)),
        ),
        (
            "eps + eps_s / 2 halves the second one only: brackets are missing.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: ddim_step(x_t, eps + eps_s / 2, a, b)),
        ),
        (
            "this takes the mean over all the numbers of both predictions; take it number by number: (eps + eps_s) / 2.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: ddim_step(x_t, (eps.mean() + eps_s.mean()) / 2, a, b)),
        ),
        (
            "torch.mean takes one tensor, not a list; the mean of two predictions is (eps + eps_s) / 2.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: torch.mean([eps, eps_s])),
        ),
        (
            "the difference of both predictions is not their mean.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: ddim_step(x_t, (eps - eps_s) / 2, a, b)),
        ),
        ("this is the mean prediction itself; make a step with it.", changed(lambda x_t, x_s, eps, eps_s, a, b: (eps + eps_s) / 2)),
        (
            "the two noise levels are swapped in the second step.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: ddim_step(x_t, (eps + eps_s) / 2, b, a)),
        ),
        (
            "the result is the mean of x_t and x_s; take the mean of the *predictions*, and go the whole step with it.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: (x_t + x_s) / 2),
        ),
        (
            "the special case is the wrong way round: the trial step is the result where abar_s is 1, and only there.",
            the_other_way_round,
        ),
        (
            "the model is evaluated half-way between x_t and x_s, as in the midpoint method; Heun evaluates it at x_s, and takes "
            "the mean of both predictions.",
            half_way,
        ),
        (
            "the mean of two ends would do if both steps started at x_t; the second one starts at x_s here.",
            changed(lambda x_t, x_s, eps, eps_s, a, b: (x_s + ddim_step(x_s, eps_s, a, b)) / 2),
        ),
    ),
    "your sampler has two evaluations of the model in each step, and it fits into the loop of the real pipeline.",
    lines=(
        "def my_heun_step(x_t, eps, abar_t, abar_s, model):",
        "    x_s = ddim_step(x_t, eps, abar_t, abar_s)",
        "    if abar_s == 1:",
        "        return x_s",
        "    eps_s = model(x_s)",
        "    eps = (eps + eps_s) / 2",
        "    return ddim_step(x_t, eps, abar_t, abar_s)",
    ),
)

"""Exercises of lesson 02 with a loop: sampling, and training with warm-up and EMA."""

import torch

from ..errors import said
from ..steps import abar as cumulative
from ..steps import linear_betas, predict_x0, q_sample, spaced_levels
from .exercise import Exercise


def sampling_runs():
    """Arguments (model, x_T, levels): a formula in place of a network, few steps and more."""
    rng = torch.Generator().manual_seed(16)
    abar = cumulative(linear_betas())
    return [(guess_noise, torch.randn(2, 1, 4, 3, generator=rng), spaced_levels(abar, count)) for count in (3, 6)]


def guess_noise(x, t):
    """Stands in for a network: its output depends on the image and on the timestep."""
    check_images(x)
    return torch.tanh(x) * (0.3 + t / 1500)


def check_images(x):
    """Raise RuntimeError where a network is given something else than images, (B, C, H, W)."""
    if not torch.is_tensor(x) or x.ndim != 4:
        raise RuntimeError(said("the model's first argument must be images, a tensor of the shape (B, C, H, W)."))


def sampling_loop(model, x_T, levels):
    x = x_T
    for (t, abar_t), (s, abar_s) in zip(levels, levels[1:]):
        eps = model(x, t)
        x_0 = predict_x0(x, eps, abar_t)
        x = q_sample(x_0, eps, abar_s)
    return x


def loop_of(one_step):
    """A sampling loop whose steps are made by one_step(model, x, t, s, abar_t, abar_s, x_T)."""

    def loop(model, x_T, levels):
        x = x_T
        for (t, abar_t), (s, abar_s) in zip(levels, levels[1:]):
            x = one_step(model, x, t, s, abar_t, abar_s, x_T)
        return x

    return loop


def ddim(x, eps, abar_t, abar_s):
    return q_sample(predict_x0(x, eps, abar_t), eps, abar_s)


def first_step_only(model, x_T, levels):
    return sampling_loop(model, x_T, levels[:2])


SAMPLING_LOOP = Exercise(
    "sampling_loop",
    sampling_loop,
    sampling_runs,
    (
        (
            "x never changes: either the new image is not assigned to x, or the noise is removed and added again with the same "
            "abar. Which of the two belongs to which line?",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: x),
        ),
        (
            "the two noise levels are swapped: x is at timestep t and goes to timestep s.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: ddim(x, model(x, t), abar_s, abar_t)),
        ),
        (
            "the prediction of x_0 is taken as it is; bring it back to noise level s first.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: predict_x0(x, model(x, t), abar_t)),
        ),
        (
            "the model is given the initial noise x_T in every step; give it the current x.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: ddim(x, model(x_T, t), abar_t, abar_s)),
        ),
        (
            "every step starts from the initial noise x_T again; the model and predict_x0 need the current x.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: ddim(x_T, model(x_T, t), abar_t, abar_s)),
        ),
        (
            "predict_x0 is given the initial noise x_T in every step; give it the current x.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: ddim(x_T, model(x, t), abar_t, abar_s)),
        ),
        (
            "the model is told timestep s, but x is still at timestep t.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: ddim(x, model(x, s), abar_t, abar_s)),
        ),
        (
            "the model is given abar_t; give it the timestep t.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: ddim(x, model(x, abar_t), abar_t, abar_s)),
        ),
        (
            "the noise is added at full strength; at noise level s it has a weight: use q_sample.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: predict_x0(x, e := model(x, t), abar_t) + e),
        ),
        (
            "the initial noise is added again; add the noise that the model has just predicted.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: q_sample(predict_x0(x, model(x, t), abar_t), x_T, abar_s)),
        ),
        (
            "image and noise are swapped: the image comes first, predict_x0(x, eps, abar_t).",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: q_sample(predict_x0(e := model(x, t), x, abar_t), e, abar_s)),
        ),
        (
            "image and noise are swapped: the image comes first, q_sample(x_0, eps, abar_s).",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: q_sample(e := model(x, t), predict_x0(x, e, abar_t), abar_s)),
        ),
        ("only the first step is made; is `return` inside the loop?", first_step_only),
        (
            "the predicted noise is subtracted as it is; it has a weight in x_t, see lesson 01.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: x - model(x, t)),
        ),
        (
            "x itself gets the noise again; it must be the predicted x_0.",
            loop_of(lambda model, x, t, s, abar_t, abar_s, x_T: q_sample(x, model(x, t), abar_s)),
        ),
    ),
    "this loop turns noise into images with any model that predicts noise, Stable Diffusion's U-Net included.",
    lines=(
        "def my_sampling_loop(model, x_T, levels):\n    x = x_T\n    for (t, abar_t), (s, abar_s) in zip(levels, levels[1:]):",
        "        eps = model(x, t)",
        "        x_0 = predict_x0(x, eps, abar_t)",
        "        x = q_sample(x_0, eps, abar_s)",
        "    return x",
    ),
)


def trainings():
    """Arguments (weights, gradient, steps, lr, warmup, decay); gradient(weights, step) is a tensor."""
    rng = torch.Generator().manual_seed(17)
    noise = torch.randn(12, 3, generator=rng)

    def gradient(weights, step):
        return weights - 1 + noise[step]

    return [(torch.tensor([2.0, 0.0, -1.0]), gradient, steps, lr, 4, decay) for steps, lr, decay in ((9, 0.4, 0.8), (6, 0.1, 0.6))]


def averaged(weights, gradient, steps, lr, warmup, decay, rate=lambda step, warmup: min(1, (step + 1) / warmup), blend=None):
    """Training with warm-up and EMA; `rate` and `blend` are where mistakes are made."""
    average = weights.clone()
    for step in range(steps):
        weights = weights - lr * rate(step, warmup) * gradient(weights, step)
        average = blend(average, weights, decay) if blend else decay * average + (1 - decay) * weights
    return torch.stack([weights, average])


def with_other(**parts):
    """`averaged` with some of its parts replaced."""
    return lambda *given: averaged(*given, **parts)


def swapped(average, weights, decay):
    return (1 - decay) * average + decay * weights


def growing(step, warmup):
    return max(1, (step + 1) / warmup)


def averages(weights, gradient, steps, lr, warmup, decay):
    return averaged(weights, gradient, steps, lr, warmup, decay)


def from_zero(weights, gradient, steps, lr, warmup, decay):
    average = torch.zeros_like(weights)
    for step in range(steps):
        weights = weights - lr * min(1, (step + 1) / warmup) * gradient(weights, step)
        average = decay * average + (1 - decay) * weights
    return torch.stack([weights, average])


def one_step_behind(weights, gradient, steps, lr, warmup, decay):
    average = weights.clone()
    for step in range(steps):
        average = decay * average + (1 - decay) * weights
        weights = weights - lr * min(1, (step + 1) / warmup) * gradient(weights, step)
    return torch.stack([weights, average])


def cut_off(weights, gradient, steps, lr, warmup, decay):
    return averaged(weights, gradient, steps, 1, warmup, decay, rate=lambda step, warmup: min(lr, (step + 1) / warmup))


def at_the_average(start):
    """The gradient is computed at the average; start(weights, average) is where each step begins."""

    def mistake(weights, gradient, steps, lr, warmup, decay):
        average = weights.clone()
        for step in range(steps):
            weights = start(weights, average) - lr * min(1, (step + 1) / warmup) * gradient(average, step)
            average = decay * average + (1 - decay) * weights
        return torch.stack([weights, average])

    return mistake


AVERAGED_TRAINING = Exercise(
    "averaged_training",
    averages,
    trainings,
    (
        (
            "neither line does what is described: the learning rate still grows without end, and the average still keeps "
            "only the share 1 - decay of itself.",
            with_other(rate=growing, blend=swapped),
        ),
        (
            "the average is right now, but the learning rate still grows without end; its factor must never be larger than 1.",
            with_other(rate=growing),
        ),
        (
            "the warm-up goes on without end: after step number `warmup` the factor of lr must stay at 1.",
            with_other(rate=lambda step, warmup: (step + 1) / warmup),
        ),
        (
            "the warm-up is right now; but with a decay close to 1 the average must stay close to what it was; it does not.",
            with_other(blend=swapped),
        ),
        (
            "in the first step the learning rate is 0: `step` counts from 0, so the first step is number 1: step + 1.",
            with_other(rate=lambda step, warmup: min(1, step / warmup)),
        ),
        (
            "the full learning rate comes one step too late: step number `warmup` is the one with step + 1 equal to warmup, so "
            "divide by warmup.",
            with_other(rate=lambda step, warmup: min(1, (step + 1) / (warmup + 1))),
        ),
        ("the warm-up is gone: every step has the full learning rate.", with_other(rate=lambda step, warmup: 1)),
        (
            "the learning rate is 0 until the warm-up is over; it must rise by the same amount in each step: divide with /.",
            with_other(rate=lambda step, warmup: min(1, (step + 1) // warmup)),
        ),
        ("min cuts off lr itself; cut off its factor, (step + 1) / warmup, at 1.", cut_off),
        (
            "the learning rate falls after the warm-up: step and warmup are divided the wrong way round.",
            with_other(rate=lambda step, warmup: min(1, warmup / (step + 1))),
        ),
        (
            "the average is always equal to the newest weights; it must keep a share of what it was.",
            with_other(blend=lambda average, weights, decay: weights),
        ),
        ("the average starts at 0; let it start at the first weights.", from_zero),
        ("the average uses the weights from before the step; update it after them.", one_step_behind),
        (
            "the next step starts from the average; it must start from the weights, and the average must not influence them.",
            at_the_average(lambda weights, average: average),
        ),
        (
            "only the first step is made; is `return` inside the loop?",
            lambda weights, gradient, steps, *given: averaged(weights, gradient, 1, *given),
        ),
        ("the gradient is computed at the average; it belongs to the weights.", at_the_average(lambda weights, average: weights)),
        (
            "this is the mean of average and weights; decay says how much of the average is kept.",
            with_other(blend=lambda average, weights, decay: (average + weights) / 2),
        ),
        (
            "the two shares must add up to 1: decay, and 1 - decay.",
            with_other(blend=lambda average, weights, decay: decay * average + decay * weights),
        ),
    ),
    "the training starts gently, and its result is an average over many steps.",
)

"""Exercise of lesson 01: the four lines of a training step."""

import torch

from .exercise import Exercise


def fit():
    """(weights, loss): the squared errors of a linear model, loss(step), on other points at each step."""
    rng = torch.Generator().manual_seed(23)
    x, y = torch.randn(6, 3, generator=rng), torch.randn(6, generator=rng)
    w = torch.nn.Parameter(torch.tensor([0.5, -1.0, 0.25]))

    def loss(step):
        at = (torch.arange(2) + 2 * step) % 6
        return (x[at] @ w - y[at]).square().mean()

    loss.__qualname__ = "loss"  # as an error names it
    return w, loss


class Shrinking(torch.optim.SGD):
    """Makes every weight a little smaller as well, even without a gradient: a step() too early shows in the losses."""

    def step(self, closure=None):
        with torch.no_grad():
            for group in self.param_groups:
                for weight in group["params"]:
                    weight *= 0.9
        return super().step(closure)


def runs():
    """Arguments (optimiser, loss, steps) of two short training runs, one of them with AdamW."""
    (u, one), (w, two) = fit(), fit()
    return [(Shrinking([u], lr=0.1), one, 7), (torch.optim.AdamW([w], lr=0.2), two, 5)]


def training_loop(optimiser, loss, steps):
    losses = []
    for step in range(steps):
        optimiser.zero_grad()
        value = loss(step)
        value.backward()
        optimiser.step()
        losses.append(value.item())
    return torch.tensor(losses)


def loop_of(one_step):
    """A training loop whose steps are made by one_step(optimiser, loss, step), which returns the loss."""

    def loop(optimiser, loss, steps):
        return torch.stack([one_step(optimiser, loss, step).detach() for step in range(steps)])

    return loop


def without_zero_grad(optimiser, loss, step):
    value = loss(step)
    value.backward()
    optimiser.step()
    return value


def without_step(optimiser, loss, step):
    return loss(step)


def late(optimiser, loss, step):
    value = loss(step)
    optimiser.step()
    optimiser.zero_grad()
    value.backward()
    return value


def without_backward(optimiser, loss, step):
    value = loss(step)
    optimiser.zero_grad()
    optimiser.step()
    return value


def early(optimiser, loss, step):
    optimiser.step()
    optimiser.zero_grad()
    value = loss(step)
    value.backward()
    return value


def early_and_reset(optimiser, loss, step):
    optimiser.zero_grad()
    optimiser.step()
    return loss(step)


def always_the_first(optimiser, loss, step):
    return right_step(optimiser, lambda _: loss(0), step)


def always_the_number_of_steps(optimiser, loss, steps):
    return training_loop(optimiser, lambda _: loss(steps), steps)


def first_step_only(optimiser, loss, steps):
    return training_loop(optimiser, loss, 1)


def upwards(optimiser, loss, step):
    return right_step(optimiser, lambda step: -loss(step), step)


def twice(optimiser, loss, step):
    value = right_step(optimiser, loss, step)
    optimiser.step()
    return value


def right_step(optimiser, loss, step):
    optimiser.zero_grad()
    value = loss(step)
    value.backward()
    optimiser.step()
    return value


def square_of_the_loss(optimiser, loss, step):
    return right_step(optimiser, lambda step: loss(step).square(), step)


TRAINING_LOOP = Exercise(
    "training_loop",
    training_loop,
    runs,
    (
        (
            "the gradients of all earlier steps are still in the weights: backward() adds to what is there, so they must be "
            "reset once in every step.",
            loop_of(without_zero_grad),
        ),
        ("the weights never change: step() is missing.", loop_of(without_step)),
        (
            "step() never finds a gradient: backward() is missing, or comes after step(), or the gradients are reset between "
            "the two.",
            loop_of(without_backward),
        ),
        ("step() comes first and the gradients are reset last, so step() never finds one.", loop_of(early_and_reset)),
        ("step() comes before loss and gradient: every gradient is used one step late, and the last one never.", loop_of(early)),
        ("the weights change, but one step late: they move before the gradient of this step has been computed.", loop_of(late)),
        ("the loss of step 0 is computed every time; give `loss` the current step.", loop_of(always_the_first)),
        ("the number of steps is given to `loss` every time; give it the current step.", always_the_number_of_steps),
        ("only the first step is made; is `return` inside the loop?", first_step_only),
        ("the loss grows: the sign is wrong somewhere; the optimiser itself moves against the gradient.", loop_of(upwards)),
        ("the optimiser moves the weights twice in every step; once is enough.", loop_of(twice)),
        ("this minimises the square of the loss; the loss is squared already.", loop_of(square_of_the_loss)),
    ),
    "these four lines train every model of this course.",
    lines=(
        "def my_training_loop(optimiser, loss, steps):\n    losses = []\n    for step in range(steps):",
        "        optimiser.zero_grad()",
        "        value = loss(step)",
        "        value.backward()",
        "        optimiser.step()",
        "        losses.append(value.item())",
        "    return torch.tensor(losses)",
    ),
)

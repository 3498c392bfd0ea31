"""Exercise of lesson 01: the four lines of a training step."""

import torch

from .exercise import Exercise


class Fit:
    """A small loss(step): squared errors of a linear model, on other points at each step."""

    def __init__(self):
        rng = torch.Generator().manual_seed(23)
        self.x, self.y = torch.randn(6, 3, generator=rng), torch.randn(6, generator=rng)
        self.w = torch.nn.Parameter(torch.tensor([0.5, -1.0, 0.25]))

    def __call__(self, step):
        at = (torch.arange(2) + 2 * step) % 6
        return (self.x[at] @ self.w - self.y[at]).square().mean()


def runs():
    """Arguments (optimiser, loss, steps) of two short training runs, with the plainest optimiser and with AdamW."""
    one, two = Fit(), Fit()
    return [(torch.optim.SGD([one.w], lr=0.1), one, 7), (torch.optim.AdamW([two.w], lr=0.2), two, 5)]


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


def always_the_first(optimiser, loss, step):
    return right_step(optimiser, lambda _: loss(0), step)


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
        (
            "the weights never change: either backward() or step() is missing, or the gradients are reset between them.",
            loop_of(without_step),
        ),
        ("the weights change, but one step late: they move before the gradient of this step has been computed.", loop_of(late)),
        ("the loss of step 0 is computed every time; give `loss` the current step.", loop_of(always_the_first)),
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

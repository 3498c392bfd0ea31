"""Lesson 01's questions: letters say what the plots show, wrong answers get a fitting hint, right ones are accepted."""

import io

import pytest
import torch
from PIL import Image

from edu_diffusion import exercises, steps
from edu_diffusion.data import photos
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.exercises import noise as bank
from edu_diffusion.exercises.lines import shuffled

LEVELS = steps.abar(steps.scaled_linear_betas())
SCHEDULES = {
    "A": steps.scaled_linear_betas(),
    "B": steps.cosine_betas(),
    "C": steps.zero_terminal_snr(steps.scaled_linear_betas()),
    "D": steps.linear_betas(),
}


def refused(name, mine, *fitting):
    right, words = verdict(name, mine)
    assert right is False and any(part in words for part in fitting), words


# ---------------------------------------------------------------- the letters and the number


def test_signal_and_noise_are_equal_where_the_right_letter_says():
    equal = int((steps.snr(LEVELS) <= 1).nonzero()[0])
    assert equal == 354 and "354" in bank.HALF_TIME.words["B"] and bank.HALF_TIME.right == "B"
    assert steps.snr(LEVELS[100]) > 5 and 0.005 < steps.snr(LEVELS[900]) < 0.015, "as the sentences of C and D say"
    assert 0.6 < 1 - equal / 1000 < 0.7, "about two thirds"


def test_the_linear_schedule_has_the_most_timesteps_with_hardly_any_signal():
    few = {letter: int((steps.snr(steps.abar(betas)) < 0.01).sum()) for letter, betas in SCHEDULES.items()}
    assert max(few, key=few.get) == bank.FLAT_CURVE.right == "D"
    assert few["A"] == 66 and few["C"] == 161 and few["D"] == 326, "the numbers in the sentences"
    ends = {letter: steps.abar(betas)[-1] for letter, betas in SCHEDULES.items() if letter != "C"}
    assert min(ends, key=ends.get) == "B", "cosine ends lower than the other two"


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_the_compressed_size_rises_to_the_end():
    x_0 = photos.photo("cat")
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
    noisy = (steps.to_uint8(steps.q_sample(x_0, eps, LEVELS[t]) / 4) for t in range(0, 1000, 199))
    sizes = [len(png(x[0].numpy())) for x in noisy]
    assert sizes == sorted(sizes) and sizes[-1] > 1.3 * sizes[0] and bank.FILE_SIZE.right == "C"


def test_the_variance_is_that_of_many_pixels():
    rng = torch.Generator().manual_seed(0)
    x_0, eps = 0.5 * torch.randn(400_000, generator=rng), torch.randn(400_000, generator=rng)
    assert steps.q_sample(x_0, eps, 0.36).var().item() == pytest.approx(bank.PIXEL_VARIANCE.right, rel=0.01)


def test_a_variance_may_be_calculated():
    assert verdict("pixel_variance", 0.73).right and verdict("pixel_variance", 0.6**2 / 4 + 1 - 0.36).right
    assert "times" in verdict("pixel_variance", 3).words


# ---------------------------------------------------------------- functions: other spellings


@pytest.mark.parametrize(
    "name, mine",
    [
        ("q_sample", lambda x_0, eps, abar_t: torch.sqrt(abar_t) * x_0 + torch.sqrt(1 - abar_t) * eps),
        ("q_sample", lambda x_0, eps, abar_t: eps.mul((1 - abar_t).sqrt()).add(x_0 * abar_t.sqrt())),
        ("q_sample", lambda x_0, eps, abar_t: abar_t**0.5 * (x_0 + ((1 - abar_t) / abar_t) ** 0.5 * eps)),
        ("noisy_batch", lambda x_0, eps, t, abar: steps.q_sample(x_0, eps, abar[t])),
        ("noisy_batch", lambda x_0, eps, t, abar: steps.q_sample(x_0, eps, abar[t].view(len(t), 1, 1, 1))),
        (
            "noisy_batch",
            lambda x_0, eps, t, abar: (
                torch.einsum("b,bchw->bchw", abar[t] ** 0.5, x_0) + torch.einsum("b,bchw->bchw", (1 - abar[t]) ** 0.5, eps)
            ),
        ),
        ("more_noise", lambda x_t, eps, a, b: (b / a).sqrt() * x_t + ((a - b) / a).sqrt() * eps),
        ("more_noise", lambda x_t, eps, a, b: (b**0.5 * x_t + (a - b) ** 0.5 * eps) / a**0.5),
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right


def reset_at_the_end(optimiser, loss, steps):
    losses = []
    for step in range(steps):
        value = loss(step)
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(value.detach())
    return torch.stack(losses)


def reset_before_backward(optimiser, loss, steps):
    losses = []
    for step in range(steps):
        value = loss(step)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(value.item())
    return torch.tensor(losses)


def returned_too_early(optimiser, loss, steps):
    for step in range(steps):
        optimiser.zero_grad()
        value = loss(step)
        value.backward()
        optimiser.step()
        return torch.tensor([value.item()])


def other_loss(optimiser, loss, steps):
    return reset_before_backward(optimiser, lambda step: loss(steps), steps)


def function_in_place_of_the_loss(optimiser, loss, steps):
    loss.backward()


def test_a_batch_size_that_is_written_down_is_right_and_told_so():
    """The lesson speaks of eight digits."""
    right, words = verdict("noisy_batch", lambda x_0, eps, t, abar: steps.q_sample(x_0, eps, abar[t].view(8, 1, 1, 1)))
    assert right and "eight images only" in words


@pytest.mark.parametrize("mine", [reset_at_the_end, reset_before_backward])
def test_the_gradients_may_be_reset_elsewhere(mine):
    assert verdict("training_loop", mine).right


def test_every_order_of_the_lines_is_judged():
    """The four lines in all orders: right where step() uses the gradient of its own step; the alphabetical order is not."""
    import itertools

    first, *body = bank.TRAINING_LOOP.lines
    assert EXERCISES["training_loop"].lines[0] == first and "training_loop" in first
    shown = shuffled(body, "training_loop")
    letter = {line.strip(): "ABCDEF"[i] for i, line in enumerate(shown)}
    zero, value, back, step, append, end = (letter[line.strip()] for line in body)
    for order in itertools.permutations((zero, value, back, step)):
        at = {name: order.index(name) for name in order}
        found = verdict("training_loop", exercises.arrange("training_loop", "".join([*order, append, end])))
        ordered = at[value] < at[back] < at[step]
        good = ordered and (at[zero] - at[back]) % 4 > (at[step] - at[back]) % 4  # no reset between backward() and step()
        assert found.right is good, (order, found.words)


# ---------------------------------------------------------------- functions: unseen mistakes


def viewed_in_vain(x_0, eps, t, abar):
    abar_t = abar[t]
    abar_t.view(-1, 1, 1, 1)
    return abar_t**0.5 * x_0 + (1 - abar_t) ** 0.5 * eps


def late_backward(optimiser, loss, steps):
    losses = []
    for step in range(steps):
        optimiser.zero_grad()
        value = loss(step)
        optimiser.step()
        value.backward()
        losses.append(value.item())
    return torch.tensor(losses)


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("q_sample", lambda x_0, eps, a: a**0.25 * x_0 + (1 - a) ** 0.5 * eps, "your result is"),
        ("q_sample", lambda x_0, eps, a: a**0.5 * x_0 + (1 - a**2) ** 0.5 * eps, "your result is"),
        ("q_sample", lambda x_0, eps, a: (1 - a) ** 0.5 * x_0 + (1 - a) ** 0.5 * eps, "your result is"),
        ("q_sample", lambda x_0, eps, a: x_0, "x_0 itself"),
        ("q_sample", lambda x_0, eps, a: 2 * steps.q_sample(x_0, eps, a), "constant factor"),
        ("q_sample", lambda x_0, eps, a: (a - 1) ** 0.5 * eps + a**0.5 * x_0, "NaN"),
        ("q_sample", lambda x_0, eps, a: steps.q_sample(x_0, eps, a).mean(), "mean or a sum"),
        ("q_sample", lambda x_0, eps, a: torch.cat([x_0, eps]), "shape"),
        ("q_sample", lambda x_0, eps, a: a**0.5 * x_0 + 1 - a**0.5 * eps, "brackets are missing"),
        ("q_sample", lambda x_0, eps, a: a**1 / 2 * x_0 + (1 - a) ** 1 / 2 * eps, "since ** comes before /"),
        ("q_sample", lambda x_0, eps, a: (a**0.5 * x_0) * ((1 - a) ** 0.5 * eps), "they are added"),
        ("noisy_batch", lambda x_0, eps, t, abar: steps.q_sample(x_0, eps, abar[t].view(1, 8, 1, 1)), "too many channels"),
        ("more_noise", lambda x_t, eps, a, b: steps.q_sample(steps.predict_x0(x_t, eps, a), eps, b), "fresh noise"),
        ("training_loop", returned_too_early, "inside the loop"),
        ("training_loop", other_loss, "the number of steps"),
        ("training_loop", function_in_place_of_the_loss, "the brackets are missing"),
        ("pixel_variance", 0.25, "the noise has variance 1"),
        ("noisy_batch", lambda x_0, eps, t, abar: x_0, "x_0 itself"),
        ("noisy_batch", lambda x_0, eps, t, abar: steps.q_sample(x_0, eps, abar[t].flip(0)), "differ"),
        ("noisy_batch", lambda x_0, eps, t, abar: steps.q_sample(x_0, eps, abar[t])[0], "shape"),
        ("noisy_batch", lambda x_0, eps, t, abar: -steps.q_sample(x_0, eps, abar[t]), "opposite sign"),
        ("more_noise", lambda x_t, eps, a, b: steps.q_sample(x_t, eps, a), "your result is"),
        ("more_noise", lambda x_t, eps, a, b: x_t, "x_t itself"),
        ("more_noise", lambda x_t, eps, a, b: steps.q_sample(x_t, eps, a / b), "abar_u is smaller than abar_t"),
        ("more_noise", lambda x_t, eps, a, b: x_t + (b - a) ** 0.5 * eps, "a negative number has no root"),
        ("noisy_batch", viewed_in_vain, "keep what it returns"),
        ("training_loop", late_backward, "or comes after step()"),
        ("more_noise", lambda x_t, eps, a, b: x_t + (1 - b) ** 0.5 * eps, "your result is"),
        ("training_loop", lambda optimiser, loss, steps: torch.zeros(steps), "expected"),
        ("training_loop", lambda optimiser, loss, steps: optimiser.backward(), "AttributeError"),
        ("training_loop", lambda optimiser, loss, steps: loss(0), "shape"),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    refused(name, mine, fitting)


def test_the_broken_function_of_the_lesson_is_refused_with_its_own_hint():
    def my_noisy_batch(x_0, eps, t, abar):
        abar_t = abar[t]
        return abar_t**0.5 * x_0 + (1 - abar_t) ** 0.5 * eps

    refused("noisy_batch", my_noisy_batch, "each column of pixels")

"""Lesson 02's questions: letters say what the runs show, wrong answers get a fitting hint, right ones are accepted."""

import pytest
import torch

from edu_diffusion import steps
from edu_diffusion.data import digits
from edu_diffusion.exercises import EXERCISES, arrange, verdict
from edu_diffusion.exercises import denoise as bank
from edu_diffusion.exercises import denoise_loops as loops
from edu_diffusion.exercises.lines import shuffled

LEVELS = steps.abar(steps.linear_betas())


def refused(name, mine, *fitting):
    right, words = verdict(name, mine)
    assert right is False and any(part in words for part in fitting), words


# ---------------------------------------------------------------- the letters and the number


@pytest.fixture(scope="module")
def perfect():
    """The lesson's run with the best possible guess: its states, six images each."""
    train = digits.digits("train").images
    x_T = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(3))

    def model(x, t):
        return steps.eps_from_x0(steps.dataset_x0(x, LEVELS[t], train), x, LEVELS[t])

    return list(steps.sample(model, x_T, steps.spaced_levels(LEVELS, 50)))


def test_the_first_guess_is_the_mean_of_all_digits(perfect):
    mean = digits.digits("train").images.mean(0)
    first, last = perfect[0].x_0, perfect[-1].x_0
    assert (first - mean).abs().mean() < 0.1 < 0.3 < (last - mean).abs().mean()
    assert first.std(0).mean() < 0.1 < last.std(0).mean(), "the same for all six at first, not at the end"
    assert bank.FIRST_GUESS.right == "A"


def test_the_finished_images_are_copies(perfect):
    train = digits.digits("train").images
    nearest = torch.cdist(perfect[-1].x_s.flatten(1), train.flatten(1)).min(1).values
    assert nearest.max() < 1e-3 and bank.PERFECT_DIGITS.right == "C"


def test_the_number_of_parameters_is_that_of_the_layer():
    layer = steps.build_lenet().C3
    assert sum(p.numel() for p in layer.parameters()) == bank.C3_WEIGHTS.right


def test_a_count_of_parameters_is_exact():
    assert verdict("c3_parameters", 2416).right
    assert not verdict("c3_parameters", 2417).right, "a count is exact"


# ---------------------------------------------------------------- functions: other spellings


def loss_by_hand(model, x_0, eps, t, abar):
    a = abar[t].reshape(-1, 1, 1, 1)
    errors = eps - model(torch.sqrt(a) * x_0 + torch.sqrt(1 - a) * eps, t)
    return (errors * errors).sum() / errors.numel()


def loss_image_by_image(model, x_0, eps, t, abar):
    noisy = torch.stack([steps.q_sample(x, e, abar[i]) for x, e, i in zip(x_0, eps, t)])
    return torch.nn.functional.mse_loss(model(noisy, t), eps)


def loop_with_ddim(model, x_T, levels):
    for i in range(len(levels) - 1):
        x_T = steps.ddim_step(x_T, model(x_T, levels[i][0]), levels[i][1], levels[i + 1][1])
    return x_T


def loop_of_the_package(model, x_T, levels):
    return list(steps.sample(model, x_T, levels))[-1].x_s


def average_with_lerp(weights, gradient, steps, lr, warmup, decay):
    average = weights
    for step in range(1, steps + 1):
        weights = weights - (lr if step >= warmup else lr * step / warmup) * gradient(weights, step - 1)
        average = torch.lerp(average, weights, 1 - decay)
    return torch.stack([weights, average])


@pytest.mark.parametrize(
    "name, mine",
    [
        ("noise_loss", loss_by_hand),
        ("noise_loss", loss_image_by_image),
        ("predict_x0", lambda x_t, eps, a: x_t / a.sqrt() - (1 / a - 1).sqrt() * eps),
        ("sampling_loop", loop_with_ddim),
        ("sampling_loop", loop_of_the_package),
        ("averaged_training", average_with_lerp),
        ("eps_from_v", lambda v, x_t, a: (x_t - a.sqrt() * steps.x0_from_v(v, x_t, a)) / (1 - a).sqrt()),
        ("eps_from_v", lambda v, x_t, a: a.sqrt() * v + (1 - a).sqrt() * x_t),
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right


def test_the_arranged_lines_are_right_in_one_order_only():
    import itertools

    exercise = EXERCISES["sampling_loop"]
    _, *body = exercise.lines
    shown = shuffled(body, exercise.name)
    right = "".join("ABCD"[shown.index(line)] for line in body)
    end = right[-1]
    for order in map("".join, itertools.permutations(right[:-1])):
        assert verdict("sampling_loop", arrange("sampling_loop", order + end)).right is (order + end == right)


# ---------------------------------------------------------------- functions: unseen mistakes


def my_averaged_training(weights, gradient, steps, lr, warmup, decay):
    """The broken function of the lesson."""
    average = weights.clone()
    for step in range(steps):
        rate = lr * max(1, (step + 1) / warmup)
        weights = weights - rate * gradient(weights, step)
        average = (1 - decay) * average + decay * weights
    return torch.stack([weights, average])


def test_the_broken_function_of_the_lesson_is_refused_with_its_own_hint():
    refused("averaged_training", my_averaged_training, "neither line")


def fresh_noise(model, x_T, levels):
    x = x_T
    for (t, abar_t), (_, abar_s) in zip(levels, levels[1:]):
        x = steps.q_sample(steps.predict_x0(x, model(x, t), abar_t), torch.randn_like(x), abar_s)
    return x


def in_place(weights, gradient, steps, lr, warmup, decay):
    for step in range(steps):
        weights -= lr * gradient(weights, step)
    return weights


def loss_of(model, x_0, eps, t, abar, told=None, target=None):
    """The loss with another timestep for the model, or another target."""
    x_t = steps.q_sample(x_0, eps, abar[t])
    return torch.nn.functional.mse_loss(model(x_t, t if told is None else told), eps if target is None else target(x_t))


def guess_compared(model, x_0, eps, t, abar):
    x_t = steps.q_sample(x_0, eps, abar[t])
    return (steps.predict_x0(x_t, model(x_t, t), abar[t]) - x_0).square().mean()


def never_assigned(model, x_T, levels):
    x = x_T
    for (t, abar_t), (_, abar_s) in zip(levels, levels[1:]):
        eps = model(x, t)
        x_s = steps.q_sample(steps.predict_x0(x, eps, abar_t), eps, abar_s)
    return x if x_s is not None else x_s


def loop(step):
    """A sampling loop of step(x, the model's prediction, abar_t, abar_s)."""

    def mine(model, x_T, levels):
        x = x_T
        for (t, abar_t), (_, abar_s) in zip(levels, levels[1:]):
            x = step(x, model(x, t), abar_t, abar_s)
        return x

    return mine


def from_x_T(model_too):
    """A sampling loop that starts from x_T in every step, the model's evaluation included or not."""

    def mine(model, x_T, levels):
        x = x_T
        for (t, abar_t), (_, abar_s) in zip(levels, levels[1:]):
            x = steps.ddim_step(x_T, model(x_T if model_too else x, t), abar_t, abar_s)
        return x

    return mine


def training(rate, at_average=False):
    def mine(weights, gradient, steps, lr, warmup, decay):
        average = weights
        for step in range(steps):
            weights = weights - rate(lr, step, warmup) * gradient(average if at_average else weights, step)
            average = decay * average + (1 - decay) * weights
        return torch.stack([weights, average])

    return mine


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("noise_loss", lambda m, x_0, eps, t, abar: torch.norm(m(steps.q_sample(x_0, eps, abar[t]), t) - eps), "this is the norm"),
        ("noise_loss", lambda m, x_0, eps, t, abar: loss_of(m, x_0, eps, t, abar, told=abar[t]), "give it the timestep t"),
        ("noise_loss", lambda m, x_0, eps, t, abar: (m(steps.q_sample(x_0, eps, abar), t) - eps).square().mean(), "whole table"),
        ("noise_loss", guess_compared, "a guess of the clean image"),
        ("noise_loss", lambda m, x_0, eps, t, abar: loss_of(m, x_0, eps, t, abar, target=lambda x_t: x_t), "not the noisy image"),
        ("noise_loss", lambda m, x_0, eps, t, abar: (m(eps + x_0, t) - eps).square().mean(), "both have a weight"),
        ("noise_loss", lambda m, x_0, eps, t, abar: (m(t, x_0) - eps).square().mean(), "first argument must be images"),
        ("predict_x0", lambda x_t, eps, a: a**0.5 * (x_t - (1 - a) ** 0.5 * eps), "you multiply by the square root"),
        ("predict_x0", lambda x_t, eps, a: (x_t - (1 - a) ** 1 / 2 * eps) / a**1 / 2, "since ** comes before /"),
        ("predict_x0", lambda x_t, eps, a: steps.predict_x0(x_t, eps, a).clip(-1, 1), "cut off at -1 and 1"),
        ("predict_x0", lambda x_t, eps, a: x_t / a.sqrt() - (1 - a).sqrt() * eps, "x_t alone is divided"),
        ("predict_x0", lambda x_t, eps, a: (x_t - eps + a.sqrt() * eps) / a.sqrt(), "variances add up to 1"),
        ("eps_from_v", lambda v, x_t, a: (v + x_t) / (a.sqrt() + (1 - a).sqrt()), "x_0 does not drop out"),
        ("eps_from_v", lambda v, x_t, a: (x_t - steps.x0_from_v(v, x_t, a)) / (1 - a).sqrt(), "subtract it with this weight"),
        ("sampling_loop", never_assigned, "the new image is not assigned"),
        ("sampling_loop", loop(lambda x, e, a, b: steps.q_sample(steps.predict_x0(e, x, a), e, b)), "predict_x0(x, eps, abar_t)"),
        ("sampling_loop", loop(lambda x, e, a, b: steps.q_sample(e, steps.predict_x0(x, e, a), b)), "q_sample(x_0, eps, abar_s)"),
        ("sampling_loop", loop(lambda x, e, a, b: steps.predict_x0(x, e, a) + e), "at full strength"),
        ("sampling_loop", lambda model, x_T, levels: model(levels[0][0], x_T), "first argument must be images"),
        ("averaged_training", training(lambda lr, step, warmup: min(lr, (step + 1) / warmup)), "min cuts off lr itself"),
        ("averaged_training", training(lambda lr, step, warmup: lr * min(1, (step + 1) / warmup), True), "computed at the average"),
        ("averaged_training", training(lambda lr, step, warmup: lr * min(1, (step + 1) // warmup)), "divide with /"),
        ("averaged_training", training(lambda lr, step, warmup: lr * (step + 1) / warmup), "goes on without end"),
        ("averaged_training", lambda w, gradient, steps, *given: loops.averages(w, gradient, 1, *given), "inside the loop"),
        ("noise_loss", lambda m, x_0, eps, t, abar: (m(steps.q_sample(x_0, eps, t), t) - eps).square().mean(), "takes abar[t]"),
        ("sampling_loop", from_x_T(True), "every step starts from the initial noise"),
        ("sampling_loop", from_x_T(False), "predict_x0 is given the initial noise"),
        ("averaged_training", training(lambda lr, step, warmup: lr * min(1, (step + 1) / (warmup + 1))), "one step too late"),
        ("eps_from_v", lambda v, x_t, a: (v + (1 / a - 1) ** 0.5 * x_t) / (a**0.5 - (1 - a) / a**0.5), "minus times minus is plus"),
        ("c3_parameters", 1516, "C3 of 1998"),
        ("noise_loss", lambda model, x_0, eps, t, abar: model(x_0, t), "shape"),
        ("noise_loss", lambda model, x_0, eps, t, abar: 2 * loss_by_hand(model, x_0, eps, t, abar), "constant factor"),
        ("noise_loss", lambda model, x_0, eps, t, abar: -loss_by_hand(model, x_0, eps, t, abar), "opposite sign"),
        ("noise_loss", lambda model, x_0, eps, t, abar: loss_by_hand(model, x_0, eps, t, abar).item(), "gradient"),
        (
            "noise_loss",
            lambda model, x_0, eps, t, abar: loss_by_hand(model, x_0, torch.randn_like(eps), t, abar),
            "different result",
        ),
        ("noise_loss", lambda model, x_0, eps, t, abar: loss_by_hand(model, x_0, eps, t, abar) ** 2, "square"),
        ("predict_x0", lambda x_t, eps, a: x_t, "x_t itself"),
        ("predict_x0", lambda x_t, eps, a: x_t - eps, "both have a weight in it"),
        ("predict_x0", lambda x_t, eps, a: (x_t - a**0.5 * eps) / (1 - a) ** 0.5, "your result is"),
        ("predict_x0", lambda x_t, eps, a: (x_t - (a - 1) ** 0.5 * eps) / a**0.5, "NaN"),
        ("sampling_loop", fresh_noise, "different result"),
        ("sampling_loop", lambda model, x_T, levels: model(x_T), "missing|leaves out|TypeError"),
        ("sampling_loop", lambda model, x_T, levels: [x_T], "list"),
        ("averaged_training", in_place, "changes what it is given"),
        ("averaged_training", lambda *given: loops.averages(*given)[1], "shape"),
        ("averaged_training", lambda *given: loops.averages(*given).flip(0), "places"),
        ("averaged_training", lambda *given: loops.averages(*given).mean(), "mean or a sum"),
        ("eps_from_v", lambda v, x_t, a: v, "v itself"),
        ("eps_from_v", lambda v, x_t, a: x_t - v, "your result is"),
        ("eps_from_v", lambda v, x_t, a: a * v + (1 - a) ** 0.5 * x_t, "your result is"),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    refused(name, mine, *fitting.split("|"))


def test_the_sampling_loop_is_the_one_of_the_package():
    model, x_T, levels = loops.sampling_runs()[1]
    *_, last = steps.sample(model, x_T, levels)
    torch.testing.assert_close(loops.sampling_loop(model, x_T, levels), last.x_s)

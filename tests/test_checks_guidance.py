"""Lesson 03's questions: other ways to the right numbers are right, other mistakes get a hint, and predictions are computed."""

import pytest
import torch

import edu_diffusion as ed
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.exercises.guidance import NO_LABEL, SHARE
from edu_diffusion.steps import guide, q_sample
from edu_diffusion.train import ddpm


def by_loop(model, x_0, labels, eps, t, abar, u):
    labels = torch.tensor([10 if chance < 0.1 else label for label, chance in zip(labels.tolist(), u.tolist())])
    return (model(q_sample(x_0, eps, abar[t]), t, labels) - eps).square().mean()


def by_mask(model, x_0, labels, eps, t, abar, u):
    keep = (u >= 0.1).long()
    return ((eps - model(q_sample(x_0, eps, abar[t]), t, keep * labels + (1 - keep) * 10)) ** 2).mean()


def other_order(model, x_t, t, labels, no_label, g):
    eps_c, eps_u = model(torch.cat([x_t, x_t]), t, torch.cat([labels, no_label])).chunk(2)
    return (1 - g) * eps_u + g * eps_c


def by_guiding_once(eps_u, eps_1, eps_2, g_1, g_2):
    return guide(eps_u, eps_1, g_1) + g_2 * (eps_2 - eps_1)


def from_no_guidance(eps_u, eps_1, eps_2, g_1, g_2):
    return eps_2 + (g_1 - 1) * (eps_1 - eps_u) + (g_2 - 1) * (eps_2 - eps_1)


def two_calls(model, x_t, t, labels, no_label, g):
    return torch.lerp(model(x_t, t, no_label), model(x_t, t, labels), g)


@pytest.mark.parametrize(
    "name, mine",
    [
        ("label_dropout", by_loop),
        ("label_dropout", by_mask),
        ("guide", lambda eps_u, eps_c, g: eps_c + (g - 1) * (eps_c - eps_u)),
        ("guide", lambda eps_u, eps_c, g: (1 - g) * eps_u + g * eps_c),
        ("guide", torch.lerp),
        ("one_batch", other_order),
        ("two_scales", by_guiding_once),
        ("two_scales", from_no_guidance),
        (
            "two_scales",
            lambda u, a, b, g_1, g_2: torch.einsum("k,k...->...", torch.tensor([1 - g_1, g_1 - g_2, g_2]), torch.stack([u, a, b])),
        ),
    ],
)
def test_another_way_to_the_same_numbers_is_right(name, mine):
    assert verdict(name, mine).right, verdict(name, mine).words


def test_two_calls_are_right_and_told_so():
    assert verdict("one_batch", two_calls).right and "once for each prediction" in verdict("one_batch", two_calls).words
    assert "once for each" not in verdict("one_batch", other_order).words


def filtered(model, x_0, labels, eps, t, abar, u):
    return (model(q_sample(x_0, eps, abar[t]), t, labels[u >= 0.1]) - eps).square().mean()


def stacked(model, x_t, t, labels, no_label, g):
    return guide(*model(torch.stack([x_t, x_t]), t, torch.stack([no_label, labels])), g)


def two_exchanges(model, x_t, t, labels, no_label, g):
    eps_u, eps_c = model(torch.cat([x_t, x_t]), t, torch.cat([labels, no_label])).chunk(2)
    return guide(eps_u, eps_c, g)


def minus_g(model, x_t, t, labels, no_label, g):
    eps_c, eps_u = model(torch.cat([x_t, x_t]), t, torch.cat([no_label, labels])).chunk(2)
    return guide(eps_u, eps_c, -g)


def three_cases(eps_u, eps_c, g):
    return {0: eps_u, 1: eps_c, 2: 2 * eps_c - eps_u}.get(g)


def not_kept(model, x_0, labels, eps, t, abar, u):
    torch.where(u < 0.1, 10, labels)
    return (model(q_sample(x_0, eps, abar[t]), t, labels) - eps).square().mean()


def in_place(model, x_0, labels, eps, t, abar, u):
    labels[u < 0.1] = 10
    return EXERCISES["label_dropout"].reference(model, x_0, labels, eps, t, abar, u)


def minus_one(model, x_0, labels, eps, t, abar, u):
    """A label of -1 would be the last row of a table, the right one, if the table allowed it."""
    return (model(q_sample(x_0, eps, abar[t]), t, torch.where(u < 0.1, -1, labels)) - eps).square().mean()


@pytest.mark.parametrize(
    "name, mine, words",
    [
        ("label_dropout", in_place, "changes what it is given"),
        ("label_dropout", lambda model, x_0, labels, eps, t, abar, u: labels, "the result has the shape"),
        ("label_dropout", minus_one, "index out of range"),
        ("label_dropout", lambda *given: EXERCISES["label_dropout"].reference(*given).detach(), "no gradient"),
        ("label_dropout", lambda *given: 2 * EXERCISES["label_dropout"].reference(*given), "always 2 times"),
        ("label_dropout", filtered, "6 images and 4 labels"),
        ("guide", lambda eps_u, eps_c, g: torch.lerp(eps_u, eps_c, min(g, 1)), "must lie beyond it"),
        ("guide", lambda eps_u, eps_c, g: (2 - g) * eps_u + (g - 1) * eps_c, "leave out the - 1"),
        ("guide", lambda eps_u, eps_c, g: eps_u, "the result is eps_u itself"),
        ("guide", lambda eps_u, eps_c, g: eps_u + g * (eps_c - eps_u) / 2, "half of g"),
        ("guide", lambda eps_u, eps_c, g: guide(eps_u, eps_c, g**0.5), "the root of g"),
        ("one_batch", lambda model, x, t, c, n, g: model(torch.cat([x, x]), t, torch.cat([n, c])), "shape"),
        ("one_batch", lambda model, x, t, c, n, g: guide(*model(x, t, n).chunk(2), g), "cannot be combined|shape"),
        ("one_batch", stacked, "first argument must be images"),
        ("one_batch", two_exchanges, "Exchanging two of them changes nothing"),
        ("one_batch", minus_g, "with g = 0 it must be the one without it. If the halves are still exchanged, a minus sign"),
        (
            "one_batch",
            lambda model, x, t, c, n, g: model(torch.cat([x, x]), torch.cat([t, t]), n),
            "one number for the whole batch",
        ),
        ("guide", three_cases, "in 2 of 3 cases it returns nothing"),
        ("label_dropout", not_kept, "torch.where changes no tensor"),
        ("two_scales", lambda u, a, b, g_1, g_2: guide(u, b, g_2) + guide(u, a, g_1), "eps_u counts twice"),
        ("two_scales", lambda u, a, b, g_1, g_2: guide(u, b, g_2) / 2 + guide(u, a, g_1) / 2, "the mean of two"),
        ("two_scales", lambda u, a, b, g_1, g_2: guide(u, a, g_1) + guide(a, b, g_2), "eps_1 is counted twice"),
        ("overshoot", 1.4 / 0.3, "measure it from eps_u first"),
        ("two_scales", lambda u, a, b, g_1, g_2: b, "eps_2 itself"),
        ("two_scales", lambda u, a, b, g_1, g_2: u + (g_1 + g_2) * (b - u), "your result is"),
        ("two_scales", lambda u, a, b, g_1, g_2: (u + g_1 * (a - u) + g_2 * (b - a)) / 2, "always 0.5 times"),
        ("two_scales", lambda u, a, b, g_1, g_2: u + g_1 * (a - u) + g_2 * b - a, "your result is"),
        ("two_scales", lambda u, a, b, g_1, g_2: (u + g_1 * (a - u), g_2 * (b - a)), "tuple"),
    ],
)
def test_other_mistakes_get_a_fitting_hint(name, mine, words):
    right, said = verdict(name, mine)
    assert right is False and __import__("re").search(words, said), said


def test_the_lesson_drops_labels_as_the_recipe_does():
    assert (NO_LABEL, SHARE) == (ddpm.ANY, ddpm.DROPPED)
    assert EXERCISES["guide"].reference is guide is ddpm.guide


def guided_mixture(g):
    """(accuracy, spread) of one of two equal bells at -1 and 1, guided: its density is in proportion to p(x|c)^g / p(x)^(g - 1)."""
    x = torch.linspace(-12, 12, 4001)
    own, other = (torch.exp(-((x - m) ** 2) / 2) for m in (1.0, -1.0))
    density = own**g / ((own + other) / 2) ** (g - 1)
    density = density / density.sum()
    mean = (density * x).sum()
    return density[x > 0].sum().item(), ((density * (x - mean) ** 2).sum() ** 0.5).item()


def test_accuracy_rises_and_variety_falls_where_guidance_can_be_computed():
    accuracy, spread = zip(*map(guided_mixture, (1, 2, 4)))
    assert list(accuracy) == sorted(accuracy) and list(spread) == sorted(spread, reverse=True)
    assert EXERCISES["trade_off"].right == "B"


def test_ideal_guidance_amplifies_the_bias_of_the_sevens_and_none_that_all_share():
    share = lambda p, q, g: p**g / q ** (g - 1) / (p**g / q ** (g - 1) + (1 - p) ** g / (1 - q) ** (g - 1))
    assert share(0.83, 0.53, 4) > 0.9 and EXERCISES["amplified"].right == "D"
    assert share(0.8, 0.8, 4) == pytest.approx(0.8)


def test_the_row_with_the_strongest_guidance_has_the_hardest_contrast():
    """In the order of the lesson; cut off: the share of colour values at the end of their range."""
    order = [(1, 2, 4, 8)[i] for i in torch.randperm(4, generator=torch.Generator().manual_seed(75))]
    pipe = ed.load("base", "cpu")
    cut = [(ed.draw(pipe, ["a ghost"] * 2, steps=6, guidance=g).abs() == 1).float().mean() for g in order]
    letter = "ABCD"[int(torch.stack(cut).argmax())]
    assert letter == "ABCD"[order.index(8)] == EXERCISES["strongest_row"].right


def test_the_conditions_of_the_prompt_in_two_parts_hold_and_determine_the_formula():
    combine = EXERCISES["two_scales"].reference
    u, a, b = torch.randn(3, 2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    for scales, wanted in (((0, 0), u), ((1, 0), a), ((1, 1), b)):
        torch.testing.assert_close(combine(u, a, b, *scales), wanted)
    steps = [combine(u, a, b, g + 1, other) - combine(u, a, b, g, other) for g in (0, 5) for other in (0, 2)]
    steps += [combine(u, a, b, other, g + 1) - combine(u, a, b, other, g) for g in (0, 5) for other in (0, 2)]
    for step, wanted in zip(steps, [a - u] * 4 + [b - a] * 4):
        torch.testing.assert_close(step, wanted)


def test_the_pixel_of_the_transfer_question():
    assert guide(0.2, 0.5, EXERCISES["overshoot"].right) == pytest.approx(1.4)

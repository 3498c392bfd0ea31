"""Lesson 13's questions (and lesson 10's merge): right spellings are accepted, unseen mistakes get a fitting hint."""

import pytest
import torch

from edu_diffusion import models, steps
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.exercises import style as bank


def refused(name, mine, *fitting):
    right, words = verdict(name, mine)
    assert right is False and any(part in words for part in fitting), words


# ---------------------------------------------------------------- the letters and the number


def test_the_number_is_that_of_two_real_networks():
    def count(width):
        return sum(p.numel() for pair in models.build_hyper([width]).values() for net in pair for p in net.parameters())

    assert count(768) == bank.HYPER_SIZE.right and count(128) == 131_840
    for words, number in bank.HYPER_SIZE.wrong:
        assert verdict("hyper_size", number) == (False, f"Not yet: {words}")
    assert verdict("hyper_size", 4_723_200).right and "times" in verdict("hyper_size", 100).words
    assert round(2 * 4_723_200 / 1e6, 1) == 9.4, "the file in the sentence"


# ---------------------------------------------------------------- functions


def test_the_reference_is_what_the_loop_runs():
    assert EXERCISES["adain"].reference is steps.adain


def merge(W, A, B, alpha, weight):
    return W + sum(weight * alpha / len(A) * torch.outer(B[:, i], A[i]) for i in range(len(A)))


def adain_in_two_stages(x, reference):
    x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0)
    return x * reference.std(1, keepdim=True, correction=0) + reference.mean(1, keepdim=True)


def adain_by_loops(x, reference):
    result = torch.empty_like(x)
    for b in range(x.shape[0]):
        for c in range(x.shape[2]):
            one, other = x[b, :, c], reference[b, :, c]
            result[b, :, c] = (one - one.mean()) / one.std(correction=0) * other.std(correction=0) + other.mean()
    return result


def shared_by_loop(q, k, v):
    rows = []
    for i in range(len(q)):
        keys, values = torch.cat([k[0], k[i]]), torch.cat([v[0], v[i]])
        rows.append((q[i] @ keys.T / q.shape[-1] ** 0.5).softmax(-1) @ values)
    return torch.stack(rows)


def shared_the_other_way_round(q, k, v):
    first_k, first_v = k[0].repeat(len(k), 1, 1), v[0].repeat(len(v), 1, 1)
    return torch.nn.functional.scaled_dot_product_attention(q, torch.cat([k, first_k], 1), torch.cat([v, first_v], 1))


def recolour_flat(x, reference):
    def tokens(y):
        return y.flatten(2).transpose(1, 2)

    return steps.adain(tokens(x), tokens(reference)).transpose(1, 2).unflatten(2, x.shape[2:])


@pytest.mark.parametrize(
    "name, mine",
    [
        ("lora_merge", merge),
        ("adain", adain_in_two_stages),
        ("adain", adain_by_loops),
        ("shared_attention", shared_by_loop),
        ("shared_attention", shared_the_other_way_round),
        ("recolour", recolour_flat),
        (
            "recolour",
            lambda x, y: (
                (x - x.mean((-2, -1), True)) * (y.var((-1, -2), keepdim=True) / x.var((-1, -2), keepdim=True)).sqrt()
                + y.mean((2, 3), True)
            ),
        ),
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right


def mean(x):
    return x.mean(1, keepdim=True)


def std(x):
    return x.var(1, correction=0, keepdim=True).sqrt()


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("adain", lambda x, reference: x, "x itself"),
        ("adain", lambda x, reference: reference, "reference itself"),
        ("adain", lambda x, reference: steps.adain(x, reference) + 1, "off by"),
        ("adain", lambda x, reference: 2 * steps.adain(x, reference), "constant factor"),
        ("adain", lambda x, reference: (x - x.mean()) / x.std() * reference.std() + reference.mean(), "the whole tensor"),
        ("adain", lambda x, reference: steps.adain(x, reference)[0], "shape"),
        ("adain", lambda x, reference: (x - x.mean(1)) / x.std(1), ("expected", "cannot be combined")),
        ("shared_attention", lambda q, k, v: v, "v itself"),
        ("shared_attention", lambda q, k, v: bank.shared_attention(q, k, v).mean(1), "shape"),
        ("shared_attention", lambda q, k, v: bank.attention(q, bank.joined(k), v), "the values do not; join both"),
        ("shared_attention", lambda q, k, v: bank.attention(q, k, bank.joined(v)), "only the values are joined"),
        ("shared_attention", lambda q, k, v: bank.attention(q, torch.cat([k, k]), torch.cat([v, v])), "along the images"),
        ("shared_attention", lambda q, k, v: bank.attention(q, torch.cat([k[0], k], 1), v), "dimensions"),
        ("shared_attention", lambda q, k, v: 2 * bank.shared_attention(q, k, v), "constant factor"),
        ("shared_attention", lambda q, k, v: bank.shared_attention(q, v, k), "k and v exchanged"),
        ("recolour", lambda x, reference: x, "x itself"),
        ("recolour", lambda x, reference: bank.recolour(x, reference) - 3, "off by"),
        ("recolour", lambda x, reference: bank.recolour(x, reference.flip(1)), "right at 1 and wrong at 0 and 2"),
        ("recolour", lambda x, reference: bank.mixed(x, reference, (0, 1, 2, 3)), "one standard deviation for everything"),
        ("recolour", lambda x, y: (x - x.mean()) / x.std() * y.std() + y.mean(), "one standard deviation for everything"),
        ("recolour", lambda x, reference: bank.mixed(x, reference, (1, 2)), "channels and rows"),
        ("recolour", lambda x, reference: bank.recolour(x, reference).mean((2, 3)), "shape"),
        (
            "recolour",
            lambda x, reference: adain_by_loops(*(y.reshape(2, 36, 3) for y in (x, reference))).reshape(x.shape),
            "reshape",
        ),
        ("recolour", lambda x, reference: torch.clamp(bank.recolour(x, reference), -1, 1), "clamped"),
        (
            "shared_attention",
            lambda q, k, v: bank.attention(q, *(torch.cat([x, 0 * x + x[:, :1]], 1) for x in (k, v))),
            "first token",
        ),
        ("shared_attention", lambda q, k, v: bank.attention(q, k[:1].repeat(len(k), 1, 1), v), "are replaced"),
        (
            "shared_attention",
            lambda q, k, v: bank.attention(q, *(torch.cat([x, k[:1].repeat(len(k), 1, 1)], 1) for x in (k, v))),
            "joined to the values",
        ),
        ("shared_attention", lambda q, k, v: bank.attention(q, torch.lerp(k, k[:1], 0.5), torch.lerp(v, v[:1], 0.5)), "averaged"),
        (
            "recolour",
            lambda x, reference: x * reference.std((2, 3), correction=0, keepdim=True) + reference.mean((2, 3), keepdim=True),
            "not standardised yet",
        ),
        ("adain", lambda x, reference: (x - mean(x)) / std(x) * std(reference) ** 2 + mean(reference), "not by its variance"),
        ("adain", lambda x, reference: (x - mean(x)) / std(x) ** 2 * std(reference) + mean(reference), "not by its variance"),
        ("adain", lambda x, reference: (x - mean(x) / std(x)) * std(reference) + mean(reference), "(x - mean) / std"),
        ("adain", lambda x, reference: x - mean(x) / std(x) * std(reference) + mean(reference), "before x is divided"),
        ("adain", lambda x, reference: x * std(reference) + mean(reference), "not standardised yet"),
        ("adain", lambda x, reference: (x - mean(reference)) / std(reference), "with the reference's statistics"),
        ("adain", lambda x, reference: (x - mean(x)) / std(x) * mean(reference) + std(reference), "are exchanged"),
        ("adain", lambda x, reference: ((x - mean(x)) / std(x) - mean(reference)) / std(reference), "multiply and add"),
        ("adain", lambda x, reference: (x - mean(x)) / std(x) * std(reference) + mean(x), "still that of x"),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    refused(name, mine, *([fitting] if isinstance(fitting, str) else fitting))


def over_as_many(x, reference):
    """The mean of the reference divides by the number of positions of x."""
    x_hat = (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)
    mean = reference.sum((2, 3), keepdim=True) / x[0, 0].numel()
    return reference.std((2, 3), keepdim=True) * x_hat + mean


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("recolour", over_as_many, "different sizes"),
        ("recolour", lambda x, reference: bank.recolour(x, reference.reshape(x.shape)), "different sizes"),
        ("adain", lambda x, reference: steps.adain(x, reference.reshape(x.shape)), "numbers of tokens"),
    ],
)
def test_a_function_for_one_size_is_told_so(name, mine, fitting):
    right, words = verdict(name, mine)
    assert right and fitting in words, words


def test_a_standard_deviation_with_a_correction_is_right_for_two_sizes():
    over = {"dim": (2, 3), "keepdim": True}
    mine = lambda x, y: (x - x.mean(**over)) / x.std(**over) * y.std(**over) + y.mean(**over)  # noqa: E731
    assert verdict("recolour", mine) == (True, f"Right: {EXERCISES['recolour'].praise}")


def test_another_spread_is_told_from_the_right_one():
    def adain(x, reference):
        x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)  # divides by n - 1
        return x * reference.std(1, keepdim=True, correction=0) + reference.mean(1, keepdim=True)

    assert verdict("adain", adain).right is False

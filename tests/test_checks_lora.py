"""Lesson 10's questions: numbers and letters say what is so, wrong answers get a fitting hint, right ones are accepted."""

import pytest
import torch

from edu_diffusion import steps
from edu_diffusion.data import newstyle
from edu_diffusion.exercises import lora as bank
from edu_diffusion.exercises import verdict
from edu_diffusion.exercises.choices import Number

NUMBERS = [q for q in bank.EXERCISES if isinstance(q, Number)]


def refused(name, mine, fitting):
    right, words = verdict(name, mine)
    assert right is False and fitting in words, words


# ---------------------------------------------------------------- numbers


def test_the_size_is_that_of_an_adapter():
    W = torch.zeros(320, 320)
    A, B = steps.lora_init(W, rank=4)
    assert A.numel() + B.numel() == bank.LORA_SIZE.right
    assert bank.LORA_SIZE.right / W.numel() == pytest.approx(0.025) and "2.5 %" in bank.LORA_SIZE.praise


def test_the_rank_of_two_adapters_is_that_of_the_sum_of_their_changes():
    rng = torch.Generator().manual_seed(0)
    pairs = [(torch.randn(r, 40, generator=rng), torch.randn(40, r, generator=rng)) for r in (4, 8)]
    change = sum(B @ A for A, B in pairs)
    assert int(torch.linalg.matrix_rank(change)) == bank.LORA_TWO.right
    A, B = torch.cat([A for A, _ in pairs]), torch.cat([B for _, B in pairs], dim=1)
    assert torch.allclose(B @ A, change, atol=1e-4) and len(A) == 12


@pytest.mark.parametrize("question", NUMBERS, ids=lambda q: q.name)
def test_a_number_far_off_is_compared_by_its_ratio(question):
    assert len({words for words, _ in question.wrong}) == len(question.wrong)
    assert verdict(question.name, question.right).right and "times" in verdict(question.name, question.right * 3.3).words


# ---------------------------------------------------------------- letters


def gradients(zero):
    """The largest entries of the gradients of A and B in the first step; zero: whether A starts with zeros, as B does."""
    rng = torch.Generator().manual_seed(1)
    layer = bank.Layer(6, 2, 3.0, rng)
    with torch.no_grad():
        layer.B.zero_()
        layer.A.mul_(0.0 if zero else 1.0)
    bank.lora_forward(layer, torch.randn(4, 6, generator=rng)).square().mean().backward()
    return [float(p.grad.abs().max()) for p in (layer.A, layer.B)]


def test_with_both_matrices_zero_nothing_is_learned():
    assert gradients(zero=True) == [0.0, 0.0] and bank.ZERO_START.right == "B"
    of_a, of_b = gradients(zero=False)
    assert of_a == 0.0 and of_b > 0, "B moves first, then A has a gradient too"


@pytest.fixture(scope="module")
def drawn():
    """Three prompts of the lesson with the shipped adapter at two weights, and without the name of the style: {name: counts}."""
    import edu_diffusion as ed
    from edu_diffusion.metrics import draw
    from edu_diffusion.metrics.style import named

    rows = [r for r in newstyle.rows() if (r["size"], r["place"]) == ("big", "centre") and not r["new"]][3:6]
    plain = [{**r, "prompt": r["prompt"].removesuffix(", contrast style")} for r in rows]
    pipe, seen = ed.load_lora(ed.load("base", "cpu"), "lora", "shipped"), {}
    for name, weight, asked in ((0.5, 0.5, rows), (1.0, 1.0, rows), ("plain", 1.0, plain)):
        pipe.set_adapters("shipped", weight)
        seen[name] = {key: int(value.sum()) for key, value in named(draw(pipe, asked, n_steps=10), asked, "contrast").items()}
    return seen


def test_half_the_weight_shows_fewer_things_than_the_whole(drawn):
    assert drawn[0.5]["concept"] < drawn[1.0]["concept"] and bank.LORA_WEIGHT.right == "B"
    assert drawn[1.0]["style"] > drawn[0.5]["style"]


def test_the_style_comes_without_its_name(drawn):
    assert drawn["plain"]["style"] == 3 and bank.LORA_WORDS.right == "C", "mostly in the new style"


# ---------------------------------------------------------------- functions


def with_functional(self, x):
    low = torch.nn.functional.linear(torch.nn.functional.linear(x, self.A), self.B)
    return torch.add(self.linear(x), low, alpha=self.alpha / self.rank)


@pytest.mark.parametrize(
    "name, mine",
    [
        ("lora_forward", with_functional),
        ("lora_forward", lambda self, x: self.linear(x) + x @ (self.B @ self.A).T * (self.alpha / self.rank)),
        (
            "lora_forward",
            lambda self, x: (self.alpha / len(self.A)) * torch.einsum("...i,ri,or->...o", x, self.A, self.B) + self.linear(x),
        ),
        ("lora_forward", lambda self, x: x @ bank.merge(self.linear.weight, self.A, self.B, self.alpha, 1).T + self.linear.bias),
        ("lora_merge", lambda W, A, B, alpha, weight: W + torch.einsum("or,ri->oi", B, A) * (alpha * weight / A.shape[0])),
        ("lora_merge", lambda W, A, B, alpha, weight: W.add(B.matmul(A), alpha=weight * alpha / B.shape[1])),
        (
            "lora_merge",
            lambda W, A, B, alpha, weight: W + sum(weight * alpha / len(A) * torch.outer(B[:, k], A[k]) for k in range(len(A))),
        ),
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right, verdict(name, mine).words


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("lora_forward", lambda self, x: x @ self.A @ self.B, "`@` cannot multiply"),
        ("lora_forward", lambda self, x: self.linear(x) + x @ self.A.T, "cannot be combined"),
        ("lora_forward", lambda self, x: x, "x itself"),
        ("lora_forward", lambda self, x: 2 * bank.lora_forward(self, x), "constant factor"),
        ("lora_forward", lambda self, x: -bank.lora_forward(self, x), "opposite sign"),
        ("lora_forward", lambda self, x: bank.lora_forward(self, x).mean(), "mean or a sum"),
        ("lora_forward", lambda self, x: bank.lora_forward(self, x).detach(), "no gradient flows back"),
        ("lora_forward", lambda self, x: self.linear(x) + self.a, "has no .a"),
        ("lora_forward", lambda self, x: self.linear(x) + (self.alpha / self.rank) ** 0.5 * bank.change(self, x), "differ"),
        ("lora_merge", lambda W, A, B, alpha, weight: W, "W itself"),
        ("lora_merge", lambda W, A, B, alpha, weight: W + A @ B, "the product is B @ A"),
        ("lora_merge", lambda W, A, B, alpha, weight: bank.merge(W, A, B, alpha, weight).T, "transposed"),
        ("lora_merge", lambda W, A, B, alpha, weight: W + weight**2 * alpha / len(A) * B @ A, "the square of weight"),
        ("lora_merge", lambda W, A, B, alpha, weight: W.add_(B @ A), "changes what it is given"),
        ("lora_merge", lambda W, A, B, alpha, weight: torch.lerp(W, alpha / len(A) * B @ A, weight), "weighted sum"),
        ("lora_merge", lambda W, A, B, alpha, weight: W + alpha * weight * B @ A * A.shape[0], "multiplies by the rank"),
        ("lora_merge", lambda W, A, B, alpha, weight: W + int(alpha / len(A)) * weight * (B @ A), "rounds down"),
        ("lora_merge", lambda W, A, B, alpha, weight: W + (B * (k := weight * alpha / len(A))) @ (A * k), "counts twice"),
        ("lora_forward", lambda self, x: self.linear(x) + self.alpha * self.rank**-0.5 * bank.change(self, x), "not by its root"),
        ("lora_forward", lambda self, x: self.linear(x) + int(self.alpha / self.rank) * bank.change(self, x), "rounds down"),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    refused(name, mine, fitting)


def test_an_adapter_that_is_cut_off_from_its_matrices_is_refused():
    """The numbers are right, and nothing could be trained."""
    half = lambda self, x: self.linear(x) + self.alpha / self.rank * (x @ self.A.detach().T @ self.B.detach().T)
    refused("lora_forward", half, "no gradient")

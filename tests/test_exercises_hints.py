"""What a wrong answer gets where no known mistake fits: a diagnosis of its numbers, or the error in words."""

import json

import pytest
import torch

from edu_diffusion.exercises import EXERCISES, Exercise, diagnose, explain, relations
from edu_diffusion.exercises.choices import counted
from edu_diffusion.exercises.exercise import answers, hint, judged
from edu_diffusion.exercises.substitute import substituted

RNG = torch.Generator().manual_seed(0)
X, Y = torch.randn(2, 3, 4, 4, generator=RNG)
CASES = [(X, Y, 0.5), (X, Y, 0.8)]
NAMES = ["x", "y", "g"]
LIST, THREE = [1, 2], 3
WEIGHTS = torch.ones(2, requires_grad=True)
LOSS = WEIGHTS.square().sum()
WANTED = [g * x - y for x, y, g in CASES]


def told(function):
    found = [torch.as_tensor(function(*case)) for case in CASES]
    return diagnose.difference(found, WANTED, CASES, NAMES)


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda x, y, g: -(g * x - y), "the opposite sign"),
        (lambda x, y, g: 1.0003 * (g * x - y), "is nearly right, off by up to 0.00"),
        (lambda x, y, g: 3 * (g * x - y), "always 3 times the expected one"),
        (lambda x, y, g: g**3 * (g * x - y), "0.125 and 0.512 times the expected one: a factor that depends"),
        (lambda x, y, g: g * (g * x - y), "is the expected one times g."),
        (lambda x, y, g: (g * x - y) / (1 - g) ** 0.5, "is the expected one times (1 - g)**-0.5."),
        (lambda x, y, g: g**0.5 * x - y, "The weight of x is the square root of the expected one"),
        (lambda x, y, g: g * x - (1 - g) ** 0.5 * y, "The weight of y is the expected one times (1 - g)**0.5."),
        (lambda x, y, g: X.exp(), "the same in every case"),
        (lambda x, y, g: x.clone(), "x itself, unchanged"),
        (lambda x, y, g: (g * x - y).square(), "is the square"),
        (lambda x, y, g: (g * x - y).transpose(-1, -2), "transposed"),
        (lambda x, y, g: (g * x - y).flip(0), "not in the right places"),
        (lambda x, y, g: x + y, "1.000 x + 1.000 y; expected is 0.500 x + -1.000 y"),
        (lambda x, y, g: g * x - y + 1, "off by +1"),
        (lambda x, y, g: torch.where(x == x[0, 0, 1], 9.0, g * x - y), r"first at [0, 0, 1] where yours is 9"),
        (lambda x, y, g: g * x - y if g < 0.7 else x, "right in 1 of 2 cases; this is case 2 (the one with g = 0.8)"),
        (lambda x, y, g: (g * x - y)[0], "(4, 4); it must be (3, 4, 4): dimension 0, of size 3, is missing."),
        (lambda x, y, g: (g * x - y).flatten(), "a dimension is missing or in another place"),
        (lambda x, y, g: (g * x - y).mean(), "is a mean or a sum taken over everything"),
        (lambda x, y, g: x / 0, "NaN or infinite"),
        (lambda x, y, g: (g * x - y).masked_fill(x == x[0, 0, 1], -torch.inf).softmax(-1).log() * 0, "NaN or infinite"),
        (lambda x, y, g: torch.cat([x[:1].log() * 0 + torch.nan, (g * x - y)[1:]]), "some rows of the result are NaN as a whole"),
        (lambda x, y, g: (g * x - y)[:2], "dimension 0 has 2 in place of 3"),
        (lambda x, y, g: (g * x - y)[None, ..., None], "the numbers are as many"),
        (lambda x, y, g: (g * x - y)[None].repeat(2, 1, 1, 1), "dimension 0, of size 2, is one too many"),
        (lambda x, y, g: g**2 * x - y, "The weight of x is the square of the expected one"),
        (lambda x, y, g: g * x + y, "The weight of y is the expected one with the wrong sign"),
        (lambda x, y, g: -x + g * y, "The weights of x and y are exchanged"),
        (lambda x, y, g: x / g - y, "The weight of x is 1 divided by the expected one"),
        (lambda x, y, g: torch.where(x > y, g * x - y, 0.0), "of 48 places, where yours is 0"),
        (
            lambda x, y, g: torch.cat([(g * x - y)[:2], y[2:].exp()]),
            "along dimension 0 your result is right at 0 to 1 and wrong at 2",
        ),
        (lambda x, y, g: torch.cat([(g * x - y)[:2], 3 * (g * x - y)[2:]]), "where it is 3 times the expected one"),
        (lambda x, y, g: torch.cat([(g * x - y)[:2], 0 * x[2:]]), "where all of it is 0"),
        (lambda x, y, g: g * x - y + y.mean(1, keepdim=True), "along dimension 1 the difference"),
        (
            lambda x, y, g: (g * x - y) * y.std((1, 2), keepdim=True),
            "along dimensions 1 and 2 your result is always the same multiple",
        ),
        (lambda x, y, g: (g * x - y) * (2 + y[..., :1]) + y[..., 1:2], "along dimension 2 the pattern is right"),
        (lambda x, y, g: x.clone() if g < 0.7 else y, "but not in all cases"),
    ],
)
def test_the_numbers_tell_what_is_wrong(mine, words):
    assert words in told(mine)


def test_a_square_root_is_noticed():
    right = torch.tensor([1.0, 4.0, 9.0])
    assert "the square root" in diagnose.difference([right.sqrt()], [right], [()], [])


def test_a_multiple_of_an_argument_on_top_is_noticed():
    right = X.exp()
    assert "and -2 times x" in diagnose.difference([right - 2 * X], [right], [(X, 3)], NAMES)


def scaled(x, y, g, h=1):
    return x.sin() * y.cos() ** 2 + g * h


SCALED = Exercise(
    "scaled", scaled, lambda: [[X.clone(), Y.clone(), g] for g in (0.5, 0.8)], ((("known"), lambda x, y, g: g * x),), ""
)


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda x, y, g: scaled(y, x, g), "with x and y exchanged"),
        (lambda x, y, g: scaled(x, y, 0), "with g = 0: is it left out"),
        (lambda x, y, g: scaled(x, y, 1), "with g = 1: is it left out"),
        (lambda x, y, g: scaled(x, y, g**2), "with the square of g"),
        (lambda x, y, g: scaled(x, y, g**0.5), "with the root of g"),
        (lambda x, y, g: scaled(x, y, 1 - g), "with 1 - g in place of g"),
        (lambda x, y, g: scaled(x, y, 1 / g), "with 1 / g in place of g"),
        (lambda x, y, g: scaled(x, y, -g), "with -g in place of g"),
        (lambda x, y, g: scaled(x, y, 2 * g), "with twice g"),
        (lambda x, y, g: scaled(x, y, g / 2), "with half of g"),
        (lambda x, y, g: scaled(-x, y, g), "with -x in place of x"),
        (lambda x, y, g: scaled(x, 0 * y, g), "with zeros in place of y"),
        (lambda x, y, g: scaled(x, y[:1], g), "with the first y in place of each"),
        (lambda x, y, g: scaled(x.flip(0), y, g), "with x in reverse order"),
        (lambda x, y, g: scaled(x, y, g**3), "off by"),
        (lambda x, y, g: g * x * 1.002, "known"),
        (lambda x, y, g: g * x * 1.02, "expected"),
    ],
)
def test_another_argument_would_explain_it(mine, words):
    assert words in hint(SCALED, answers(mine, SCALED.cases()), answers(scaled, SCALED.cases()))


def test_a_reference_that_fails_with_other_arguments_explains_nothing():
    def root(x, y, g):
        if g not in (0.5, 0.8) or not torch.equal(x, X) or not torch.equal(y, Y):
            raise ArithmeticError
        return x * y

    found = [x.exp() for x, _, _ in CASES]
    assert substituted(found, SCALED._replace(reference=root), NAMES) is None
    endless = SCALED._replace(reference=lambda x, y, g: x / (g - g.__class__(g)) if g in (0.5, 0.8) else x / 0)
    assert substituted(found, endless, NAMES) is None


def fail(function):
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda: torch.ones(2, 3) - torch.ones(2), "keepdim=True"),
        (lambda: torch.ones(2, 3) @ torch.ones(2, 3), "cannot multiply 2x3 and 2x3"),
        (lambda: torch.ones(1, 2, 3) @ torch.ones(1, 2, 3), "the right one must be [1, 3]"),
        (lambda: torch.ones(2, 3).mean(2), "there is no dimension 2"),
        (lambda: torch.ones(2)[2], "beyond the 2 entries"),
        (lambda: [1, 2][2], "fewer entries"),
        (lambda: [1, 2][torch.tensor([0, 1])], "one number is needed"),
        (lambda: LIST["a"], "not a str"),
        (lambda: bool(torch.ones(2)), "torch.where"),
        (lambda: torch.sqrt(0.5), "** 0.5"),
        (lambda: torch.arange(3).mean(), ".float()"),
        (lambda: torch.ones(2) @ torch.ones(2).double(), "number types"),
        (lambda: (lambda a, b: a)(1), "a call leaves out 'b'"),
        (lambda: (lambda a: a)(1, 2), "and is called with 2"),
        (lambda: [1] * 0.5, "is one of them a list|float|"),
        (lambda: [1] ** 2, "** or pow() cannot combine"),
        (lambda: THREE(torch.ones(1)), "is a `*` missing"),
        (lambda: torch.ones(1).men(), "has no .men"),
        (lambda: torch.ones(6).view(4, 2), "6 numbers do not fit"),
        (lambda: torch.cat([torch.ones(1), torch.ones(1, 1)]), "cannot be joined"),
        (lambda: torch.cat([torch.ones(1, 2), torch.ones(3, 3)], 1), "along dimension 1 must agree in all others"),
        (lambda: torch.ones(2, 3).expand(4, 3), "cannot become 4"),
        (lambda: torch.stack([torch.ones(2), torch.ones(3)]), "these are [2] and [3]"),
        (lambda: WEIGHTS[:1].add_(1), "torch.no_grad()"),
        (lambda: torch.ones(1).sum().backward(), ".item()"),
        (lambda: [LOSS.backward() for _ in range(2)], "called twice"),
        (lambda: torch.ones(2)[0, 0], "only 1 dimensions"),
        (lambda: (lambda a, b: a)(*(x for x, y in [(1,)])), "2 names stand on the left of the =, and there are only 1"),
        (lambda: (lambda a: a)(*(x for x, y in [(1, 2, 3)])), "and there are more parts"),
        (lambda: torch.cat(torch.ones(1), torch.ones(1)), "torch.cat([a, b])"),
        (lambda: torch.cat([torch.tensor(1.0), torch.tensor(1.0)]), "use torch.stack"),
        (lambda: THREE[0], "has no parts"),
        (lambda: torch.embedding(torch.ones(2, 2), torch.tensor([5])), "a row that it does not have"),
        (lambda: torch.tensor([[1, 2], [3]]), "need padding"),
        (lambda: abs(torch.ones(2, 2).max(1)), "torch.amax"),
        (lambda: torch.tensor(1, 2), "torch.tensor([a, b])"),
        (lambda: torch.ones(3) - torch.ones(2), "along dimension 0 one tensor has 3"),
        (lambda: torch.ones(2) ^ 0.5, "^ is no power"),
        (lambda: 0.5 ^ 0.5, "^ is no power"),
        (lambda: "a".strip.lower(), "brackets are missing"),
        (lambda: torch.cat([5, 5]), "has the type int"),
        (lambda: torch.where(torch.ones(2) > 0, None, 1), "torch.where takes a condition"),
        (lambda: torch.nn.functional.embedding(torch.ones(2), torch.ones(2, 2)), ".long()"),
        (lambda: NAMES[0] % 3, "needs a number"),
        (lambda: torch.max(0, torch.ones(2)), "max cannot be called with (int, Tensor)"),
        (lambda: {(1,): 2}[[1]], "a list as a whole"),
        (lambda: json.loads('{"a"'), "at character 4"),
        (lambda: b"\xff".decode(), "no text"),
        (lambda: torch.frombuffer(bytearray(6), dtype=torch.float32), "6 bytes cannot be divided into numbers of 4"),
        (lambda: torch.ones(2)[torch.ones(2)], "not their places"),
        (lambda: LIST[1.5:], "a whole number"),
        (lambda: torch.ones(2)[1.5], "a whole number"),
        (lambda: 1 - (torch.ones(2) > 0), "write ~mask"),
        (lambda: ~torch.ones(2), "write 1 - x"),
        (lambda: torch.ones(2, 3)[torch.ones(3) > 0], "[3] is not [2, 3]"),
        (lambda: WEIGHTS[0].requires_grad_(False), "put its numbers back"),
        (lambda: {"a": 1}["b"], "no entry called 'b'"),
        (lambda: torch.nn.functional.cross_entropy(torch.ones(1, 2), torch.tensor([2])), "a label is 2"),
        (lambda: torch.ones(2).masked_fill(torch.ones(2), 0), "with .bool()"),
        (lambda: range(2.0), "// or int()"),
        (lambda: (lambda a: a)(*(x for x, y in [1])), "is a single int"),
        (lambda: torch.exp([torch.ones(1)]), "torch.stack"),
    ],
)
def test_common_errors_in_words(function, words):
    assert any(part in str(explain.meaning(fail(function))) for part in words.split("|"))


@pytest.mark.parametrize("other", [lambda x: x[0], lambda x: x / 0, lambda x: x.to(torch.complex64)])
def test_another_case_may_have_no_weights(other):
    """The first case tells what it can, whatever the second one is."""
    found = [X + Y, other(X)]
    told = diagnose.difference(found, WANTED, CASES, NAMES)
    assert told.startswith("your result is 1.000 x + 1.000 y; expected is 0.500 x + -1.000 y.")


def test_a_weight_that_must_be_zero_has_no_factor():
    assert relations.factors([({"x": 1.0, "y": 1.0}, {"x": 1.0, "y": 0.0})], [{"g": 0.5}]) == ""


@pytest.mark.parametrize("mine, words", [(8.2, "off by 2.5 %"), (7.68, "off by 4 %"), (9.4, "1.18 times as large")])
def test_how_far_a_number_is_off(mine, words):
    assert words in counted(EXERCISES["thinnest_stroke"], mine).words


def test_a_root_written_as_a_power_is_noticed():
    def my_scaled(x, y, g):
        return g**1/2 * x - y  # fmt: skip

    judged_ = judged(SCALED, my_scaled)
    assert not judged_.right and judged_.words.endswith(
        "Your code has `**1/2`: Python computes the power first and then divides; write **0.5."
    )

    def my_other(x, y, g):
        # not g**1/2
        return g**0.4 * x - y

    assert "Your code has" not in judged(SCALED, my_other).words


def test_only_some_paths_return():
    told = judged(SCALED, lambda x, y, g: x if g < 0.7 else None).words
    assert "in 1 of 2 cases it returns nothing, such as with 0.8; is there a path" in told


def fails():
    raise AssertionError


def test_a_known_mistake_that_raises_is_known():
    stops = SCALED._replace(wrong=(("take the root of g, not of x.", lambda x, y, g: x @ y[:, 0]),))
    told = judged(stops, lambda x, y, g: x @ y[:, 1]).words
    assert told.startswith("Not yet: it stopped with RuntimeError: ")
    assert told.endswith(". One mistake that ends like this: take the root of g, not of x.")
    assert "take the root" not in judged(stops, lambda x, y, g: x @ y[:, :, :3] @ y).words
    silent = SCALED._replace(wrong=(("leave out the assert.", lambda x, y, g: fails()),))
    assert judged(silent, lambda x, y, g: fails()).words.endswith(
        "AssertionError: One mistake that ends like this: leave out the assert."
    )


def test_numbers_that_are_not_a_number_match_a_known_mistake():
    known = SCALED._replace(wrong=(("do not divide by 0.", lambda x, y, g: x * 0 / 0),))
    assert judged(known, lambda x, y, g: x - x + torch.nan).words == "Not yet: do not divide by 0."


def test_a_name_that_is_nearly_an_argument():
    error = fail(lambda: x0)  # noqa: F821
    assert explain.meaning(error, ("x_0", "eps")) == "x0 is not defined; do you mean x_0?"
    assert explain.meaning(error, ("abar_t",)) is None


@pytest.mark.parametrize(
    "name, words",
    [
        ("exp", "do you mean torch.exp?"),
        ("cross_entropy", "torch.nn.functional.cross_entropy?"),
        ("math", "not imported"),
        ("np", "not imported"),
    ],
)
def test_a_name_that_was_not_imported(name, words):
    told = explain.meaning(fail(lambda: eval(name, {})), ("mean", "n", "eps", "cross"))
    assert words in told


def test_an_uncommon_error_has_no_words():
    assert explain.meaning(ValueError("something rare")) is None

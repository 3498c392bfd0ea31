"""What a wrong answer gets where no known mistake fits: a diagnosis of its numbers, or the error in words."""

import pytest
import torch

from edu_diffusion.exercises import diagnose, explain

RNG = torch.Generator().manual_seed(0)
X, Y = torch.randn(2, 3, 4, 4, generator=RNG)
CASES = [(X, Y, 0.5), (X, Y, 0.8)]
NAMES = ["x", "y", "g"]
LIST, THREE = [1, 2], 3
WANTED = [g * x - y for x, y, g in CASES]


def told(function):
    found = [torch.as_tensor(function(*case)) for case in CASES]
    return diagnose.difference(found, WANTED, CASES, NAMES)


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda x, y, g: -(g * x - y), "the opposite sign"),
        (lambda x, y, g: 3 * (g * x - y), "always 3 times the expected one"),
        (lambda x, y, g: g * (g * x - y), "0.5 and 0.8 times the expected one: a factor that depends"),
        (lambda x, y, g: x.clone(), "x itself, unchanged"),
        (lambda x, y, g: (g * x - y).square(), "is the square"),
        (lambda x, y, g: (g * x - y).transpose(-1, -2), "transposed"),
        (lambda x, y, g: (g * x - y).flip(0), "not in the right places"),
        (lambda x, y, g: x + y, "1.000 x + 1.000 y; expected is 0.500 x + -1.000 y"),
        (lambda x, y, g: g * x - y + 1, "off by +1"),
        (lambda x, y, g: torch.where(x == x[0, 0, 1], 9.0, g * x - y), r"first at [0, 0, 1] where yours is 9"),
        (lambda x, y, g: g * x - y if g < 0.7 else x, "right in 1 of 2 cases; this is case 2 (the one with g = 0.8)"),
        (lambda x, y, g: (g * x - y)[0], "shape (4, 4); it must be (3, 4, 4)."),
        (lambda x, y, g: (g * x - y).flatten(), "a dimension is missing or in another place"),
        (lambda x, y, g: (g * x - y).mean(), "is a mean or a sum taken over everything"),
        (lambda x, y, g: x / 0, "NaN or infinite"),
    ],
)
def test_the_numbers_tell_what_is_wrong(mine, words):
    assert words in told(mine)


def test_a_square_root_is_noticed():
    right = torch.tensor([1.0, 4.0, 9.0])
    assert "the square root" in diagnose.difference([right.sqrt()], [right], [()], [])


def fail(function):
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda: torch.ones(2, 3) - torch.ones(2), "keepdim=True"),
        (lambda: torch.ones(2, 3) @ torch.ones(2, 3), "cannot multiply 2x3 and 2x3"),
        (lambda: torch.ones(1, 2, 3) @ torch.ones(1, 2, 3), "the right matrix must be [1, 3]"),
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
        (lambda: (lambda a: a)(1, 2), "it is called with 2 arguments"),
        (lambda: [1] * 0.5, "is one of them a list|float|"),
        (lambda: [1] ** 2, "** or pow() cannot combine"),
        (lambda: THREE(torch.ones(1)), "is a `*` missing"),
        (lambda: torch.ones(1).men(), "has no .men"),
        (lambda: torch.ones(6).view(4, 2), "6 numbers do not fit"),
        (lambda: torch.cat([torch.ones(1), torch.ones(1, 1)]), "cannot be joined"),
    ],
)
def test_common_errors_in_words(function, words):
    assert any(part in str(explain.meaning(fail(function))) for part in words.split("|"))


def test_a_name_that_is_nearly_an_argument():
    error = fail(lambda: x0)  # noqa: F821
    assert explain.meaning(error, ("x_0", "eps")) == "x0 is not defined; do you mean x_0?"
    assert explain.meaning(error, ("abar_t",)) is None


def test_an_uncommon_error_has_no_words():
    assert explain.meaning(ValueError("something rare")) is None

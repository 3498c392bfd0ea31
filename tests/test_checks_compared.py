"""Questions of lesson 14: what its options say is what the table shows, and wrong answers get a hint that fits."""

import pytest
import torch

from edu_diffusion.compare.table import shipped
from edu_diffusion.exercises import verdict

ROWS = [row for row in shipped()["rows"] if "style_gain" in row]
TRAINED = [row for row in ROWS if row["trained"]]


def test_the_smallest_file_is_the_tables():
    assert min(TRAINED, key=lambda row: row["bytes"])["method"] == "textual inversion"
    assert verdict("smallest_file", "b").right
    sizes = {row["method"]: row["bytes"] for row in ROWS}
    assert sizes["hypernetwork"] < sizes["LoRA"] and 1000 < sizes["LoRA"] / sizes["textual inversion"] < 3000


def test_what_gains_most_is_among_those_that_forget_most():
    best = max(ROWS, key=lambda row: row["style_gain"]["value"])
    most = max(row["forgetting"]["value"] for row in ROWS)
    assert best["method"] == "LoRA" and best["forgetting"]["value"] == most
    assert verdict("price", "C").right


def test_textual_inversion_is_the_row_whose_interval_contains_zero_and_much_else():
    (row,) = [row for row in ROWS if row["method"] == "textual inversion"]
    assert row["style_gain"]["low"] < 0 < 0.15 < row["style_gain"]["high"]


@pytest.mark.parametrize(
    "mine, words",
    [
        (120, "square root"),
        (16, "multiply it"),
        (480, "sixteen times"),
        (450, "on top"),
        (60, "wrong way round"),
        (240, "too small"),
        (7.5, "wider"),
    ],
)
def test_the_number_of_prompts(mine, words):
    assert words in verdict("prompts_needed", mine).words
    assert verdict("prompts_needed", mine).right is (mine == 480)


def loops(before, after):
    gains = [float(a - b) for a, b in zip(after, before)]
    middle = sum(gains) / len(gains)
    variance = sum((g - middle) ** 2 for g in gains) / (len(gains) - 1)
    return torch.tensor([middle, 1.96 * (variance / len(gains)) ** 0.5])


@pytest.mark.parametrize(
    "mine",
    [
        loops,
        lambda b, a: torch.stack([a.mean() - b.mean(), 1.96 * (a - b).var().div(len(a)).sqrt()]),
        lambda b, a: torch.tensor([(a - b).mean(), (a - b).std() * 1.96 / torch.tensor(len(a)).sqrt()]),
    ],
)
def test_other_spellings_are_right(mine):
    assert verdict("paired_change", mine).right


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda b, a: torch.stack([(a - b).mean(), 2 * (a - b).std() / len(a) ** 0.5]), "not 2"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * (a - b).std(correction=0) / len(a) ** 0.5]), "divides by n."),
        (lambda b, a: [(a - b).mean(), 1.0], "returns a list"),
        (lambda b, a: torch.stack([1.96 * (a - b).std() / len(a) ** 0.5, (a - b).mean()]), "right places"),
        (lambda b, a: ((a - b).mean(), 1.96 * (a - b).std() / len(a) ** 0.5), "returns a tuple"),
        (lambda b, a: torch.stack([a.mean(), 1.96 * (a - b).std() / len(a) ** 0.5]), "the mean score after"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * (a - b).std() / (len(a) + len(b)) ** 0.5]), "in both lists"),
        (lambda b, a: torch.stack([(a - b).mean(), 3.92 * (a - b).std() / len(a) ** 0.5]), "whole width"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * (a.std() - b.std()) / len(a) ** 0.5]), "difference of two standard"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * (a.std() + b.std()) / len(a) ** 0.5]), "are paired"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * torch.cat([a, b]).std() / len(a) ** 0.5]), "are paired"),
        (lambda b, a: torch.stack([(d := (a - b).abs()).mean(), 1.96 * d.std() / len(a) ** 0.5]), "mean absolute change"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * (a - b).var() / len(a) ** 0.5]), "the variance"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * (a - b).std() * len(a) ** 0.5]), "divide by the square root"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * ((a - b).std() / len(a)) ** 0.5]), "to n alone"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * (a - b).std() / (len(a) - 1) ** 0.5]), "n - 1"),
        (lambda b, a: torch.stack([(a - b).sum(), 1.96 * (a - b).std() / len(a) ** 0.5]), "sum of the changes"),
        (lambda b, a: torch.stack([(a - b).mean(), 1.96 * (a - b).std() / a**0.5]), "equal size"),
    ],
)
def test_unseen_mistakes_get_a_hint(mine, words):
    right, said = verdict("paired_change", mine)
    assert right is False and words in said

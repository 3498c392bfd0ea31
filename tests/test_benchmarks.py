"""The programs in tests/benchmarks take minutes to an hour; here only that they still fit the package, and what two.py judges."""

import pathlib
import runpy

import pytest
import torch

PROGRAMS = sorted((pathlib.Path(__file__).parent / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_benchmark_still_finds_what_it_needs(path):
    assert callable(runpy.run_path(str(path))["main"])


@pytest.fixture(scope="module")
def two():
    return runpy.run_path(str(next(path for path in PROGRAMS if path.stem == "two")))


def test_two_different_things_stand_side_by_side(two):
    left, right = two["pairs"](50)
    assert all(a["id"] != b["id"] for a, b in zip(left, right)) and {len(left), len(right)} == {50}
    assert left[0]["prompt"].endswith("at the left on a white background") and "at the right" in right[0]["prompt"]
    for captions, where in two["asked"](left, right).values():
        assert {len(some) for some in captions} == {50} and len(captions) == len(where)


def test_a_half_is_judged_without_the_other(two):
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    left, right = two["halves"](images)
    assert torch.equal(left[..., :32], images[..., :32]) and torch.equal(right[..., 32:], images[..., 32:])
    assert left[..., 32:].std(dim=(2, 3)).max() == 0 and right[..., :32].std(dim=(2, 3)).max() == 0


def test_where_each_prompt_counts_adds_up_to_the_whole_picture(two):
    _, (left, right) = two["asked"](*two["pairs"](1))["each in its half"]
    assert left.tolist() == [1] * 8 + [0] * 8 and (left + right == 1).all()

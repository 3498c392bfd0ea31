"""Two processes of one thread each learn what one process learns from the mean of their gradients."""

import shutil

import pytest
import tiny
import torch
from safetensors.torch import load_file

from edu_diffusion.errors import EduError
from edu_diffusion.train import processes
from edu_diffusion.train.latent import train_latent


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return str(tiny.saved(tmp_path_factory.mktemp("start") / "model"))


def settings(start, run, **more):
    return {"start": start, "run": run, "lr": 1e-2, "pool": 2, "seed": 3, "device": "cpu"} | more


def gradients_of(rank, start, run):
    """The gradients of the first step in the process of that rank."""
    seen = []
    more = {"batch": 2, "steps": 1, "rank": rank, "together": lambda some: seen.extend(g.clone() for g in some)}
    list(train_latent(**settings(start, run, **more)))
    return seen


def seen_by_optimiser(run):
    """The gradient of a single step, up to a factor: AdamW's first moment. (Its step is nearly the gradient's sign alone,
    so that rounding decides where a gradient is nearly zero.)"""
    moments = load_file(run / "state.safetensors").items()
    return torch.cat([x.flatten() for name, x in sorted(moments) if name.startswith("exp_avg.")])


@pytest.fixture(scope="module")
def both(start, tmp_path_factory):
    """(run folder, reports) of two processes that took one step."""
    run = tmp_path_factory.mktemp("both") / "run"
    return run, list(processes.several("latent", 2, **settings(start, run, batch=4, steps=1)))


def test_the_step_is_that_of_the_mean_gradient(start, both, tmp_path):
    one, other = (gradients_of(rank, start, tmp_path / str(rank)) for rank in (0, 1))
    assert not torch.equal(one[0], other[0])  # each process has scenes of its own

    def averaged(some):
        for mine, a, b in zip(some, one, other, strict=True):
            mine.copy_((a + b) / 2)

    list(train_latent(**settings(start, tmp_path / "alone", batch=2, steps=1, together=averaged)))
    expected, found = seen_by_optimiser(tmp_path / "alone"), seen_by_optimiser(both[0])
    assert (found - expected).norm() < 0.02 * expected.norm()


def test_the_first_process_reports_and_writes(both):
    run, reports = both
    assert [progress.step for progress in reports] == [1] and reports[0].model is None
    assert (run / "model" / "card.json").is_file()


def test_a_run_that_was_stopped_goes_on(start, both, tmp_path):
    run = shutil.copytree(both[0], tmp_path / "run")
    reports = list(processes.several("latent", 2, **settings(start, run, batch=4, steps=2)))
    assert [progress.step for progress in reports] == [2]


def test_a_process_that_fails_ends_the_training_with_a_sentence(start, tmp_path):
    with pytest.raises(EduError, match="ended unexpectedly"):
        list(processes.several("latent", 2, **settings(start, tmp_path / "run", batch=4, steps=1, lr="much")))


def test_the_mean_over_processes(monkeypatch):
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda flat: flat.mul_(3))  # as if the other had twice as much
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    some = [torch.ones(2, 2), torch.arange(3.0)]
    processes.mean(some)
    assert torch.equal(some[0], torch.full((2, 2), 1.5)) and torch.equal(some[1], torch.arange(3.0) * 1.5)

"""A run folder: stopped at any moment, damaged, used twice or with other settings, nothing is lost and nothing is mixed."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file

from edu_diffusion import train
from edu_diffusion.errors import EduError
from edu_diffusion.train import loop
from edu_diffusion.train.recipe import claimed, recipe
from edu_diffusion.train.state import about, previous_file, started_in, state_file

pytestmark = pytest.mark.fault("lost")


@pytest.fixture(autouse=True)
def ctrl_c():
    """Ctrl-C as in a terminal: a program that runs in the background ignores it from its start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


TARGET = torch.tensor([1.0, -2.0])


def begin(run, steps=6, seed=0, hook=None, every=0.0):
    """A recipe in miniature: returns its generator and its model."""
    model = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.zero_()

    def loss(step):
        if hook:
            hook(step)
        x = torch.randn(8, 2, generator=loop.generator(seed, step))
        return (model(x)[:, 0] - x @ TARGET).square().mean()

    return loop.fit(model, loss, steps=steps, lr=0.1, run=run, every=every), model


def finished(run, **settings):
    training, model = begin(run, **settings)
    *_, last = training
    return model.weight.detach().clone(), last


@pytest.mark.parametrize("how", ["close", "ctrl-c", "sigterm"])
def test_stopped_in_the_middle_of_a_step_it_resumes_as_if_nothing_had_happened(tmp_path, how):
    whole, _ = finished(tmp_path / "whole")

    def stop(step):
        if step == 2 and how != "close":
            os.kill(os.getpid(), signal.SIGINT if how == "ctrl-c" else signal.SIGTERM)

    training, _ = begin(tmp_path / "run", hook=stop, every=1e9)
    if how == "close":
        assert [next(training).step for _ in range(3)] == [1, 2, 3]
        training.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            list(training)
    assert about(tmp_path / "run")["steps"] == 3, "the step that was being taken is finished and saved"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again, last = finished(tmp_path / "run")
    assert torch.equal(again, whole) and last.step == 6


def test_the_second_ctrl_c_does_not_wait(tmp_path):
    def stop(step):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    training, _ = begin(tmp_path, hook=stop)
    with pytest.raises(KeyboardInterrupt):
        next(training)
    assert started_in(tmp_path) is None, "there is no whole step to save"


def test_a_finished_run_shows_its_end_again(tmp_path):
    weight, last = finished(tmp_path)
    again, only = finished(tmp_path)
    assert torch.equal(weight, again) and only.step == last.step == 6 and only.left == 0


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_state_falls_back_to_the_one_before_and_says_so(tmp_path, damage):
    whole, _ = finished(tmp_path / "whole")
    training, _ = begin(tmp_path / "run")
    for _ in range(4):
        next(training)
    del training
    data = state_file(tmp_path / "run").read_bytes()
    broken = {"cut": data[:-20], "flipped": data[:-3] + bytes([data[-3] ^ 1]) + data[-2:], "empty": b""}[damage]
    state_file(tmp_path / "run").write_bytes(broken)
    with pytest.warns(UserWarning, match="state.safetensors is damaged; the training goes on from the state before it, step 3"):
        again, _ = finished(tmp_path / "run")
    assert torch.equal(again, whole)
    for path in (state_file(tmp_path / "run"), previous_file(tmp_path / "run")):
        path.write_bytes(broken)
    with pytest.raises(EduError, match="is damaged, and there is no earlier state"):
        finished(tmp_path / "run")


def test_killed_between_the_two_renames_it_goes_on_from_the_state_before(tmp_path):
    whole, _ = finished(tmp_path / "whole")
    training, _ = begin(tmp_path / "run")
    next(training), next(training)
    del training
    state_file(tmp_path / "run").replace(previous_file(tmp_path / "run"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(finished(tmp_path / "run")[0], whole)


def test_the_state_of_another_model_is_refused(tmp_path):
    finished(tmp_path)
    tensors = {name.replace("weight.weight", "weight.other"): w for name, w in load_file(state_file(tmp_path)).items()}
    save_file(tensors, state_file(tmp_path), {"step": "1", "seconds": "1", "mean": "1"})
    previous_file(tmp_path).unlink()
    with pytest.raises(EduError, match="another recipe"):
        finished(tmp_path)


# ---------------------------------------------------------------- the folder


@recipe
def train_toy(minutes=None, steps=2, run=None, device=None, seed=0, lr=0.1, examples=None):
    yield from begin(run, steps, seed)[0]


def test_other_settings_are_refused_and_other_times_are_not(tmp_path):
    list(train_toy(run=tmp_path))
    list(train_toy(run=tmp_path, steps=4, minutes=9.0, device="cpu"))
    for other, told in (({"seed": 3}, "seed=0.*seed=3"), ({"examples": begin}, "examples=None.*examples='begin'")):
        with pytest.raises(EduError, match=f"was started with {told}: start over"):
            list(train_toy(run=tmp_path, **other))
    assert json.loads((tmp_path / "settings.json").read_text()) == {"recipe": "toy", "seed": 0, "lr": 0.1, "examples": None}


def test_the_run_of_another_recipe_is_refused(tmp_path):
    list(train_toy(run=tmp_path))
    with pytest.raises(EduError, match="recipe='toy'.*recipe='lenet'"):
        next(train.RECIPES["lenet"](steps=1, run=tmp_path))


def test_a_model_folder_of_the_users_is_refused_before_any_training(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("years of work")
    with pytest.raises(EduError, match="thesis.txt"):
        next(train_toy(run=tmp_path))
    assert started_in(tmp_path) is None


def test_two_trainings_in_one_folder_are_refused(tmp_path):
    first = train_toy(run=tmp_path, steps=3)
    next(first)
    with pytest.raises(EduError, match="Another training uses"):
        next(train_toy(run=tmp_path))
    first.close()
    assert len(list(train_toy(run=tmp_path, steps=3))) == 2, "it is free again, and the first step was saved"


def test_the_lock_of_a_killed_process_counts_for_nothing(tmp_path):
    code = (
        "import sys, pathlib, os; from edu_diffusion.train.recipe import claimed\n"
        f"with claimed(pathlib.Path({str(tmp_path)!r})): os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert killed.returncode == -9 and (tmp_path / ".in-use").exists()
    with claimed(tmp_path):
        pass

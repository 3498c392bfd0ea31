"""A computer that is too slow goes on from a half-trained state, and says so; no other run does."""

import types

import pytest
import torch

from edu_diffusion.errors import EduError
from edu_diffusion.train import half, loop
from edu_diffusion.train.ddpm import SHAPES, build_digit_unet, train_ddpm


@pytest.fixture
def clock(monkeypatch):
    """Let every look at the clock be this many seconds after the one before."""
    now = [0.0, 1.0]

    def monotonic():
        now[0] += now[1]
        return now[0]

    monkeypatch.setattr(loop, "time", types.SimpleNamespace(monotonic=monotonic))
    return lambda seconds: now.__setitem__(1, seconds)


def after(count, **settings):
    """The progress after so many steps of a training of digits."""
    training = train_ddpm(device="cpu", batch=2, **settings)
    last = [next(training) for _ in range(count)][-1]
    training.close()
    return last


@torch.no_grad()
def is_the_state(model, name="ddpm_eps"):
    """Whether all weights of a model are those of the half-trained state."""
    weights = half.half_trained(name).weights
    return all(torch.equal(x, weights[key].float()) for key, x in model.named_parameters())


@pytest.mark.parametrize("target", SHAPES)
def test_a_state_has_the_weights_of_the_recipes_model(target):
    found = half.half_trained(f"ddpm_{target}")
    own = build_digit_unet(*SHAPES[target]).state_dict()
    assert {name: x.shape for name, x in found.weights.items()} == {name: x.shape for name, x in own.items()}
    assert found.steps > 100 and 1 < found.speed < 20


@pytest.mark.parametrize("target", SHAPES)
def test_a_slow_computer_goes_on_from_it_and_is_told(clock, capsys, target):
    clock(1.0)
    progress = after(half.LOOK, minutes=30, target=target)
    assert is_the_state(progress.model, f"ddpm_{target}")
    told, steps = capsys.readouterr().out, half.half_trained(f"ddpm_{target}").steps
    assert told.startswith("This computer makes 1 training steps in a second") and f"{steps} steps" in told


def test_the_moving_average_goes_on_from_it_too(clock):
    clock(1.0)
    *_, last = train_ddpm(minutes=half.LOOK / 60, device="cpu", batch=2)
    assert last.step == half.LOOK and is_the_state(last.model)


def test_what_it_learns_from_there_on_is_kept(clock):
    clock(1.0)
    progress = after(half.LOOK + 2, minutes=30)
    assert not is_the_state(progress.model)


def test_a_fast_one_and_a_run_without_a_deadline_go_on_alone(clock, capsys):
    clock(0.001)
    assert not is_the_state(after(half.LOOK, minutes=30).model)
    clock(1.0)
    assert not is_the_state(after(half.LOOK, minutes=None, steps=9).model)
    assert not capsys.readouterr().out


def test_a_resumed_run_keeps_its_own_weights(clock, capsys, tmp_path):
    clock(0.001)
    after(half.LOOK - 1, minutes=30, run=tmp_path)
    clock(1.0)
    after(2, minutes=30, run=tmp_path)
    assert not capsys.readouterr().out


def test_a_damaged_state_is_named(clock, monkeypatch, tmp_path):
    (tmp_path / half.FOLDER).mkdir()
    (tmp_path / half.FOLDER / "card.json").write_text('{"sha256": {"ddpm_eps.safetensors": "0"}}')
    (tmp_path / half.FOLDER / "ddpm_eps.safetensors").write_text("cut off")
    monkeypatch.setattr(half.files, "folder", lambda kind, name: tmp_path / name)
    with pytest.raises(EduError, match="ddpm_eps.safetensors is damaged"):
        half.half_trained("ddpm_eps")

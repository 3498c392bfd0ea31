"""Few steps: the samplers against the library's schedulers over whole trajectories, and the losses against torch's."""

from functools import partial

import diffusers
import pytest
import torch
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps

SETTINGS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
ABAR = steps.abar(steps.scaled_linear_betas())
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
KINDS = pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
COUNTS = pytest.mark.parametrize("count", [1, 2, 4, 8])


def net(x, t):
    """A model that nobody trained: not linear, and different at every level."""
    return torch.tanh(x + t / 500) + 0.3 * x.flip(-1)


def noise(seed=0):
    return torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(seed))


def theirs(scheduler, count, x, **more):
    """The library's trajectory: (timesteps, [x after each step])."""
    scheduler.set_timesteps(count)
    rng, found = torch.Generator().manual_seed(1), []
    for t in scheduler.timesteps:
        x = scheduler.step(net(x, t.item()), t, x, generator=rng, **more).prev_sample
        found.append(x)
    return scheduler.timesteps.tolist(), found


def ours(step, timesteps, kind, x, noisy, end=-1):
    """Ours at the same timesteps, then to `end`. noisy: how many steps get noise; the library draws none for the last one."""
    rng, found = torch.Generator().manual_seed(1), []
    for i, (t, s) in enumerate(zip(timesteps, [*timesteps[1:], end])):
        fresh = torch.randn(x.shape, generator=rng) if i < noisy else torch.zeros_like(x)
        abar_s = ABAR[s] if s >= 0 else torch.tensor(1.0)
        x = step(x, steps.to_eps(net(x, t), x, ABAR[t], kind), ABAR[t], abar_s, fresh, s)
        found.append(x)
    return found


@twin("lcm_step")
@KINDS
@COUNTS
def test_lcm(kind, count):
    timesteps, want = theirs(diffusers.LCMScheduler(**SETTINGS, clip_sample=False, prediction_type=kind), count, noise())
    got = ours(lambda *five: steps.lcm_step(*five[:5]), timesteps, kind, noise(), count - 1)
    assert len(got) == count and timesteps[0] == 999
    assert_close(got, want, **CLOSE)


@twin("tcd_step")
@KINDS
@COUNTS
@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
def test_tcd(kind, count, gamma):
    scheduler = diffusers.TCDScheduler(**SETTINGS, clip_sample=False, prediction_type=kind)
    timesteps, want = theirs(scheduler, count, noise(), eta=gamma)

    def step(x, eps, abar_t, abar_s, fresh, s):
        return steps.tcd_step(x, eps, abar_t, abar_s, fresh, ABAR[int((1 - gamma) * s)])

    # the library's last step goes to timestep 0, where a little noise is left
    assert_close(ours(step, timesteps, kind, noise(), count - 1 if gamma else 0, end=0), want, **CLOSE)


def test_tcd_lies_between_ddim_and_lcm():
    x, eps, fresh, t, s = noise(), noise(1), noise(2), ABAR[700], ABAR[300]
    tcd = partial(steps.tcd_step, x, eps, t, s, fresh)
    assert_close(tcd(), steps.ddim_step(x, eps, t, s))
    assert_close(tcd(torch.tensor(1.0)), steps.lcm_step(x, eps, t, s, fresh))
    assert_close(
        tcd(ABAR[100]), (s / ABAR[100]) ** 0.5 * steps.ddim_step(x, eps, t, ABAR[100]) + (1 - s / ABAR[100]) ** 0.5 * fresh
    )


def test_the_noise_level_after_a_step_is_that_of_s():
    eps, fresh = (torch.randn(20_000, generator=torch.Generator().manual_seed(i)) for i in (0, 1))
    for r in (ABAR[300], ABAR[100], torch.tensor(1.0)):
        x_s = steps.tcd_step((1 - ABAR[700]) ** 0.5 * eps, eps, ABAR[700], ABAR[300], fresh, r)  # an image of zeros
        assert x_s.var().item() == pytest.approx(1 - ABAR[300].item(), rel=0.03)


@twin("consistency_scalings")
@pytest.mark.parametrize("t", [0, 1, 19, 259, 999])
def test_consistency_scalings(t):
    want = diffusers.LCMScheduler(**SETTINGS).get_scalings_for_boundary_condition_discrete(t)
    assert_close(torch.tensor(steps.consistency_scalings(t)), torch.tensor(want))


def test_at_zero_the_answer_is_the_latent_itself_and_later_the_prediction():
    assert steps.consistency_scalings(0) == (1.0, 0.0)
    assert 1 - steps.consistency_scalings(100)[1] < 1e-6 and steps.consistency_scalings(100)[0] < 1e-6


@twin("hinge_discriminator")
def test_hinge_discriminator():
    real, fake = 2 * noise(), 2 * noise(1)
    hinge = torch.nn.HingeEmbeddingLoss(margin=1.0)
    no = -torch.ones_like(real)
    assert_close(steps.hinge_discriminator(real, fake), hinge(real, no) + hinge(-fake, no))
    assert steps.hinge_discriminator(torch.tensor([1.5]), torch.tensor([-1.0])) == 0


@twin("hinge_student")
def test_hinge_student():
    fake = noise()
    assert_close(steps.hinge_student(fake), -torch.nn.HingeEmbeddingLoss()(fake, torch.ones_like(fake)))

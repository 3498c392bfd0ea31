"""bf16 weights with float32 master weights learn what float32 weights learn; the choice is measured, stored, and reversible."""

import itertools

import pytest
import tiny
import torch
from safetensors import safe_open

from edu_diffusion import train
from edu_diffusion.errors import EduError
from edu_diffusion.train import loop, pace

BF16 = ("bf16", "bf16_channels_last")


def small_unet():
    torch.manual_seed(0)
    return loop.plain_attention(tiny.unet()).train()


def unet_loss(unet, step=0):
    """Squared error against noise, on data that depend on the step's number alone."""
    x, c, v = torch.randn(8, 1024, generator=loop.generator(0, step)).split((256, 512, 256), 1)
    return (unet(x.view(8, 4, 8, 8), 500, c.view(8, 16, 32)).sample.float() - v.view(8, 4, 8, 8)).square().mean()


def gradients(arithmetic=None):
    """(loss, {name: float32 gradient}) of the small U-Net; arithmetic=None: float32 throughout."""
    unet = small_unet()
    weights = pace.Weights(unet, arithmetic or "autocast")
    with weights.autocast() if arithmetic in BF16 else torch.autocast("cpu", torch.bfloat16, enabled=bool(arithmetic)):
        value = unet_loss(unet)
    value.backward()
    weights.take_gradients()
    return value.item(), {n: w.grad.clone() for n, w in zip(weights.names, weights.masters)}


@pytest.mark.parametrize("arithmetic", BF16)
def test_gradients_are_those_of_float32_within_3_percent(arithmetic):
    """Relative error |g - g'| / |g'| over all weights together; of each tensor 10 %, and a thousandth of the greatest."""
    (_, ours), (_, exact) = gradients(arithmetic), gradients()
    assert all(g.dtype == torch.float32 for g in ours.values()) and ours.keys() == exact.keys()
    total = torch.stack([(ours[n] - g).square().sum() for n, g in exact.items()]).sum().sqrt()
    assert total < 0.03 * torch.stack([g.square().sum() for g in exact.values()]).sum().sqrt()
    whole = max(g.norm() for g in exact.values())
    assert all((ours[n] - g).norm() < 0.1 * g.norm() + 1e-3 * whole for n, g in exact.items())


def test_loss_and_gradients_are_the_same_numbers_as_with_autocast():
    (loss, ours) = gradients("bf16")
    (same, autocast) = gradients("autocast")
    (other, _) = gradients()
    assert loss == same != other
    for name, gradient in autocast.items():
        torch.testing.assert_close(ours[name], gradient, atol=1e-6, rtol=1e-5)


def test_normalisation_and_embeddings_stay_float32():
    pipe = tiny.pipeline()
    for model in (pipe.unet, pipe.text_encoder):
        rounded = pace.Weights(model, "bf16").rounded
        kinds = {type(m).__name__ for m in model.modules() for p in m.parameters(recurse=False) if p not in rounded}
        assert kinds and all("Norm" in kind or "Embedding" in kind for kind in kinds)
        assert all(p.dtype == torch.bfloat16 for p in rounded)


def run(arithmetic, folder=None, steps=12, until=None, **more):
    """The small U-Net after so many steps; until: the run is left there."""
    unet = small_unet()
    progress = loop.fit(
        unet, lambda step: unet_loss(unet, step), steps=steps, lr=1e-3, run=folder, every=0.0, arithmetic=arithmetic, **more
    )
    for p in progress:
        if p.step == until:
            break
    progress.close()
    return unet


@pytest.mark.parametrize("arithmetic", pace.ARITHMETIC)
def test_resumed_equals_uninterrupted(arithmetic, tmp_path):
    whole = run(arithmetic).state_dict()
    run(arithmetic, tmp_path, until=7)
    resumed = run(None, tmp_path).state_dict()  # in the arithmetic that the state names
    moved = small_unet().state_dict()
    for name, weight in whole.items():
        torch.testing.assert_close(resumed[name], weight, atol=1e-7, rtol=1e-5)
        assert not torch.equal(moved[name], weight), f"{name} has learned nothing"


@pytest.mark.parametrize("until", [None, 3])
@pytest.mark.parametrize("arithmetic", BF16)
def test_the_model_ends_in_float32_laid_out_as_usual(arithmetic, until):
    unet = run(arithmetic, steps=4, until=until)
    assert all(p.dtype == torch.float32 and p.is_contiguous() for p in unet.parameters())


def test_what_remains_is_the_average_of_the_masters(tmp_path):
    unet = run("bf16", tmp_path, steps=4)
    with safe_open(tmp_path / "state.safetensors", "pt") as file:
        assert all(torch.equal(p, file.get_tensor(f"average.{n}")) for n, p in unet.named_parameters())
        master = file.get_tensor("weight.conv_in.weight")
        assert master.dtype == torch.float32 and not torch.equal(master, master.bfloat16().float())
        assert file.metadata()["arithmetic"] == "bf16"


def test_masters_learn_in_steps_that_bf16_would_lose():
    """Weights of 1, steps of 1e-4: the next bf16 number below 1 is 1 - 2^-8."""
    line = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(line.weight)
    list(loop.fit(line, lambda step: line(torch.ones(1, 1)).sum(), steps=40, lr=1e-4, warmup=1, ema=0.0, arithmetic="bf16"))
    assert 1e-3 < 1 - line.weight.item() < 4e-3


def test_an_unknown_arithmetic_is_refused():
    with pytest.raises(EduError, match="fp4"):
        next(loop.fit(torch.nn.Linear(1, 1), lambda step: None, steps=1, arithmetic="fp4"))


def clock(monkeypatch, units=("AVX512",), **seconds):
    """Let a pass take so many seconds in each arithmetic, on a CPU with these units for bf16; the list of what was timed."""
    asked = []
    monkeypatch.setattr(pace, "bf16_units", lambda: units)
    monkeypatch.setattr(
        pace, "forward_backward", lambda weights, loss: asked.append(weights.arithmetic) or seconds[weights.arithmetic]
    )
    return asked


@pytest.mark.parametrize("bf16, verdict", [(0.5, "bf16"), (0.9, "bf16"), (0.92, "autocast"), (2.0, "autocast")])
def test_the_quicker_arithmetic_is_taken_when_it_is_worth_it(bf16, verdict, monkeypatch):
    asked = clock(monkeypatch, autocast=1.0, bf16=bf16)
    assert pace.quickest(torch.nn.Linear(1, 1), None, seconds=0) == verdict
    assert asked == ["autocast", "bf16"] * 2, "one turn to warm up, and one that counts"
    assert pace.quickest(torch.nn.Linear(1, 1, device="meta"), None) == "autocast", "only a CPU is asked"


def test_emulated_bf16_is_not_even_tried(monkeypatch):
    asked = clock(monkeypatch, units=(), autocast=1.0, bf16=0.1, channels_last=0.5)
    line = torch.nn.Linear(1, 1)
    assert pace.quickest(line, None, seconds=0) == "autocast" and not asked
    assert pace.quickest(line, None, ("bf16", "channels_last"), seconds=0) == "channels_last"
    assert set(asked) == {"autocast", "channels_last"}


def test_a_probe_leaves_the_model_and_the_randomness_as_they_were():
    unet, before = small_unet(), small_unet().state_dict()
    state = torch.get_rng_state()
    assert pace.quickest(unet, lambda: unet_loss(unet) * torch.rand(()), pace.ARITHMETIC[1:], seconds=0) in pace.ARITHMETIC
    assert torch.equal(torch.get_rng_state(), state)
    for name, p in unet.named_parameters():
        assert torch.equal(p, before[name]) and p.dtype == torch.float32 and p.is_contiguous() and p.grad is None


def test_the_verdict_is_kept_with_the_run(tmp_path, monkeypatch):
    """A probe is asked once, when the run begins, and only for a run that is long enough."""
    asked = clock(monkeypatch, autocast=1.0, bf16=0.1)
    line = torch.nn.Linear(2, 1)

    def first(**more):
        progress = loop.fit(line, lambda step: line(torch.ones(1, 2)).square().sum(), probe=line.sum, every=0.0, **more)
        next(progress)
        return line.weight.dtype

    line.sum = lambda: line.weight.sum()
    assert first(steps=199) == first(minutes=1) == first(steps=10**4, arithmetic="autocast") == torch.float32 and not asked
    assert first(steps=200, run=tmp_path) == torch.bfloat16 and set(asked) == {"autocast", "bf16"}
    asked.clear()
    monkeypatch.setattr(pace, "QUICKER", 100)
    assert first(steps=200, run=tmp_path) == torch.bfloat16 and not asked


def test_the_recipe_latent_asks(monkeypatch):
    seen = []
    monkeypatch.setattr(loop, "quickest", lambda model, probe: seen.append(probe().item()) or "bf16")
    progress = train.RECIPES["latent"](steps=200, batch=2, start="base", device="cpu")
    unet = (first := next(progress)).model["unet"]
    assert len(seen) == 1 and unet.conv_in.weight.dtype == torch.bfloat16 and unet.conv_norm_out.weight.dtype == torch.float32
    assert 0 < first.loss < 2


@pytest.mark.parametrize(
    "warmup, steps, expected",
    [
        (5, 200, [0.2, 0.4, 0.6, 0.8, 1, 1]),  # a number of steps
        (0.02, 200, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),  # 4 of 200, but ten at least
        (0.02, 1000, [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),  # 20 of 1000
    ],
)
def test_the_warm_up_is_a_share_of_the_run(warmup, steps, expected):
    bound = loop.Bound(steps=steps)
    assert [bound.rise(step, 0, warmup) for step in range(6)] == pytest.approx(expected)


def test_a_run_by_the_clock_warms_up_by_the_clock():
    bound = loop.Bound(minutes=10)
    assert [bound.rise(500, seconds, 0.02) for seconds in (0, 6, 12, 500)] == [0, 0.5, 1, 1]


def test_the_average_keeps_no_history():
    line = torch.nn.Linear(1, 1)
    steps = loop.fit(line, lambda step: line(torch.ones(1, 1)).sum(), steps=3)
    for _ in itertools.islice(steps, 2):
        averages = steps.gi_yieldfrom.gi_frame.f_locals["average"]
    assert len(averages) == 2 and not any(a.requires_grad for a in averages)


@pytest.mark.parametrize("arithmetic", ["autocast", "bf16"])
def test_gradients_can_be_shared_between_processes(arithmetic):
    def reverse(gradients):
        assert all(g.dtype == torch.float32 for g in gradients)
        torch._foreach_neg_(gradients)

    line = torch.nn.Linear(1, 1)
    before = line.bias.item()
    list(loop.fit(line, lambda step: line(torch.ones(1, 1)).sum(), steps=3, arithmetic=arithmetic, together=reverse))
    assert line.bias.item() > before, "uphill"

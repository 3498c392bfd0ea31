"""Lesson 16's questions: letters and numbers say what is so, wrong answers get a fitting hint, right ones are accepted."""

import pytest
import torch

from edu_diffusion import models, steps
from edu_diffusion.data import scenes
from edu_diffusion.exercises import bits as bank
from edu_diffusion.exercises import memory, verdict


def refused(name, mine, fitting):
    right, words = verdict(name, mine)
    assert right is False and fitting in words, words


# ---------------------------------------------------------------- letters and numbers say what is so


def test_one_large_weight_leaves_three_values_to_the_others():
    row = 0.2 * torch.rand(1, 64, generator=torch.Generator().manual_seed(0)) - 0.1
    row[0, 5] = 12.7
    back = bank.int8_rows(row)
    assert back[0, 5] == row[0, 5] and sorted({round(w, 4) for w in back[row < 1].tolist()}) == [-0.1, 0.0, 0.1]
    assert bank.OUTLIER.right == "C"


@pytest.fixture(scope="module")
def error():
    """A function (quantized U-Net) -> relative error of v: two scenes at four timesteps."""
    pipe = models.load("base", "cpu")
    scene, abar = scenes.batch(2, seed=31), pipe.scheduler.alphas_cumprod
    z_0, c = steps.encode(pipe, scene.images), steps.embed(pipe, scene.captions)
    eps = torch.randn(z_0.shape, generator=torch.Generator().manual_seed(0))
    noisy = [(steps.q_sample(z_0, eps, abar[t]), t) for t in (50, 400, 800, 950)]

    @torch.no_grad()
    def output(unet):
        return torch.stack([unet(z_t, t, c).sample for z_t, t in noisy]).flatten(2)

    v = output(pipe.unet)

    def of(format, keep=()):
        return ((output(models.quantize_unet(pipe.unet, format, keep)) - v).norm(dim=2) / v.norm(dim=2)).mean().item()

    return of


def test_half_the_bits_cost_about_sixteen_times(error):
    ratio = error(steps.FORMATS["int4"]._replace(group=None)) / error(steps.FORMATS["int8"])
    assert 12 < ratio < 20 and bank.HALF_BITS.right == "C"


def test_the_first_and_the_last_layer_matter_most(error):
    nf4 = steps.FORMATS["nf4"]
    whole = error(nf4)
    kept = {letter: error(nf4, keep) for letter, keep in (("A", "mid_block"), ("C", "attn2"), ("D", "ff"))}
    assert error(nf4, ["conv_in", "conv_out"]) < 0.75 * whole and bank.KEEP_FULL.right == "B"
    assert all(0.93 * whole < other < 1.07 * whole for other in kept.values()), "as it was"


def test_the_decoder_of_xl_has_the_most_activations():
    phases = models.plan("sdxl", dtype=torch.float16).phases
    assert max(phases, key=phases.get) == "VAE decoder" and memory.WORST_PHASE.right == "C"
    assert phases["VAE decoder"] > 8 * phases["U-Net"] and phases["VAE decoder"] > 100 * phases["text encoder"]


def test_the_bytes_of_xl_are_those_of_a_packed_weight():
    packed = steps.quantize_weight(torch.randn(100, 640), "nf4")
    each = (packed.codes.nbytes + packed.scales.nbytes) / 64_000
    assert bank.XL_BYTES.right == pytest.approx(each * 2.567) and "1.36 GB" in bank.XL_BYTES.praise
    assert round(models.plan("sdxl", size=64).weights["unet"] / 4e6) == 2567


def test_the_last_of_thirty_waits_for_four_runs():
    waits = [2.4 * (1 + person // 8) for person in range(30)]
    assert waits[-1] == pytest.approx(memory.LAST_WAITS.right)


def test_the_peak_is_the_planners():
    """For a model whose parts all have the same dtype; the text encoder of 1.5 is one part."""
    for offload in (None, "model"):
        plan = models.plan("sd15", offload=offload)
        weights = torch.tensor([plan.weights[part] for part in ("text_encoder", "unet", "vae")])
        assert memory.peak(weights, torch.tensor([*plan.phases.values()]), bool(offload)) == plan.peak


def test_int8_is_the_packages_own():
    (W,), _ = bank.matrices()
    back = steps.dequantize_weight(steps.quantize_weight(W, "int8", torch.float32))
    assert torch.allclose(bank.int8_rows(W), back, atol=1e-6)


def test_the_codes_are_those_of_the_package():
    for (packed,) in bank.packets():
        assert torch.equal(bank.unpack4(packed), steps.unpack_bits(packed, 4, 2 * len(packed)))


# ---------------------------------------------------------------- functions


def by_rows(W):
    return torch.stack([torch.round(row / (row.abs().max() / 127)) * (row.abs().max() / 127) for row in W])


def by_torch(W):
    zero = torch.zeros(len(W), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(W, W.abs().amax(1) / 127, zero, 0, -127, 127)


@pytest.mark.parametrize(
    "name, mine",
    [
        ("int8_rows", by_rows),
        ("int8_rows", by_torch),
        ("int8_rows", lambda W: (s := W.abs().max(1, keepdim=True).values / 127) * (W / s).round().clamp(-127, 127)),
        ("int8_rows", lambda W: (W.T / (s := W.abs().amax(1) / 127)).round().mul(s).T),
        ("unpack4", lambda packed: torch.stack([packed >> 4, packed & 15], -1).reshape(-1)),
        ("unpack4", lambda packed: torch.tensor([code for byte in packed.tolist() for code in divmod(byte, 16)])),
        ("unpack4", lambda packed: packed.repeat_interleave(2) // torch.tensor([16, 1]).repeat(len(packed)) % 16),
        ("peak", lambda weights, activations, offload: max((weights if offload else sum(weights)) + activations)),
        (
            "peak",
            lambda weights, activations, offload: (weights + activations).max() if offload else sum(weights) + max(activations),
        ),
        (
            "peak",
            lambda weights, activations, offload: torch.stack(
                [w + a for w, a in zip(weights if offload else [sum(weights)] * 3, activations)]
            ).amax(),
        ),  # fmt: skip  # noqa: E501
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right, verdict(name, mine).words


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("int8_rows", lambda W: W, "nothing is rounded"),
        ("int8_rows", lambda W: bank.scaled(W, W.abs().amax(1) / 127), "two tensors"),
        ("int8_rows", lambda W: (W / bank.scale(W)).round().to(torch.int8), "these are the codes q"),
        ("int8_rows", lambda W: 2 * bank.int8_rows(W), "constant factor"),
        ("int8_rows", lambda W: bank.int8_rows(W).T, "transposed"),
        ("int8_rows", lambda W: -bank.int8_rows(W), "opposite sign"),
        ("int8_rows", lambda W: W.max(1) / 127, "unsupported operand"),
        ("int8_rows", lambda W: (W * 127).round() / 127, "whose largest weight is 1"),
        ("int8_rows", lambda W: bank.scaled(W, W.amax(1, keepdim=True) / 127).clamp(-9, 9), "sign must be ignored"),
        ("int8_rows", lambda W: (s := W.abs().amax(1, keepdim=True) / 128) * (W / s).round().clamp(-127, 127), "not at 128"),
        ("int8_rows", lambda W: bank.scaled(W, (W.amax(1, keepdim=True) - W.amin(1, keepdim=True)) / 255), "zero is in the middle"),
        ("int8_rows", lambda W: bank.scaled(W, 2 * W.abs().amax(1, keepdim=True) / 255), "254 steps"),
        ("int8_rows", lambda W: (s := 127 / W.abs().amax(1, keepdim=True)) * (s * W).round(), "if you multiplied, divide"),
        (
            "int8_rows",
            lambda W: (low := W.amin(1, keepdim=True)) + (s := (W.amax(1, keepdim=True) - low) / 254) * ((W - low) / s).round(),
            "begin at the smallest",
        ),
        ("int8_rows", lambda W: bank.scale(W) * (W // bank.scale(W)), "rounded down"),
        ("int8_rows", lambda W: bank.scaled(W, W.std(1, keepdim=True) / 127), "standard deviation"),
        ("int8_rows", lambda W: bank.scaled(W.abs(), bank.scale(W)), "signs of the weights are lost"),
        ("unpack4", lambda packed: torch.stack([a := packed // 16, packed - a], 1).flatten(), "less 16 times"),
        ("unpack4", lambda packed: torch.stack([packed // 16, packed % 15], 1).flatten(), "divide by 16"),
        ("unpack4", lambda packed: torch.stack([(packed / 16).round(), packed % 16], 1).flatten(), "rounded down"),
        ("int8_rows", lambda W: bank.int8_rows(W)[0], "shape"),
        ("unpack4", lambda packed: packed, "must be (10,)"),
        ("unpack4", lambda packed: torch.stack([packed // 16, packed % 16], 1), "a dimension is missing"),
        ("unpack4", lambda packed: torch.cat([packed % 16, packed // 16]), "not in the right places"),
        ("unpack4", lambda packed: packed.repeat_interleave(2), "differ"),
        ("unpack4", lambda packed: (packed >> 4).repeat_interleave(2), "is there twice"),
        ("unpack4", lambda packed: torch.stack([packed >> 4, packed & 16], 1).flatten(), "a single bit"),
        ("peak", lambda w, a, offload: (w + a).argmax() if offload else w.sum() + a.argmax(), "number of the worst phase"),
        ("unpack4", lambda packed: packed[::2], "shape"),
        ("peak", lambda weights, activations, offload: weights + activations, "must be ()"),
        ("peak", lambda weights, activations, offload: weights[1] + activations[1], "differ"),
        ("peak", lambda w, a, offload: w[1] + a[1] if offload else w.sum() + a[1], "chosen beforehand"),
        ("peak", lambda w, a, offload: w[2] + a[2] if offload else w.sum() + a.max(), "chosen beforehand"),
        ("peak", lambda w, a, offload: (w + a).max() if offload else w.sum() + a.sum(), "do not add them up"),
        ("peak", lambda w, a, offload: (w + a).max() if offload else w.max() + a.max(), "all three parts"),
        ("peak", lambda w, a, offload: a.max() if offload else w.sum() + a.max(), "the part that is at work lie in memory, too"),
        ("peak", lambda w, a, offload: (w + a).sum() if offload else w.sum() + a.max(), "adds up all phases"),
        ("peak", lambda w, a, offload: torch.maximum(w, a).max() if offload else w.sum() + a.max(), "together"),
        ("peak", lambda weights, activations, offload: weights.sum(), "differ"),
        ("peak", lambda weights, activations, offload: 2 * memory.peak(weights, activations, offload), "constant factor"),
        ("peak", lambda weights, activations, offload: weights, "must be ()"),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    refused(name, mine, fitting)


def test_codes_are_uint8_or_any_whole_numbers():
    assert verdict("unpack4", lambda packed: bank.unpack4(packed).to(torch.int64)).right
    assert verdict("unpack4", lambda packed: bank.unpack4(packed.int())).right

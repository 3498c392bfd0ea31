"""Traces: nothing changes by being looked at, nothing is left behind, and what is told is true.

On the shipped base, on a tiny pipeline, and on a pipeline whose U-Net has the blocks of Stable Diffusion 1.5
(four levels, two layers each, eight heads), narrow and with random weights.
"""

import threading
import time
from pathlib import Path

import pytest
import tiny
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0
from torch import nn
from torch.testing import assert_close

import edu_diffusion
from edu_diffusion import steps, trace
from edu_diffusion.trace.tree import tensors

BASE = Path(edu_diffusion.__file__).parent / "checkpoints" / "base"
needs_base = pytest.mark.skipif(not BASE.exists(), reason="checkpoints/base is not there yet")
PROMPT = "a red cat"


def built(cls, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return cls(**settings).eval()


@pytest.fixture(scope="module")
def sd15():
    return tiny.sd15()


@pytest.fixture(scope="module")
def base():
    from edu_diffusion import models

    pipe = models.load("base", device="cpu", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(params=["sd15", pytest.param("base", marks=needs_base)])
def pipe(request):
    return request.getfixturevalue(request.param)


def hooks(pipe):
    """How many hooks all modules have; the dictionaries of torch's that hold them."""
    kept = (
        "_forward_hooks",
        "_forward_pre_hooks",
        "_forward_hooks_with_kwargs",
        "_forward_pre_hooks_with_kwargs",
        "_forward_hooks_always_called",
        "_backward_hooks",
    )
    return sum(len(getattr(module, name)) for module in trace.modules(pipe).values() for name in kept)


def inputs(unet, B=2, tokens=7, seed=0):
    generator, size = torch.Generator().manual_seed(seed), unet.config.sample_size
    shapes = (B, 4, size, size), (B, tokens, unet.config.cross_attention_dim)
    z_t, c = (torch.randn(shape, generator=generator) for shape in shapes)
    return z_t, 500, c


# record


def test_a_run_is_bit_identical_and_no_hook_stays(pipe):
    settings = {"num_inference_steps": 2, "guidance_scale": 3.0, "output_type": "pt"}
    before = tiny.vanilla(pipe, PROMPT, **settings)
    with trace.record(pipe, "**") as seen, trace.record_attention(pipe):
        during = tiny.vanilla(pipe, PROMPT, **settings)
        assert hooks(pipe) > 500
    assert hooks(pipe) == 0
    assert torch.equal(before, during) and torch.equal(before, tiny.vanilla(pipe, PROMPT, **settings))
    assert seen.calls["unet"] == seen.calls["unet.mid_block"] == 2
    assert seen.calls["vae.decoder"] == 1 and seen.calls["text_encoder"] == 2, "prompt and negative prompt"


def test_the_readable_loop_gives_the_same_trace_as_the_library(sd15):
    with trace.record(sd15, "unet.mid_block", "unet") as library:
        tiny.vanilla(sd15, PROMPT, num_inference_steps=2, guidance_scale=3.0)
    with trace.record(sd15, "unet.mid_block", "unet") as readable:
        states = list(steps.generate(sd15, PROMPT, steps=2, guidance=3.0))
    for number in range(2):
        mine, theirs = (seen.call("unet.mid_block", number) for seen in (readable, library))
        assert_close(mine.output, theirs.output)
        assert torch.equal(readable.call("unet", number).input[1:], states[number].z_t)
        assert readable.call("unet", number).inputs["timestep"] == states[number].t


@torch.no_grad()
def test_inputs_and_outputs_are_those_of_the_modules(pipe):
    unet, (z_t, t, c) = pipe.unet, inputs(pipe.unet)
    with trace.record(unet, "", "conv_in", "down_blocks.0", "mid_block", "up_blocks.*") as seen:
        out = unet(z_t, t, c)
    assert torch.equal(seen[""][0].outputs.sample, out.sample) and torch.equal(seen[""][0].input, z_t)
    assert seen[""][0].inputs["timestep"] == t and torch.equal(seen[""][0].inputs["encoder_hidden_states"], c)
    assert torch.equal(seen["conv_in"][0].output, unet.conv_in(z_t))
    hidden, skips = seen["down_blocks.0"][0].outputs
    assert torch.equal(skips[-1], hidden) and torch.equal(seen["down_blocks.0"][0].output, hidden)
    again = unet.mid_block(**seen["mid_block"][0].inputs | {"hidden_states": seen["mid_block"][0].input})
    assert torch.equal(again, seen["mid_block"][0].output)
    first, last = seen["up_blocks.0"][0], seen[f"up_blocks.{len(unet.up_blocks) - 1}"][0]
    assert torch.equal(first.inputs["hidden_states"], seen["mid_block"][0].output)
    assert torch.equal(last.inputs["res_hidden_states_tuple"][0], seen["conv_in"][0].output), "skip.0"


class Twice(nn.Module):
    """Calls one part twice, changes a tensor in place, and fails when asked to."""

    def __init__(self):
        super().__init__()
        self.linear, self.relu, self.unused = nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Identity()

    def forward(self, x, fail=False, note=None, **more):
        y = self.linear(x)
        z = self.relu(y)
        if fail:
            raise KeyError("halfway")
        return {"first": z, "second": (self.linear(z), 1.5)}


def test_calls_are_counted_and_chosen():
    model, x = built(Twice), torch.randn(2, 3)
    with trace.record(model, "linear", "relu", at=range(1, 4, 2)) as seen:
        for _ in range(2):
            model(x)
    assert seen.calls == {"linear": 4, "relu": 2}
    assert list(seen["linear"]) == [1, 3] and list(seen["relu"]) == [1]
    assert [call.number for call in seen["linear"].values()] == [1, 3]
    with trace.record(model, at=0, inputs=False) as seen:
        expected = model(x)
    assert seen.names == [""] and seen[""][0].inputs == {} and seen[""][0].input is None
    assert torch.equal(seen[""][0].output, expected["first"]) and seen[""][0].outputs["second"][1] == 1.5


def test_inputs_are_copied_before_the_module_changes_them_in_place():
    model, x = built(Twice), torch.tensor([[-5.0, 1, 5], [3, -2, 1]])
    with trace.record(model, "linear", "relu") as seen:
        model(x)
    before, after = seen["linear"][0].output, seen["relu"][0].output
    assert (before < 0).any() and torch.equal(seen["relu"][0].input, before)
    assert torch.equal(after, before.clamp(min=0)) and torch.equal(seen["linear"][1].input, after)


def test_a_copy_is_a_copy():
    model, x = built(Twice), torch.randn(2, 3, requires_grad=True)
    with trace.record(model, "", "linear") as seen:
        model(x, note=object(), other=[x])
    kept = seen[""][0].inputs
    assert not kept["x"].requires_grad and not seen["linear"][0].output.requires_grad
    assert kept["note"] == "object" and torch.equal(kept["more"]["other"][0], x.detach())
    with torch.no_grad():
        x.zero_()
    assert kept["x"].abs().sum() > 0


@torch.no_grad()
def test_what_is_handed_on_is_kept_and_counted_once():
    model, x = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 7)), torch.zeros(2, 3)
    with trace.record(model, "0", "1", "") as seen:
        model(x)
    assert seen.nbytes == 2 * (3 + 5 + 7) * 4, "the input, what is between the two, the output"
    with trace.record(model, "0", "1", dtype=torch.float16) as half:
        model(x)
    assert half["1"][0].output.dtype == torch.float16 and half.nbytes == seen.nbytes / 2


@torch.inference_mode()
def test_in_inference_mode_nothing_tells_whether_a_tensor_was_changed_so_all_are_copied():
    model, x = nn.Sequential(nn.Linear(3, 5), nn.ReLU(inplace=True)), torch.randn(2, 3)
    with trace.record(model, "0", "1") as seen:
        model(x)
    assert seen.nbytes == 2 * (3 + 5 + 5 + 5) * 4
    assert torch.equal(seen["1"][0].input, model[0](x)) and torch.equal(seen["1"][0].output, model(x))


def test_the_memory_of_a_full_trace_is_that_of_its_tensors(sd15):
    unet = sd15.unet
    with trace.record(unet, "**") as seen, torch.no_grad():
        unet(*inputs(unet))
    kept = [x.untyped_storage() for name in seen for x in tensors(list(seen[name].values()))]
    storages = {storage.data_ptr(): storage.nbytes() for storage in kept}
    assert seen.nbytes == sum(storages.values())
    assert repr(seen) == (f"Trace of {len(seen)} modules: {sum(seen.calls.values())} calls, {seen.nbytes / 1e6:.1f} MB")


def test_integers_keep_their_type_in_a_half_trace(sd15):
    with trace.record(sd15, "text_encoder", dtype=torch.float16) as seen:
        c = steps.embed(sd15, PROMPT)
    assert seen["text_encoder"][0].inputs["input_ids"].dtype == torch.int64
    assert_close(seen["text_encoder"][0].output, c.half())


def test_an_exception_leaves_no_hook_and_the_next_call_is_recorded_right():
    model, x = built(Twice), torch.randn(2, 3)
    with pytest.raises(KeyError), trace.record(model, "**", ""), trace.ablate(model, "linear"):
        model(x, fail=True)
    assert hooks(model) == 0
    with trace.record(model, "") as seen:
        with pytest.raises(KeyError):
            model(x, fail=True)
        model(2 * x)
    assert seen.calls == {"": 1} and torch.equal(seen[""][0].input, 2 * x)


def test_another_threads_run_is_not_mixed_in():
    model, x = built(Twice), torch.randn(2, 3)
    expected, other = model(x)["first"], []
    with trace.ablate(model, "linear"), trace.record(model, "linear") as seen:
        thread = threading.Thread(target=lambda: other.append(model(x)["first"]))
        thread.start()
        thread.join()
        assert seen.calls == {"linear": 0} and torch.equal(other[0], expected)
        assert model(x)["first"].sum() == 0 and seen.calls == {"linear": 2}


def test_another_threads_call_may_meet_hooks_that_are_being_removed():
    """Torch looks up which hooks want kwargs after it has listed the hooks: for one removed in between there are none."""

    def forget(module, *_):
        module._forward_pre_hooks_with_kwargs.clear()
        module._forward_hooks_with_kwargs.clear()

    unet, asked, done = tiny.pipeline().unet, (torch.randn(1, 4, 8, 8), 5, torch.randn(1, 3, 32)), []
    expected = unet(*asked).sample
    handles = [module.register_forward_pre_hook(forget) for module in unet.modules()]
    try:
        with trace.record(unet, "**"), trace.record_attention(unet), trace.ablate(unet, "mid_block", "skip.0"):
            thread = threading.Thread(target=lambda: done.append(unet(*asked).sample))
            thread.start()
            thread.join()
    finally:
        for handle in handles:
            handle.remove()
    assert torch.equal(done[0], expected)


# names


@pytest.mark.parametrize(
    "patterns, expected",
    [
        (["mid_block"], 1),
        (["down_blocks.*"], 4),
        (["down_blocks.*.resnets.0"], 4),
        (["**.attn2"], 16),
        (["*_blocks.*", "mid_block", "down_blocks.0"], 9),
        (["conv_*"], 4),
        (["*"], 7),
        (["**.conv_in"], 1),
        (["mid_block.resnets.0.**"], 7),
    ],
)
def test_patterns(sd15, patterns, expected):
    with trace.record(sd15.unet, *patterns) as seen:
        assert len(seen) == expected == len(set(seen))


def test_names_in_the_order_of_the_model(sd15):
    with trace.record(sd15, "unet.conv_out", "vae.decoder.conv_in", "unet.conv_in") as seen:
        assert list(seen) == [name for name in trace.modules(sd15) if name in seen.names]
    with trace.record(sd15) as seen:
        assert set(seen) == {"unet", "vae", "text_encoder"}


@pytest.mark.parametrize(
    "names, message",
    [
        (["unet.midblock"], "There is no 'unet.midblock' here; similar names are .*unet.mid_block"),
        (["mid_block"], "similar names are .*unet.mid_block"),
        (["unet.down_blocks"], "similar names are .*unet.down_blocks.0"),
        (["???"], "There is no '\\?\\?\\?' here; the names are vae, vae.\\*\\*, text_encoder, "),
        ([3], "One name is 3; it must be a string"),
        ([["unet"]], r"One name is \['unet'\]"),
    ],
)
def test_wrong_names(sd15, names, message):
    with pytest.raises(ValueError, match=message):
        trace.record(sd15, *names).__enter__()
    assert hooks(sd15) == 0


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"at": -1}, "at is -1; it must be the number of a call"),
        ({"at": "3"}, "at is '3'"),
        ({"at": True}, "at is True"),
        ({"at": [1, 2.0]}, r"at is \[1, 2.0\]"),
        ({"at": 2.5}, "at is 2.5"),
        ({"dtype": "fp16"}, "dtype is 'fp16'; it must be one such as torch.float16"),
        ({"dtype": torch.int8}, "dtype is torch.int8"),
    ],
)
def test_wrong_settings(sd15, settings, message):
    with pytest.raises(ValueError, match=message):
        trace.record(sd15.unet, "mid_block", **settings).__enter__()
    assert hooks(sd15) == 0


def test_what_is_not_in_a_trace():
    model = built(Twice)
    with trace.record(model, "linear", "unused", at=[1, 5]) as seen:
        model(torch.zeros(1, 3))
    for call, message in [
        (lambda: seen["lineer"], "There is no 'lineer' here; similar names are linear"),
        (lambda: seen.call("linear", 0), "linear has no call 0: it was called 2 times, and recorded are 1."),
        (lambda: seen.call("unused"), "unused has no call 0: it was called 0 times, and none is recorded."),
        (lambda: trace.modules("a model").keys(), "model is a str; it must be a torch module or a diffusers"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


# attention


class Keeping(AttnProcessor):
    """The library's own attention without shortcuts, which also keeps its probabilities, by module."""

    def __init__(self):
        self.maps = {}

    def __call__(self, attn, *args, **kwargs):
        original = attn.get_attention_scores

        def keep(*more):
            scores = original(*more)
            self.maps.setdefault(attn, []).append(scores.unflatten(0, (-1, attn.heads)))
            return scores

        attn.get_attention_scores = keep
        try:
            return super().__call__(attn, *args, **kwargs)
        finally:
            del attn.get_attention_scores


def eager_maps(unet, run):
    """The probabilities of every attention, {module: [a tensor for each call]}, from an eager run."""
    keeping, before = Keeping(), unet.attn_processors
    unet.set_attn_processor(keeping)
    try:
        run()
    finally:
        unet.set_attn_processor(before)
    return keeping.maps


@torch.no_grad()
def test_maps_are_those_of_eager_attention(pipe):
    def run():
        list(steps.generate(pipe, [PROMPT, "a dog"], steps=2, guidance=3.0))

    with trace.record_attention(pipe, "unet.**.attn*") as seen:
        run()
    assert {type(processor) for processor in pipe.unet.attn_processors.values()} == {AttnProcessor2_0}
    expected = eager_maps(pipe.unet, run)
    names = [name for name in seen.modules if name.endswith((".attn1", ".attn2"))]
    assert len(names) == len(expected) > 4
    for name in names:
        for call in range(2):
            maps = trace.attention_maps(seen, name, call)
            assert maps.shape[:2] == (4, seen.modules[name].heads) and maps.dtype == torch.float32
            assert_close(maps, expected[seen.modules[name]][call], atol=1e-4, rtol=1e-3)  # two runs, rounded differently
            assert_close(maps.sum(3), torch.ones(maps.shape[:3]))
    cross = trace.cross_attention(pipe)
    assert cross == [name for name in names if name.endswith("attn2")]
    assert all(trace.attention_maps(seen, name).shape[3] == pipe.tokenizer.model_max_length for name in cross)


def test_in_one_run_maps_are_nearly_bit_equal(sd15):
    unet = sd15.unet
    with trace.record_attention(unet) as seen, torch.no_grad():
        kept = eager_maps(unet, lambda: unet(*inputs(unet)))
    for name in trace.cross_attention(unet):
        expected = kept[seen.modules[name]][0]
        assert_close(trace.attention_maps(seen, name), expected, rtol=1e-6, atol=1e-7)


def test_the_shape_of_stable_diffusion_15(sd15):
    names = trace.cross_attention(sd15.unet)
    assert len(names) == 16 and all(sd15.unet.get_submodule(name).heads == 8 for name in names)
    with trace.record_attention(sd15.unet) as seen, torch.no_grad():
        sd15.unet(*inputs(sd15.unet))
    assert sorted(trace.resolutions(seen).values()) == [(2, 2)] + [(4, 4)] * 5 + [(8, 8)] * 5 + [(16, 16)] * 5


@pytest.mark.parametrize("size, h, w", [(64, 16, 16), ((32, 64), 16, 32), ((40, 24), 20, 12), (48, 5, 5)])
def test_the_shape_of_maps_of_any_picture(sd15, size, h, w):
    z_t, t, c = inputs(sd15.unet)
    with trace.record_attention(sd15.unet, at=0) as seen, torch.no_grad():
        sd15.unet(z_t[:, :, :1, :1].expand(2, 4, h, w), t, c)
    levels = {(-(-h // n), -(-w // n)) for n in (1, 2, 4, 8)}  # an odd number is halved upwards
    assert set(trace.resolutions(seen, size).values()) == levels
    maps = trace.heat_maps(seen, size)
    assert maps.shape == (2, 7, *(size if isinstance(size, tuple) else (size, size)))
    assert_close(maps.sum(1), torch.ones_like(maps[:, 0]))


def test_heat_maps_are_means(sd15):
    with trace.record_attention(sd15) as seen:
        list(steps.generate(sd15, PROMPT, steps=3, guidance=3.0))
    fine = [name for name, grid in trace.resolutions(seen).items() if grid == (16, 16)]
    every = [trace.attention_maps(seen, name, call) for name in fine for call in (0, 2)]
    expected = torch.stack(every).mean((0, 2)).transpose(1, 2).unflatten(2, (16, 16))
    assert_close(trace.heat_maps(seen, 16, names=fine, calls=(0, 2)), expected)
    one = trace.attention_maps(seen, fine[1], 1)[:, 5].transpose(1, 2).unflatten(2, (16, 16))
    assert_close(trace.heat_maps(seen, 16, names=fine[1], calls=1, head=5), one)
    large = trace.heat_maps(seen, 64)
    assert large.shape == (2, 16, 64, 64) and (large >= 0).all()
    assert_close(large.sum(1), torch.ones(2, 64, 64))


def test_a_token_that_is_looked_at_from_one_corner():
    """q and k made by hand: the first quarter of the positions looks at token 2, all others at token 0."""

    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn = Attention(4, 4, heads=1, dim_head=4)
            for layer in (self.attn.to_q, self.attn.to_k):
                layer.weight.data = 20 * torch.eye(4)

        def forward(self, x, c):
            return self.attn(x, c)

    corner = torch.zeros(8, 8, dtype=torch.bool)
    corner[:4, :4] = True
    x = torch.where(corner.flatten()[:, None], torch.eye(4)[2], torch.eye(4)[0])
    with trace.record_attention(model := One()) as seen:
        model(x[None], torch.eye(4)[None])
    heat = trace.heat_maps(seen, 8)[0]
    assert_close(heat[2], corner.float())
    assert_close(heat[0], 1 - corner.float())


def test_words(sd15):
    spans = trace.words(sd15.tokenizer, "a red catdog, è")
    assert [word for word, _ in spans] == ["<start>", "a", "red", "catdog", ",", "è", "<end>"]
    assert sum((span for _, span in spans), []) == list(range(tiny.TOKENS))
    assert len(dict(spans)["catdog"]) == 3 and len(dict(spans)["red"]) == 1, "ca, t, dog"
    cut = trace.words(sd15.tokenizer, "cat " * 50)
    assert len(cut) == tiny.TOKENS and cut[-1] == ("<end>", [tiny.TOKENS - 1])
    maps = torch.rand(2, tiny.TOKENS, 4, 4)
    by_word = trace.by_word(maps, spans)
    assert by_word.shape == (2, 7, 4, 4)
    assert_close(by_word.sum(1), maps.sum(1))
    assert_close(by_word[:, 2], maps[:, dict(spans)["red"][0]])


def test_attentions_whose_maps_would_come_out_wrong(sd15):
    unet, (z_t, t, c) = sd15.unet, inputs(sd15.unet)
    name = "mid_block.attentions.0.transformer_blocks.0.attn2"
    with trace.record_attention(unet) as seen, torch.no_grad():
        unet(z_t, t, c, encoder_attention_mask=torch.ones(2, 7))
    with pytest.raises(ValueError, match=f"The maps of {name} cannot be computed from q and k: it has a mask"):
        trace.attention_maps(seen, name)
    before = unet.attn_processors
    unet.set_attn_processor(type("Shared", (AttnProcessor2_0,), {})())
    with trace.record_attention(unet) as seen, torch.no_grad():
        unet(z_t, t, c)
    with pytest.raises(ValueError, match=r"a custom processor \(Shared\)"):
        trace.heat_maps(seen, 16)
    unet.set_attn_processor(before)
    trace.attention_maps(seen, name)


def test_wrong_questions_about_attention(sd15):
    with trace.record_attention(sd15, "unet.mid_block.**", "unet.up_blocks.1.**.attn1", at=0) as seen:
        list(steps.generate(sd15, PROMPT, steps=2, guidance=1.0))
    with trace.record(sd15, "unet.mid_block") as other:
        pass
    mid = "unet.mid_block.attentions.0.transformer_blocks.0.attn2"
    for call, message in [
        (lambda: trace.attention_maps(seen, "unet.mid_block"), f"no q and k of 'unet.mid_block'; .*{mid}"),
        (lambda: trace.attention_maps(other, mid), "it has those of none; use record_attention"),
        (lambda: trace.attention_maps(seen, mid, 1), "no call 1: it was called 2 times, and recorded are 0"),
        (lambda: trace.heat_maps(seen, 64, names=[]), "There is no attention to take maps from"),
        (lambda: trace.heat_maps(other, 64), "There is no attention to take maps from"),
        (lambda: trace.heat_maps(seen, 64, names=trace.resolutions(seen)), "different numbers of tokens"),
        (lambda: trace.heat_maps(seen, 64, calls=[]), f"no calls of {mid}"),
        (lambda: trace.heat_maps(seen, 64, head=8), f"head is 8; {mid} has the heads 0 to 7"),
        (lambda: trace.heat_maps(seen, "64"), "size is '64'; it must be a whole number"),
        (lambda: trace.heat_maps(seen, 6.5), "size is 6.5"),
        (lambda: trace.record_attention(sd15, "unet.mid_block").__enter__(), "There is no 'unet.mid_block'"),
        (lambda: trace.record_attention(sd15.vae).__enter__(), "no cross-attention, so it does not attend to any text"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    assert hooks(sd15) == 0
    with trace.record_attention(sd15) as unused:
        pass
    with pytest.raises(ValueError, match="called 0 times, and none is recorded"):
        trace.resolutions(unused)


def test_half_precision_maps_are_near(sd15):
    with trace.record_attention(sd15) as full, trace.record_attention(sd15, dtype=torch.float16) as half:
        list(steps.generate(sd15, PROMPT, steps=1, guidance=1.0))
    assert half.nbytes * 2 == full.nbytes
    assert_close(trace.heat_maps(half, 32), trace.heat_maps(full, 32), rtol=0.01, atol=1e-3)


def test_a_held_norm_goes_by_what_it_measured_first():
    norm, first = built(nn.GroupNorm, num_groups=2, num_channels=4), torch.randn(1, 4, 5, 5)
    with torch.no_grad():
        norm.weight.uniform_(), norm.bias.uniform_()
    elsewhere = first.clone()
    elsewhere[..., 0, 0] += 9
    plain = norm(first)
    with trace.hold_norms(nn.Sequential(norm)) as held:
        assert list(held) == ["0"]
        assert_close(norm(first), plain)
        assert_close(norm(elsewhere)[..., 1:, 1:], plain[..., 1:, 1:])  # an edit in one place is felt nowhere else
    assert (norm(elsewhere) - plain)[..., 1:, 1:].abs().max() > 0.1  # and afterwards it is as it was


# ablate


@torch.no_grad()
def test_ablations_equal_those_of_the_readable_unet(pipe):
    """A block is all that it gives: what it hands on, and the skips that it keeps."""
    unet, (z_t, t, c) = pipe.unet, inputs(pipe.unet)
    count = 1 + sum(len(b.resnets) + bool(b.downsamplers) for b in unet.down_blocks)
    plain = unet(z_t, t, c).sample
    for name, zeroed in [
        ("mid_block", {"mid"}),
        ("up_blocks.1", {"up.1"}),
        ("skip.0", {"skip.0"}),
        (f"skip.{count - 1}", {f"skip.{count - 1}"}),
        ("skip.3", {"skip.3"}),
        ("skip.*", {f"skip.{i}" for i in range(count)}),
    ]:
        with trace.ablate(unet, name):
            got = unet(z_t, t, c).sample
        expected = steps.unet_forward(unet, z_t, t, c, lambda at, x, z=zeroed: x * 0 if at in z else x)
        assert_close(got, expected)
        assert not torch.allclose(got, plain, atol=1e-5), f"{name} contributes nothing"
    assert torch.equal(unet(z_t, t, c).sample, plain) and hooks(unet) == 0
    with trace.ablate(unet, "down_blocks.0"), trace.record(unet, "down_blocks.0") as seen:
        unet(z_t, t, c)
    assert all((x == 0).all() for x in tensors(seen["down_blocks.0"][0].outputs))


@torch.no_grad()
def test_identity_leaves_the_residual_out(pipe):
    unet = pipe.unet
    names = ["down_blocks.1.resnets.0", "mid_block.resnets.1", "mid_block.attentions.0", "up_blocks.0.resnets.0"]
    with trace.ablate(unet, *names, how="identity"), trace.record(unet, *names, "**.conv_shortcut") as seen:
        unet(*inputs(unet))
    for name in names:
        shortcut = getattr(unet.get_submodule(name), "conv_shortcut", None)
        given = seen[name][0].input
        assert_close(seen[name][0].output, given if shortcut is None else shortcut(given))
    assert set(seen.calls.values()) == {1}, "the shortcut is not counted again"


@torch.no_grad()
def test_ablation_by_the_step_and_by_a_function(sd15):
    def run(name="unet.mid_block", **settings):
        with trace.ablate(sd15, name, **settings):
            return [state.z_s for state in steps.generate(sd15, PROMPT, steps=3, guidance=1.0)]

    plain = [state.z_s for state in steps.generate(sd15, PROMPT, steps=3, guidance=1.0)]
    for late in run(at=2), run("unet.skip.3", at=[2]):
        assert torch.equal(late[1], plain[1]) and not torch.equal(late[2], plain[2])
    assert all(map(torch.equal, run(how=lambda x: x), plain))
    assert all(map(torch.equal, run(how=lambda x: x * 0), run()))


@pytest.mark.parametrize(
    "names, settings, message",
    [
        ([], {}, "There is nothing to ablate"),
        (["mid_bloc"], {}, "similar names are mid_block"),
        (["skip.12"], {}, "There is no 'skip.12' here; similar names are skip.2, skip.1, "),
        (["mid_block"], {"how": "skip"}, "how is 'skip'; it must be 'zero', 'identity', or a function"),
        (["mid_block"], {"at": -2}, "at is -2"),
        (["skip.1"], {"how": "identity"}, "A skip is not a module"),
        (["down_blocks.0"], {"how": "identity"}, "down_blocks.0 returns several tensors"),
        (["conv_in"], {"how": "identity"}, r"conv_in returns \(2, 16, 16, 16\), .* is \(2, 4, 16, 16\)"),
        (["skip.1"], {"how": lambda x: x.double()}, "is .*torch.float64; shape and dtype must be the same"),
        (["mid_block"], {"how": lambda x: None}, "is NoneType; shape and dtype must be the same"),
    ],
)
def test_wrong_ablations(sd15, names, settings, message):
    with pytest.raises(ValueError, match=message), torch.no_grad():
        with trace.ablate(sd15.unet, *names, **settings):
            sd15.unet(*inputs(sd15.unet))
    assert hooks(sd15) == 0


def test_skips_of_a_block_that_is_given_them_without_their_name():
    from diffusers import UNet2DModel

    unet = built(
        UNet2DModel,
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
    )
    with trace.ablate(unet, "skip.0"), trace.record(unet, "up_blocks.1") as seen, torch.no_grad():
        unet(torch.randn(1, 1, 8, 8), 3)
    skips = seen["up_blocks.1"][0].inputs["res_hidden_states_tuple"]
    assert [bool((x == 0).all()) for x in skips] == [True, False]


# profile


def test_a_profile_adds_up(pipe):
    unet = pipe.unet
    found = trace.profile(unet, *inputs(unet), runs=2)
    *blocks, rest = found.shares
    count = len(unet.down_blocks)
    assert [b.name for b in blocks if "block" in b.name] == [
        *(f"down_blocks.{i}" for i in range(count)),
        "mid_block",
        *(f"up_blocks.{i}" for i in range(count)),
    ]
    assert sum(b.parameters for b in found.shares) == sum(p.numel() for p in unet.parameters())
    assert all(b.low <= b.seconds <= b.high for b in found.shares) and found.runs == 2
    assert rest.name == "the rest" and rest.parameters == 0
    with trace.record(unet, "*", "*_blocks.*", inputs=False) as seen, torch.no_grad():
        unet(*inputs(unet))
    for block in blocks:
        outputs = {x.data_ptr(): x.nbytes for x in tensors(seen[block.name][0].outputs)}
        assert block.nbytes == sum(outputs.values()) and block.kind == type(seen.modules[block.name]).__name__
    assert hooks(unet) == 0


class Slow(nn.Module):
    """Lets a clock made by hand go on by so many seconds at each of its calls."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def forward(self, x):
        self.clock[0] += self.seconds.pop(0)
        return torch.cat([x, x])


def test_seconds_by_a_clock_made_by_hand(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    # the first call warms up; then runs with clocks (1, 3, 2 seconds) and without (9 each) take turns
    slow = nn.Sequential(Slow(clock, [70, 1, 9, 3, 9, 2, 9]), nn.ReLU(), Slow(clock, [70, 4, 9, 4, 9, 4, 9]))
    found = trace.profile(slow, torch.zeros(1, 5), names=["0", "2"], runs=3)
    first, last, rest = found.shares
    assert first[2:] == (0, 2 * 5 * 4, 2, 1, 3) and last[2:] == (0, 4 * 5 * 4, 4, 4, 4)
    assert (rest.seconds, found.seconds, found.plain) == (0, 6, 18)


def test_a_part_that_is_called_twice_takes_the_time_of_both(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    slow = Slow(clock, [70, 70, 1, 2, 9, 9])
    assert trace.profile(nn.Sequential(slow, slow), torch.zeros(1, 5), runs=1).shares[0].seconds == 3


def test_parts_that_are_never_called_come_last():
    shares = trace.profile(built(Twice), torch.zeros(1, 3), runs=1).shares
    assert [share.name for share in shares] == ["linear", "relu", "unused", "the rest"]
    assert shares[2].seconds == 0 and shares[2].nbytes == 0 and shares[0].parameters == 12


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"runs": 0}, "runs is 0; it must be a whole number, at least 1"),
        ({"runs": 1.5}, "runs is 1.5"),
        ({"names": ["linea"]}, "similar names are linear"),
        ({"names": ["**", ""]}, "linear is inside the whole model"),
    ],
)
def test_wrong_profiles(settings, message):
    with pytest.raises(ValueError, match=message):
        trace.profile(built(Twice), torch.zeros(1, 3), **settings)


def test_a_profile_of_a_pipeline_is_refused_and_a_failing_run_leaves_no_clock(sd15):
    with pytest.raises(ValueError, match="model is a StableDiffusionPipeline; it must be a torch module"):
        trace.profile(sd15)
    model = built(Twice)
    with pytest.raises(KeyError):
        trace.profile(model, torch.zeros(1, 3), fail=True)
    assert hooks(model) == 0

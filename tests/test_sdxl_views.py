"""Traces, attention maps, the pipeline map and the explorers on pipelines shaped like Stable Diffusion 1.5, 2 and XL."""

import pytest
import real
import tiny
import torch
from diffusers import DDIMScheduler
from diffusers.models.attention_processor import AttnProcessor
from torch.testing import assert_close

from edu_diffusion import steps, trace
from edu_diffusion.widgets import GuidanceExplorer, PipelineMap
from edu_diffusion.widgets.pipeline_map.run import record_run, tensor
from edu_diffusion.widgets.progress import finished

PROMPT = "a red cat"
# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module", params=[real.sd15, real.sd2, real.sdxl], ids=["1.5", "2", "xl"])
def pipe(request):
    pipe = request.param()
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    return pipe


@pytest.fixture(scope="module")
def xl():
    pipe = real.sdxl()
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    return pipe


def test_attention_maps_of_every_cross_attention(pipe):
    """Against the library's own weights, which its plain processor computes."""
    seen, scores = {}, {}
    with trace.record_attention(pipe) as recording:
        list(steps.generate(pipe, PROMPT, steps=1, guidance=3.0))
    names = trace.cross_attention(pipe)
    assert len(names) == sum(name.endswith("attn2") for name, _ in pipe.unet.named_modules()) and names
    for name in names:
        attn = recording.modules[name]
        scores[name] = attn.get_attention_scores
        attn.get_attention_scores = lambda *a, name=name, **k: seen.setdefault(name, scores[name](*a, **k))
    before = dict(pipe.unet.attn_processors)
    pipe.unet.set_attn_processor(AttnProcessor())
    list(steps.generate(pipe, PROMPT, steps=1, guidance=3.0))
    pipe.unet.set_attn_processor(before)
    for name in names:
        del recording.modules[name].get_attention_scores
        assert_close(trace.attention_maps(recording, name).flatten(0, 1), seen[name])
    assert trace.heat_maps(recording, size=64).shape[-2:] == (64, 64)
    spans = trace.words(pipe.tokenizer, PROMPT)
    assert trace.by_word(trace.heat_maps(recording, 64), spans).shape[1] == len(spans)


def test_a_trace_of_everything_changes_nothing(pipe):
    plain = steps.draw(pipe, PROMPT, steps=2)
    with trace.record(pipe, "unet.**") as recording:
        assert torch.equal(steps.draw(pipe, PROMPT, steps=2), plain)
    assert recording.calls["unet.conv_in"] == recording.calls["unet.up_blocks.2"] == 2
    shares = trace.profile(pipe.vae.decoder, torch.randn(1, 4, 8, 8), runs=1).shares
    assert sum(share.parameters for share in shares) == sum(p.numel() for p in pipe.vae.decoder.parameters())


def test_the_map_of_xl_shows_both_encoders_and_what_is_added(xl):
    run = finished(record_run(xl, PROMPT, steps=2, guidance=3.0))
    c, pooled = steps.embed_xl(xl, [PROMPT])
    both = [tensor(run, name, 0)[-1:] for name in ("text_encoder", "text_encoder_2")]
    assert_close(torch.cat(both, dim=-1), c)
    added = {"text_embeds": pooled, "time_ids": steps.size_ids((64, 64), (0, 0), (64, 64))[None]}
    assert_close(tensor(run, "add_embedding", 1)[-1:], steps.added_embedding(xl.unet, added, run.states[0].z_t))


def test_the_pictures_of_the_map(pipe):
    xl = pipe.unet.config.addition_embed_type is not None
    map = PipelineMap(pipe, PROMPT, steps=2)
    map.redraw()
    boxes = [box["name"] for box in map.diagram["boxes"]]
    assert ("text_encoder_2" in boxes and "add_embedding" in boxes) == xl
    for name in boxes:
        map.chosen = name
        assert not map.problem and map.details["name"] == name and map.details["code"]
        marked = map.details["code"][map.details["line"]]
        if xl and name == "text_encoder":
            assert "answers.append(encoder(" in marked
    assert ("text encoder 2" in map.figure().alt) == xl
    inside = {(a, b) for a, b in ((arrow["start"], arrow["end"]) for arrow in map.diagram["arrows"])}
    assert (("add_embedding", "unet") in inside) == xl


def test_the_guidance_explorer_predicts_with_the_added_conditioning(xl):
    explorer = GuidanceExplorer(xl, PROMPT, steps=2, step=1)
    explorer.figure()
    state = next(steps.generate(xl, PROMPT, steps=2))
    from edu_diffusion.widgets.guidance import both

    eps, _ = both(*explorer.asked("", PROMPT, state.z_t), state, steps.GUIDANCE)
    assert_close(torch.stack(eps), torch.stack([state.eps_u, state.eps_c, state.eps]))


def test_the_cache_tells_other_sizes_apart(xl):
    """Two calls that differ only in the added conditioning must not share an output."""
    from edu_diffusion.widgets.cached_runs import CachedRuns

    unet, z_t = CachedRuns(xl).view().unet, torch.zeros(1, 4, 8, 8)
    c, pooled = steps.embed_xl(xl, [PROMPT])
    outs = []
    for size in (64, 32):
        ids = steps.size_ids((size, size), (0, 0), (64, 64))[None]
        outs += unet(z_t, 5, encoder_hidden_states=c, added_cond_kwargs={"text_embeds": pooled, "time_ids": ids})
    assert (outs[0] - outs[1]).abs().max() > 0


def test_tokens_are_the_same_for_both_encoders(xl):
    assert len(xl.tokenizer) == len(xl.tokenizer_2) and xl.tokenizer.model_max_length == tiny.TOKENS

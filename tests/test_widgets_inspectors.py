"""The U-Net inspector, the attention explorer and the CLIP explorer, without a browser.

On the shipped base, and on a pipeline whose U-Net has the blocks of Stable Diffusion 1.5, narrow and random.
"""

import threading
from pathlib import Path

import pytest
import tiny
import torch
from ipywidgets import Image, Output
from torch.testing import assert_close
from transformers import CLIPConfig, CLIPModel
from widget_tools import descendants, operable, shown_html

import edu_diffusion
from edu_diffusion import figures, steps, trace
from edu_diffusion.figures.unet import without
from edu_diffusion.widgets import explore
from edu_diffusion.widgets.attention import AttentionExplorer, RecordedAttention
from edu_diffusion.widgets.clip import VIEWS, ClipExplorer, Pairs, differing, swapped
from edu_diffusion.widgets.images import small
from edu_diffusion.widgets.progress import finished
from edu_diffusion.widgets.unet import COSTS, OUTPUT, WITHOUT, RecordedUNet, UNetInspector, output, skips

CHECKPOINTS = Path(edu_diffusion.__file__).parent / "checkpoints"
PROMPT = "a red cat"
COUNTED = []  # one entry for each call of a U-Net, or of one of CLIP's towers


def counted(*modules):
    for module in modules:
        module.register_forward_pre_hook(lambda module, args: COUNTED.append(type(module).__name__))


@pytest.fixture(scope="module")
def sd15():
    pipe = tiny.sd15()
    counted(pipe.unet)
    return pipe


@pytest.fixture(scope="module")
def base():
    if not (CHECKPOINTS / "base").exists():
        pytest.skip("checkpoints/base is not there yet")
    from edu_diffusion import models

    pipe = models.load("base", device="cpu", dtype=torch.float32)
    counted(pipe.unet)
    return pipe


@pytest.fixture(params=["sd15", "base"])
def pipe(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def nothing_counted():
    COUNTED.clear()


@pytest.fixture
def browser(monkeypatch):
    monkeypatch.setattr(explore, "asked_in_browser", lambda: True)


def calls(change):
    """How many calls something takes."""
    before = len(COUNTED)
    change()
    return len(COUNTED) - before


def put(widget, name, value):
    """Set a control; returns how many calls that took."""
    return calls(lambda: setattr(widget.controls[name], "value", value))


def hooks(pipe):
    lists = ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs")
    return sum(len(getattr(module, name)) for module in trace.modules(pipe).values() for name in lists)


# ---------------------------------------------------------------- the U-Net


def test_one_run_and_nothing_is_computed_twice(pipe):
    before = hooks(pipe)
    widget = UNetInspector(pipe, PROMPT, steps=2, block="conv_out")
    assert calls(widget.redraw) == 2
    assert "conv_out at step 1 of 2, t = 999" in widget.picture.alt
    assert put(widget, "step", 2) == put(widget, "block", "skip.1") == 0
    assert put(widget, "block", "time_embedding") == 0
    assert "marked is step 2" in widget.picture.alt
    assert calls(widget.figure) == 0, "the same picture without a kernel, from the same trace"
    assert put(widget, "view", COSTS) == 7 and put(widget, "view", OUTPUT) == put(widget, "view", COSTS) == 0
    assert put(widget, "view", WITHOUT) == 2, "one call a step"
    assert put(widget, "view", OUTPUT) == put(widget, "view", WITHOUT) == 0
    assert put(widget, "block", "skip.0") == put(widget, "block", "skip.1") == 2, "another block"
    assert put(widget, "block", "skip.0") == 0
    assert put(widget, "seed", 1) == 4, "another run, and another without the block"
    assert hooks(pipe) == before


def test_every_block_and_skip_is_in_the_trace(pipe):
    inside = RecordedUNet(pipe, 1, 4.0)
    run = explore_run(inside.runs)
    sizes = [output(run.trace, block, 0).shape for block in [*inside.blocks, *inside.skips]]
    assert [len(size) for size in sizes] == [1] + [3] * (len(sizes) - 1), "a vector for the time, else maps"
    assert sizes[inside.blocks.index("conv_out")] == run.trace.call("unet").output.shape[1:]
    assert len(COUNTED) == 1


def test_the_skips_are_those_of_the_readable_unet(pipe):
    inside, made = RecordedUNet(pipe, 1, 4.0), {}
    run = explore_run(inside.runs)
    given = run.trace.call("unet").inputs
    with torch.no_grad():
        steps.unet_forward(
            pipe.unet,
            given["sample"],
            given["timestep"],
            given["encoder_hidden_states"],
            edit=lambda name, x: made.setdefault(name, x),
        )
    found = skips(run.trace, 0)
    assert len(found) == len(inside.skips) == sum(name.startswith("skip") for name in made)
    for name, skip in zip(inside.skips, found):
        assert_close(skip, made[name])


def explore_run(runs, prompt=PROMPT, seed=0):
    """The Run, without the sentences."""
    return finished(runs.ask(prompt, seed))


def test_the_feature_map_is_that_of_the_prompt(sd15):
    with trace.record(sd15, "unet.conv_out") as seen:
        states = list(steps.generate(sd15, PROMPT, seed=3, steps=2))
    expected = figures.feature_maps(seen.call("unet.conv_out", 1).output[1], f"conv_out at step 2 of 2, t = {states[1].t}")
    widget = UNetInspector(sd15, PROMPT, seed=3, steps=2, block="conv_out", step=2)
    assert widget.figure().png == expected.png and widget.figure().alt == expected.alt


def test_the_costs_name_every_shape(sd15):
    widget = UNetInspector(sd15, PROMPT, steps=1, view=COSTS)
    alt = widget.figure().alt
    assert alt.startswith("Shapes: time_embedding 64; conv_in 16 x 16 x 16; down_blocks.0 16 x 8 x 8;")
    assert "mid_block 32 x 2 x 2" in alt and "skip.11 32 x 2 x 2. The blocks" in alt
    assert "for a batch of 2: bars for 13 blocks" in alt, "twelve and the rest"


def test_without_a_block_the_picture_is_that_of_the_ablated_loop(sd15):
    widget = UNetInspector(sd15, PROMPT, steps=2, view=WITHOUT, block="skip.3")
    whole = decoded(sd15)
    with trace.ablate(sd15, "unet.skip.3"):
        cut = decoded(sd15)
    assert (whole - cut).abs().mean() > 1e-4
    expected = without(whole, cut, "skip.3", scale=4)
    assert widget.figure().png == expected.png and widget.figure().alt == expected.alt
    assert "without skip.3" in expected.alt


def decoded(pipe):
    *_, state = steps.generate(pipe, PROMPT, steps=2)
    return steps.decode(pipe, state.z_s)[0]


def test_a_stopped_run_leaves_no_hook_and_keeps_nothing(sd15):
    before, inside = hooks(sd15), RecordedUNet(sd15, 5, 4.0)
    for view in (OUTPUT, WITHOUT):
        drawing = inside.draw(PROMPT, 0, view, "mid_block", 1)
        assert next(drawing) == "Step 1 of 5" and len(COUNTED) == 1
        drawing.close()
        assert hooks(sd15) == before
        COUNTED.clear()
    explore_run(inside.runs)
    drawing = inside.draw(PROMPT, 0, WITHOUT, "mid_block", 1)
    assert next(drawing) == "Step 1 of 5", "now without the block"
    drawing.close()
    assert hooks(sd15) == before
    COUNTED.clear()
    assert next(inside.draw(PROMPT, 0, WITHOUT, "mid_block", 1)) == "Step 1 of 5" and len(COUNTED) == 1, "from the start"


def test_the_last_value_wins(sd15, browser):
    widget = UNetInspector(sd15, PROMPT, steps=3)
    for seed in range(1, 6):
        widget.controls["seed"].value = seed
    widget.controls["block"].value = "skip.0"
    widget.wait()
    assert "of skip.0 at step 1 of 3" in widget.picture.alt
    assert widget.picture.png == UNetInspector(sd15, PROMPT, seed=5, steps=3, block="skip.0").figure().png


def test_two_threads_get_the_run_that_each_asked_for(sd15):
    inside, got = RecordedUNet(sd15, 2, 4.0), {}

    def ask(seed):
        got[seed] = explore_run(inside.runs, seed=seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [1, 2, 3]
    for seed, run in got.items():
        assert_close(run.image, explore_run(RecordedUNet(sd15, 2, 4.0).runs, seed=seed).image)
        assert run.trace.calls["unet.mid_block"] == 2


def test_training_on_makes_the_old_run_worthless():
    pipe = tiny.pipeline()
    counted(pipe.unet)
    widget = UNetInspector(pipe, PROMPT, steps=1, block="conv_out")
    first = widget.figure()
    assert calls(widget.figure) == 0
    with torch.no_grad():
        pipe.unet.conv_in.weight.mul_(2)
    assert calls(widget.figure) == 1 and widget.figure().png != first.png
    put(widget, "view", WITHOUT)
    with torch.no_grad():
        pipe.unet.conv_in.weight.mul_(2)
    assert calls(widget.figure) == 2, "the run, and the one without the block"


def test_what_goes_wrong_is_a_sentence_in_the_widget():
    pipe = tiny.pipeline()
    for widget in (UNetInspector(pipe, PROMPT, steps=1, block="conv_out"), AttentionExplorer(pipe, PROMPT, steps=1)):
        widget.redraw()
        shown = widget.picture
        weight = pipe.unet.conv_out.bias.data
        weight.fill_(float("nan"))
        with pytest.raises(ValueError):
            put(widget, "seed", 7)
        assert 'role="alert"' in shown_html(widget) and widget.picture is shown
        weight.fill_(0)
        put(widget, "seed", 8)
        assert 'role="alert"' not in shown_html(widget) and widget.picture is not shown


def test_a_long_prompt_is_drawn_and_told(sd15):
    for widget in (UNetInspector(sd15, "cat " * 40, steps=1, block="conv_out"), AttentionExplorer(sd15, "cat " * 40, steps=1)):
        with pytest.warns(UserWarning, match="tokens"):
            widget.redraw()
        assert "only the first 14 are read" in widget.message and widget.picture


@pytest.mark.parametrize(
    "shape, edge, expected",
    [((64, 64), 128, (64, 64)), ((64, 32), 16, (16, 8)), ((100, 60), 30, (25, 15)), ((65, 65), 64, (32, 32))],
)
def test_large_pictures_are_made_small(shape, edge, expected):
    image = torch.rand(3, *shape)
    assert small(image, edge).shape == (3, *expected)
    k = shape[0] // expected[0]
    last = image[:, :k, (expected[1] - 1) * k : expected[1] * k]
    assert_close(small(image, edge)[:, 0, -1], last.mean((1, 2)))


# ---------------------------------------------------------------- attention


def test_resolutions_are_those_of_the_trace(pipe):
    gaze = RecordedAttention(pipe, 1, 4.0)
    run = explore_run(gaze.runs)
    told = {name: size for size, names in gaze.layers.items() for name in names}
    assert told == trace.resolutions(run.trace)
    assert list(gaze.layers) == sorted(gaze.layers, reverse=True)


def test_every_control_of_the_attention_explorer_changes_the_picture_without_a_run(pipe):
    widget = AttentionExplorer(pipe, PROMPT, steps=2)
    assert calls(widget.redraw) == 2
    sizes = [label for label, _ in widget.controls["resolution"].options][1:]
    assert f"Attention at the mean of 2 steps, {' and '.join(sizes)}, all heads." in widget.picture.alt
    assert '"red" up to' in widget.picture.alt and "<start>" not in widget.picture.alt
    seen = {widget.picture.alt}
    for name, value in {"step": 1, "resolution": 1, "head": 2, "ends": True, "shared": False}.items():
        assert put(widget, name, value) == 0
        seen.add(widget.picture.alt)
    assert len(seen) == 6
    assert f"Attention at step 2 of 2, t = 499, {sizes[1]}, head 2." in widget.picture.alt
    assert '"<end>" up to' in widget.picture.alt and "own scale" in widget.picture.alt
    assert put(widget, "prompt", "a red dog") == 2 and '"dog" up to' in widget.picture.alt


def test_heats_are_those_of_the_trace(sd15):
    gaze = RecordedAttention(sd15, 2, 4.0)
    run = explore_run(gaze.runs)
    spans, heats = gaze.heats(run, PROMPT, (32, 32), 1, 0, 3)
    fine = next(iter(gaze.layers.values()))
    maps = trace.heat_maps(run.trace, 32, names=fine, calls=[1], head=3)
    assert_close(heats, trace.by_word(maps, spans)[1])
    assert [word for word, _ in spans] == ["<start>", "a", "red", "cat", "<end>"]
    assert_close(heats.sum(0), torch.ones(32, 32))


def test_without_guidance_and_without_words(sd15):
    picture = AttentionExplorer(sd15, "", steps=1, guidance=1.0).figure()
    assert '"<start>" up to' in picture.alt and '"<end>" up to' in picture.alt
    assert UNetInspector(sd15, "", steps=1, guidance=1.0, block="conv_out").figure().png


def test_a_head_that_not_all_layers_have_is_a_sentence(sd15):
    widget = AttentionExplorer(sd15, PROMPT, steps=1)
    with pytest.raises(ValueError, match="has the heads 0 to 7"):  # the first option is taken at once
        widget.controls["head"].options = [("8", 8), *widget.controls["head"].options]
    assert "has the heads 0 to 7" in widget.message


# ---------------------------------------------------------------- CLIP


@pytest.fixture(scope="module")
def random_clip():
    tokenizer = tiny.tokenizer()
    config = CLIPConfig(
        projection_dim=16,
        text_config={
            "vocab_size": len(tokenizer),
            "max_position_embeddings": tiny.TOKENS,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "image_size": 16,
            "patch_size": 8,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        },
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clip = CLIPModel(config).eval()
        images = torch.rand(4, 3, 16, 16) * 2 - 1
    counted(clip.text_model, clip.vision_model)
    return clip, tokenizer, ["a red cat", "a red dog", "a dog and a cat", "cat"], images


@pytest.fixture(scope="module")
def shipped_clip():
    if not (CHECKPOINTS / "clip").exists():
        pytest.skip("checkpoints/clip is not there yet")
    from edu_diffusion import models
    from edu_diffusion.data import scenes

    drawn = scenes.batch(16, seed=3, plain=True)
    clip, tokenizer = models.load_clip(device="cpu")
    counted(clip.text_model, clip.vision_model)
    return clip, tokenizer, drawn.captions, drawn.images


@pytest.fixture(params=["random_clip", "shipped_clip"])
def world(request):
    return request.getfixturevalue(request.param)


def pairs(world):
    return Pairs(*world[:2], list(world[2]), world[3], world[3])


def test_the_cosines_are_the_models_own(world):
    clip, tokenizer, captions, images = world
    ids = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    with torch.no_grad():
        logits = clip(input_ids=ids, pixel_values=images).logits_per_text
        scale = clip.logit_scale.exp()
    read = pairs(world)
    assert_close(read.texts(captions) @ read.pictures().T, logits / scale, atol=1e-5, rtol=1e-4)


def test_every_view_is_drawn_and_nothing_is_read_twice(world):
    clip, tokenizer, captions, images = world
    widget = ClipExplorer(clip, tokenizer, captions, images)
    widget.redraw()
    assert len(COUNTED) == len(set(COUNTED)) == 2, "each tower once"
    assert widget.picture.alt.startswith("Similarity map of")
    assert put(widget, "view", VIEWS[1]) == 0 and f'nearest to "{captions[0]}"' in widget.picture.alt
    assert put(widget, "view", VIEWS[2]) == 1 and "growing caption" in widget.picture.alt
    assert put(widget, "number", 2) == 0
    assert put(widget, "view", VIEWS[3]) <= 1 and " becomes " in widget.picture.alt
    for view in VIEWS:
        assert put(widget, "view", view) == 0
    assert calls(widget.figure) == 0 and widget.figure().png == widget.picture.png
    put(widget, "view", VIEWS[1])
    assert put(widget, "caption", "a red dog cat") == 1 and '"a red dog cat"' in widget.picture.alt


def test_a_growing_caption_is_what_is_read_of_its_beginnings(world):
    read = pairs(world)
    pieces, texts = read.growing("a red cat")
    assert pieces == ["<start>", "a", "red", "cat"]
    assert_close(texts, read.texts(["", "a", "a red", "a red cat"]), atol=1e-5, rtol=1e-4)


def test_a_growing_caption_where_padding_is_no_end(random_clip):
    tokenizer = tiny.tokenizer()
    tokenizer.pad_token = "z"
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    read = pairs((random_clip[0], tokenizer, *random_clip[2:]))
    assert_close(read.growing("a cat")[1], read.texts(["", "a", "a cat"]), atol=1e-5, rtol=1e-4)


def test_neighbours_are_the_nearest(shipped_clip):
    alt = ClipExplorer(*shipped_clip, view=VIEWS[1], caption=shipped_clip[2][5]).figure().alt
    read = pairs(shipped_clip)
    cosines = (read.texts([shipped_clip[2][5]]) @ read.pictures().T)[0]
    best = cosines.sort(descending=True)[0][:7]
    assert ", ".join(f"{x:.2f}" for x in best) in alt
    assert cosines.argmax() == 5, "the shipped CLIP knows this one"


def test_a_word_is_swapped_wherever_it_stands():
    assert swapped("a dog and a dog", " dog ", "cat") == "a cat and a cat"
    with pytest.raises(ValueError, match="no word 'do'; its words are a, dog"):
        swapped("a dog", "do", "cat")
    with pytest.raises(ValueError, match="its words are none"):
        swapped("", "do", "cat")


def test_the_word_that_is_swapped_first():
    assert differing("a red cat", ["a red cat", "a blue dog", "a red dog", "cat"]) == ("cat", "dog")
    assert differing("a red cat", ["cat"]) == ("cat", "cat") and differing("", []) == ("", "")


def test_a_wrong_word_is_a_sentence_and_the_picture_stays(random_clip):
    widget = ClipExplorer(*random_clip, view=VIEWS[3])
    widget.redraw()
    shown = widget.picture
    with pytest.raises(ValueError, match="no word"):
        put(widget, "word", "horse")
    assert "The caption has no word 'horse'" in widget.message and widget.picture is shown
    put(widget, "word", "red")
    assert 'role="alert"' not in shown_html(widget)
    assert '"a red cat" becomes "a dog cat"' in widget.picture.alt


def test_captions_too_long_or_empty(random_clip):
    widget = ClipExplorer(*random_clip, view=VIEWS[2], caption="cat " * 30)
    widget.redraw()
    assert "The prompt has 30 tokens" in widget.message and "15 tokens" in widget.picture.alt
    for view in VIEWS[:3]:
        put(widget, "view", view)
        put(widget, "caption", "")
        assert 'role="alert"' not in shown_html(widget)
    assert ClipExplorer(*random_clip[:2], ["cat"], random_clip[3][:1], view=VIEWS[1]).figure().png


def test_pictures_that_the_model_wants_in_another_form(random_clip):
    clip, tokenizer, captions, images = random_clip
    large = torch.rand(4, 3, 40, 60)
    widget = ClipExplorer(clip, tokenizer, captions, large, pixels=images)
    assert widget.figure().alt == ClipExplorer(clip, tokenizer, captions, images).figure().alt
    with pytest.raises(ValueError, match="4 captions, 3 images"):
        ClipExplorer(clip, tokenizer, captions, images[:3])


@pytest.mark.parametrize("view", VIEWS)
def test_a_clip_trained_on_is_read_again(random_clip, view):
    widget = ClipExplorer(*random_clip, view=view)
    needed, first = calls(widget.figure), widget.figure()
    with torch.no_grad():
        random_clip[0].text_projection.weight.neg_()
    assert calls(widget.figure) == needed > 1 and widget.figure().alt != first.alt
    with torch.no_grad():
        random_clip[0].text_projection.weight.neg_()


# ---------------------------------------------------------------- all three


def test_every_control_has_a_name_to_be_read_aloud(sd15, random_clip):
    assert [c.description for c in operable(UNetInspector(sd15))] == ["Prompt", "Seed", "Show", "Block or skip", "Step"]
    assert [c.description for c in operable(AttentionExplorer(sd15))] == [
        "Prompt",
        "Seed",
        "Step",
        "Resolution",
        "Head",
        "Include start and end tokens",
        "All words on one scale",
    ]
    clip = ClipExplorer(*random_clip)
    assert [c.description for c in operable(clip)] == ["Show", "Caption", "Picture", "Word", "Becomes"]
    assert not [part for part in descendants(clip) if isinstance(part, (Output, Image))]


def test_a_place_without_a_kernel_gets_the_same_picture(random_clip):
    widget = ClipExplorer(*random_clip)
    data, _ = widget._repr_mimebundle_()
    assert data["text/html"] == widget.figure().html() and "Similarity map" in data["text/html"]

"""The clickable map without a browser: it tells what the model and the trace of the run hold.

On a tiny pipeline, on one whose U-Net has the blocks of Stable Diffusion 1.5, and on one with a ControlNet.
"""

import base64
import io
import itertools
import json
import re
from pathlib import Path

import pytest
import tiny
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline
from PIL import Image
from torch.testing import assert_close

import edu_diffusion
from edu_diffusion import figures, trace
from edu_diffusion.errors import EduError
from edu_diffusion.exercises import LESSONS
from edu_diffusion.figures.pipeline import CONTROL
from edu_diffusion.figures.run_map import grid, run_map, token_strip
from edu_diffusion.figures.run_map import tensor as drawn
from edu_diffusion.steps import Control
from edu_diffusion.trace.ablation import skip_places
from edu_diffusion.widgets import PipelineMap
from edu_diffusion.widgets.blocks import down_and_up
from edu_diffusion.widgets.pipeline_map.boxes import PARTS, part
from edu_diffusion.widgets.pipeline_map.details import details, laid_out, pieces
from edu_diffusion.widgets.pipeline_map.run import record_run, skip_pairs, tensor
from edu_diffusion.widgets.pipeline_map.widget import exam_boxes, marked
from edu_diffusion.widgets.progress import finished

SCRIPT = Path(edu_diffusion.__file__).parent / "widgets" / "pipeline_map" / "widget.js"
PROMPT, STEPS = "a red cat", 2


def controlled():
    """A pipeline with a ControlNet that has an effect: its last convolutions are not zero."""
    parts = tiny.pipeline().components
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = ControlNetModel.from_unet(parts["unet"], conditioning_embedding_out_channels=(16, 32, 64))
        for zero in [*net.controlnet_down_blocks, net.controlnet_mid_block]:
            torch.nn.init.normal_(zero.weight, std=0.1)
    pipe = StableDiffusionControlNetPipeline(**parts, controlnet=net.eval(), requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


CONDITION = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(5))
PIPES = {"tiny": (tiny.pipeline, None), "sd15": (tiny.sd15, None), "controlled": (controlled, CONDITION)}


@pytest.fixture(scope="module", params=PIPES)
def run(request):
    build, condition = PIPES[request.param]
    return finished(record_run(build(), PROMPT, steps=STEPS, guidance=3.0, control=condition))


@pytest.fixture(scope="module")
def small():
    return finished(record_run(tiny.pipeline(), PROMPT, steps=STEPS, guidance=3.0))


def facts(run, name, step=0):
    return dict(details(run, name, step).facts)


# ---------------------------------------------------------------- the map and the model


def test_every_block_of_the_model_has_its_box_and_the_shape_of_the_trace(run):
    unet, found = run.pipe.unet, laid_out(run)
    inside = {
        "conv_in",
        "mid_block",
        "conv_out",
        *(f"down_blocks.{i}" for i, _ in enumerate(unet.down_blocks)),
        *(f"up_blocks.{i}" for i, _ in enumerate(unet.up_blocks)),
    }
    assert {box.name for box in found.boxes if box.inside} == inside
    assert ("controlnet" in [box.name for box in found.boxes]) == (run.control is not None)
    for name in inside:
        output = run.trace.call(f"unet.{name}", 0).output
        assert found[name].shape == " x ".join(map(str, output.shape[1:]))
    assert found["picture"].shape == " x ".join(map(str, run.image.shape[1:]))
    assert [box.name for box in found.boxes].index("prompt") == 0 and found.boxes[-1].name == "picture"


@torch.no_grad()
def test_the_skips_go_where_the_tensors_go(run):
    unet, pairs = run.pipe.unet, skip_pairs(run.pipe.unet)
    down, up = down_and_up(unet)
    z_t, c = run.states[0].z_t, run.trace.call("text_encoder", 1).output
    with trace.record(unet, "conv_in", *down, *up) as seen:
        unet(z_t, 1, c)
    made = {"conv_in": [seen.call("conv_in").output], **{name: seen.call(name).outputs[1] for name in down}}
    taken = {name: seen.call(name).inputs["res_hidden_states_tuple"] for name in up}
    assert len(pairs) == sum(map(len, made.values())) == sum(map(len, taken.values()))
    for (start, end), count in {pair: pairs.count(pair) for pair in pairs}.items():
        same = sum(torch.equal(a, b) for a in made[start] for b in taken[end] if a.shape == b.shape)
        assert same == count
    places = dict(skip_places({"": unet}))
    for i, (_, end) in enumerate(pairs):
        assert places[f"skip.{i}"][0] is unet.get_submodule(end)


def test_boxes_and_arrows_stay_on_the_sheet_and_apart(run):
    found = laid_out(run)
    for a, b in itertools.combinations(found.boxes, 2):
        across = a.x < b.x + b.width and b.x < a.x + a.width
        assert not (across and a.y < b.y + b.height and b.y < a.y + a.height), (a.name, b.name)
    points = [p for arrow in found.arrows for p in arrow.points]
    corners = [(box.x + box.width, box.y + box.height) for box in found.boxes]
    assert all(0 < x < found.width and 0 < y < found.height for x, y in points + corners)
    there = {box.name for box in found.boxes}
    assert {name for arrow in found.arrows for name in (arrow.start, arrow.end)} == there
    assert {(a.start, a.end) for a in found.arrows if a.skip} == set(skip_pairs(run.pipe.unet))


# ---------------------------------------------------------------- the details and the run


def test_all_boxes_open_at_all_steps(run):
    for box, step in itertools.product(laid_out(run).boxes, range(STEPS)):
        found = details(run, box.name, step)
        x = tensor(run, box.name, step)
        assert found.name == box.name and found.title and found.words and found.picture.alt and found.term
        assert part(box.name).marker in found.code.splitlines()[found.line]
        if x is not None:
            given = dict(found.facts)
            assert given["shape"].split(" (")[0] == " x ".join(map(str, x.shape))
            assert float(given["mean"]) == pytest.approx(x.float().mean().item(), rel=1e-3, abs=1e-6)
            assert float(given["largest"]) == pytest.approx(x.max().item(), rel=1e-3)
            assert float(given["smallest"]) == pytest.approx(x.min().item(), rel=1e-3)
        wide, high = Image.open(io.BytesIO(found.picture.png)).size
        assert wide <= 1000 and high <= 700


def test_parameters_are_those_of_the_model(run):
    pipe = run.pipe
    blocks = [box.name for box in laid_out(run).boxes if box.inside]
    blocks = [*blocks, "time_embedding"]
    counted = sum(int(facts(run, name)["parameters"].replace(",", "")) for name in blocks)
    rest = sum(p.numel() for p in pipe.unet.conv_norm_out.parameters())
    whole = sum(p.numel() for p in pipe.unet.parameters())
    assert facts(run, "unet")["parameters"] == f"{whole:,}" and counted + rest == whole
    for name, module in (("text_encoder", pipe.text_encoder), ("vae", pipe.vae.decoder)):
        assert facts(run, name)["parameters"] == f"{sum(p.numel() for p in module.parameters()):,}"
    assert "parameters" not in {**facts(run, "guidance"), **facts(run, "scheduler")}


def test_the_tensors_follow_from_each_other(run):
    out_u, out_c = tensor(run, "unet", 0).chunk(2)
    assert_close(tensor(run, "conv_out", 0), torch.cat([out_u, out_c]))
    state, later = run.states
    assert torch.equal(tensor(run, "scheduler", 0), later.z_t)
    assert torch.equal(tensor(run, "z_t", 1), later.z_t)
    assert_close(tensor(run, "guidance", 0), state.eps_u + 3.0 * (state.eps_c - state.eps_u))
    assert torch.equal(tensor(run, "noise", 1), run.states[0].z_t)
    assert_close(tensor(run, "vae", 0).clamp(-1, 1), run.image)
    assert facts(run, "scheduler", 1)["next timestep"] == "no noise left"
    assert facts(run, "scheduler")["next timestep"] == f"t = {later.t}"


def test_a_map_of_one_answer_when_there_is_no_guidance():
    run = finished(record_run(tiny.pipeline(), PROMPT, steps=1, guidance=1))
    alt = details(run, "unet").picture.alt
    assert facts(run, "unet")["shape"] == "1 x 4 x 8 x 8"
    assert "with the prompt" in alt and "without" not in alt


def test_the_tokens_of_the_prompt(small):
    assert pieces(small) == ["<start>", "a", "red", "cat", "<end>"]
    alt = details(small, "tokenizer").picture.alt
    assert all(f"{piece} {int(i)}" in alt for piece, i in zip(pieces(small), small.ids[0]))


def test_every_part_has_a_lesson_and_its_line_is_code_not_docstring():
    for name, about in PARTS.items():
        assert about.lesson in LESSONS and about.term and about.words.endswith(".")
        text = figures.source(about.function).text
        body = text.rsplit('"""', 1)[-1]
        assert about.marker in body, name
    with pytest.raises(ValueError, match="no box 'vea'; its boxes are prompt"):
        part("vea")


# ---------------------------------------------------------------- with a ControlNet


def test_a_controlled_run_draws_what_the_library_draws():
    pipe = controlled()
    run = finished(record_run(pipe, PROMPT, steps=STEPS, guidance=3.0, control=CONDITION))
    library = tiny.vanilla(pipe, PROMPT, image=CONDITION[None], num_inference_steps=STEPS, guidance_scale=3.0)
    assert_close(run.states[-1].z_s, library)
    other = tiny.pipeline()  # the same weights, and the ControlNet beside it
    control = Control(pipe.controlnet, CONDITION[None])
    beside = finished(record_run(other, PROMPT, steps=STEPS, guidance=3.0, control=control))
    assert torch.equal(beside.image, run.image) and laid_out(beside) == laid_out(run)
    without = finished(record_run(tiny.pipeline(), PROMPT, steps=STEPS, guidance=3.0))
    assert (without.states[-1].z_s - library).abs().max() > 1e-3, "it has an effect"
    net = sum(p.numel() for p in pipe.controlnet.parameters())
    assert facts(run, "controlnet")["parameters"] == f"{net:,}"
    assert torch.equal(tensor(run, "condition", 0)[0], CONDITION) and set(CONTROL) < set(PARTS)


@pytest.mark.parametrize(
    "build, condition, words",
    [
        (controlled, None, r"shape \(\); the pipeline's ControlNet needs one picture"),
        (controlled, torch.rand(1, 32, 32), r"shape \(1, 32, 32\)"),
        (controlled, torch.rand(2, 3, 32, 32), r"shape \(2, 3, 32, 32\)"),
        (tiny.pipeline, CONDITION, r"no ControlNet; give control=Control\(net, condition\)"),
        (tiny.pipeline, Control(print, CONDITION[None]), "one ControlNetModel, not a builtin"),
    ],
)
def test_a_condition_that_does_not_fit_is_a_sentence(build, condition, words):
    with pytest.raises(EduError, match=words):
        finished(record_run(build(), PROMPT, steps=1, control=condition))


# ---------------------------------------------------------------- the widget


@pytest.fixture
def counted():
    pipe, calls = tiny.pipeline(), []
    pipe.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    return pipe, calls


def test_one_run_and_nothing_is_computed_twice(counted):
    pipe, calls = counted
    widget = PipelineMap(pipe, PROMPT, steps=STEPS)
    assert not calls, "nothing before it is shown"
    bundle, _ = widget._repr_mimebundle_()
    live = "application/vnd.jupyter.widget-view+json"
    assert len(calls) == STEPS and {"text/html", "image/png", live} <= set(bundle)
    for box in widget.diagram["boxes"]:
        widget.chosen = box["name"]
        assert widget.details["name"] == box["name"]
    widget.step = 2
    assert "no noise left" not in json.dumps(widget.details) and widget.figure().alt and len(calls) == STEPS
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in trace.modules(pipe).values())
    assert hooks == 1, "only ours"
    widget.redraw()
    assert len(calls) == 2 * STEPS


def test_what_the_browser_gets_is_plain_and_is_what_python_computed(small):
    widget = PipelineMap(tiny.pipeline(), PROMPT, steps=STEPS, guidance=3.0, box="guidance", step=2)
    widget.redraw()
    mine, found = details(small, "guidance", 1), widget.details
    assert base64.b64decode(found["picture"]["png"]) == mine.picture.png
    assert found["code"][found["line"]].strip() == "return eps_u + g * (eps_c - eps_u)"
    for name in ("diagram", "details", "choices", "answers", "marks"):
        assert json.dumps(getattr(widget, name)), name


def test_a_mistake_is_told_in_the_widget_and_forgotten():
    widget = PipelineMap(tiny.pipeline(), PROMPT, steps=STEPS)
    widget.redraw()
    before = widget.details
    with pytest.raises(ValueError, match="the step 8"):  # asked for by a cell, so it is the cell's
        widget.step = 9
    assert "the step 8; the run had 2 steps" in widget.problem and widget.details == before
    widget.step, widget.chosen = 1, "picture"
    assert widget.problem == "" and widget.details["name"] == "picture"
    with pytest.raises(ValueError, match="no ControlNet"):
        widget.chosen = "controlnet"
    assert "no ControlNet" in widget.problem
    with pytest.raises(ValueError, match="no box 'x'"):
        PipelineMap(tiny.pipeline(), PROMPT, steps=1, box="x")._repr_mimebundle_()


def test_words_of_the_prompt_stay_words():
    evil = "<img src=x>$"
    widget = PipelineMap(tiny.pipeline(), evil, steps=1, box="prompt")
    html = widget._repr_mimebundle_()[0]["text/html"]
    assert evil in [value for _, value in widget.details["facts"]] and "<img src=x" not in html
    assert len(re.findall("<img", html)) == 1 and "&lt;img src=x" in html


def test_the_exam_counts_the_right_labels():
    widget = PipelineMap(tiny.pipeline(), PROMPT, steps=1, exam=True)
    widget.redraw()
    diagram = laid_out(widget.run)
    truth = {box.name: box.label for box in exam_boxes(diagram)}
    assert sorted(widget.choices) == sorted(truth.values()) and widget.choices != list(truth.values())
    assert len(set(truth.values())) == len(truth), "no label fits two boxes"
    assert widget.marks["words"] == f"0 of {len(truth)} are right; {len(truth)} have no label yet."
    widget.answers = {"prompt": "prompt", "noise": "latent", "unet": ""}
    assert (widget.marks["right"], widget.marks["wrong"]) == (["prompt"], ["noise"])
    assert widget.marks["words"] == f"1 of {len(truth)} are right; {len(truth) - 2} have no label yet."
    widget.answers = truth
    assert widget.marks["words"] == f"{len(truth)} of {len(truth)} are right."
    assert marked(diagram, {"down_blocks.0": "down 0", "x": "y"})["right"] == []


def test_the_script_adds_words_only_as_text_and_asks_nobody():
    text = SCRIPT.read_text()
    assert "textContent" in text
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
        "import ",
        "XMLHttpRequest",
        "setInterval",
        "requestAnimationFrame",
        "animation",
        "transition",
    ):
        assert word not in text, word
    addresses = re.findall(r"https?://[^\"']+", text)
    assert addresses == ["http://www.w3.org/2000/svg"], "the name of SVG, which nobody calls"
    assert str(PipelineMap._esm) == text


def test_the_script_is_in_the_wheel():
    from hatchling.builders.wheel import WheelBuilder

    builder = WheelBuilder(str(SCRIPT.parents[3]))
    inside = {file.distribution_path for file in builder.recurse_included_files()}
    assert {"edu_diffusion/widgets/pipeline_map/widget.js", "edu_diffusion/widgets/pipeline_map/widget.py"} <= inside


# ---------------------------------------------------------------- the still picture


def test_the_still_picture_tells_what_the_box_tells(run):
    found = details(run, "down_blocks.0", 1)
    still = run_map(laid_out(run), found)
    assert found.picture.alt in still.alt and "down_block(block, h, temb, c, skips)" in still.alt
    assert all(f"{box.label} ({box.shape})" in still.alt for box in laid_out(run).boxes if box.shape)
    wide, high = Image.open(io.BytesIO(still.png)).size
    assert wide <= 1000 and high > laid_out(run).height
    bare = run_map(laid_out(run))
    assert Image.open(io.BytesIO(bare.png)).size[1] == laid_out(run).height and "Opened" not in bare.alt


def test_pictures_of_any_tensor():
    x = torch.tensor([[-2.0, 0.0], [1.0, 2.0]])
    assert "2 of the 2 rows of it, each of 2 numbers" in drawn(x, "it").alt
    assert "from -2 to 2" in grid(x, "it").alt and "1 of the 1 rows" in drawn(x[0], "it").alt
    assert "1 of the 1 channels of it, maps of 2 x 2" in drawn(x[None], "it").alt
    mistakes = (torch.zeros(2, 2, 2, 2), r"shape \(2, 2, 2, 2\)"), (torch.zeros(()), r"shape \(\)")
    for mistake, words in mistakes:
        with pytest.raises(ValueError, match=words):
            drawn(mistake, "it")
    with pytest.raises(ValueError, match="2 tokens and 1 ids"):
        token_strip(["a", "b"], [1])


def test_a_dollar_is_a_dollar_and_no_formula():
    x = torch.zeros(1, 3, 16, 16)
    broken, plain = figures.row(x, ["$a_b$ $\\frac$"], scale=8), figures.row(x, ["a"], scale=8)
    assert broken.png != plain.png and "$a_b$" in broken.alt
    heats = torch.rand(1, 16, 16)
    named, bare = (figures.attention_overlay(x[0], heats, ["$"], title=t) for t in ("Step 1", ""))
    assert named.alt.startswith("Step 1. A picture") and bare.alt.startswith("A picture")
    sizes = [Image.open(io.BytesIO(p.png)).size for p in (named, bare)]
    assert sizes[0][1] == sizes[1][1] + 24

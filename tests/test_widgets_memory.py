"""The explorers of quantization and of memory without a browser: what they show, and that nothing of the pipeline changes."""

import pytest
import torch
from tiny import pipeline
from widget_tools import descendants, operable

from edu_diffusion import models, steps
from edu_diffusion.figures import Picture
from edu_diffusion.models import planning
from edu_diffusion.widgets import MemoryExplorer, QuantizationExplorer
from edu_diffusion.widgets.memory import MODELS
from edu_diffusion.widgets.quantization import KEPT, rounded

# ---------------------------------------------------------------- quantization


@pytest.fixture(scope="module")
def pipe():
    return pipeline()


@pytest.mark.parametrize("format", ["fp16", "int8", "nf4", "int2"])
@pytest.mark.parametrize("keep, same", [("nothing", ()), ("conv_in and conv_out", ["conv_in", "conv_out"]),
                                        ("all convolutions", torch.nn.Conv2d), ("all linear layers", torch.nn.Linear)])  # fmt: skip
def test_it_rounds_and_counts_as_the_packed_unet(pipe, format, keep, same):
    """The same outputs and bytes as models.quantize_unet, which packs."""
    found, sizes = rounded(pipe.unet, format, KEPT[keep])
    packed = models.quantize_unet(pipe.unet, steps.FORMATS[format], same)
    assert sizes == models.quantized_bytes(packed, disk=True)
    z, c = torch.randn(1, 4, 8, 8), torch.randn(1, 5, pipe.unet.config.cross_attention_dim)
    with torch.no_grad():
        assert torch.equal(found(z, 500, c).sample, packed(z, 500, c).sample)


def test_every_choice_of_what_is_kept_keeps_something(pipe):
    codes = {keep: rounded(pipe.unet, "int8", kept)[1]["codes"] for keep, kept in KEPT.items()}
    assert all(codes[keep] < codes["nothing"] for keep in KEPT if keep != "nothing") and len(set(codes.values())) == len(codes)


def test_two_images_and_bars_for_every_block(pipe):
    before = {name: weight.clone() for name, weight in pipe.unet.state_dict().items()}
    widget = QuantizationExplorer(pipe, "a cat", steps=2)
    plain = widget.figure()
    widget.redraw()
    assert widget.picture.png == plain.png and "unchanged, " in plain.alt and "and nf4, " in plain.alt
    assert "conv_in 0%" not in plain.alt and plain.alt.index("conv_in ") < plain.alt.index("mid ") < plain.alt.index("conv_out ")
    assert "The file: codes 0." in widget.message and "scales" in widget.message and "kept" in widget.message
    widget.controls["keep"].value = "conv_in and conv_out"
    assert "conv_in 0%" in widget.picture.alt and widget.picture.png != plain.png
    assert all(torch.equal(weight, before[name]) for name, weight in pipe.unet.state_dict().items())


def test_every_control_changes_the_picture(pipe):
    widget = QuantizationExplorer(pipe, "a cat", steps=1)
    names = [control.description for control in operable(widget)]
    assert all(names) and len(set(names)) == len(names)
    widget.redraw()
    seen = {widget.picture.png}
    for name, value in {"format": "int2", "keep": "the middle block", "seed": 1, "prompt": "red dog"}.items():
        widget.controls[name].value = value
        seen.add(widget.picture.png)
    assert len(seen) == 5


def test_further_training_is_noticed(pipe):
    widget = QuantizationExplorer(pipeline(), "a cat", steps=1)
    first = widget.figure()
    with torch.no_grad():
        widget.pipe.unet.conv_out.weight.mul_(2)
    again = widget.figure().png
    assert again != first.png and again == QuantizationExplorer(widget.pipe, "a cat", steps=1).figure().png


# ---------------------------------------------------------------- memory


def test_the_bars_are_the_plan():
    widget = MemoryExplorer(models.plan, "tiny", size=128, dtype="float32", budget=1.0)
    widget.redraw()
    plan = models.plan("base", size=128)
    assert all(phase in widget.picture.alt for phase in plan.phases) and "which fits" in widget.picture.alt
    assert plan.words in widget.message and f"{plan.peak / 1e9:.3g} GB at the most, in the {plan.phase}" in widget.message
    assert "this fits into 1 GB" in widget.message


def test_a_smaller_budget_does_not_fit():
    widget = MemoryExplorer(models.plan, "Stable Diffusion 1.5", size=512, dtype="float32", budget=2.0)
    widget.redraw()
    assert "does not fit into 2 GB" in widget.message
    widget.controls["offload"].value = "sequential"
    assert "this fits into 2 GB" in widget.message


def test_every_control_reaches_the_planner():
    asked = []

    def plan(source, **settings):
        asked.append((source, settings))
        return models.plan("base", size=64)

    widget = MemoryExplorer(plan, "tiny", size=64)
    widget.redraw()
    new = {"model": "Stable Diffusion XL", "size": 128.0, "batch": 2.0, "dtype": "bfloat16", "offload": "model",
           "slicing": True, "tiling": True}  # fmt: skip
    for name, value in new.items():
        widget.controls[name].value = value
    assert asked[-1] == (MODELS.get(new.pop("model")), new) and len(asked) == 8
    assert isinstance(asked[-1][1]["size"], int) and isinstance(asked[-1][1]["batch"], int)
    widget.controls["budget"].value = 4.0
    assert "into 4 GB" in widget.message and isinstance(widget.picture, Picture)
    names = [control.description for control in operable(widget)]
    assert all(names) and len(set(names)) == len(names) == 8 == len(set(map(id, widget.controls.values())))
    assert len(list(descendants(widget))) > 8


def test_all_its_models_can_be_planned():
    assert all("unet" in planning.configuration(source) for source in MODELS.values())

"""The LoRA explorer without a browser, and its figures."""

import pytest
import torch
from look import described_and_legible
from peft import LoraConfig
from tiny import pipeline

from edu_diffusion import figures
from edu_diffusion.steps import decode, generate
from edu_diffusion.trace import record
from edu_diffusion.widgets import LoraExplorer
from edu_diffusion.widgets.lora import changes
from edu_diffusion.widgets.progress import finished

PICTURE = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def adapted_pipeline(*names):
    pipe = pipeline()
    for name in names:
        pipe.unet.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_v"]), name)
    for seed, (name, p) in enumerate(pipe.unet.named_parameters()):
        if ".lora_" in name:
            p.data = torch.randn(p.shape, generator=torch.Generator().manual_seed(seed)) / 3
    return pipe


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_a_dial_for_each_adapter_and_the_base_beside_it():
    pipe = adapted_pipeline("ink", "wash")
    explorer = LoraExplorer(pipe, "a cat", steps=2, weights={"ink": 0.0})
    assert set(explorer.values) == {"prompt", "seed", "weight_0", "weight_1"}
    assert [explorer.values[f"weight_{i}"] for i in range(2)] == [0, 0]
    nothing = explorer.figure()
    assert "ink 0, wash 0" in nothing.alt and "up.0 0%" in nothing.alt
    explorer.controls["weight_1"].value = 1.5
    assert "ink 0, wash 1.5" in explorer.picture.alt and "down.0 0%" in explorer.picture.alt
    assert "up.0 0%" not in explorer.picture.alt and explorer.picture.png != nothing.png
    assert explorer.message == ""


def test_the_picture_is_the_pipelines_own_and_the_weights_stay():
    pipe = adapted_pipeline("ink")
    explorer = LoraExplorer(pipe, "a cat", steps=2)
    image, trace = finished(explorer.run("a cat", 0, [0.5]))
    pipe.set_adapters("ink", 0.5)
    *_, last = generate(pipe, "a cat", steps=2)
    assert torch.equal(image, decode(pipe, last.z_s)[0]) and "mid_block" in trace
    base = finished(explorer.run("a cat", 0, [0.0]))[1]
    moved = changes(base, trace)
    assert list(moved) == ["down_blocks.0", "down_blocks.1", "mid_block", "up_blocks.0", "up_blocks.1"]
    assert moved["down_blocks.0"] == 0 < moved["mid_block"]  # there is no attention in the first block


def test_the_base_model_runs_once_for_a_prompt_a_seed_and_weights():
    pipe, calls = adapted_pipeline("ink"), []
    pipe.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    explorer = LoraExplorer(pipe, "a cat", steps=2)

    def taken(change):
        calls.clear()
        change()
        return len(calls)

    dial, seed = explorer.controls["weight_0"], explorer.controls["seed"]
    assert taken(explorer.redraw) == 4, "without the adapter, and with it"
    assert taken(lambda: setattr(dial, "value", 0.5)) == 2
    assert taken(lambda: setattr(seed, "value", 3)) == 4
    with torch.no_grad():
        pipe.unet.conv_out.bias.add_(1)
    assert taken(explorer.redraw) == 4


def test_changes_are_relative():
    layer = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False))
    with record(layer, "0") as one:
        layer(torch.ones(1, 3))
    layer[0].weight.data *= 1.5
    with record(layer, "0") as other:
        layer(torch.ones(1, 3))
    assert changes(one, other) == {"0": pytest.approx(0.5)}


def test_a_pipeline_without_an_adapter():
    with pytest.raises(ValueError, match="no LoRA in its U-Net"):
        LoraExplorer(pipeline())


def test_figures():
    names = ["down.0", "mid", "up.0"]
    described_and_legible(figures.change_bars(names, [0.1, 0.0, 1.2]))
    shown = figures.adapted(PICTURE, -PICTURE, ("base", "ink 1"), names, [0.0, 0.0, 0.0])
    described_and_legible(shown)
    assert "mid 0%" in shown.alt and "base and ink 1" in shown.alt
    with pytest.raises(ValueError, match="There are 3 blocks and 2 changes"):
        figures.change_bars(names, [0.1, 0.2])

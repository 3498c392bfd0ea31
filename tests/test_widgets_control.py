"""The ControlNet explorer and its figures without a browser."""

import html

import pytest
import tiny
import torch
from ipywidgets import HTML
from traitlets import Bytes, HasTraits
from widget_tools import descendants, shown_html

from edu_diffusion import figures, models
from edu_diffusion.steps import Control, decode, generate
from edu_diffusion.widgets import ControlExplorer
from edu_diffusion.widgets.control import as_condition

CONDITIONS = {
    name: torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(i)).round() * 0.9
    for i, name in enumerate(("one", "two"))
}


class Sketch(HasTraits):
    """Something that can be drawn on, like the pad."""

    drawn = Bytes()
    image = CONDITIONS["one"]


@pytest.fixture(scope="module")
def pipe():
    return tiny.pipeline()


@pytest.fixture(scope="module")
def net(pipe):
    net = models.build_controlnet(pipe.unet).eval()
    for i, conv in enumerate([*net.controlnet_down_blocks, net.controlnet_mid_block]):
        torch.nn.init.normal_(conv.bias, generator=torch.Generator().manual_seed(i))
    torch.nn.init.normal_(net.controlnet_cond_embedding.conv_out.weight, generator=torch.Generator().manual_seed(9))
    for i, conv in enumerate(net.controlnet_down_blocks):
        torch.nn.init.normal_(conv.weight, std=0.1, generator=torch.Generator().manual_seed(20 + i))
    return net


def explorer(pipe, net, **values):
    return ControlExplorer(pipe, net, values.pop("shown", CONDITIONS), **{"prompt": "a cat", "steps": 2, **values})


def drawn(pipe, condition, net, **settings):
    *_, last = generate(pipe, "a cat", seed=0, steps=2, control=Control(net, condition, **settings))
    return decode(pipe, last.z_s)[0]


def test_the_picture_is_the_condition_and_both_drawings(pipe, net):
    widget = explorer(pipe, net, weight=0.6, start=0.5)
    widget.redraw()
    *_, last = generate(pipe, "a cat", seed=0, steps=2)
    want = figures.controlled(
        CONDITIONS["one"][0],
        decode(pipe, last.z_s)[0],
        drawn(pipe, CONDITIONS["one"], net, weight=0.6, start=0.5),
        '"a cat", seed 0; canny from one, weight 0.6, steps 50% to 100%.',
        scale=8,
    )
    assert widget.picture.png == want.png and widget.picture.alt == want.alt
    assert f'alt="{html.escape(want.alt, quote=True)}"' in shown_html(widget)


@pytest.mark.parametrize("change", [{"weight": 0.3}, {"end": 0.5}, {"shown": "two"}, {"seed": 4}, {"prompt": "a dog"}])
def test_every_control_counts(pipe, net, change):
    widget = explorer(pipe, net)
    before = widget.figure().png
    for name, value in change.items():
        widget.controls[name].value = value
    assert widget.picture.png != before


def test_every_control_has_a_name_of_its_own(pipe, net):
    widget = explorer(pipe, {"canny": net, "depth": net})
    names = [control.description for control in widget.controls.values()]
    assert all(names) and len(set(names)) == len(names) == 7
    assert not isinstance(widget.children[0], HTML) and widget.button.description == "Draw"


def test_both_runs_report_their_steps(pipe, net):
    widget, seen = explorer(pipe, net), []
    note = lambda _: seen.append((widget.message, "<progress" in shown_html(widget)))
    next(part for part in descendants(widget) if isinstance(part, HTML)).observe(note, "value")
    widget.redraw()
    steps = [message for message, bar in seen if bar]
    assert steps == ["Step 1 of 2", "Step 2 of 2", "With the condition: step 1 of 2", "With the condition: step 2 of 2"]


def test_a_mistake_is_shown_as_a_sentence(pipe, net):
    widget = explorer(pipe, net, start=0.8, end=0.2)
    with pytest.raises(ValueError, match="0 <= start < end"):
        widget.redraw()
    assert 'role="alert"' in shown_html(widget) and "0 <= start < end" in widget.message
    with pytest.raises(ValueError, match="no condition 'lines'"):
        ControlExplorer(pipe, {"lines": net}, CONDITIONS)


def test_what_is_drawn_on_a_pad_is_drawn_anew(pipe, net):
    pad = Sketch()
    widget = explorer(pipe, net, shown={"sketch": pad})
    widget.redraw()
    first = widget.picture.png
    pad.image = CONDITIONS["two"]
    pad.drawn = b"1"
    assert widget.picture.png != first
    assert widget.picture.png == explorer(pipe, net, shown={"sketch": CONDITIONS["two"]}).figure().png


def test_a_sketch_becomes_a_condition():
    dark, bright = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    bright[..., 2] = 0
    assert torch.equal(as_condition(dark), dark)
    assert torch.equal(as_condition(bright), 1 - bright)
    with pytest.raises(ValueError, match=r"condition is \(3, 8, 8\); it must be"):
        as_condition(dark[0])
    with pytest.raises(ValueError, match="condition is str"):
        as_condition("a cat")


# ---------------------------------------------------------------- figures


def test_convergence_says_when_it_happened():
    curve = [[1, 0.1, 0.2, 0.3], [25, 3, 0.19, 0.31], [50, 6, 0.18, 0.7], [75, 9, 0.17, 0.75]]
    shown = figures.convergence(curve, most=0.9, left=12)
    assert "+0.39, up to step 50" in shown.alt and "Its upper bound is 0.90" in shown.alt
    assert shown.png != figures.convergence(curve[:3], most=0.9, left=12).png
    assert figures.convergence(curve[:1]).alt.startswith("Loss and edge F1")
    with pytest.raises(ValueError, match="train for a few steps"):
        figures.convergence([])


def test_controlled_tells_how_much_the_condition_changed():
    plain, other = torch.zeros(3, 16, 16), torch.full((3, 16, 16), 0.5)
    shown = figures.controlled(torch.ones(3, 16, 16), plain, other, "A test.")
    assert "100 % of it bright" in shown.alt and "differs by 0.50" in shown.alt
    assert shown.png != figures.controlled(torch.zeros(3, 16, 16), plain, other, "A test.").png

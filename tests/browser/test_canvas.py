"""The drawing surface and the clickable map, in a real JupyterLab: by mouse and by keyboard."""

import re

import person
import pytest
from cases import LOAD, notebook

PAD = """from ipywidgets import Label, VBox
from edu_diffusion.widgets import Pad
pad, told = Pad(size=16, brush=2, colours={"red": "#c00000", "blue": "#0000c0"}), Label()
pad.observe(lambda _: setattr(told, "value", f"Python has {int(pad.mask.sum())}"), "drawn")
VBox([pad, told])"""


def shown(page, lab, folder, name, *codes):
    """The widget of a notebook's last cell, once it is there."""
    notebook(folder / f"{name}.ipynb", *codes)
    page.goto(lab.address(f"{name}.ipynb"))
    person.run_all(page)
    root = page.locator(f".edu-{name}").first
    root.wait_for()
    return root


@pytest.fixture
def pad(page, lab, folder):
    return shown(page, lab, folder, "pad", PAD)


def marked(root):
    """How many pixels are drawn on, as the status says; Python must have heard the same."""
    root.page.wait_for_function(
        "root => document.body.innerText.includes(`Python has ${root.querySelector('[role=status]')"
        ".textContent.match(/([0-9]+) of/)[1]}`)",
        arg=root.element_handle(),
    )
    return int(re.search(r"(\d+) of 256", root.get_by_role("status").inner_text())[1])


def test_strokes_reach_python(pad):
    pad.get_by_label("Colour").press("ArrowDown")  # JupyterLab must not take it
    assert pad.get_by_label("Colour").input_value() == "2"
    mouse, area = pad.page.mouse, pad.locator("canvas").bounding_box()
    middle = area["y"] + area["height"] / 2
    mouse.move(area["x"] + 20, middle)
    mouse.down()
    mouse.move(area["x"] + area["width"] - 20, middle, steps=6)
    mouse.up()
    stroke = marked(pad)
    assert stroke >= 2 * 14  # a brush of 2 pixels, all the way
    pad.locator("canvas").press("ArrowDown")
    pad.locator("canvas").press("Shift+ArrowUp")
    pad.locator("canvas").press(" ")
    assert marked(pad) == stroke + 4
    pad.locator("canvas").press("Control+z")
    assert marked(pad) == stroke
    pad.get_by_role("button", name="Clear").click()
    assert marked(pad) == 0
    assert person.serious(pad) == []


@pytest.fixture
def the_map(page, lab, folder):
    return shown(page, lab, folder, "map", LOAD, "from edu_diffusion import widgets\nwidgets.PipelineMap(base, steps=2)")


def test_the_map_opens_boxes_and_examines(the_map):
    title, page = the_map.get_by_role("heading"), the_map.page
    title.filter(has_text="U-Net").wait_for()
    assert person.serious(the_map) == []
    picture = person.picture(the_map)
    the_map.get_by_role("button", name=re.compile("^text encoder", re.I)).press("Enter")
    person.changed(the_map, picture)
    assert "text encoder" in title.inner_text() and the_map.get_by_text("In the glossary").is_visible()
    the_map.get_by_role("button", name=re.compile("^scheduler", re.I)).click()
    title.filter(has_text="step 1 of 2").wait_for()
    the_map.get_by_label("Step of 2").fill("2")
    the_map.get_by_label("Step of 2").press("Enter")
    title.filter(has_text="step 2 of 2").wait_for()
    the_map.get_by_role("button", name="Exam: name the boxes").click()
    the_map.get_by_role("combobox").press("ArrowDown")
    the_map.get_by_text("1 of").wait_for()
    the_map.get_by_role("button", name="Check answers").click()
    the_map.get_by_text(re.compile(r"[01] of \d+ are right")).wait_for()
    assert page.locator(".edu-map svg text.note").first.is_hidden(), "the words at the arrows would tell"
    assert person.serious(the_map) == []

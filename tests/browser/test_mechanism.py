"""What all explorers have in common, in a real JupyterLab: the slider, mistakes, and work that is stopped."""

import re

import person
import pytest
from cases import notebook

SETUP = """
import time, torch
from edu_diffusion import figures
from edu_diffusion.widgets import Explore, Slider

def grey(number):
    if number == 99:
        raise ValueError("the number must not be 99")
    return figures.row(torch.full((1, 3, 8, 8), number / 50 - 1), [""], f"the number {number}", scale=16)

def slow(number):
    for i in range(600 * (number > 0)):
        yield f"Step {i + 1} of 600"
        time.sleep(0.1)
    yield grey(number)

def dial(value):
    return Slider(value, min=0, max=100, description="Number", spoken="{value} of {max}")
"""
HASTE = """slider => {
  for (let value = 10; value <= 80; value += 1) {
    slider.value = value;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }
}"""
CODES = SETUP, "Explore(grey, number=dial(5))", "Explore(slow, number=dial(0))", "Explore(grey, number=dial(99))"


@pytest.fixture(scope="module")
def address(folder, lab):
    notebook(folder / "mechanism.ipynb", *CODES)
    return lab.address("mechanism.ipynb")


@pytest.fixture
def explorers(page, address):
    """The three explorers of the notebook."""
    page.sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: page.sent.append(frame)))
    page.goto(address)
    person.run_all(page)
    found = page.locator(".edu-explore")
    found.nth(2).wait_for()
    return found


def parts(root):
    """The slider, and the box beside it."""
    return root.get_by_role("slider", name="Number"), root.get_by_role("spinbutton", name="Number, as a number")


def shown(root, number):
    """Wait for the picture of a number."""
    root.get_by_role("img", name=f"the number {number}", exact=True).wait_for()


def test_keys_mouse_mistakes_and_stop(explorers, page):
    keys(explorers.nth(0))
    drag(explorers.nth(0), page)
    mistake(explorers.nth(0))
    stop(explorers.nth(1))
    assert person.serious(explorers.nth(0)) == person.serious(explorers.nth(1)) == []
    failed(explorers.nth(2), page)


def keys(root):
    """The slider has a name, its own also beside others, and a value in words; the keys are not the notebook's."""
    slider, box = parts(root)
    for key, number in (("ArrowRight", 6), ("ArrowDown", 5), ("ArrowUp", 6), ("End", 100), ("Home", 0), ("ArrowRight", 1)):
        slider.press(key)
        shown(root, number)
        assert slider.get_attribute("aria-valuetext") == f"{number} of 100" and box.input_value() == str(number)
    slider.press("Tab")
    assert box.evaluate("box => box === document.activeElement")
    for typed, number in (("42", 42), ("1000", 100), ("-3", 0), ("", 0), ("7", 7)):
        box.fill(typed)
        box.press("Enter")
        shown(root, number)
        assert slider.input_value() == box.input_value() == str(number)


def drag(root, page):
    """However often the slider moves, the last value is the one that is drawn."""
    slider, _ = parts(root)
    slider.scroll_into_view_if_needed()
    area = slider.bounding_box()
    middle = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + 10, middle)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.8, middle, steps=8)
    page.mouse.up()
    number = slider.input_value()
    assert 70 <= int(number) <= 90
    shown(root, number)
    count = len(page.sent)
    slider.evaluate(HASTE)
    shown(root, 80)
    sent = [frame if isinstance(frame, bytes) else frame.encode() for frame in page.sent[count:]]
    assert 1 <= sum(b"comm_msg" in frame for frame in sent) <= 3, "the first value, and the last of each pause"


def mistake(root):
    """A mistake is a sentence, the picture stays, and the next value takes the sentence away."""
    slider, box = parts(root)
    before = person.picture(root)
    box.fill("99")
    box.press("Enter")
    root.get_by_role("alert").filter(has_text="the number must not be 99").wait_for()
    assert person.picture(root) == before
    slider.press("ArrowLeft")
    shown(root, 98)
    assert root.get_by_role("alert").count() == 0


def stop(root):
    """Work of a minute shows how far it is, and ends when it is asked to."""
    shown(root, 0)
    parts(root)[0].press("ArrowRight")
    root.locator("progress").wait_for()
    assert re.search(r"Step \d+ of 600", root.inner_text())
    root.get_by_role("button", name="Stop").click()
    root.get_by_text("Stopped.").wait_for()
    assert root.locator("progress").count() == 0 and not root.get_by_role("button", name="Stop").is_visible()
    shown(root, 0)


def failed(root, page):
    """What cannot be drawn in a cell fails the cell, and the widget says why."""
    assert "the number must not be 99" in root.get_by_role("alert").inner_text()
    kinds = [f'[data-mime-type="application/vnd.jupyter.{kind}"]' for kind in ("stderr", "error")]
    output = page.locator(", ".join(kinds))
    assert "ValueError: the number must not be 99" in output.first.inner_text()

"""The drawing surface without a browser: tensors in and out, sentences for mistakes, and that it is self-contained."""

import re
from pathlib import Path

import pytest
import torch

from edu_diffusion.errors import EduError
from edu_diffusion.widgets import Pad

RNG = torch.Generator().manual_seed(0)
X = torch.randint(256, (1, 3, 64, 64), generator=RNG) / 255
SCRIPT = Path(__file__).parents[1] / "edu_diffusion" / "widgets" / "pad.js"


def spot(size=64):
    mask = torch.zeros(1, 1, size, size)
    mask[..., 3:9, 5:7] = 1
    return mask


def test_a_new_surface_is_white_and_empty():
    pad = Pad()
    assert pad.image.shape == (1, 3, 64, 64) and bool((pad.image == 1).all())
    assert pad.mask.shape == (1, 1, 64, 64) and not pad.mask.any()


def test_a_picture_comes_back_as_it_was_put_in():
    for given in (X, X[0], X.double()):
        assert torch.equal(Pad(given).image, X)


def test_a_mask_comes_back_as_it_was_put_in():
    pad = Pad(X)
    for given in (spot(), spot()[0], spot()[0, 0], spot() > 0, spot() * 0.5):
        pad.mask = given
        assert torch.equal(pad.mask, spot())
    assert torch.equal(pad.image * (1 - spot()), X * (1 - spot()))
    orange = torch.tensor([0xE6, 0x9F, 0x00]) / 255
    assert torch.equal(pad.image[0, :, 5, 5], orange)


def test_what_the_browser_sends_has_rows_and_colours():
    """A memoryview, as the kernel gets it; the second colour in column 2 of row 1."""
    pad = Pad(size=8, colours={"black": "#000000", "red": "#ff0010"})
    drawn = bytearray(64)
    drawn[8 + 2] = 2
    pad.drawn = memoryview(bytes(drawn))
    assert pad.mask.nonzero().tolist() == [[0, 0, 1, 2]]
    assert torch.equal(pad.image[0, :, 1, 2], torch.tensor([255, 0, 16]) / 255)


def test_a_new_picture_wipes_the_strokes():
    pad = Pad()
    pad.mask = spot()
    pad.image = X
    assert torch.equal(pad.image, X) and not pad.mask.any()
    pad.mask = spot()
    pad.clear()
    assert not pad.mask.any()


def test_what_is_sent_is_small():
    pad = Pad(X)
    state = pad.get_state(["drawn", "background"])
    assert len(state["drawn"]) == 64 * 64 and len(state["background"]) == 3 * 64 * 64


@pytest.mark.parametrize(
    "do, words",
    [
        (lambda pad: setattr(pad, "image", X * 2 - 1), r"must be in \[0, 1\].*\(x \+ 1\) / 2"),
        (lambda pad: setattr(pad, "image", X[..., :32]), r"image is \(1, 3, 64, 32\)"),
        (lambda pad: setattr(pad, "image", "cat.png"), "image is str"),
        (lambda pad: setattr(pad, "mask", X), r"mask is .*\(1, 1, 64, 64\)"),
        (lambda pad: setattr(pad, "mask", spot() * 9), "mask ranges from 0 to 9"),
        (lambda pad: setattr(pad, "drawn", b"123"), "3 bytes; there must be 4096"),
        (lambda pad: setattr(pad, "drawn", bytes([9]) * 4096), "from 0 to 1"),
        (lambda pad: Pad(colours={"red": "red"}), '"#rrggbb"'),
    ],
)
def test_mistakes_get_a_sentence(do, words):
    with pytest.raises(EduError, match=words):
        do(Pad(X))


def test_without_a_kernel_there_is_the_plain_picture():
    pad = Pad(label="Sketch")
    pad.mask = spot()
    data, _ = pad._repr_mimebundle_()
    assert "Sketch, 64 by 64 pixels; 12 of 4096 pixels are drawn on." in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data and " at 0x" not in data["text/plain"]


def test_the_script_is_plain_and_fetches_nothing():
    script = SCRIPT.read_text(encoding="utf-8")
    assert str(Pad()._esm) == script
    assert not re.search(r"https?:|\bimport\b|\bfetch\b|innerHTML|eval\(", script)
    assert "export default" in script


def test_the_wheel_carries_the_scripts(tmp_path):
    """Every file beside the code of the widgets is in the list of files that a wheel is made of."""
    from hatchling.builders.wheel import WheelBuilder

    root = SCRIPT.parents[2]
    builder = WheelBuilder(str(root))
    there = {Path(f.relative_path).as_posix() for f in builder.recurse_project_files()}
    scripts = {p.relative_to(root).as_posix() for p in SCRIPT.parent.glob("*.js")}
    assert "edu_diffusion/widgets/pad.js" in scripts and scripts <= there

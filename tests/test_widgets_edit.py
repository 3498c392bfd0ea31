"""The explorer of lesson 09 and its figures, without a browser."""

import pytest
import tiny
import torch

from edu_diffusion import figures, steps
from edu_diffusion.errors import EduError
from edu_diffusion.figures import Picture
from edu_diffusion.widgets import EditExplorer, edit

PICTURE = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
MASK = torch.zeros(1, 1, 32, 32)
MASK[..., 8:20, 4:16] = 1


@pytest.fixture
def pipe():
    return tiny.pipeline()


def explorer(pipe, **values):
    return EditExplorer(pipe, **{"picture": PICTURE, "prompt": "a red cat", "steps": 4, "strength": 0.5, **values})


@pytest.mark.parametrize(
    "way, words",
    [
        (edit.WHOLE, r'The whole picture, "a red cat", strength 0.5, seed 0\..*\d on average\.'),
        (edit.PAINTED, "What is painted.*inside the mask, exactly 0 outside it"),
        (edit.WIDER, "A wider canvas.*inside the mask, exactly 0 outside it"),
    ],
)
def test_every_way_gives_its_picture(pipe, way, words):
    widget = explorer(pipe, way=way, mask=MASK)
    plain = widget.figure()
    assert __import__("re").search(words, plain.alt), plain.alt
    assert widget.picture is None, "nothing is shown by figure()"
    widget.redraw()
    assert widget.picture.png == plain.png


def test_it_shows_what_the_steps_give(pipe, monkeypatch):
    seen = []
    monkeypatch.setattr(edit, "edited", lambda *given: seen.append(given) or Picture(b"", "a picture"))
    explorer(pipe, way=edit.PAINTED, mask=MASK, seed=3).redraw()
    states = list(steps.inpaint(pipe, "a red cat", PICTURE, MASK, strength=0.5, seed=3, steps=4))
    before, noised, after, _, mask, start = seen[0]
    assert torch.equal(before, PICTURE[0]) and torch.equal(mask, MASK[0, 0])
    assert torch.equal(noised, steps.decode(pipe, states[0].z_t)[0]) and start == f"noisy, t = {states[0].t}"
    assert torch.equal(after, steps.paste(PICTURE, steps.decode(pipe, states[-1].z_s), MASK)[0])


def test_a_wider_canvas_is_half_as_wide_again_and_holds_the_picture(pipe, monkeypatch):
    seen = []
    monkeypatch.setattr(edit, "edited", lambda *given: seen.append(given) or Picture(b"", "a picture"))
    explorer(pipe, way=edit.WIDER).redraw()
    after = seen[0][2]
    assert after.shape == (3, 32, 48) and torch.equal(after[:, :, 8:40], PICTURE[0])


def test_nothing_painted_is_no_mistake(pipe):
    widget = explorer(pipe, way=edit.PAINTED)
    widget.redraw()
    assert widget.message == "Paint over the area to be regenerated."


def test_painting_draws_anew_and_the_same_again_costs_nothing(pipe):
    widget, calls = explorer(pipe, way=edit.PAINTED), []
    pipe.unet.register_forward_hook(lambda *_: calls.append("unet"))
    pipe.vae.encoder.register_forward_hook(lambda *_: calls.append("vae"))
    widget.redraw()
    assert not calls
    widget.pad.mask = MASK
    assert "inside the mask" in widget.picture.alt and calls == ["vae", "unet", "unet"]
    widget.pad.mask = 1 - MASK
    first = widget.picture.png
    widget.pad.mask = MASK
    assert widget.picture.png != first and len(calls) == 6


def test_other_weights_are_asked_anew(pipe):
    widget = explorer(pipe)
    before = widget.figure()
    with torch.no_grad():
        pipe.unet.conv_out.bias.add_(1.0)
    assert widget.figure().png != before.png


def test_the_surface_is_there_only_where_it_counts(pipe):
    widget = explorer(pipe)
    assert widget.pad in widget.children and widget.pad.layout.display == "none"
    widget.controls["way"].value = edit.PAINTED
    assert widget.pad.layout.display == ""


def test_every_control_has_a_name(pipe):
    names = [c.description for c in explorer(pipe).controls.values()]
    assert all(names) and len(set(names)) == len(names)


def test_a_strength_without_a_step_is_a_sentence(pipe):
    with pytest.raises(ValueError, match="strength is 0.1; with 4 steps it must be from 0.25 to 1"):
        explorer(pipe, strength=0.1).figure()


@pytest.mark.parametrize("picture", [PICTURE, PICTURE[0], torch.zeros(1, 3, 64, 64), None])
def test_pictures_of_any_size_are_fitted(pipe, picture):
    assert explorer(pipe, picture=picture).picture_0.shape == (1, 3, 32, 32)


@pytest.mark.parametrize("picture", [torch.zeros(1, 1, 32, 32), torch.zeros(32, 32), 5])
def test_what_is_no_picture_is_a_sentence(pipe, picture):
    with pytest.raises(EduError, match=r"must be \(3, height, width\)"):
        explorer(pipe, picture=picture)


def test_a_file_is_read(pipe, tmp_path):
    from PIL import Image

    Image.new("RGB", (50, 40), "red").save(tmp_path / "red.png")
    for given in (tmp_path / "red.png", str(tmp_path / "red.png")):
        x = explorer(pipe, picture=given).picture_0
        assert x[0, :, 5, 5].tolist() == [1, -1, -1]


# ---------------------------------------------------------------- figures


def test_edited_says_where_it_changed():
    x = torch.zeros(3, 64, 64)
    y, mask = x.clone(), torch.zeros(64, 64)
    mask[:32], y[:, :32] = 1, 0.5
    assert "0.50 on average inside the mask, exactly 0 outside it" in figures.edited(x, x, y, "Done.", mask).alt
    assert "0.000 outside" in figures.edited(x, x, y + 0.0001, "Done.", mask).alt
    assert "0.25 on average." in figures.edited(x, x, y, "Done.").alt


def test_the_mask_is_seen_in_the_first_picture_only():
    x, mask = torch.zeros(3, 64, 64), torch.zeros(64, 64)
    mask[16:32, 16:32] = 1
    tinted = figures.edit.tinted(x.numpy(), mask.numpy())
    assert (tinted[:, mask == 0] == 0).all() and (abs(tinted[:, mask == 1]).sum(0) > 0).all()
    assert figures.edited(x, x, x, "Done.", mask).png != figures.edited(x, x, x, "Done.", 0 * mask).png


def test_dial_tells_every_number():
    alt = figures.dial([0.2, 0.4], {"cat": [0.1, 0.25], "dog": [0.2, 0.5]}, "distance").alt
    assert "distance, for the strengths 0.2, 0.4. cat: 0.10, 0.25; dog: 0.20, 0.50." in alt

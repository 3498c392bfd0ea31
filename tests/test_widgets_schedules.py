"""The explorer of noise schedules without a browser: its pictures are the formula's, its curves the tables'."""

import html

import numpy as np
import pytest
import torch
from ipywidgets import Image, Output
from PIL import Image as Pillow
from widget_tools import descendants, operable, shown_html

from edu_diffusion import figures, steps
from edu_diffusion.data import photos
from edu_diffusion.errors import EduError
from edu_diffusion.figures.noise_stages import QUANTITIES
from edu_diffusion.widgets import ScheduleExplorer
from edu_diffusion.widgets.schedules import schedules

OWN = torch.linspace(-1, 1, 3 * 32 * 32).reshape(3, 32, 32)


def test_it_shows_the_formula_for_every_schedule():
    x_0, betas = photos.photo("cat"), schedules()
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(3))
    noisy = {name: steps.q_sample(x_0, eps, steps.abar(b)[400])[0] for name, b in betas.items()}
    expected = figures.noising(noisy, betas, 400, what="The picture cat")
    found = ScheduleExplorer("cat", t=400, seed=3).figure()
    assert found.png == expected.png and found.alt == expected.alt and len(betas) == 5


def test_the_live_picture_is_the_one_without_a_kernel():
    widget = ScheduleExplorer()
    plain = widget.figure()
    assert widget.picture is None, "nothing is shown by figure()"
    widget.redraw()
    assert widget.picture.png == plain.png
    assert f'alt="{html.escape(plain.alt, quote=True)}"' in shown_html(widget)


def test_every_control_has_a_name_and_changes_the_picture():
    widget = ScheduleExplorer()
    names = [control.description for control in operable(widget)]
    assert all(names) and len(set(names)) == len(names)
    assert not [w for w in descendants(widget) if isinstance(w, (Output, Image))]
    widget.redraw()
    seen = {widget.picture.png}
    for name, value in {"t": 700, "show": QUANTITIES[1], "picture": "rocket", "seed": 1}.items():
        widget.controls[name].value = value
        seen.add(widget.picture.png)
    assert len(seen) == 5


def test_all_axes_and_both_ends():
    for show in QUANTITIES:
        for t in (0, 999):
            alt = ScheduleExplorer(OWN, t=t, show=show).figure().alt
            assert f"timestep t = {t} of 5 noise schedules, and curves of the {show}" in alt
            assert "nan" not in alt and "inf" not in alt


def test_own_picture_as_a_tensor_or_a_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Pillow.fromarray(pixels).save(tmp_path / "mine.png")
    x = torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1
    found = [ScheduleExplorer(picture) for picture in (tmp_path / "mine.png", str(tmp_path / "mine.png"), x, x[None])]
    assert len({widget.figure().png for widget in found}) == 1
    assert found[0].controls["picture"].options[:2] == ("my own", "cat")
    assert found[0].figure().png != ScheduleExplorer("cat").figure().png
    small = ScheduleExplorer(tmp_path / "mine.png", size=24)
    assert {x_0.shape for x_0 in small.pictures.values()} == {(1, 3, 24, 24)}


def test_own_schedules_and_an_own_function():
    seen = []

    def noise(x_0, eps, abar_t):
        seen.append(float(abar_t))
        return x_0 * 0

    widget = ScheduleExplorer(OWN, t=5, betas={"mine": [0.1] * 10}, noise=noise)
    assert "mine: 0.531" in widget.figure().alt and seen == [pytest.approx(0.9**6)]
    assert widget.controls["t"].max == 9


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"picture": torch.zeros(1, 32, 32)}, r"shape \(1, 32, 32\); it must be \(3, height, width\)"),
        ({"picture": "no-such-file.png"}, "There is no file no-such-file.png"),
        ({"betas": {"a": torch.ones(3) / 2, "b": torch.ones(4) / 2}}, "all of one shape"),
        ({"betas": {}}, "give 1 to 5"),
        ({"betas": {"a": torch.zeros(3)}}, "'a' has values outside"),
        ({"betas": {"a": [0.1, float("nan")]}}, "'a' has values outside"),
    ],
)
def test_mistakes_are_a_sentence(wrong, words):
    with pytest.raises(EduError, match=words):
        ScheduleExplorer(**wrong)

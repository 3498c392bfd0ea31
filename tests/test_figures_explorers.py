"""The explorers' figures: described, sharp, on a small screen, and saying what differs; JPEG within its bytes."""

import numpy as np
import pytest
import torch
from look import described_and_legible, pixels
from matplotlib import colormaps
from PIL import Image

from edu_diffusion import figures
from edu_diffusion.data import jpeg
from edu_diffusion.errors import EduError
from edu_diffusion.figures import style
from edu_diffusion.figures.moments import fitted

RNG = torch.Generator().manual_seed(0)
X = (torch.rand(6, 3, 8, 8, generator=RNG) * 2 - 1).repeat_interleave(8, 2).repeat_interleave(8, 3)
Z = torch.randn(6, 4, 16, 16, generator=RNG)
LARGE, LARGE_Z = X[0].repeat_interleave(8, 1).repeat_interleave(8, 2), torch.randn(4, 64, 64, generator=RNG)
SMALL, SMALL_Z = X[0, :, :32, :32], Z[0, :, :8, :8]
LEVELS = list(range(999, 0, -50))
GAPS = [float("nan"), *(0.1 * k for k in range(19))]
CODED = [figures.Coded(name, X[1], 1000, 20.0) for name in ("latent, 16 bits", "JPEG", "latent, 8 bits", "JPEG")]


def moment(x, z, words='"a cat", seed 0, DDIM'):
    return figures.Moment(words, x, x * 0.5, z, -x)


def guided(x, z, i=5, g=4.0, interval=None):
    return figures.guidance(z, z + 0.2, z + 0.8, [x, x * 0.9, x * 0.5], x, GAPS, LEVELS, i, g, interval)


MAKE = {
    "timeline": lambda: figures.timeline([moment(X[0], Z[0])], LEVELS, 3),
    "two runs": lambda: figures.timeline([moment(X[0], Z[0]), moment(X[1], Z[1], "w" * 300)], LEVELS, 19, 7),
    "one step": lambda: figures.timeline([moment(X[0], Z[0])], [999], 0),
    "timeline of 512 x 512": lambda: figures.timeline([moment(LARGE, LARGE_Z)] * 2, LEVELS, 3),
    "timeline of 32 x 32": lambda: figures.timeline([moment(SMALL, SMALL_Z)], LEVELS, 3),
    "guidance": lambda: guided(X[0], Z[0]),
    "guidance in an interval": lambda: guided(X[0], Z[0], 0, 4.0, (200, 800)),
    "guidance at 512 x 512": lambda: guided(LARGE, LARGE_Z),
    "latent": lambda: figures.edited_latent([("latent of a cat", Z[0], X[0])]),
    "edited": lambda: figures.edited_latent([("a", Z[0], X[0]), ("b", Z[1], X[1])], "1 is added."),
    "edited at 512 x 512": lambda: figures.edited_latent([("a", LARGE_Z, LARGE)] * 2, "Nothing."),
    "ways": lambda: figures.ways({"latents": [*X, X[0]], "pixels": [*X, X[0]]}, list("abcdefg"), "From a to g.", 2),
    "ways of few": lambda: figures.ways({"text": X[:3]}, ["a prompt of many words that goes on", "b", "c"], "Text."),
    "reconstructions": lambda: figures.reconstructions(X[0], CODED, X[2, 0] > 0, "Tables."),
    "reconstructions at 512 x 512": lambda: figures.reconstructions(LARGE, [CODED[0]._replace(image=LARGE)] * 4),
}


@pytest.mark.parametrize("name", MAKE)
def test_described_legible_and_the_same_every_time(name):
    picture = MAKE[name]()
    described_and_legible(picture, words=20)
    assert picture.png == MAKE[name]().png


def test_a_small_picture_is_enlarged_exactly_and_channels_have_their_colours():
    screen = pixels(MAKE["timeline"]())
    expected = style.rgb(X[0]).repeat(3, 0).repeat(3, 1)
    assert np.array_equal(screen[86 : 86 + 192, style.GAP : style.GAP + 192], expected)
    tile = screen[86 : 86 + 94, 2 * (192 + style.GAP) + style.GAP :][:, :94]  # the first channel, without the line
    share = np.clip((Z[0, 0].numpy() + 3) / 6, 0, 1)
    assert np.array_equal(tile, colormaps[style.SIGNED](share, bytes=True)[..., :3].repeat(6, 0).repeat(6, 1)[:94, :94])


@pytest.mark.parametrize(
    "shape, size", [((3, 64, 64), (192, 192)), ((3, 512, 512), (192, 192)), ((3, 100, 50), (50, 100)), ((3, 32, 64), (192, 96))]
)
def test_the_size_of_a_picture_on_the_page(shape, size):
    assert fitted(np.zeros(shape), 192) == size


def test_the_timeline_tells_how_far_it_is_and_how_two_runs_differ():
    black, white = -torch.ones(3, 64, 64), torch.ones(3, 64, 64)
    a, b = (figures.Moment(w, black, black, Z[0], end) for w, end in (("one", black), ("other", white)))
    alt = figures.timeline([a, b], LEVELS, 4, 7).alt
    assert "Step 5 of 20, timestep t = 799" in alt
    assert "one: the noisy picture; predicted x_0 and final picture differ by 0.00" in alt
    assert "The two predicted x_0 differ by 0.00, the two final pictures by 2.00" in alt and "swapped at step 8" in alt
    assert "two predicted" not in figures.timeline([a], LEVELS, 4).alt


@pytest.mark.parametrize("moments, i", [([], 0), ([moment(X[0], Z[0])], 20), ([moment(X[0], Z[0])], -1)])
def test_a_timeline_without_such_a_step_is_a_mistake(moments, i):
    with pytest.raises(ValueError, match="a step from 0 to 19"):
        figures.timeline(moments, LEVELS, i)


def test_guidance_tells_its_scale_and_where_it_counts():
    alt = guided(X[0], Z[0], 5, 4.0, (200, 800)).alt
    assert "timestep t = 749, g = 4:" in alt and "difference, of size 0.20" in alt and "only from t = 200 to 800" in alt
    assert "not used at this step" in guided(X[0], Z[0], 0, 4.0, (200, 800)).alt
    assert "only" not in guided(X[0], Z[0]).alt


def test_an_edit_tells_what_changed_and_where():
    after = torch.zeros(3, 64, 64)
    after[:, 50:, 50:] = 1
    alt = figures.edited_latent([("a", Z[0], torch.zeros(3, 64, 64)), ("b", Z[0] + 1, after)], "1 is added.").alt
    assert "1 is added." in alt and "changed by 0.05 on average, most at the bottom, right" in alt
    assert "changed" not in figures.edited_latent([("a", Z[0], X[0])]).alt


def test_ways_need_as_many_labels_as_pictures():
    with pytest.raises(ValueError, match="3 labels"):
        figures.ways({"a": X[:3], "b": X[:2]}, list("abc"), "x")


def test_reconstructions_name_bytes_and_decibels_and_show_errors_inside_the_mask_only():
    mask = torch.zeros(64, 64)
    mask[32:] = 1
    picture = figures.reconstructions(X[0], [figures.Coded("JPEG", -X[0], 999, 7.25)], mask)
    assert "JPEG, 999 bytes, 7.2 dB" in picture.alt and "inside the sprite" in picture.alt
    error = pixels(picture)[50 + 192 :, 2 * style.GAP + 192 :][:192, :192]
    assert (error[:96] == error[0, 0]).all() and error[96:].std() > 5
    assert "over the whole picture" in figures.reconstructions(X[0], CODED).alt


# ---------------------------------------------------------------- the yardstick


def smooth(size=64):
    """A picture that JPEG likes: a ramp in each colour."""
    ramp = torch.linspace(-1, 1, size)
    return torch.stack([ramp.expand(size, size), ramp[:, None].expand(size, size), -ramp.expand(size, size)])


def test_the_best_jpeg_fits_and_no_other_is_nearer():
    image = smooth(32)
    found, source = jpeg.best_jpeg(image, 600), Image.fromarray(jpeg.to_bytes(image))
    others = [jpeg.coded(source, quality, colours) for quality in range(1, 101, 3) for colours in (0, 1, 2)]
    best = max(jpeg.psnr(other.image, image) for other in others if other.nbytes <= 600)
    assert found.nbytes <= 600 and 0 < found.header < found.nbytes
    assert jpeg.psnr(found.image, image) > best - 0.1


def test_more_bytes_bring_a_jpeg_nearer():
    db = [jpeg.psnr(jpeg.best_jpeg(smooth(), most).image, smooth()) for most in (500, 800, 4000)]
    assert db[0] < db[1] < db[2] and db[2] > 35


def test_where_no_jpeg_fits_the_smallest_is_given():
    found = jpeg.best_jpeg(X[0], 100)
    assert found.nbytes > 100 and found.quality == 1


def test_a_jpeg_of_something_else_is_a_mistake():
    with pytest.raises(EduError, match="must be"):
        jpeg.best_jpeg(X, 1000)


def test_decibels():
    grey, lighter = torch.zeros(3, 8, 8), torch.full((3, 8, 8), 0.2)
    assert jpeg.psnr(grey, lighter) == pytest.approx(20)
    half = torch.zeros(8, 8)
    half[:4] = 1
    lighter[:, 4:] = 0.9
    assert jpeg.psnr(grey, lighter, half) == pytest.approx(20), "outside the mask nothing counts"
    assert jpeg.psnr(grey, grey) == float("inf")


def test_decibels_are_the_judges():
    """The same measure as the model card's."""
    from edu_diffusion.data import scenes

    scene = scenes.batch(2, 1)
    back = (scene.images + 0.1 * torch.randn(scene.images.shape, generator=RNG)).clamp(-1, 1)
    error = ((back - scene.images) / 2).square().mean(1, keepdim=True)
    db = -10 * torch.log10((error * scene.masks).sum((1, 2, 3)) / scene.masks.sum((1, 2, 3)))
    mine = [jpeg.psnr(b, x, m[0]) for b, x, m in zip(back, scene.images, scene.masks)]
    torch.testing.assert_close(torch.tensor(mine), db)

"""Scenes: exact captions and masks, deterministic, nothing held out."""

import pytest
import torch

from edu_diffusion.data import scenes
from edu_diffusion.data.world import world
from edu_diffusion.errors import EduError


def test_the_same_seed_gives_the_same_scenes():
    one, same, other = (scenes.batch(8, seed) for seed in (3, 3, 4))
    assert torch.equal(one.images, same.images) and one.captions == same.captions
    assert not torch.equal(one.images, other.images)


def test_shapes_and_ranges():
    scene = scenes.batch(16, 0, "wide", counts=(1, 2, 3))
    assert scene.images.shape == (16, 3, 64, 64) and scene.masks.shape == (16, 1, 64, 64)
    assert scene.images.min() >= -1.01 and scene.images.max() <= 1.01 and scene.masks.dtype == torch.bool


def test_what_is_held_out_never_appears():
    spec = scenes.draw_spec(20_000, torch.Generator().manual_seed(0), "wide")
    assert world().colour_allowed[spec.concept, spec.colour].all()
    assert world().style_allowed[spec.concept, spec.style].all()
    assert all(world().concepts[i].tier != "heldout" for i in spec.concept.unique())


@pytest.mark.parametrize("wide, fewest, most", [(0.0, 0, 0), (0.5, 60, 120), (1.0, 140, 200)])
def test_a_share_comes_from_the_whole_vocabulary(wide, fewest, most):
    """Of the whole vocabulary about three quarters are not core concepts."""
    scene = scenes.mixed(200, 3, wide, usual=1.0)
    core = torch.isin(scene.spec.concept, world().tier("core"))
    assert fewest <= (~core).sum() <= most
    assert len(scene.images) == len(scene.masks) == len(scene.captions) == len(core) == 200
    allowed = world().style_allowed[scene.spec.concept, scenes.STYLES.index("twemoji")]
    assert ((scene.spec.style == 1) == allowed).all()  # usual= is passed on


@pytest.mark.parametrize("kind", ["colour", "style"])
def test_held_out_pairs_appear_when_asked_for(kind):
    spec = scenes.draw_spec(20_000, torch.Generator().manual_seed(0), "core", held_out=(kind,))
    allowed = getattr(world(), f"{kind}_allowed")[spec.concept, getattr(spec, kind)]
    assert 0.03 < (~allowed).float().mean() < 0.07


def test_plain_captions_name_everything():
    scene = scenes.batch(64, 5, plain=True)
    for i, caption in enumerate(scene.captions):
        colour, style = scenes.COLOURS[scene.spec.colour[i]], scenes.STYLES[scene.spec.style[i]]
        assert f"{colour} background" in caption and caption.endswith(f"{style} style")
        assert world().concepts[scene.spec.concept[i]].name in caption
        assert ("small" in caption.split()) == (scene.spec.size[i] == 0)


@pytest.mark.parametrize("share, fewest, most", [(0.0, 0, 0), (0.3, 40, 80), (1.0, 200, 200)])
def test_a_share_of_the_captions_does_not_name_the_thing(share, fewest, most):
    """All else is said: the colour, the style, the size, the place."""
    scene = scenes.batch(200, 5, plain=True, unnamed=share)
    assert fewest <= sum(" thing" in caption for caption in scene.captions) <= most
    assert torch.equal(scene.images, scenes.batch(200, 5).images)
    for caption, size, style in zip(scene.captions, scene.spec.size, scene.spec.style):
        assert ("small" in caption.split()) == (size == 0) and caption.endswith(f"{scenes.STYLES[style]} style")


def test_the_mask_is_the_sprite():
    """Outside the mask (and its soft edge) there is background only; inside, pixels differ from it."""
    spec = scenes.batch(64, 1).spec
    images, masks = scenes.render(spec)
    far = ~torch.nn.functional.max_pool2d(masks.float(), 7, 1, 3).bool()
    flat = scenes.PALETTE[spec.colour][:, :, None, None]
    assert ((images - flat).abs() * far).amax() < 0.6  # only thin, half-transparent strokes
    assert ((images - flat).abs() * far).mean() < 0.002


@pytest.mark.parametrize("place, x, y", [(0, 0, 0), (1, -1, 0), (4, 0, 1), (6, 1, -1)])
def test_the_place_is_where_the_caption_says(place, x, y):
    n = 30
    pick = world().tier("core")[:n]
    spec = scenes.Spec(pick, *(torch.full((n,), v) for v in (0, 1, 1, place, 1)))
    mask = scenes.render(spec)[1][:, 0].float()
    span = torch.linspace(-1, 1, 64)
    centre_x = (mask.sum(1) * span).sum(1) / mask.sum((1, 2))
    centre_y = (mask.sum(2) * span).sum(1) / mask.sum((1, 2))
    assert (centre_x.mean().sign() * (centre_x.mean().abs() > 0.15)).item() == x
    assert (centre_y.mean().sign() * (centre_y.mean().abs() > 0.15)).item() == y


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_copies_as_said(count):
    spec = scenes.draw_spec(20, torch.Generator().manual_seed(2), "core", counts=(count,))
    spec = spec._replace(size=torch.zeros_like(spec.size), place=torch.zeros_like(spec.place))
    one = scenes.render(spec._replace(count=torch.ones_like(spec.count)))[1].sum((1, 2, 3)).float()
    many = scenes.render(spec)[1].sum((1, 2, 3)).float()
    assert (many / one - count).abs().mean() < 0.15 * count


def test_rendering_does_not_touch_what_is_not_asked():
    spec = scenes.batch(6, 9).spec
    alone = torch.cat([scenes.render(scenes.Spec(*(f[i:i + 1] for f in spec)))[0] for i in range(6)])
    torch.testing.assert_close(scenes.render(spec)[0], alone)


def test_asking_for_nothing_is_a_sentence():
    style = next(i for i, row in enumerate(world().style_allowed) if not row.all())
    held = scenes.STYLES[int((~world().style_allowed[style]).int().argmax())]
    with pytest.raises(EduError, match="held out"):
        scenes._choose(world().style_allowed[:, [scenes.STYLES.index(held)]], torch.tensor([style]), torch.Generator())

"""Scenes: exact captions and masks, deterministic, nothing held out."""

import itertools

import pytest
import torch

from edu_diffusion.data import captions, chances, compositing, scenes, words
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
    scene = scenes.mixed(200, 3, wide, styles=("noto", "fluent"))
    core = torch.isin(scene.spec.concept, world().tier("core"))
    assert fewest <= (~core).sum() <= most
    assert len(scene.images) == len(scene.masks) == len(scene.captions) == len(core) == 200
    assert (scene.spec.style != 1).all()  # styles= is passed on


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


def test_captions_name_each_attribute_with_a_probability_of_its_own():
    scene = scenes.batch(2000, 7)
    heard = [c.lower() for c in scene.captions]
    colours = [any(w in c for w in ("gray", "grey", scenes.COLOURS[k])) for c, k in zip(heard, scene.spec.colour)]
    styles = [scenes.STYLES[k] in c for c, k in zip(heard, scene.spec.style)]
    assert sum(colours) / 2000 == pytest.approx(scenes.NAMED["colour"], abs=0.04)
    assert sum(styles) / 2000 == pytest.approx(scenes.NAMED["style"], abs=0.04)


def test_what_is_always_named_is_named():
    scene = scenes.batch(300, 7, always=("style",))
    assert sum(scenes.STYLES[k] in c.lower() for c, k in zip(scene.captions, scene.spec.style)) > 285  # but for typos


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_training_may_leave_more_concepts_unnamed(share, monkeypatch):
    facts, seen = captions._facts, []
    monkeypatch.setattr(captions, "_facts", lambda spec, i, named, *more: seen.append(named) or facts(spec, i, named, *more))
    spec, rng = scenes.draw_spec(1000, torch.Generator().manual_seed(3)), torch.Generator().manual_seed(4)
    for i in range(1000):
        scenes.say(spec, i, rng, unnamed=share)
    assert sum("concept" not in named for named in seen) / 1000 == pytest.approx(share, abs=0.04)
    assert sum("colour" in named for named in seen) / 1000 == pytest.approx(scenes.NAMED["colour"], abs=0.04)


def test_concepts_outside_the_core_never_go_unnamed():
    rng, wide = torch.Generator().manual_seed(0), torch.tensor([i for i, c in enumerate(world().concepts) if c.tier == "wide"])
    spec = scenes.draw_spec(400, rng)._replace(concept=wide[torch.randint(len(wide), (400,), generator=rng)])
    said = [scenes.say(spec, i, rng).lower() for i in range(400)]
    assert not any(thing in text.split() for text in said for thing in ("thing", "something", "object", "anything"))


def test_the_spec_is_drawn_as_the_priors_say():
    spec = scenes.draw_spec(20_000, torch.Generator().manual_seed(1))
    assert torch.bincount(spec.size, minlength=3) / 20_000 == pytest.approx([0.2, 0.5, 0.3], abs=0.03)
    free = spec.place[spec.size < 2]
    assert (free == 0).float().mean() == pytest.approx(0.4, abs=0.03) and (spec.place[spec.size == 2] == 0).all()


def test_a_habit_is_a_habit():
    habit = next(h for h in world().habits if h["attribute"] == "colour")
    row = chances.priors(world()).colour[world().by_id[habit["id"]].index]
    assert row[scenes.COLOURS.index(habit["value"])] == pytest.approx(float(habit["probability"]))
    assert row.sum() == pytest.approx(1, abs=1e-5)


def test_several_things_are_many_or_two():
    spec = scenes.draw_spec(10_000, torch.Generator().manual_seed(1), many=0.2)
    assert (spec.count > 1).float().mean() == pytest.approx(0.1, abs=0.02)
    assert (spec.other >= 0).float().mean() == pytest.approx(0.1, abs=0.02)
    two = spec.other >= 0
    assert (spec.other[two] != spec.concept[two]).all() and (spec.count[two] == 1).all() and (spec.size[two] == 0).all()
    assert world().colour_allowed[spec.other[two], spec.colour[two]].all()
    assert world().style_allowed[spec.other[two], spec.style[two]].all()


def test_two_things_stand_apart():
    spec = scenes.draw_spec(300, torch.Generator().manual_seed(1), many=1.0)
    shapes = scenes.copies(spec)
    assert not (shapes[:, 0] & shapes[:, 1])[spec.other >= 0].any()
    assert shapes[:, 1].flatten(1).any(1)[spec.other >= 0].all()


@pytest.mark.parametrize("count", [2, 3])
def test_copies_do_not_touch(count):
    """Even a drawing that fills its square leaves a pixel of ground to the next copy, diagonals included."""
    spec = scenes.draw_spec(20, torch.Generator().manual_seed(2), counts=(count,))
    for corners in compositing.corners(spec).tolist():
        gaps = [max(abs(y - v), abs(x - u)) for (y, x), (v, u) in itertools.combinations(corners, 2)]
        assert min(gaps) > words.SIZES["small"]


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
    spec = scenes.Spec(pick, *(torch.full((n,), v) for v in (0, 1, 1, place, 1, -1)))
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
    alone = torch.cat([scenes.render(scenes.Spec(*(f[i : i + 1] for f in spec)))[0] for i in range(6)])
    torch.testing.assert_close(scenes.render(spec)[0], alone)


def test_asking_for_nothing_is_a_sentence():
    style = next(i for i, row in enumerate(world().style_allowed) if not row.all())
    held = scenes.STYLES[int((~world().style_allowed[style]).int().argmax())]
    with pytest.raises(EduError, match="held out"):
        scenes._choose(world().style_allowed[:, [scenes.STYLES.index(held)]].float(), torch.tensor([style]), torch.Generator())

"""Condition maps: Canny against a literal implementation, and maps that match the scene's parameters."""

import math

import pytest
import skimage.feature
import torch

from edu_diffusion.data import canny, conditions, photos, pose, scenes
from edu_diffusion.data.world import world
from edu_diffusion.errors import EduError

KINDS = conditions.KINDS


# ---------------------------------------------------------------- canny


def literal_canny(image, low, high, sigma):
    """Canny's steps for one picture (3, H, W) in [-1, 1], pixel by pixel, as a textbook tells them."""
    colours = [[[value / 2 + 0.5 for value in row] for row in colour] for colour in image.tolist()]
    high_, wide = len(colours[0]), len(colours[0][0])

    def at(plane, y, x):
        return plane[min(max(y, 0), high_ - 1)][min(max(x, 0), wide - 1)]

    def blurred(plane):
        reach = math.ceil(3 * sigma)
        bell = {i: math.exp(-i * i / (2 * sigma * sigma)) for i in range(-reach, reach + 1)}
        total = sum(bell.values())
        beside = [[sum(w * at(plane, y, x + i) for i, w in bell.items()) / total for x in range(wide)] for y in range(high_)]
        return [[sum(w * at(beside, y + i, x) for i, w in bell.items()) / total for x in range(wide)] for y in range(high_)]

    def slope(plane, y, x):
        def column(dx):
            return at(plane, y - 1, x + dx) + 2 * at(plane, y, x + dx) + at(plane, y + 1, x + dx)

        def row(dy):
            return at(plane, y + dy, x - 1) + 2 * at(plane, y + dy, x) + at(plane, y + dy, x + 1)

        return (column(1) - column(-1)) / 4, (row(1) - row(-1)) / 4

    smooth = [blurred(plane) for plane in colours]
    slopes = {
        (y, x): max((slope(plane, y, x) for plane in smooth), key=lambda s: round(math.hypot(*s) ** 2 * 2**16))
        for y in range(high_)
        for x in range(wide)
    }
    steep = {place: round(math.hypot(*s) ** 2 * 2**16) for place, s in slopes.items()}
    ridge = set()
    for (y, x), (across, down) in slopes.items():
        degrees = math.degrees(math.atan2(down, across)) % 180
        dy, dx = [(0, 1), (1, 1), (1, 0), (1, -1)][int((degrees + 22.5) // 45) % 4]
        if steep[y, x] > steep.get((y - dy, x - dx), 0) and steep[y, x] >= steep.get((y + dy, x + dx), 0):
            ridge.add((y, x))
    waiting = [place for place in ridge if steep[place] >= round(high**2 * 2**16)]
    lines = set(waiting)
    while waiting:
        y, x = waiting.pop()
        for place in [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
            if place in ridge and place not in lines and steep[place] >= round(low**2 * 2**16):
                lines.add(place)
                waiting.append(place)
    return lines


def found(lines):
    return {tuple(place) for place in lines[0, 0].nonzero().tolist()}


def test_pictures():
    """A photograph, a scene, noise that was smoothed: every kind of slope."""
    noise = torch.randn(1, 3, 30, 26, generator=torch.Generator().manual_seed(0))
    return [photos.photo("cat", 40), scenes.batch(1, 5).images[..., 10:50, 8:60], (canny.smooth(noise, 1.5) * 2).clamp(-1, 1)]


test_pictures.__test__ = False


@pytest.mark.parametrize("i", range(3))
@pytest.mark.parametrize("low, high, sigma", [(0.1, 0.25, 1.0), (0.05, 0.1, 1.4), (0.2, 0.2, 0.6)])
def test_canny_against_a_literal_one(i, low, high, sigma):
    image = test_pictures()[i]
    mine, literal = found(canny.canny(image, low, high, sigma)), literal_canny(image[0].double(), low, high, sigma)
    assert len(literal) > 20
    assert len(mine ^ literal) <= 0.01 * len(literal)  # float32 may round a slope the other way


@pytest.mark.parametrize("i", range(7))
def test_canny_agrees_with_scikit_image(i):
    """Grey pictures; its gradient, by Sobel's sums, is four times ours. Of the lines of either 95 % lie near the other's."""
    picture = [photos.photo("cat"), photos.photo("rocket"), *(scenes.batch(1, seed).images for seed in range(5))][i]
    grey = picture.mean(1, keepdim=True)
    ours = canny.canny(grey.expand(-1, 3, -1, -1), 0.05, 0.1, 1.5)[:, :1]
    image = ((grey[0, 0].double() + 1) / 2).numpy()
    lines = skimage.feature.canny(image, sigma=1.5, low_threshold=0.2, high_threshold=0.4, mode="nearest")
    inside = [lines[..., 2:-2, 2:-2] for lines in (ours, torch.from_numpy(lines)[None, None].float())]  # the frames differ
    for one, other in (inside, inside[::-1]):
        near = torch.nn.functional.max_pool2d(other, 3, stride=1, padding=1)
        assert one.sum() > 40 and (one * near).sum() >= 0.95 * one.sum()


def test_canny_of_a_disc_is_its_outline():
    away = (pose.grid(64) - 31.5).norm(dim=-1)
    picture = ((away < 20).float() * 2 - 1).expand(1, 3, 64, 64)
    lines = conditions.canny(picture)
    assert (away[lines[0, 0] > 0] - 20).abs().max() < 1.2
    assert 100 < lines[0, 0].sum() < 160  # a circle of 126 pixels, one wide


def test_canny_has_one_line_where_two_pixels_are_equally_steep():
    picture = torch.cat([-torch.ones(1, 3, 20, 10), torch.ones(1, 3, 20, 10)], 3)
    assert conditions.canny(picture)[0, 0].sum(1).tolist() == [1.0] * 20


def test_canny_sees_colours_that_are_equally_bright():
    picture = torch.full((1, 3, 20, 20), -1.0)
    picture[:, 0, :, :10], picture[:, 1, :, 10:] = 0.6, 0.6
    assert conditions.canny(picture)[0, 0, 5].sum() == 1


def test_canny_thresholds():
    """A line that fades is followed to where it is weaker than `low`; its weak end alone is nothing."""
    picture = -torch.ones(1, 3, 40, 40)
    picture[..., 20:] = torch.linspace(1, -0.7, 40)[:, None]
    rows = [conditions.canny(picture, low, 0.5)[0, 0].amax(1) for low in (0.05, 0.3)]
    assert rows[0].all() and rows[1][:10].all() and not rows[1][30:].any()
    assert not conditions.canny(picture[..., 28:, :], 0.05, 0.5).any()


def test_canny_of_a_picture_does_not_depend_on_its_batch():
    images = scenes.batch(6, 2).images
    assert torch.equal(conditions.canny(images)[4:5], conditions.canny(images[4:5]))


@pytest.mark.parametrize(
    "images, options, message",
    [
        (torch.zeros(3, 64, 64), {}, r"shape \(3, 64, 64\)"),
        (torch.zeros(1, 1, 64, 64), {}, "must be"),
        (torch.zeros(1, 3, 3, 64), {}, "wider"),
        (torch.zeros(1, 3, 64, 64), {"low": 0.5}, "low at most high"),
        (torch.zeros(1, 3, 64, 64), {"low": 0}, "above 0"),
    ],
)
def test_canny_refuses(images, options, message):
    with pytest.raises(EduError, match=message):
        conditions.canny(images, **options)


def test_grow_is_a_flood():
    ground = torch.tensor([[1, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 1]], dtype=torch.bool)[None, None]
    seeds = torch.zeros_like(ground)
    seeds[..., 0, 0] = True
    assert canny.grow(seeds, ground)[0, 0].int().tolist() == [[1, 1, 0, 1], [0, 0, 1, 0], [0] * 4, [0] * 4]


# ---------------------------------------------------------------- maps of scenes


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_batch(kind):
    some, again = (conditions.batch(kind, 5, seed=3) for _ in range(2))
    assert some.images.shape == some.conditions.shape == (5, 3, 64, 64) and len(some.captions) == 5
    assert 0 <= some.conditions.min() and 0.5 < some.conditions.max() <= 1 and -1 <= some.images.min()
    assert torch.equal(some.conditions, again.conditions) and some.captions == again.captions
    assert not torch.equal(some.conditions, conditions.batch(kind, 5, seed=4).conditions)
    assert all(c.any() for c in some.conditions)


def test_segmentation_has_the_colour_of_the_category():
    some = scenes.batch(20, 1)
    maps = conditions.of_scenes("segmentation", some)
    assert torch.equal(maps.amax(1, keepdim=True) > 0, some.masks)
    for i, shade in enumerate(maps):
        category = world().concepts[int(some.spec.concept[i])].category
        assert shade.amax((1, 2)).tolist() == pytest.approx(conditions.CATEGORIES[category])


def test_every_category_has_a_colour_of_its_own():
    assert {c.category for c in world().concepts} == set(conditions.CATEGORIES)
    assert len(set(conditions.CATEGORIES.values())) == len(conditions.CATEGORIES)


def row(size, place):
    return {"id": "1f431", "colour": "white", "style": "noto", "size": size, "place": place}


def test_what_is_bigger_or_lower_is_nearer():
    rows = [row("small", "top"), row("small", "centre"), row("medium", "centre"), row("big", "centre")]
    spec = scenes.spec_of([*rows, row("small", "bottom")])
    near = conditions.depth(spec).amax((1, 2, 3))
    assert (near[:4].diff() > 0.05).all() and near[4] == near.max()


def test_each_of_several_things_has_its_own_depth():
    some = scenes.batch(8, 1, counts=(3,))
    depth = conditions.of_scenes("depth", some)
    assert torch.equal(depth[:, :1] > 0, some.masks)
    assert all(len(d.unique()) == 3 for d in depth)  # nothing, the one above, the two below


def test_a_thing_has_one_depth_where_it_reaches_into_the_frame_of_another():
    some = scenes.batch(24, 1, counts=(3,))
    depth, shapes = conditions.of_scenes("depth", some)[:, 0], scenes.copies(some.spec)
    assert torch.equal(shapes.any(1, keepdim=True), some.masks)
    for k in range(3):
        alone = shapes[:, k] & (shapes.sum(1) == 1)
        assert all(len(d[a].unique()) == 1 for d, a in zip(depth, alone))


def test_maps_found_in_a_picture_agree_with_what_is_known():
    some = scenes.batch(60, 4)
    shape = conditions.of_pictures("segmentation", some.images)[:, :1] > 0
    iou = (shape & some.masks).sum((1, 2, 3)) / (shape | some.masks).sum((1, 2, 3))
    assert iou.mean() > 0.85 and iou.median() > 0.93
    one, other = (conditions.of_pictures("depth", some.images), conditions.of_scenes("depth", some))
    assert (one.amax((1, 2, 3)) - other.amax((1, 2, 3))).abs().median() < 0.03


def test_the_foreground_has_no_holes():
    picture = torch.ones(1, 3, 64, 64)
    picture[..., 20:40, 20:40], picture[..., 25:35, 25:35] = -1, 1  # a frame: what is inside belongs to it
    mask = conditions.foreground(picture)
    assert mask.sum() == 400 and mask[0, 0, 30, 30]


def test_mistakes_are_sentences():
    with pytest.raises(EduError, match="no condition 'edges'; .* canny, segmentation, depth, pose"):
        conditions.batch("edges", 1)
    with pytest.raises(EduError, match="Scenes have no pose"):
        conditions.of_scenes("pose", scenes.batch(1))


# ---------------------------------------------------------------- stick figures


def test_stick_figures_are_where_their_keypoints_are():
    some = pose.batch(100, 2)
    assert some.keypoints.shape == (100, len(pose.POINTS), 2)
    assert some.keypoints.min() >= 4 and some.keypoints.max() <= 60
    ends = pose.ends(some.keypoints)
    away = (pose.find(some.images) - ends).norm(dim=2)
    assert away.median() < 0.3 and away.mean() < 1
    x, y = ends.round().long().unbind(2)
    colours = some.images[torch.arange(100), :, y[:, 3], x[:, 3]]  # a foot: nothing is painted over it but the other
    assert ((colours - pose.PALETTE[pose.COLOURS.index("blue")]).abs().amax(1) < 0.2).float().mean() > 0.9


def test_find_follows_the_figure():
    some = pose.batch(5, 3)
    moved = pose.find(some.images.roll((3, -2), (2, 3))) - pose.find(some.images)
    assert torch.allclose(moved, torch.tensor([-2.0, 3.0]), atol=0.05)


def test_bones_are_as_long_as_they_should_be():
    points = pose.batch(50, 4).keypoints
    long = torch.stack([(points[:, a] - points[:, b]).norm(dim=1) for a, b in pose.BONES], 1)
    lengths = pose.LENGTHS
    wanted = [lengths["neck"], lengths["trunk"]] + [lengths["arm"]] * 4 + [lengths["leg"]] * 4
    torch.testing.assert_close(long, torch.tensor(wanted).expand(50, -1), atol=1e-3, rtol=0)


def test_the_skeleton_lies_on_the_bones():
    some = pose.batch(20, 5)
    for a, b in pose.BONES:
        x, y = ((some.keypoints[:, a] + some.keypoints[:, b]) / 2).round().long().unbind(1)
        assert (some.skeletons[torch.arange(20), :, y, x].amax(1) > 0.5).all()
    assert (some.skeletons.amax(1) > 0).float().mean() < 0.1


def test_captions_say_which_arms_are_up():
    some = pose.batch(60, 6)
    hand = {side: some.keypoints[:, pose.POINTS.index(f"{side} hand"), 1] < some.keypoints[:, 1, 1] for side in ("left", "right")}
    for i, caption in enumerate(some.captions):
        up = [side for side in hand if hand[side][i]]
        words = ("arms down", f"the {up[0]} arm up" if up else "", "both arms up")[len(up)]
        assert caption.startswith(f"a stick figure with {words} on a ")
    assert len(set(some.captions)) > 6

"""The hand-drawn shapes: their geometry, and that they are conditions like any other."""

import pytest
import torch

from edu_diffusion.data import conditions, shapes
from edu_diffusion.errors import EduError


@pytest.fixture(scope="module")
def masks():
    return shapes.masks()


def enclosed(lines):
    """All that cannot be reached from the corner without crossing a line: (64, 64) bool, in steps to the four sides."""
    free, out = ~lines, torch.zeros_like(lines)
    out[0, 0] = True
    while True:
        wider = out.clone()
        for move, dim in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            wider |= out.roll(move, dim)
        if torch.equal(wider & free, out):
            return ~out
        out = wider & free


def iou(one, other):
    return ((one & other).sum() / (one | other).sum()).item()


def test_the_eight_stand_in_the_middle(masks):
    assert shapes.NAMES == ("circle", "square", "triangle", "star", "heart", "cross", "crescent", "bar")
    assert masks.shape == (8, 1, 64, 64) and masks.dtype == torch.bool
    for name, mask in zip(shapes.NAMES, masks):
        y, x = mask[0].nonzero().T
        assert 34 <= x.max() - x.min() + 1 <= 44, name
        assert abs(x.min() + x.max() - 63) <= 3 and abs(y.min() + y.max() - 63) <= 4, name


@pytest.mark.parametrize(
    "name, area",
    [  # of the perfect shape, in pixels
        ("circle", 3.1416 * 400),
        ("square", 1296),
        ("triangle", 777),
        ("cross", 924),
        ("bar", 672),
    ],
)
def test_their_areas_are_those_of_geometry(name, area):
    assert shapes.masks(name).sum().item() == pytest.approx(area, rel=0.06)


def test_no_two_are_alike(masks):
    pairs = [(i, j) for i in range(8) for j in range(i)]
    assert max(iou(masks[i], masks[j]) for i, j in pairs) < 0.9
    circle, crescent = (masks[shapes.NAMES.index(name), 0] for name in ("circle", "crescent"))
    assert circle[32, 40] and not crescent[32, 40], "a crescent is open to the right"


def test_no_line_is_perfectly_straight(masks):
    left = masks[shapes.NAMES.index("square"), 0].int().argmax(1)
    sides = left[18:46]
    assert len(sides.unique()) > 1 and sides.max() - sides.min() <= 3
    assert torch.equal(masks, shapes.masks()), "and yet the same every time"


def test_filled_is_a_segmentation_map(masks):
    filled = shapes.filled()
    assert filled.shape == (8, 3, 64, 64) and torch.equal(filled.amax(1, keepdim=True) > 0, masks)
    assert torch.allclose(filled[0, :, 32, 32], torch.tensor(conditions.CATEGORIES["objects"]))
    assert torch.equal(conditions.foreground(2 * filled - 1), masks), "what the judge would find in it"


def test_outline_is_closed_and_thin(masks):
    lines = shapes.outline()
    assert lines.shape == (8, 3, 64, 64) and set(lines.unique().tolist()) == {0, 1}
    for name, line, mask in zip(shapes.NAMES, lines[:, 0] > 0, masks[:, 0]):
        assert torch.equal(enclosed(line), mask), name
        assert not torch.nn.functional.avg_pool2d(line[None, None].float(), 3, 1, 1).eq(1).any(), name


def test_outline_is_where_canny_would_put_it(masks):
    found, lines = conditions.canny(shapes.filled() * 2 - 1)[:, 0], shapes.outline()[:, 0]
    near = torch.nn.functional.max_pool2d(found[:, None], 3, 1, 1)[:, 0]
    assert (lines * near).sum() > 0.97 * lines.sum()


def test_names_are_chosen():
    some = shapes.masks(["star", "bar"])
    assert torch.equal(some[:1], shapes.masks("star")) and torch.equal(some[1:], shapes.masks()[-1:])
    with pytest.raises(EduError, match="no shape 'blob'; the shapes are circle, "):
        shapes.filled("blob")

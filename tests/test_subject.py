"""The subject that exists nowhere else: deterministic, in its place, and of a class that the base knows."""

import pytest
import torch

from edu_diffusion.data import compositing, scenes, subject, words
from edu_diffusion.data.world import world

RGB = {
    name: torch.tensor([int(code[i : i + 2], 16) for i in (1, 3, 5)])
    for name, code in (("teal", subject.TEAL), ("yellow", subject.YELLOW))
}


def test_four_to_learn_from_and_others_to_judge_by():
    assert len(subject.TRAINING) == 4 and len(subject.HELD_OUT) == 24
    assert not {r["colour"] for r in subject.TRAINING} & {r["colour"] for r in subject.HELD_OUT}
    assert all(
        r["colour"] in words.COLOURS and r["size"] in words.SIZES and r["place"] in words.PLACES
        for r in subject.TRAINING + subject.HELD_OUT
    )


@pytest.mark.parametrize("size", [64, 56, 42, 30])
def test_it_is_teal_with_a_yellow_eye(size):
    sprite = subject.sprite(size).int()
    assert sprite.shape == (4, size, size) and (sprite[:3] <= sprite[3:] + 1).all()  # colour times alpha
    assert 0.3 < (sprite[3] > 127).float().mean() < 0.8
    for rgb in RGB.values():
        assert ((sprite[:3] - rgb[:, None, None]).abs().sum(0) < 30).any()


def test_no_drawing_of_the_world_is_like_it():
    own = subject.sprite().float()
    for style in scenes.ALL_STYLES:
        assert (world().sprites(style).float() - own).abs().mean((1, 2, 3)).min() > 20


@pytest.mark.parametrize("size, place", [("medium", "left"), ("small", "bottom right"), ("big", "centre"), ("medium", "top")])
def test_it_stands_where_a_scene_would_put_it(size, place):
    row = {"id": world().concepts[0].id, **subject.row("red", size, place)}
    mask = subject.render([row])[1]
    x, y = compositing.corners(scenes.spec_of([row]))[0, 0].flip(0).tolist()
    edge = words.SIZES[size]
    inside = torch.zeros_like(mask)
    inside[..., y : y + edge, x : x + edge] = True
    assert mask.any() and not (mask & ~inside).any()
    assert torch.equal(mask[0, 0, y : y + edge, x : x + edge], subject.sprite(edge)[3] > 127)


def test_the_background_is_the_palettes_and_jitters_on_request():
    images, masks = subject.render(subject.TRAINING)
    for image, row in zip(images, subject.TRAINING):
        assert torch.allclose(image[:, 0, 0], scenes.PALETTE[scenes.COLOURS.index(row["colour"])])
    shaken = subject.render(subject.TRAINING, torch.Generator().manual_seed(0))[0]
    assert 0 < (shaken - images).abs().max() <= 6 / 127.5 + 1e-6
    assert images.min() >= -1 and images.max() <= 1 and masks.dtype == torch.bool


def test_captions_name_it_and_the_class_is_one_that_the_base_knows():
    assert subject.captions(subject.TRAINING[:3], "zib robot") == [
        "a medium-sized zib robot in the middle on a blue background",
        "a big zib robot in the middle on a yellow background",
        "a medium-sized zib robot at the left on a white background",
    ]
    known = {world().concepts[i].name for i in world().tier("core").tolist()}
    assert subject.CLASS in known and subject.TOKEN not in known


def test_rows_of_the_class_go_through_styles_and_colours():
    rows = subject.class_rows(30)
    assert len({(r["style"], r["colour"]) for r in rows}) == 30
    assert rows[0]["prompt"] == "a medium-sized robot in the middle on a white background, noto style"
    assert {world().by_id[r["id"]].name for r in rows} == {"robot"}

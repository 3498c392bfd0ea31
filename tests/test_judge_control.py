"""Evaluation of ControlNets: the metrics on pictures with known answers, and the table of scores."""

import pytest
import tiny
import torch

from edu_diffusion import metrics, models, steps
from edu_diffusion.data import conditions, pose, scenes, shapes, words
from edu_diffusion.data.world import world
from edu_diffusion.errors import EduError
from edu_diffusion.metrics import control
from edu_diffusion.metrics.control import edge_f1, keypoint_distance, mask_iou, rank_agreement, ranks

# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The prompt .* tokens:UserWarning"),
]  # the tiny tokenizer spells


@pytest.fixture(scope="module")
def some():
    return scenes.batch(12, 3)


def lines(*columns):
    image = torch.zeros(1, 3, 40, 40)
    image[..., list(columns)] = 1
    return image


def step_at(column):
    """Black to the left of a column, white from it on: one edge."""
    return torch.cat([-torch.ones(1, 3, 40, column), torch.ones(1, 3, 40, 40 - column)], 3)


def test_edge_f1(some):
    assert torch.equal(edge_f1(some.images, conditions.canny(some.images)), torch.ones(12))
    assert edge_f1(some.images, conditions.canny(some.images).roll(1, 3)).min() > 0.95, "a pixel aside is near enough"
    at = int(conditions.canny(step_at(20))[0, 0, 5].argmax())
    assert edge_f1(step_at(20), lines(at + 1)) == 1 and edge_f1(step_at(20), lines(at + 2)) == 0
    assert edge_f1(step_at(20), lines(at + 2), tolerance=2) == 1
    half = edge_f1(step_at(20), lines(at, at + 10))  # all that is drawn is right, half of what is asked is there
    assert half.item() == pytest.approx(2 / 3)


def test_edge_f1_of_nothing():
    empty = torch.zeros(1, 3, 40, 40)
    assert edge_f1(empty, empty) == 1 and edge_f1(empty, lines(9)) == 0 and edge_f1(step_at(20), empty) == 0


def test_mask_iou(some):
    shapes = conditions.of_scenes("segmentation", some)
    assert mask_iou(some.images, shapes).median() > 0.9
    square, map_ = torch.ones(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    square[..., 20:40, 20:40], map_[:, 1, 20:40, 30:50] = -1, 0.3
    assert mask_iou(square, map_).item() == pytest.approx(200 / 600)
    assert mask_iou(torch.ones(1, 3, 64, 64), map_) == 0


def test_rank_agreement():
    several = scenes.batch(12, 3, counts=(3,))
    depth = conditions.of_scenes("depth", several)
    assert rank_agreement(several.images, depth).median() > 0.9
    assert rank_agreement(several.images, depth.roll(1, 0)).median() < rank_agreement(several.images, depth).median()
    assert rank_agreement(torch.ones(1, 3, 64, 64), depth[:1]) == 0


def test_ranks_are_shared_among_equals():
    x = torch.tensor([[[0.0, 0.25], [0.25, 1.0]]])
    assert (ranks(x) + 2.5).tolist() == [[1, 2.5, 2.5, 4]]


def test_keypoint_distance():
    figures = pose.batch(40, 7)
    ends = pose.ends(figures.keypoints)
    assert keypoint_distance(figures.images, ends).median() < 0.3
    aside = keypoint_distance(figures.images, ends + torch.tensor([3.0, 4.0]))
    assert aside.median().item() == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize("counts", [(1,), (1, 1, 2, 3)])
def test_the_cases_are_held_out_of_training(counts):
    some = control.open_scenes(counts)
    assert len(some.captions) == len(some.images) == len(some.masks) == 160
    assert set(some.spec.count.tolist()) == set(counts)
    concept, colour, style = some.spec[:3]
    free = [world().colour_allowed[concept, colour], world().style_allowed[concept, style]]
    assert not (free[0] & free[1]).any() and free[0].any() and free[1].any(), "of either kind there are some"


def test_the_captions_of_the_cases_leave_something_open():
    captions = control.held_out("canny").captions
    unsaid = sum(not any(name in caption.lower() for name in scenes.STYLES) for caption in captions)
    assert 30 < unsaid < 140 and len(set(captions)) > 130


@pytest.mark.parametrize("kind", conditions.KINDS)
def test_the_first_cases_are_the_same_for_every_limit(kind):
    few, more = control.held_out(kind, 3), control.held_out(kind, 7)
    assert few.captions == more.captions[:3] and len(more.captions) == 7
    assert all(torch.equal(one, other[:3]) for one, other in zip(few[0::2], more[0::2]))
    assert len(control.held_out(kind).captions) == len(control.held_out(kind).truth) == 160


@pytest.mark.parametrize("kind", conditions.KINDS)
def test_the_real_pictures_are_what_the_truth_says(kind):
    _, measure, unit = control.MEASURES[kind]
    cases = control.held_out(kind, 10)
    right, wrong = measure(cases.images, cases.truth), measure(cases.images, cases.truth.roll(1, 0))
    assert right.shape == (10,)
    assert (right.mean() < wrong.mean() - 2) if unit else (right.mean() > wrong.mean() + 0.1)


@pytest.fixture(scope="module")
def pipe():
    pipe = tiny.pipeline()
    pipe.unet.register_to_config(sample_size=16)  # 64 x 64 pictures, as the conditions are
    return pipe


def moved(net, seed=1):
    with torch.no_grad():
        for i, (name, p) in enumerate(net.named_parameters()):
            if "controlnet_" in name:
                p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(seed * 1000 + i)))
    return net


@pytest.mark.parametrize("kind", ["canny", "pose"])
def test_an_untrained_controlnet_gains_nothing(pipe, kind):
    name, _, unit = control.MEASURES[kind]
    scores = metrics.control_scores(pipe, models.build_controlnet(pipe.unet), kind, seeds=(0, 5), limit=3)
    start = f"{kind}_{name}"
    both = ("", "_without", "_shuffled", "_gain", "_over_shuffled")
    ends = {*both, "_foreign", "_ceiling", "_of_ceiling", *(f"_empty{end}" for end in both)}
    drawn = {f"{kind}_shapes_iou{end}" for end in ("", "_without", "_empty", "_foreign", "_gain")} if kind == "canny" else set()
    assert set(scores) == {start + end for end in ends} | drawn
    for begin in (start, f"{start}_empty"):
        assert scores[begin] == scores[f"{begin}_without"] == scores[f"{begin}_shuffled"]
        assert scores[f"{begin}_gain"]["value"] == scores[f"{begin}_over_shuffled"]["value"] == 0
    assert all(score["n"] == 3 for score in scores.values()), "the seeds of a prompt count as one case"
    assert scores[start].get("unit") == unit


def test_the_table_is_that_of_the_drawings(pipe, monkeypatch):
    """The scores are those of pictures made by hand, condition by condition."""
    monkeypatch.setattr(control, "MEASURES", {"canny": ("tone", lambda x, truth: (x * truth).mean((1, 2, 3)), None)})
    torch.manual_seed(0)  # the first convolution of a new ControlNet is random
    net, cases = moved(models.build_controlnet(pipe.unet)), control.held_out("canny", 2)
    scores = control.scores(pipe, net, "canny", seeds=(3,), limit=2)

    def tone(shown, truth, captions=cases.captions):
        ctl = None if shown is None else steps.Control(net, shown)
        *_, last = steps.generate(pipe, captions, seed=3, control=ctl)
        return (steps.decode(pipe, last.z_s) * truth).mean((1, 2, 3))

    mine, other = cases.shown, cases.shown.flip(0)  # of two, the other one
    found = {
        "": tone(mine, mine),
        "_without": tone(None, mine),
        "_shuffled": tone(other, mine),
        "_foreign": tone(other, other),
        "_empty": tone(mine, mine, ["", ""]),
        "_empty_without": tone(None, mine, ["", ""]),
        "_empty_shuffled": tone(other, mine, ["", ""]),
    }
    for end, values in found.items():
        assert scores[f"canny_tone{end}"]["value"] == pytest.approx(values.mean().item(), abs=2e-4)
    gain = (found[""] - found["_without"]).mean().item()
    assert abs(gain) > 1e-3 and scores["canny_tone_gain"]["value"] == pytest.approx(gain, abs=2e-4)


@pytest.mark.parametrize("kind, shown", [("canny", shapes.outline), ("segmentation", shapes.filled)])
def test_shapes_are_shown_and_compared_with_the_filled_ones(monkeypatch, kind, shown):
    """Images with known overlap: right with condition and prompt, empty without, right for one seed unprompted."""
    asked = []

    def drawn(pipe, net, cases, seed):
        asked.append((net, *set(cases.captions), len(cases.captions)))
        assert torch.equal(cases.shown, shown())
        right = net and (cases.captions[0] or seed)
        return 2 * shapes.filled() - 1 if right else torch.ones(8, 3, 64, 64)

    monkeypatch.setattr(control, "drawn", drawn)
    found = control.shape_scores(None, "net", kind, seeds=(0, 9))
    thing = words.caption("thing", "blue")
    assert asked == [(net, prompt, 8) for net, prompt in (("net", thing), (None, thing), ("net", "")) for _ in range(2)]
    values = {"": 1, "_without": 0, "_empty": 0.5, "_gain": 1}
    assert {end: found[f"{kind}_shapes_iou{end}"]["value"] for end in values} == values
    masks = shapes.masks()
    next_ = [((one & other).sum() / (one | other).sum()).item() for one, other in zip(masks, masks.roll(1, 0))]
    assert found[f"{kind}_shapes_iou_foreign"]["value"] == pytest.approx(sum(next_) / 8, abs=1e-4)
    assert all(score["n"] == 8 for score in found.values()), "the seeds of a shape count as one case"


def test_no_shape_is_shown_as_depth_or_pose(pipe):
    assert control.shape_scores(pipe, None, "depth") == control.shape_scores(pipe, None, "pose") == {}


def test_nothing_is_guided_where_nothing_is_said(pipe, monkeypatch):
    asked, generate = [], steps.generate
    monkeypatch.setattr(steps, "generate", lambda *args, **given: asked.append(given["guidance"]) or generate(*args, **given))
    cases = control.held_out("canny", 1)
    for captions in (["a cat"], [""]):
        control.drawn(pipe, None, cases._replace(captions=captions), n_steps=1)
    assert asked == [steps.GUIDANCE, 1.0]


def test_quick_is_the_mean_of_the_measure(pipe):
    cases = control.held_out("canny", 2)
    found = control.quick(pipe, None, "canny", cases, n_steps=2)
    pictures = control.drawn(pipe, None, cases, n_steps=2, guidance=1.0)
    assert found == pytest.approx(edge_f1(pictures, cases.truth).mean().item())


def test_an_unknown_kind_is_a_sentence(pipe):
    with pytest.raises(EduError, match="no condition 'lines'"):
        metrics.control_scores(pipe, None, "lines")

"""The judge's arithmetic, and the accuracy of the shipped judge."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from edu_diffusion import metrics
from edu_diffusion.cli.scores import show
from edu_diffusion.data import scenes
from edu_diffusion.data.world import prompts, world
from edu_diffusion.errors import EduError
from edu_diffusion.metrics import parts
from edu_diffusion.metrics.accuracy import alone, compared, values
from edu_diffusion.metrics.nearest import distances, drawings, ground
from edu_diffusion.metrics.retrieval import pool as clip_pool
from edu_diffusion.metrics.splits import quoted
from edu_diffusion.metrics.statistics import mean, quantile
from edu_diffusion.metrics.text_to_image import judged, references, second_opinion, truth


def test_the_background_is_read_off_the_frame():
    scene = scenes.batch(400, 3, "wide")
    assert (metrics.background(scene.images) == scene.spec.colour).float().mean() > 0.99


def test_what_was_found_is_said_in_words():
    """The judge on real images: the words are those of the scenes."""
    row = {"id": "1f431", "colour": "blue", "style": "noto", "size": "big", "place": "centre"}
    other = {"id": "1f98a", "colour": "black", "style": "fluent", "size": "small", "place": "top left"}
    images = scenes.render(scenes.spec_of([row, other]))[0]
    said = metrics.described(metrics.read(metrics.load_judge("cpu"), images))
    assert said == ["big cat face, centre, noto style, on blue", "small fox, top left, fluent style, on black"]


def test_wilson_interval():
    s = metrics.score(torch.tensor([True] * 90 + [False] * 10))
    assert s == {"value": 0.9, "n": 100, "low": 0.8256, "high": 0.9448}
    assert str(metrics.score(torch.zeros(40, dtype=torch.bool))["low"]) == "0.0"  # and not -0.0


class Oracle(torch.nn.Module):
    """A judge that predicts what it is given, with certainty."""

    def __init__(self, spec):
        super().__init__()
        sizes = {"concept": 1200, "style": 4, "size": 3, "place": 9}
        self.answers = {k: torch.nn.functional.one_hot(getattr(spec, k), n).float() for k, n in sizes.items()}

    def forward(self, images):
        return self.answers


def test_a_perfect_picture_is_all_right_and_another_colour_is_not():
    rows = prompts("core", "full")[:40]
    spec = scenes.spec_of(rows)
    images = scenes.render(spec)[0]
    verdict = metrics.right(Oracle(spec), images, rows)
    assert verdict["all"].all()
    wrong = scenes.render(spec._replace(colour=(spec.colour + 1) % 10))[0]
    verdict = metrics.right(Oracle(spec), wrong, rows)
    assert verdict["concept"].all() and not verdict["colour"].any() and not verdict["all"].any()


def asked(n=1, **cells):
    """n equal rows of the list of prompts with these cells."""
    return [dict.fromkeys(prompts()[0], "") | {"split": "full", "tier": "core"} | cells] * n


def read_as(**cells):
    """What a judge says who reads just this in one picture; by default a small panda in the centre on white in twemoji style."""
    row = asked(id="1f43c", colour="white", style="twemoji", size="small", place="centre")[0] | cells
    spec = scenes.spec_of([row])
    return {"concept": spec.concept[:, None]} | {part: getattr(spec, part) for part in ("colour", "style", "size", "place")}


def test_what_is_unsaid_is_not_judged():
    assert all(hits.all() for hits in compared(read_as(), asked()).values())
    for part, word in (("colour", "red"), ("style", "noto"), ("size", "big"), ("place", "left")):
        verdict = compared(read_as(), asked(**{part: word}))
        assert [name for name, hits in verdict.items() if not hits] == [part]
    assert not compared(read_as(), asked(id="1f9e0"))["concept"]


@pytest.mark.parametrize(
    "word, places",
    [
        ("left", {"left", "top left", "bottom left"}),
        ("top", {"top", "top left", "top right"}),
        ("top left", {"top left"}),
        ("centre", {"centre"}),
    ],
)
def test_a_side_has_its_corners_and_a_corner_and_the_centre_only_themselves(word, places):
    right = {place for place in scenes.PLACES if compared(read_as(place=place), asked(place=word))["place"]}
    assert right == places


def test_a_size_is_the_one_that_its_word_usually_means():
    assert {word: values("size", word) for word in scenes.SIZES} == {"small": {0}, "medium": {1}, "big": {2}}


def test_a_category_is_right_when_the_thing_is_a_member():
    panda, brain = (world().by_id[id].index for id in ("1f43c", "1f9e0"))
    category = next(c for c in world().categories_of(panda) if c not in world().categories_of(brain))
    rows = asked(category=category)
    assert compared(read_as(), rows)["concept"] and not compared(read_as(id="1f9e0"), rows)["concept"]


def test_summary_takes_the_splits_apart():
    rows = [r for split in ("full", "open", "category", "aliases", "heldout_colour") for r in prompts("core", split)[:10]]
    held = torch.tensor([r["split"] == "heldout_colour" for r in rows])
    ones = torch.ones(50, dtype=torch.bool)
    verdict = dict.fromkeys(("concept", "top5", "style", "size", "place", "count", "other"), ones)
    scores = metrics.summary(verdict | {"colour": ~held, "all": torch.arange(50) >= 15}, rows)
    assert scores["heldout_colour_pairs"]["value"] == 0 and scores["full_concept"]["value"] == scores["full_colour"]["value"] == 1
    assert (scores["full_all"]["value"], scores["open"]["value"], scores["aliases"]["value"]) == (0, 0.5, 1)
    assert scores["category"]["value"] == 1 and "counts" not in scores and "unseen_wording" not in scores


def test_the_seeds_of_a_held_out_pair_are_one_case():
    rows = 3 * [asked(id=id, style="noto", split="heldout_style")[0] for id in ("1f43c", "1f9e0")]
    hits = torch.tensor([True, False, True, False, False, False])  # of the panda two of three
    verdict = dict.fromkeys(("concept", "style", "all"), torch.ones(6, dtype=torch.bool)) | {"style": hits}
    assert metrics.summary(verdict, rows)["heldout_style_pairs"] == metrics.score(torch.tensor([2 / 3, 0.0]))


def test_the_seeds_of_a_prompt_are_one_case():
    rows = 3 * prompts("core", "full")[:2]
    hits = torch.tensor([True, False, True, False, False, False])  # of the first prompt two seeds of three
    right = dict.fromkeys(("concept", "top5", "colour", "style", "size", "place"), torch.ones(6, dtype=torch.bool))
    verdict = right | {"all": hits}
    assert metrics.summary(verdict, rows, seeds=3)["full_all"] == metrics.score(torch.tensor([2 / 3, 0.0]))
    assert metrics.summary(verdict, rows)["full_all"]["n"] == 6


def test_the_style_of_drawings_that_were_shown_is_scored_apart():
    rows = metrics.chosen("core")
    held = torch.tensor([r["split"] == "heldout_style" for r in rows])
    known = [r["id"] and r["style"] and alone(r) and r["split"] != "unknown_word" for r in rows]
    shown = torch.tensor([bool(k) for k in known]) & ~held  # no other row of the list asks for a held-out style
    verdict = dict.fromkeys(("concept", "top5", "colour", "size", "place", "all", "count", "other"), held) | {"style": ~held}
    scores = metrics.summary(verdict, rows)
    assert scores["style_shown"] == metrics.score(torch.ones(int(shown.sum()), dtype=torch.bool))
    assert scores["heldout_style_pairs"]["value"] == 0 and scores["heldout_style_pairs"]["n"] == 30  # pairs, of four prompts each


def test_where_the_judges_differ_the_lower_is_quoted():
    high, near, low = ({"value": value} for value in (0.9, 0.81, 0.7))
    assert quoted(high, near) == high and quoted(near, high) == near and quoted(high, low) == quoted(low, high) == low


def test_accuracy_quotes_the_nearest_reference_where_the_network_is_fooled():
    """The network is shown other pictures than the reference: it names all, the pixels say otherwise."""
    rows = prompts("core", "full")[:12]
    spec = scenes.spec_of(rows)
    fooled = metrics.accuracy_scores(Oracle(spec), scenes.render(spec._replace(concept=spec.concept.roll(1)))[0], rows)
    assert fooled["full_concept"]["value"] == 1 and fooled["full_concept_nearest"]["value"] < 0.2
    assert fooled["full_concept_quoted"] == fooled["full_concept_nearest"] and fooled["full_size_quoted"]["value"] == 1
    real = metrics.accuracy_scores(Oracle(spec), scenes.render(spec)[0], rows)
    assert real["full_all_quoted"]["value"] == real["full_all_nearest"]["value"] == real["memory"]["value"] == 1


def test_copies_are_counted_and_pairs_are_found_in_any_order():
    network = metrics.load_judge("cpu")
    counts = [r for r in prompts("core", "counts") if r["count"] == "2"][:12]
    images = scenes.render(scenes.spec_of(counts), torch.Generator().manual_seed(1))[0]
    assert metrics.right(network, images, counts)["count"].float().mean() > 0.8
    assert not metrics.right(network, images, [r | {"count": "3"} for r in counts])["count"].float().mean() > 0.2
    pairs = prompts("core", "pairs")[:12]
    images = scenes.render(scenes.spec_of(pairs), torch.Generator().manual_seed(1))[0]
    turned = [r | {"id": r["other"], "other": r["id"]} for r in pairs]
    for verdict in (metrics.right(network, images, pairs), metrics.right_by_nearest(images, turned)):
        assert verdict["concept"].float().mean() > 0.8 and verdict["other"].float().mean() > 0.8
    wrong = metrics.right(network, images, [r | {"other": other["other"]} for r, other in zip(pairs, pairs[3:] + pairs[:3])])
    assert wrong["concept"].float().mean() > 0.8 and wrong["other"].float().mean() < 0.3


def test_two_things_with_a_bridge_between_them_are_two():
    """As a VAE leaves two balls that stand two pixels apart; one thing of that shape is too short to be two."""
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    for radius, found in ((15, 2), (8, 1)):
        balls = ((y - 32) ** 2 + (x - 31 + radius) ** 2 < radius**2) | ((y - 32) ** 2 + (x - 32 - radius) ** 2 < radius**2)
        balls |= ((y - 32).abs() < 4) & ((x - 31.5).abs() < 4)
        assert len(parts.masks(torch.where(balls, 1.0, -1.0).expand(1, 3, 64, 64))[0]) == found


def test_the_parts_of_a_picture():
    image = torch.full((1, 3, 64, 64), 0.5)
    image[..., 10:20, 10:20] = image[..., 20:30, 20:30] = -1  # touch at a corner: one part
    image[..., 40:50, 5:15] = 1
    image[..., 60, 5:16] = 1  # a speck of 11 pixels
    assert len(parts.masks(image)[0]) == 2 and len(parts.masks(torch.zeros(1, 3, 64, 64))[0]) == 0
    (found,) = parts.masks(image)
    assert found.flatten(1).sum(1).tolist() == [200, 100]
    crops = parts.crops(image[0], found)
    assert parts.bounds((crops[1, 0] - 0.5).abs() > 0.1) == ((27, 37), (27, 37)) and crops[1, 0, 27:37, 27:37].eq(1).all()


def test_what_is_no_judge_is_refused_in_a_sentence(tmp_path):
    for folder in (tmp_path, "clip"):
        with pytest.raises(EduError, match="not a judge of this vocabulary"):
            metrics.load_judge("cpu", folder)
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(EduError, match="not a judge of this vocabulary"):
        metrics.load_judge("cpu", tmp_path)


def test_frechet_of_known_gaussians():
    """Samples whose mean and covariance are exact; the distance of two diagonal Gaussians is known."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(500, 3, generator=rng, dtype=torch.float64)
    x = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    a, b = x * torch.tensor([1.0, 2.0, 3.0]), x * torch.tensor([2.0, 2.0, 1.0]) + torch.tensor([0.0, 3.0, 4.0])
    assert abs(metrics.frechet_distance(a, a)) < 1e-9
    assert abs(metrics.frechet_distance(a, b) - (25 + 1 + 0 + 4)) < 1e-9


def test_the_nearest_reference_of_a_real_scene_is_its_own_wherever_it_stands():
    scene = scenes.batch(60, 5)
    concept, style, distance, size, place = metrics.nearest_reference(scene.images)
    for found, part in ((concept, "concept"), (style, "style"), (size, "size"), (place, "place")):
        assert (found == getattr(scene.spec, part)).all(), part
    assert distance.max() < 0.01 and (concept.flip(0) == scene.spec.concept).float().mean() < 0.2


def test_the_products_are_the_distance():
    """The expanded square against the definition, on pictures of noise."""
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    colour, opacity, _ = drawings("medium", "left", "core")
    painted = colour[:5] + (1 - opacity[:5]) * ground(images)[:, None]
    plain = avg_pool2d((painted - images[:, None]).flatten(0, 1), 2).square().mean((1, 2, 3)).sqrt().view(3, 5)
    pooled = (avg_pool2d(part[:5], 2) for part in (colour, opacity))
    assert distances(images, *pooled).allclose(plain, atol=1e-4)


def test_the_reference_that_is_told_where_to_look():
    rows = prompts("core", "full")[:30]
    spec = scenes.spec_of(rows)
    concept, style, distance = metrics.nearest_as_asked(scenes.render(spec)[0], rows)
    assert (concept == spec.concept).all() and (style == spec.style).all() and distance.max() < 0.01


def test_memory_is_counted_apart_for_drawings_no_training_saw():
    rows = [r for split in ("full", "heldout_style") for r in prompts("core", split)[5:13]]
    spec = scenes.spec_of(rows)
    assert world().style_allowed[spec.concept, spec.style].tolist() == [True] * 8 + [False] * 8
    images = scenes.render(spec)[0]
    images[0] = images[8] = images[1]
    network, nearest = metrics.read(metrics.load_judge("cpu"), images), references(images, rows)
    seen = second_opinion(network, nearest, rows)
    assert (seen["memory"]["value"], seen["memory_unseen"]["value"], seen["memory_unseen"]["n"]) == (0.875, 0.875, 8)
    network, nearest = ({part: value[:8] for part, value in found.items()} for found in (network, nearest))
    assert "memory_unseen" not in second_opinion(network, nearest, rows[:8])


def test_excess_is_nothing_for_real_features_and_grows_with_the_fault():
    rng = torch.Generator().manual_seed(0)
    real, drawn, other = (torch.randn(800, 6, generator=rng) for _ in range(3))
    none, some = metrics.excess(real, drawn, other, 20), metrics.excess(real, drawn + 0.5, other, 20)
    assert none["low"] < 0 < none["high"] and none["n"] == 800
    assert some["low"] > 0 and some["value"] == pytest.approx(6 * 0.25, abs=0.4)
    assert metrics.excess(real, other, other, 5)["value"] == 0


def test_what_a_prompt_leaves_open_is_drawn_from_the_world_for_the_ceiling():
    rows = [r for split in ("open", "category", "heldout_colour") for r in prompts("core", split)[:30]]
    spec = truth(rows)
    found = {"concept": spec.concept[:, None]} | {part: getattr(spec, part) for part in ("colour", "style", "size", "place")}
    assert all(hits.all() for hits in compared(found, rows).values())
    assert len(spec.place[:30].unique()) > 3 and not (spec.place[spec.size == 2] > 0).any()


def test_a_quantile_lies_in_its_interval():
    values = torch.arange(100.0)[torch.randperm(100, generator=torch.Generator().manual_seed(0))]
    found = quantile(values, 0.1, "dB")
    assert found["value"] == pytest.approx(9.9) and (found["n"], found["unit"]) == (100, "dB")
    assert found["low"] == pytest.approx(99 * (0.1 - 1.96 * 0.03), abs=1e-3)
    assert found["high"] == pytest.approx(99 * (0.1 + 1.96 * 0.03), abs=1e-3)
    assert mean(values[:1])["value"] == values[0]  # one case has no spread, and no warning
    assert quantile(values[:2], 0.1, "dB")["low"] >= 0


def test_a_score_is_printed_beside_its_ceiling(capsys):
    one, best = metrics.score(torch.tensor([True, False])), metrics.score(torch.tensor([True, True]))
    show({"style": one, "style_ceiling": best, "invert_ceiling": {"value": 30.0, "n": 3}})
    first, last = capsys.readouterr().out.splitlines()
    assert first.split() == ["style", "0.500", "[0.095,", "0.905]", "n=2", "ceiling", "1.000"]
    assert last.split() == ["invert_ceiling", "30.000", "n=3"]


def test_concepts_that_the_network_never_saw_are_named_by_their_drawing():
    rows = [r for r in prompts("wide", "full")[:60] if r["size"] != "small"][:5]
    network, real = metrics.load_judge("cpu"), scenes.render(scenes.spec_of(rows))[0]
    assert not metrics.right(network, real, rows)["concept"].any()
    seen = judged(network, torch.cat([real, real.roll(1, 0)]), rows * 2, "wide")
    assert seen["pair"][:5].all() and not seen["pair"][5:].any() and "top5" not in seen
    scores = metrics.summary({part: hits[:5] for part, hits in seen.items()}, rows)
    assert scores["concept_top1"]["value"] == scores["style"]["value"] == 1 and "concept_top5" not in scores


def test_a_pool_has_64_captions_and_half_hard_negatives():
    pool = clip_pool("core", 5)
    assert len(set(pool.captions)) == 64
    first, second = (scenes.Spec(*(part.chunk(2)[i] for part in pool.spec)) for i in (0, 1))
    assert len(first.concept.unique()) == 32 and (first.concept == second.concept).all()
    assert ((first.colour != second.colour) != (first.style != second.style)).all()


def test_recall_of_a_perfect_and_of_an_ignorant_clip():
    perfect = metrics.recall(lambda captions, images: (torch.eye(64), torch.eye(64)), pools=2)
    assert all(hits.all() and len(hits) == 128 for hits in perfect.values())
    ignorant = metrics.recall(lambda captions, images: (torch.ones(64, 3), torch.ones(64, 3)), pools=2)
    assert all(hits.float().mean() < 0.05 for hits in ignorant.values())


def test_the_shipped_judge_names_real_scenes():
    rows = prompts("core", ("full", "heldout_style"))
    images = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0]
    verdict = metrics.right(metrics.load_judge("cpu"), images, rows)
    assert verdict["concept"].float().mean() > 0.98 and verdict["style"].float().mean() > 0.95

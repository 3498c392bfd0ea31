"""The judge's arithmetic, and that the shipped one is worth asking."""

import pytest
import torch

from edu_diffusion import judge, judging
from edu_diffusion.data import scenes
from edu_diffusion.data.world import prompts, world
from edu_diffusion.errors import EduError
from edu_diffusion.judge.evaluate import judged, second_opinion
from edu_diffusion.judge.marks import quantile
from edu_diffusion.judge.retrieval import pool as clip_pool


def test_the_background_is_read_off_the_frame():
    scene = scenes.batch(400, 3, "wide")
    assert (judge.background(scene.images) == scene.spec.colour).float().mean() > 0.99


def test_wilson_interval():
    s = judge.score(torch.tensor([True] * 90 + [False] * 10))
    assert s == {"value": 0.9, "n": 100, "low": 0.8256, "high": 0.9448}
    assert str(judge.score(torch.zeros(40, dtype=torch.bool))["low"]) == "0.0"  # and not -0.0


class Oracle(torch.nn.Module):
    """Answers with what it is told, certain of it."""

    def __init__(self, spec):
        super().__init__()
        sizes = {"concept": 1200, "style": 4, "size": 3, "place": 9}
        self.answers = {k: torch.nn.functional.one_hot(getattr(spec, k), n).float() for k, n in sizes.items()}

    def forward(self, images):
        return self.answers


def test_a_perfect_picture_is_all_right_and_another_colour_is_not():
    rows = prompts("core")[:40]
    spec = scenes.spec_of(rows)
    images = scenes.render(spec)[0]
    verdict = judge.right(Oracle(spec), images, rows)
    assert verdict["all"].all()
    wrong = scenes.render(spec._replace(colour=(spec.colour + 1) % 10))[0]
    verdict = judge.right(Oracle(spec), wrong, rows)
    assert verdict["concept"].all() and not verdict["colour"].any() and not verdict["all"].any()


def test_what_is_unsaid_counts_as_right():
    rows = [r for r in prompts("core") if not r["style"]][:10]
    spec = scenes.spec_of(rows)
    verdict = judge.right(Oracle(spec._replace(style=(spec.style + 1) % 3)), scenes.render(spec)[0], rows)
    assert verdict["style"].all()


def test_summary_takes_the_held_out_prompts_apart():
    rows = prompts("core")
    held = torch.tensor([r["split"].startswith("heldout") for r in rows])
    ones = torch.ones(len(rows), dtype=torch.bool)
    verdict = {k: ones for k in ("concept", "top5", "colour", "style", "size", "place", "all")} | {"pair": ~held}
    scores = judge.summary(verdict, rows)
    assert scores["heldout_pairs"]["value"] == 0 and scores["heldout_pairs"]["n"] == held.sum()
    assert scores["own_words"]["value"] == 1


def test_style_is_scored_where_the_prompt_names_one():
    rows = prompts("core")
    named = torch.tensor([bool(r["style"]) for r in rows])
    ones = torch.ones(len(rows), dtype=torch.bool)
    verdict = dict.fromkeys(("concept", "top5", "colour", "size", "place", "all", "pair"), ones) | {"style": ~named}
    assert judge.summary(verdict, rows)["style"] == judge.score(torch.zeros(int(named.sum()), dtype=torch.bool))


def test_the_style_of_drawings_that_were_shown_is_scored_apart():
    rows = prompts("core")
    held = torch.tensor([r["split"] == "heldout_style" for r in rows])
    shown = torch.tensor([bool(r["style"]) for r in rows]) & ~held
    verdict = dict.fromkeys(("concept", "top5", "colour", "size", "place", "all", "pair"), held) | {"style": ~held}
    assert judge.summary(verdict, rows)["style_shown"] == judge.score(torch.ones(int(shown.sum()), dtype=torch.bool))


def test_what_is_no_judge_is_refused_in_a_sentence(tmp_path):
    for folder in (tmp_path, "clip"):
        with pytest.raises(EduError, match="no judge of this vocabulary"):
            judge.load_judge("cpu", folder)
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(EduError, match="no judge of this vocabulary"):
        judge.load_judge("cpu", tmp_path)


def test_frechet_of_known_gaussians():
    """Samples whose mean and covariance are exact; the distance of two diagonal Gaussians is known."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(500, 3, generator=rng, dtype=torch.float64)
    x = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    a, b = x * torch.tensor([1.0, 2.0, 3.0]), x * torch.tensor([2.0, 2.0, 1.0]) + torch.tensor([0.0, 3.0, 4.0])
    assert abs(judge.frechet(a, a)) < 1e-9
    assert abs(judge.frechet(a, b) - (25 + 1 + 0 + 4)) < 1e-9


def test_the_nearest_drawing_of_a_real_scene_is_its_own():
    rows = prompts("core")[:60]
    spec = scenes.spec_of(rows)
    images = scenes.render(spec, torch.Generator().manual_seed(1))[0]
    concept, style, distance = judge.nearest(images, rows)
    assert (concept == spec.concept).all() and (style == spec.style).all() and distance.max() < 0.05
    other = judge.nearest(images.flip(0), rows)[0]
    assert (other == spec.concept).float().mean() < 0.2


def test_memory_is_counted_apart_for_drawings_no_training_saw():
    rows = [r for split in ("seen", "heldout_style") for r in prompts("core", split)[5:13]]
    spec = scenes.spec_of(rows)
    assert world().style_allowed[spec.concept, spec.style].tolist() == [True] * 8 + [False] * 8
    images = scenes.render(spec)[0]
    images[0] = images[8] = images[1]
    seen = second_opinion(judge.load_judge("cpu"), images, rows)
    assert (seen["memory"]["value"], seen["memory_unseen"]["value"], seen["memory_unseen"]["n"]) == (0.875, 0.875, 8)
    assert "memory_unseen" not in second_opinion(judge.load_judge("cpu"), images[:8], rows[:8])


def test_a_quantile_lies_in_its_interval():
    values = torch.arange(100.0)[torch.randperm(100, generator=torch.Generator().manual_seed(0))]
    found = quantile(values, 0.1, "dB")
    assert found["value"] == pytest.approx(9.9) and (found["n"], found["unit"]) == (100, "dB")
    assert found["low"] == pytest.approx(99 * (0.1 - 1.96 * 0.03), abs=1e-3) and found["high"] == pytest.approx(99 * (0.1 + 1.96 * 0.03), abs=1e-3)
    assert quantile(values[:2], 0.1, "dB")["low"] >= 0


def test_a_score_is_printed_beside_its_ceiling(capsys):
    one, best = judge.score(torch.tensor([True, False])), judge.score(torch.tensor([True, True]))
    judging.show({"style": one, "style_ceiling": best, "invert_ceiling": {"value": 30.0, "n": 3}})
    first, last = capsys.readouterr().out.splitlines()
    assert first.split() == ["style", "0.500", "[0.095,", "0.905]", "n=2", "ceiling", "1.000"]
    assert last.split() == ["invert_ceiling", "30.000", "n=3"]


def test_concepts_that_the_network_never_saw_are_named_by_their_drawing():
    rows = [r for r in prompts("wide")[:60] if r["size"] != "small"][:12]
    network, real = judge.load_judge("cpu"), scenes.render(scenes.spec_of(rows))[0]
    assert not judge.right(network, real, rows)["concept"].any()
    seen = judged(network, real, rows, "wide")
    assert seen["all"].all() and "top5" not in seen
    assert not judged(network, real.roll(1, 0), rows, "wide")["pair"].any()
    scores = judge.summary(seen, rows)
    assert scores["concept_top1"]["value"] == scores["size"]["value"] == 1 and "concept_top5" not in scores


def test_a_pool_has_64_captions_and_half_hard_negatives():
    pool = clip_pool("core", 5)
    assert len(set(pool.captions)) == 64
    first, second = (scenes.Spec(*(part.chunk(2)[i] for part in pool.spec)) for i in (0, 1))
    assert len(first.concept.unique()) == 32 and (first.concept == second.concept).all()
    assert ((first.colour != second.colour) != (first.style != second.style)).all()


def test_recall_of_a_perfect_and_of_an_ignorant_clip():
    perfect = judge.recall(lambda captions, images: (torch.eye(64), torch.eye(64)), pools=2)
    assert all(hits.all() and len(hits) == 128 for hits in perfect.values())
    ignorant = judge.recall(lambda captions, images: (torch.ones(64, 3), torch.ones(64, 3)), pools=2)
    assert all(hits.float().mean() < 0.05 for hits in ignorant.values())


def test_the_shipped_judge_names_real_scenes():
    rows = prompts("core")
    images = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0]
    verdict = judge.right(judge.load_judge("cpu"), images, rows)
    assert verdict["concept"].float().mean() > 0.98 and verdict["style"].float().mean() > 0.95

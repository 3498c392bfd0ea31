"""The judge's arithmetic, and that the shipped one is worth asking."""

import torch

from edu_diffusion import judge
from edu_diffusion.data import scenes
from edu_diffusion.data.world import prompts


def test_the_background_is_read_off_the_frame():
    scene = scenes.batch(400, 3, "wide")
    assert (judge.background(scene.images) == scene.spec.colour).float().mean() > 0.99


def test_wilson_interval():
    s = judge.score(torch.tensor([True] * 90 + [False] * 10))
    assert s == {"value": 0.9, "n": 100, "low": 0.8256, "high": 0.9448}


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


def test_the_shipped_judge_names_real_scenes():
    rows = prompts("core")
    images = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0]
    verdict = judge.right(judge.load_judge("cpu"), images, rows)
    assert verdict["concept"].float().mean() > 0.95 and verdict["style"].float().mean() > 0.9

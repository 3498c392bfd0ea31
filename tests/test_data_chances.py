"""The exact conditional distribution equals the frequencies in many scenes and their captions."""

import pytest
import torch

from edu_diffusion.data import chances, scenes, words
from edu_diffusion.data.world import world


def test_the_joint_sums_to_one_and_holds_nothing_out_of_bounds():
    p = chances.joint(world())
    assert p.sum().item() == pytest.approx(1) and (p >= 0).all()
    assert p[..., chances.BIG, 1:].sum() == 0  # big things stand in the centre
    core = world().tier("core")
    assert (p.sum((2, 3, 4))[~world().colour_allowed[core]] == 0).all()
    assert (p.sum((1, 3, 4))[~world().style_allowed[core]] == 0).all()


def test_without_words_it_is_the_prior():
    found = world().conditional()
    assert found["size"].tolist() == pytest.approx([0.2, 0.5, 0.3], abs=0.02)
    assert all(row.sum().item() == pytest.approx(1, abs=1e-5) for name, row in found.items() if name not in ("category", "concept"))


def test_big_means_mostly_the_largest():
    """Bayes by hand: 0.3 x 0.8 against 0.5 x 0.2, for a concept without habits."""
    assert world().conditional(name="pizza", size="big")["size"].tolist() == pytest.approx([0, 0.1 / 0.34, 0.24 / 0.34], abs=1e-4)


def test_an_alias_says_as_much_as_the_name():
    concept = next(c for c in world().concepts if c.tier == "core" and c.aliases)
    one, other = (world().conditional(name=name)["colour"] for name in (concept.name, concept.aliases[0]))
    assert torch.equal(one, other)


@pytest.mark.parametrize("said", [{"size": "small"}, {"place": "left"}, {"size": "medium", "place": "centre"}])
def test_the_conditional_is_what_counting_gives(said):
    """100,000 scenes of any concept, those kept whose words were these."""
    rng = torch.Generator().manual_seed(0)
    spec = scenes.draw_spec(100_000, rng)
    keep = torch.ones(len(spec.size), dtype=torch.bool)
    for attribute, word in said.items():
        fit = torch.tensor(words.likelihood(attribute, word))[getattr(spec, attribute)]
        keep &= torch.rand(len(fit), generator=rng) < fit
    found = world().conditional(name="", category="", **said)
    for attribute in ("size", "place", "colour", "style"):
        counted = torch.bincount(getattr(spec, attribute)[keep], minlength=len(found[attribute])) / keep.sum()
        if attribute in ("size", "place"):  # "a thing" leans to concepts of few categories, which have habits of their own
            assert counted.tolist() == pytest.approx(found[attribute].tolist(), abs=0.03)


def test_a_category_asks_for_its_members():
    name = world().categories[0]
    found = world().conditional(category=name)
    inside = torch.isin(world().tier("core"), world().members(name))
    assert found["concept"][~inside].sum() == 0 and found["category"][0].item() == pytest.approx(1, abs=1e-5)


def test_samples_have_the_distribution_that_they_are_drawn_from():
    found, n = world().conditional(name="ghost"), 4000
    colour = world().sample(n, torch.Generator().manual_seed(0), name="ghost")[1]
    assert (torch.bincount(colour, minlength=10) / n).tolist() == pytest.approx(found["colour"].tolist(), abs=0.03)

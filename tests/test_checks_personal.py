"""The questions of lessons 12 and 14 are what recipes and judge really do (test_checks.py tries every hint)."""

import pytest
import torch

from edu_diffusion import metrics, models
from edu_diffusion.exercises import EXERCISES, compared, personalize, verdict
from edu_diffusion.train import dreambooth


def refused(name, mine, fitting):
    right, words = verdict(name, mine)
    assert right is False and fitting in words, words


def test_the_loss_of_the_exercise_is_the_recipes():
    assert verdict("prior_loss", dreambooth.prior_loss).right


def test_the_change_of_the_exercise_is_the_judges():
    before, after = compared.marks()[0]
    change, reach = compared.paired_change(before, after).tolist()
    score = metrics.paired(before, after)
    assert abs(score["value"] - change) < 1e-4 and abs(score["high"] - score["low"] - 2 * reach) < 2e-4


# ---------------------------------------------------------------- one row of a table


def moved(train):
    """The rows of a table that are not what they were after a training."""
    table, optimiser, loss, row, steps = personalize.trainings()[0]
    old = table.weight.detach().clone()
    return (train(table, optimiser, loss, row, steps) != old).any(1).nonzero().flatten().tolist()


def test_only_the_row_of_the_new_word_moves():
    assert moved(personalize.only_row) == [6]


def test_a_gradient_of_zero_does_not_protect_the_others():
    """What the lesson's classmate sees: weight decay moves every row."""
    assert moved(personalize.gradient_only) == list(range(7))


def restored_from_a_clone(table, optimiser, loss, row, steps):
    old, others = table.weight.detach().clone(), torch.arange(len(table.weight)) != row
    for step in range(steps):
        optimiser.zero_grad()
        loss(step).backward()
        optimiser.step()
        table.weight.data[others] = old[others]
    return table.weight.detach()


def restored_with_where(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    mine = (torch.arange(len(old)) == row)[:, None]
    for step in range(steps):
        optimiser.zero_grad()
        loss(step).backward()
        table.weight.grad *= mine
        optimiser.step()
        with torch.no_grad():
            table.weight.copy_(torch.where(mine, table.weight, old))
    return table.weight


def row_by_row(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    for step in range(steps):
        optimiser.zero_grad()
        loss(step).backward()
        optimiser.step()
        with torch.no_grad():
            for i in range(len(old)):
                if i != row:
                    table.weight[i] = old[i]
    return table.weight.detach()


@pytest.mark.parametrize(
    "name, mine",
    [
        ("only_row", restored_from_a_clone),
        ("only_row", restored_with_where),
        ("only_row", row_by_row),
        ("prior_loss", lambda own, prior, weight: (own**2).mean() + (prior**2).mean() * weight),
        ("prior_loss", lambda own, prior, weight: torch.stack([own.pow(2).mean(), weight * prior.pow(2).mean()]).sum()),
        ("prior_loss", lambda own, prior, weight: (own * own).sum() / own.numel() + weight * (prior * prior).sum() / prior.numel()),
        (
            "prior_loss",
            lambda own, prior, weight: (
                torch.nn.functional.mse_loss(own, 0 * own) + weight * torch.nn.functional.mse_loss(prior, 0 * prior)
            ),
        ),
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right, verdict(name, mine).words


def without_no_grad(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    loss(0).backward()
    table.weight[:row] = old[:row]
    return table.weight.detach()


def rms(x):
    return x.square().mean().sqrt()


def stepping(optimiser, loss, steps, before=lambda: None, between=lambda: None, after=lambda: None):
    for step in range(steps):
        before()
        optimiser.zero_grad()
        loss(step).backward()
        between()
        optimiser.step()
        after()


def back(table, old, row):
    others = torch.arange(len(old)) != row
    table.weight.data[others] = old[others]


def new_parameter(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()

    def after():
        kept = old.clone()
        kept[row] = table.weight[row].detach()
        table.weight = torch.nn.Parameter(kept)

    stepping(optimiser, loss, steps, after=after)
    return table.weight.detach()


def returns_in_the_loop(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    for step in range(steps):
        optimiser.zero_grad()
        loss(step).backward()
        optimiser.step()
        back(table, old, row)
        return table.weight.detach()


def back_before_the_step(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    stepping(optimiser, loss, steps, between=lambda: back(table, old, row))
    return table.weight.detach()


def back_at_the_start(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    stepping(optimiser, loss, steps, before=lambda: back(table, old, row))
    return table.weight.detach()


def no_copy(table, optimiser, loss, row, steps):
    old = table.weight.detach()
    stepping(optimiser, loss, steps, after=lambda: back(table, old, row))
    return table.weight.detach()


def kept_a_view(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()

    def after():
        new = table.weight.data[row]
        table.weight.data[:] = old
        table.weight.data[row] = new

    stepping(optimiser, loss, steps, after=after)
    return table.weight.detach()


def with_sgd(table, optimiser, loss, row, steps):
    old, plain = table.weight.detach().clone(), torch.optim.SGD(table.parameters(), optimiser.param_groups[0]["lr"])
    stepping(plain, loss, steps, after=lambda: back(table, old, row))
    return table.weight.detach()


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("only_row", without_no_grad, "RuntimeError"),
        ("only_row", lambda table, *_: table.weight[0].detach(), "shape"),
        ("only_row", lambda table, optimiser, loss, row, steps: None, "returns nothing"),
        ("only_row", lambda table, optimiser, loss, row, steps: table.weigth, "has no .weigth"),
        ("only_row", lambda *given: 2 * personalize.only_row(*given), "constant factor"),
        ("prior_loss", lambda own, prior, weight: own.square().mean() * (1 + weight), "differ"),
        ("prior_loss", lambda own, prior, weight: own.square() + weight * prior.square(), "the mean of each by itself"),
        ("prior_loss", lambda own, prior, weight: personalize.prior_loss(own, prior, weight).item(), "no gradient"),
        ("prior_loss", lambda own, prior, weight: personalize.prior_loss(own, prior.detach(), weight), "no gradient"),
        ("prior_loss", lambda own, prior, weight: personalize.prior_loss(own, prior, weight**3), "differ"),
        ("prior_loss", lambda own, prior, weight: own.square().mean() + wieght, "do you mean weight"),  # noqa: F821
        ("prior_loss", lambda own, prior, weight: rms(own) + weight * rms(prior), "leave the roots out"),
        (
            "prior_loss",
            lambda own, prior, weight: (rms(own) ** 2 + weight * rms(prior) ** 2) / (weight + 1),
            "leave the division out",
        ),
        ("prior_loss", lambda own, prior, weight: own.std() ** 2 + weight * prior.std() ** 2, "a variance leaves out"),
        ("prior_loss", lambda own, prior, weight: own.square().sum().sqrt() + weight * prior.square().sum().sqrt(), "norm()"),
        ("prior_loss", lambda own, prior, weight: torch.cat([own, weight**0.5 * prior]).square().mean(), "one division for both"),
        (
            "prior_loss",
            lambda own, prior, weight: own.pow(2).sum() / own.shape[0] + weight * prior.pow(2).sum() / prior.shape[0],
            "number of images",
        ),
        ("only_row", kept_a_view, "is a view, not a copy"),
        ("only_row", new_parameter, "the optimiser does not know"),
        ("only_row", returns_in_the_loop, "inside the loop"),
        ("only_row", back_before_the_step, "before optimiser.step()"),
        ("only_row", back_at_the_start, "at the start of each step"),
        ("only_row", no_copy, "made with clone()"),
        ("only_row", with_sgd, "a plain gradient step"),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    right, words = verdict(name, mine)
    assert right is not True and fitting in words, words


@pytest.mark.parametrize("number", (1, 2, 3))
def test_the_loss_fulfils_the_three_conditions_of_the_lesson(number):
    """The conditions determine it: a loss that breaks one of them is refused."""
    breaks = {
        1: lambda own, prior, weight: 2 * own.square().mean() + weight * prior.square().mean(),
        2: lambda own, prior, weight: own.square().mean() + weight * prior.square().sum(),
        3: lambda own, prior, weight: own.square().mean() + weight**2 * prior.square().mean(),
    }
    assert verdict("prior_loss", breaks[number]).right is False


# ---------------------------------------------------------------- letters and a number


def test_the_bytes_are_those_of_a_real_embedding():
    rows = torch.zeros(4, 768, dtype=torch.float16)
    assert rows.numel() * rows.element_size() == personalize.WORD_BYTES.right == 6144


def test_a_word_leaves_everything_else_alone():
    """Of the prediction about <zib>: the base's own words keep their rows, so D is wrong whatever the images look like."""
    from edu_diffusion.train import inversion

    base, fresh = models.load("base", "cpu"), models.load("base", "cpu")
    with models.quiet():
        fresh.load_textual_inversion(models.locate.path_of("inversion"), weight_name=inversion.FILE)
    old, new = (p.text_encoder.get_input_embeddings().weight for p in (base, fresh))
    assert len(new) == len(old) + 1 and torch.equal(new[:-1], old)
    assert EXERCISES["word_limit"].right == "C"

"""The comparison: every method is applied and removed again, two combined add up, the table quotes the measurements."""

import json

import pytest
import tiny
import torch
from torch.testing import assert_close

from edu_diffusion import metrics, models, train
from edu_diffusion.cli import compare, main
from edu_diffusion.compare import methods, table
from edu_diffusion.compare.bench import Bench, facts, folder
from edu_diffusion.compare.methods import METHODS
from edu_diffusion.data import newstyle, scenes, subject
from edu_diffusion.errors import EduError
from edu_diffusion.steps import ddim_step, q_sample

SMALL = {
    "finetune": {"pictures": 2, "batch": 2},
    "dreambooth": {"pictures": 2, "batch": 2},
    "lora": {"rank": 2, "batch": 2},
    "hyper": {"batch": 2},
    "inversion": {"batch": 2},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.saved(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def out(base, tmp_path_factory):
    """Both results of every method, one training step each."""
    out = tmp_path_factory.mktemp("compare")
    for name, method in METHODS.items():
        for task in ("style", "subject"):
            recipe, settings = getattr(method, task)
            run = folder(out, name, task).parent
            list(
                train.RECIPES[recipe](
                    steps=1, minutes=None, run=run, model=base, device="cpu", lr=0.05, **{**settings, **SMALL[recipe]}
                )
            )
    return out


def draw(pipe, method):
    return tiny.vanilla(pipe, f"a {method.name}, {method.word} style", num_inference_steps=2)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_changes_the_drawing_while_it_is_on(base, out, name):
    method, pipe = METHODS[name], models.load(base, "cpu")
    before, seen = draw(pipe, method), {}
    for tasks in (["style"], ["subject"], ["style", "subject"]):
        with method.use(pipe, *(folder(out, name, task) for task in tasks)) as taught:
            seen[len(tasks), tasks[0]] = draw(taught, method)
        assert torch.equal(draw(pipe, method), before)
    different = [before, *seen.values()]
    assert all(not torch.equal(a, b) for i, a in enumerate(different) for b in different[:i])


def test_two_changes_of_the_weights_add_up(base, out):
    pipe, where = models.load(base, "cpu"), folder(out, "full fine-tuning", "style")
    alone = models.load(where, "cpu").unet.conv_in.weight
    with methods.weights(pipe, where) as one, methods.weights(pipe, where, where) as two:
        assert_close(one.unet.conv_in.weight, alone)
        assert_close(two.unet.conv_in.weight, 2 * alone - pipe.unet.conv_in.weight)


def test_two_hypernetworks_add_up():
    assert methods.added([torch.sin, torch.cos])(torch.tensor(0.3)) == torch.tensor(0.3).sin() + torch.tensor(0.3).cos()


def test_what_a_training_cost(out):
    found = facts(folder(out, "textual inversion", "style"))
    assert found["trained"] == 32 and found["bytes"] < 2000 and found["steps"] == 1
    bytes_ = {name: facts(folder(out, name, "style"))["bytes"] for name in METHODS}
    assert bytes_["textual inversion"] < bytes_["LoRA"] < bytes_["full fine-tuning"] == bytes_["DreamBooth"]


def test_examples_of_the_subject_are_its_four_pictures():
    four = subject.render(subject.TRAINING)[0]
    some = methods.of_subject("zib robot", 12, 5)
    assert some.images.shape == (12, 3, 64, 64) and all("zib robot" in c for c in some.captions)
    assert all(any(torch.equal(image, x) for x in four) for image in some.images)
    assert len(set(some.captions)) > 1


# ---------------------------------------------------------------- StyleAligned on the same task


def test_the_first_picture_is_the_real_one_with_noise():
    rng = torch.Generator().manual_seed(0)
    z_0, noise = torch.randn(2, 1, 4, 8, 8, generator=rng)
    x_t, eps = torch.randn(2, 3, 4, 8, 8, generator=rng)
    abar_t, abar_s = torch.tensor(0.3), torch.tensor(0.6)
    after = methods.followed(z_0, noise)(x_t, eps, abar_t, abar_s)
    assert_close(after[:1], q_sample(z_0, noise, abar_s))
    assert_close(after[1:], ddim_step(x_t, eps, abar_t, abar_s)[1:])


def test_aligned_pictures_follow_it(base):
    pipe, rows = models.load(base, "cpu"), newstyle.rows(limit=3)
    pictures = methods.aligned_pictures(pipe, rows, seed=1, together=2)
    assert pictures.shape == (3, 3, 64, 64)
    alone = metrics.draw(pipe, rows, seed=1)
    assert not torch.allclose(pictures, alone, atol=1e-3)


# ---------------------------------------------------------------- the scores


class Drawer:
    """A stand-in for a pipeline; generates real scenes, in the new style or with the subject only if it was trained on it."""

    device = torch.device("cpu")

    def __init__(self, *taught):
        self.taught = taught

    def draw(self, rows):
        if "id" not in rows[0]:
            known = "zib" in rows[0]["prompt"] and "subject" in self.taught
            one = subject.class_rows(1)[0]["id"]
            robots = scenes.spec_of([{**r, "id": one} for r in rows])
            return (subject.render(rows) if known else scenes.render(robots))[0]
        style = {} if "style" in self.taught else {"style": "twemoji"}
        asked = [{**r, **(style if r["style"] == "contrast" else {})} for r in rows]
        return scenes.render(scenes.spec_of(asked))[0]


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.setattr(models, "load", lambda name, device: Drawer())
    monkeypatch.setattr(metrics, "draw", lambda pipe, rows, seed: pipe.draw(rows))
    monkeypatch.setattr(metrics, "through_vae", lambda pipe, images: images)
    return Bench("base", limit=6, device="cpu")


def test_gains_and_losses_are_found(bench):
    good, bad = Drawer("style", "subject"), Drawer()
    row = bench.gains(
        bench.style(good),
        bench.concepts(good),
        bench.subject(good, "zib robot"),
        (bench.style(bad), bench.subject(bad, "zib robot")),
    )
    assert row["style"]["value"] == 1 and row["style_gain"]["low"] > 0.3 and row["forgetting"]["value"] == 0
    assert row["subject_gain"]["low"] > 0.2 and row["style_with_both"]["value"] == -1
    assert row["subject_with_both"]["high"] < 0
    assert bench.base["style"]["value"] == 0 and bench.base["style_ceiling"]["value"] == 1
    assert bench.base["subject_ceiling"] == row["subject"]


def test_controlnet_is_named_as_another_task(base):
    bench = Bench.__new__(Bench)
    bench.pipe = models.load(base, "cpu")
    row = bench.control()
    assert row["trained"] > 1000 and row["bytes"] == 2 * row["trained"]
    assert "another task" in row["note"] and "style_gain" not in row


# ---------------------------------------------------------------- the table

SHARE = {"value": 0.75, "n": 80, "low": 0.64, "high": 0.83}
COSINE = {"value": 0.4, "n": 24, "low": 0.3, "high": 0.5, "unit": "cosine"}
TABLE = {
    "settings": {"seconds": 60},
    "base": {"style": SHARE, "subject": COSINE, "style_ceiling": SHARE, "subject_ceiling": COSINE},
    "rows": [
        {
            "method": "LoRA",
            "trained": 123456,
            "bytes": 250_000,
            "seconds": 60.0,
            "steps": 70,
            "style": SHARE,
            "style_gain": SHARE,
            "subject_gain": COSINE,
            "note": "thin",
        }
    ],
}


@pytest.mark.parametrize(
    "key, value, text",
    [
        ("trained", 123456, "123,456"),
        ("bytes", 584, "0.6 kB"),
        ("bytes", 13_400_000, "13.40 MB"),
        ("seconds", 60.0, "60"),
        ("style", SHARE, "75 %"),
        ("style_gain", SHARE, "+75 [+64, +83]"),
        ("subject", COSINE, "0.40"),
        ("subject_gain", COSINE, "+0.40 [+0.30, +0.50]"),
        ("subject", None, ""),
        ("method", "LoRA", "LoRA"),
    ],
)
def test_a_cell(key, value, text):
    assert table.cell(key, value) == text


def test_the_table_is_written_as_text_and_as_data(tmp_path):
    compare.write(tmp_path / "new", TABLE)
    assert json.loads((tmp_path / "new" / "compared.json").read_text()) == TABLE
    lines = (tmp_path / "new" / "compared.md").read_text().splitlines()
    assert len({line.count("|") for line in lines}) == 1 and len(lines) == 5
    assert "| LoRA | 123,456 | 250" not in lines[3] and "| LoRA | 123,456 | 0.25 MB | 60 | 70 | 75 % |" in lines[3]


def test_mistakes_are_sentences(tmp_path, capsys):
    with pytest.raises(EduError, match="no method 'Lora'; there are .*LoRA"):
        methods.chosen(["Lora"])
    assert main.main(["compare", "--only", "magic", "--out", str(tmp_path)]) == 2
    assert main.main(["compare", "--seconds", "0", "--out", str(tmp_path)]) == 2
    assert "no method 'magic'" in capsys.readouterr().err and not any(tmp_path.iterdir())


def test_the_shipped_table_holds_all_methods():
    if not table.SHIPPED.is_file():
        pytest.skip("compare has not been run on this base")
    shipped = table.shipped()
    assert [row["method"] for row in shipped["rows"]] == [*METHODS, "StyleAligned", "ControlNet"]
    text = table.SHIPPED.with_suffix(".md").read_text(encoding="utf-8")
    assert text == table.markdown(shipped) + "\n"

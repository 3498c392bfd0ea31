"""The command `release`: the order, the minimum scores, and that a checkpoint stays until its successor reaches them."""

import argparse
import json
import os
import pathlib

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from edu_diffusion import metrics, models, steps, train
from edu_diffusion.cli import compare as comparing
from edu_diffusion.cli import floors, main, options, release, runs, scores, ship, shipped, stages
from edu_diffusion.cli import judge as judging
from edu_diffusion.cli.shipped import card
from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment
from edu_diffusion.models import vocabulary
from edu_diffusion.train.loop import Progress

STAGES = ["judge", "clip", "base", "canny", "segmentation", "lora", "inversion", "few_steps", "compare"]
SHIPPED = STAGES[:-1]


def weights(value):
    return {"w": torch.tensor([float(value)])}


def checkpoint(folder, value, **facts):
    """Something like a checkpoint, with a U-Net where a pipeline has one."""
    (folder / "unet").mkdir(parents=True)
    for name in ("model.safetensors", "unet/diffusion_pytorch_model.safetensors"):
        save_file(weights(value), folder / name)
    files.write_json(folder / "card.json", {"seed": 0, **facts, "sha256": files.checksums(folder)})


def grown(start, out):
    """In the place of second_edition."""
    if not out.is_dir():
        checkpoint(out, 0, vae_steps=7, latent_steps=5)
    return out


def perfect(name):
    """Scores that hold every floor of a stage."""
    scores = {}
    for score, end, way, bar in floors.FLOORS[name]:
        scores.setdefault(score, {"n": 4})[end] = bar + (0.01 if way in (floors.AT_LEAST, floors.MORE) else -0.01)
    return scores


class World:
    """A package of checkpoints that weigh 0, recipes that leave 1, a judge that finds everything perfect."""

    def __init__(self, root):
        self.root = root
        self.calls = []
        self.scores = {name: perfect(name) for name in SHIPPED}

    def recipe(self, name):
        def train_(run, steps, minutes, **settings):
            self.calls.append((name, steps, settings))
            run.mkdir(parents=True, exist_ok=True)
            save_file(weights(0), run / "state.safetensors", {"step": str(steps), "seconds": "60"})
            yield Progress(steps, 0.1, 1.0, 0.0, None)
            if not (run / "model").exists():
                checkpoint(run / "model", 1, kind="canny", latent_steps=steps)

        return train_

    def judge(self, words):
        what, option, folder, _ = words
        self.calls.append(("judging", what, option))
        name = folder.removeprefix(str(self.root / "out")).split(os.sep)[1]
        scores.write(pathlib.Path(folder), self.scores[name], {"sampling_seeds": 3})

    def compare(self, args):
        self.calls.append(("compare", args.seconds, args.limit))
        for name in ("compared.json", "compared.md"):
            (args.out / name).write_text("new")

    def shipped(self, name):
        """What a shipped checkpoint weighs."""
        return load_file(self.root / "checkpoints" / name / "model.safetensors")["w"].item()

    def release(self, *words):
        command = argparse.ArgumentParser()
        options.release_options(command)
        return release.run(command.parse_args([*words, "--out", str(self.root / "out")]))


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = World(tmp_path)
    for name in SHIPPED:
        checkpoint(tmp_path / "checkpoints" / name, 0, vae_steps=7, latent_steps=5)
    (tmp_path / "checkpoints" / "compared.json").write_text("old")
    monkeypatch.setattr(files, "PACKAGE", tmp_path)
    recipes = {stage.recipe for stage in stages.STAGES.values()}
    monkeypatch.setattr(train, "RECIPES", {name: made.recipe(name) for name in recipes})
    monkeypatch.setattr(stages, "second_edition", grown)
    monkeypatch.setattr(judging, "main", made.judge)
    monkeypatch.setattr(metrics, "load_judge", lambda source: None)
    monkeypatch.setattr(metrics, "fixed", lambda pipe, network: made.scores["judge"] | {"memory": {"value": 1.0, "n": 4}})
    monkeypatch.setattr(models, "load", lambda name: None)
    monkeypatch.setattr(comparing, "run", made.compare)
    return made


def test_everything_in_its_order_and_by_steps(world):
    assert world.release() == 0 and list(stages.STAGES) == STAGES
    assert [call[:2] for call in world.calls if call[0] != "judging"] == [
        ("judge", 2500),
        ("clip", 1500),
        ("latent", 6000),
        ("latent", 6000),
        ("control", 2000),
        ("control", 2000),
        ("lora", 2400),
        ("inversion", 300),
        ("few_steps", 2800),
        ("few_steps", 900),
        ("compare", 60.0),
    ]
    first, second = (settings for name, _, settings in world.calls if name == "latent")
    assert first["start"].name == "start" and second["start"] == world.root / "out" / "base" / "1" / "model"
    assert first["lr"] == 7e-4 and first["batch"] == 64 and first["seed"] != second["seed"]
    assert [call[1:] for call in world.calls if call[0] == "judging"] == [
        ("clip", "--model"),
        ("drawing", "--model"),
        ("open", "--model"),
        ("control", "--adapter"),
        ("control", "--adapter"),
        ("lora", "--adapter"),
        ("inversion", "--adapter"),
        ("few_steps", "--adapter"),
    ]
    one, other = (settings for name, _, settings in world.calls if name == "few_steps")
    assert other["start"] == world.root / "out" / "few_steps" / "1" / "model"
    assert one["lr"] > other["lr"] and other["seed"] == 2 and "seed" not in one
    assert all(world.shipped(name) == 1 for name in SHIPPED)
    assert (world.root / "checkpoints" / "compared.json").read_text() == "new"


def test_what_a_card_says(world):
    world.release()
    base, canny, judge_ = (card(world.root / "checkpoints" / name) for name in ("base", "canny", "judge"))
    assert base["latent_steps"] == 12_000 and base["latent_runs"] == 2 and base["latent_minutes"] == 2
    assert base["earlier_latent_steps"] == 5 and base["vae_steps"] == 7, "what was not trained now is told as it was"
    assert canny["base_sha256"] == base["sha256"]["unet/diffusion_pytorch_model.safetensors"]
    assert canny["recipe"] == "control" and canny["sampling_seeds"] == 3 and "below_floors" not in canny
    assert (
        set(json.loads((world.root / "checkpoints" / "judge" / "metrics.json").read_text()))
        == {"judge_concept", "judge_style", "judge_size", "judge_place"}
        and judge_["recipe"] == "judge"
    )


def test_a_second_start_repeats_neither_training_nor_judging(world):
    world.release()
    world.calls.clear()
    world.release(*SHIPPED)
    assert not world.calls
    world.release("canny", "--steps", "3000")
    assert [call[0] for call in world.calls] == ["control"], "more steps: the training goes on, and leaves the same here"


def test_another_judge_judges_again(world):
    world.release("lora")
    save_file(weights(5), world.root / "checkpoints" / "judge" / "model.safetensors")
    world.calls.clear()
    world.release("lora")
    assert world.calls == [("judging", "lora", "--adapter")]


def test_a_training_on_an_earlier_base_is_set_aside(world, capsys):
    world.release("lora", "compare")
    save_file(weights(5), world.root / "checkpoints" / "base" / "unet" / "diffusion_pytorch_model.safetensors")
    assert shipped.stale("lora")
    world.calls.clear()
    world.release("lora", "compare")
    assert [call[0] for call in world.calls] == ["lora", "judging", "compare"]
    assert (world.root / "out" / "lora.1" / "model").is_dir() and (world.root / "out" / "compare.1").is_dir()
    assert not shipped.stale("lora") and "the base has changed since" in capsys.readouterr().out


def test_below_a_floor_the_shipped_one_stays(world, capsys):
    world.scores["canny"]["canny_f1_gain"]["value"] = 0.2499
    with pytest.raises(EduError, match=r"canny misses its floors \(canny_f1_gain\)"):
        world.release("canny", "lora")
    assert world.shipped("canny") == 0 and world.shipped("lora") == 0
    assert "MISSED canny_f1_gain" in capsys.readouterr().out
    world.release("canny", "lora", "--below-floors")
    assert world.shipped("canny") == 1 and world.shipped("lora") == 1
    assert card(world.root / "checkpoints" / "canny")["below_floors"] == ["canny_f1_gain"]


@pytest.mark.parametrize(
    "stage, score, end, value",
    [
        (name, score, end, bar + (-1e-6 if way in (floors.AT_LEAST, floors.MORE) else 1e-6))
        for name, rows in floors.FLOORS.items()
        for score, end, way, bar in rows
    ],
)
def test_every_floor_counts(world, stage, score, end, value):
    assert floors.below(stage, perfect(stage)) == []
    assert floors.below(stage, perfect(stage) | {score: {end: value}}) == [score]
    assert floors.below(stage, {k: v for k, v in perfect(stage).items() if k != score}) == [score], "nobody measured it"


@pytest.mark.parametrize("stage", SHIPPED)
@pytest.mark.parametrize("where", ["training", "judging", "floors", "copying", "card"])
def test_stopped_at_any_point_what_is_shipped_stays_and_the_release_goes_on(world, monkeypatch, stage, where):
    def stop(*args, **named):
        raise KeyboardInterrupt

    before = files.checksums(world.root / "checkpoints")
    with monkeypatch.context() as patch:
        place, name = {
            "training": (runs, "part"),
            "judging": (scores, "write"),
            "floors": (release, "below"),
            "copying": (ship, "halve"),
            "card": (files, "portable"),
        }[where]
        patch.setattr(place, name, stop)
        with pytest.raises(KeyboardInterrupt):
            world.release(stage)
    assert files.checksums(world.root / "checkpoints") == before
    world.release(stage)
    assert world.shipped(stage) == 1


def test_only_judge_trains_nothing_and_replaces_nothing(world, capsys):
    world.release("lora", "compare", "--only-judge")
    assert not world.calls and "no trained model" in capsys.readouterr().out
    checkpoint(world.root / "out" / "lora" / "model", 1)
    world.scores["lora"]["style"]["value"] = 0.1
    world.release("lora", "--only-judge")
    assert world.calls == [("judging", "lora", "--adapter")] and world.shipped("lora") == 0
    assert "MISSED style" in capsys.readouterr().out


def test_fresh_sets_earlier_trainings_aside(world):
    world.release("lora")
    world.calls.clear()
    world.release("lora", "--fresh")
    assert world.calls[0][0] == "lora" and (world.root / "out.1" / "lora").is_dir()


@pytest.mark.parametrize(
    "words, expected",
    [
        (["release", "cany"], "there is no stage cany; the stages are: judge, clip"),
        (["release", "--steps", "0"], "steps must be at least 1"),
        (["release", "--out", "checkpoints/lora"], "is among the shipped checkpoints"),
        (["train", "lora", "--out", "checkpoints/lora"], "only the command release replaces shipped checkpoints"),
        (["train", "lora", "--out", "checkpoints"], "is among the shipped checkpoints"),
        (["train", "all"], "there is no recipe all"),
    ],
)
def test_mistakes_are_sentences(world, monkeypatch, capsys, words, expected):
    monkeypatch.chdir(world.root)
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)
    before = files.checksums(world.root / "checkpoints")
    assert main.main(words) == 2 and expected in capsys.readouterr().err
    assert not world.calls and files.checksums(world.root / "checkpoints") == before


def test_a_folder_beside_the_checkpoints_is_no_checkpoint(world):
    runs.not_shipped(world.root / "checkpoints-of-mine")


def test_long_trainings_come_in_runs():
    assert stages.pieces(12_000) == [6000, 6000] and stages.pieces(6001) == [6000, 1] and stages.pieces(2) == [2]


# ---------------------------------------------------------------- with real models

CORPUS = ["a penguin", "a penguin on a red background", "a very happy penguin"]


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A pipeline that reads 16 tokens, where 48 are wanted, and few sentences to grow its tokenizer from."""
    monkeypatch.setattr("edu_diffusion.train.clip.corpus", lambda: CORPUS)
    pipe = tiny.pipeline()
    pipe.unet.register_to_config(sample_size=16)
    models.save(pipe, tmp_path / "old", {"vae_steps": 7})
    return tmp_path / "old"


def test_the_second_edition_reads_more_and_knows_what_it_knew(old, tmp_path):
    new = stages.second_edition(old, tmp_path / "new")
    before, after = models.load(old, "cpu"), models.load(new, "cpu")
    assert after.tokenizer.model_max_length == after.text_encoder.config.max_position_embeddings == models.TOKENS
    assert len(after.tokenizer("a penguin").input_ids) < len(before.tokenizer("a penguin").input_ids)
    short, long = steps.embed(before, ["a cat"]), steps.embed(after, ["a cat"])
    ids = before.tokenizer("a cat").input_ids
    torch.testing.assert_close(long[:, : len(ids)], short[:, : len(ids)], atol=1e-5, rtol=1e-4)
    for part in ("vae", "unet", "scheduler"):
        assert files.checksums(old / part) == files.checksums(new / part), part
    assert card(new)["vae_steps"] == 7


def test_what_reads_enough_does_not_grow_again(old, tmp_path, monkeypatch):
    first = stages.second_edition(old, tmp_path / "first")
    monkeypatch.setattr(vocabulary, "grow_tokenizer", None)
    again, before = (files.checksums(folder) for folder in (stages.second_edition(first, tmp_path / "again"), first))
    assert all(again[name] == before[name] for name in ("tokenizer/tokenizer.json", "text_encoder/model.safetensors"))
    assert stages.second_edition(None, first) == first, "what is there is not made again"


def test_the_base_goes_on_from_the_second_edition(old, tmp_path, monkeypatch):
    """Two runs of one step each; vocabulary and VAE are those of the second edition, the U-Net has learned."""
    monkeypatch.setattr(stages, "LONGEST", 1)
    new = stages.second_edition(old, tmp_path / "base" / "start")
    stages.train_base(tmp_path / "base", 2, seed=3, lr=1e-3, batch=2, device="cpu")
    made = files.checksums(tmp_path / "base" / "model")
    assert made == files.checksums(tmp_path / "base" / "2" / "model")
    same = {name for name, value in files.checksums(new).items() if made[name] == value}
    assert {"vae/diffusion_pytorch_model.safetensors", "tokenizer/vocab.json", "tokenizer/merges.txt"} <= same
    assert not {"unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"} & same
    facts = card(tmp_path / "base" / "model")
    assert facts["latent_steps"] == 2 and facts["latent_runs"] == 2 and facts["vae_steps"] == 7


def test_a_clip_is_laid_out_as_the_shipped_one(tmp_path):
    from edu_diffusion.train.save import keep

    words = tiny.tokenizer()
    keep({"clip": models.build_clip(len(words), words.bos_token_id, words.eos_token_id), "tokenizer": words}, tmp_path)
    for _ in range(2):  # the second time there is nothing to do
        stages.flatten(tmp_path / "model")
        assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.json", "merges.txt"} <= {
            p.name for p in (tmp_path / "model").iterdir()
        }
    assert models.load_clip(tmp_path / "model", "cpu")[1]("a cat").input_ids == words("a cat").input_ids


NOTED = [name for name in stages.ON_BASE[:-1] if "base_sha256" in card(shipped.shipped(name))]


@pytest.mark.parametrize("name", NOTED)
def test_no_shipped_adapter_is_stale(name):
    assert not shipped.stale(name), f"{name} was trained on another base: python3 -m edu_diffusion release {name}"

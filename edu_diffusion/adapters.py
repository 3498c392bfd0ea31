"""Adapters trained on top of the base model: how each kind is evaluated, and how a finished training becomes a checkpoint.

    judge lora --adapter FOLDER      scores of a LoRA; likewise hyper, aligned, control, dreambooth, inversion
"""

import json
import shutil
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.errors import EduError

SHIPPED = {"canny": "control", "segmentation": "control", "lora": "lora", "inversion": "inversion"}  # checkpoint: recipe
HALVED = ".safetensors"


# ---------------------------------------------------------------- evaluation

def lora(base, folder, network, seeds, limit):
    from edu_diffusion import judge
    return judge.lora_scores(base, folder, seeds, limit, network)


def hyper(base, folder, network, seeds, limit):
    from edu_diffusion import judge
    return judge.hyper_scores(base, folder, seeds, limit, network)


def aligned(base, folder, network, seeds, limit):
    from edu_diffusion import judge
    return judge.aligned_scores(base, seeds, limit)


def edit(base, folder, network, seeds, limit):
    from edu_diffusion.judge import edit as editing
    return editing.scores(base, seeds, limit, network)


def control(base, folder, network, seeds, limit):
    from edu_diffusion import judge, models
    return judge.control_scores(base, models.load_control(folder, base.device), card(folder)["kind"], seeds, limit)


def dreambooth(base, folder, network, seeds, limit):
    from edu_diffusion import judge, models
    return judge.dreambooth_scores(base, models.load(folder, base.device), network, card(folder)["name"], seeds=seeds,
                                   limit=limit)


def inversion(base, folder, network, seeds, limit):
    from edu_diffusion import judge, methods
    about = card(folder)
    with methods.new_words(base, folder) as pipe:
        return judge.inversion_scores(base, pipe, network, about["word"], about["kind"], seeds=seeds, limit=limit,
                                      thing=about.get("thing"))


JUDGED = {"edit": edit, "lora": lora, "hyper": hyper, "aligned": aligned, "control": control, "dreambooth": dreambooth,
          "inversion": inversion}
TRAINLESS = ("edit", "aligned")  # methods that train nothing, so there is no adapter folder


def judge_adapter(args):
    """Run `judge lora` and its like: print the scores; with --write, store them and rewrite the model card that quotes them."""
    from edu_diffusion import judge, judging, models
    if args.write and args.what in TRAINLESS:
        raise EduError(f"{args.what} trains nothing, so it has no folder to write scores to: leave out --write.")
    folder = located(args.adapter, args.what)
    base = models.load(args.model or "base")
    seeds = [1000 * s for s in range(args.seeds)]
    scores = JUDGED[args.what](base, folder, judge.load_judge(), seeds, args.limit)
    judging.show(scores)
    if args.write:
        write(folder, scores, {"sampling_seeds": args.seeds, "sampling_steps": judge.STEPS, "guidance": judge.GUIDANCE})


def located(name, what):
    """The folder of an adapter: a shipped name or a path. Raises EduError when there is none."""
    if what in TRAINLESS:
        return None
    names = [n for n, recipe in SHIPPED.items() if recipe == what]
    shipped, path = files.PACKAGE / "checkpoints" / str(name or names[0] if names else name), Path(name or "")
    if shipped.is_dir():
        return shipped
    if not name or not path.is_dir():
        raise EduError(f"There is no {what} in {name or 'checkpoints'}: train one (train {what}), and name its folder "
                       f"with --adapter, such as runs/{what}/model.")
    return path


def write(folder, scores, how):
    """Store metrics.json and the evaluation settings, and rewrite the model card."""
    from edu_diffusion import cards
    files.write_json(folder / "metrics.json", scores)
    files.write_json(folder / "card.json", card(folder) | how)
    cards.write_card(folder)


def card(folder):
    """The facts in a folder's card.json. Raises EduError when it has none."""
    if not (Path(folder) / "card.json").is_file():
        raise EduError(f"{folder} has no card.json, so it is unclear what it contains; name a folder that a training recipe wrote.")
    return json.loads((Path(folder) / "card.json").read_text(encoding="utf-8"))


# ---------------------------------------------------------------- checkpoints

def ship(model, target, facts):
    """Copy a trained model to a checkpoint folder with its weights in half precision; card.json lists every file.

    facts: further entries for card.json. README.md is written from the numbers where the checkpoint has a template.
    The configurations still say float32, the precision that the libraries compute in by default.
    """
    from edu_diffusion import cards
    with files.artefact(target, card(model) | facts) as stage:
        for path in sorted(p for p in model.rglob("*") if p.is_file() and p.name != "card.json"):
            new = stage / path.relative_to(model)
            new.parent.mkdir(parents=True, exist_ok=True)
            halve(path, new) if path.suffix == HALVED else shutil.copyfile(path, new)
        files.portable(stage)
        files.write_json(stage / "card.json", card(model) | facts)
        cards.write_card(stage, target.name)


def halve(path, new):
    """Copy a .safetensors file with its numbers converted to float16; the metadata are kept."""
    from safetensors import safe_open
    from safetensors.torch import save_file
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        save_file({name: x.half() if x.is_floating_point() else x for name, x in tensors.items()}, new, file.metadata())

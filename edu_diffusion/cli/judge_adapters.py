"""The verb `judge` for what is trained on top of the base model: how each kind of adapter is evaluated.

judge lora --adapter FOLDER      scores of a LoRA; likewise hyper, aligned, control, dreambooth, inversion, few_steps
"""

from edu_diffusion.errors import EduError

from . import scores
from .shipped import ADAPTERS, card


def lora(base, folder, network, seeds, limit):
    from edu_diffusion import metrics

    return metrics.lora_scores(base, folder, seeds, limit, network)


def hyper(base, folder, network, seeds, limit):
    from edu_diffusion import metrics

    return metrics.hyper_scores(base, folder, seeds, limit, network)


def aligned(base, folder, network, seeds, limit):
    from edu_diffusion import metrics

    return metrics.aligned_scores(base, seeds, limit)


def edit(base, folder, network, seeds, limit):
    from edu_diffusion.metrics import edit as editing

    return editing.scores(base, seeds, limit, network)


def control(base, folder, network, seeds, limit):
    from edu_diffusion import metrics, models

    return metrics.control_scores(base, models.load_control(folder, base.device), card(folder)["kind"], seeds, limit)


def dreambooth(base, folder, network, seeds, limit):
    from edu_diffusion import metrics, models

    return metrics.dreambooth_scores(
        base, models.load(folder, base.device), network, card(folder)["name"], seeds=seeds, limit=limit
    )


def inversion(base, folder, network, seeds, limit):
    from edu_diffusion import metrics
    from edu_diffusion.compare import methods

    about = card(folder)
    with methods.new_words(base, folder) as pipe:
        return metrics.inversion_scores(
            base, pipe, network, about["word"], about["kind"], seeds=seeds, limit=limit, thing=about.get("thing")
        )


def few_steps(base, folder, network, seeds, limit):
    from edu_diffusion import metrics, models

    models.load_lora(base, folder, "few_steps")
    found = metrics.few_step_scores(base, network, limit=limit, seeds=seeds)
    return found | metrics.few_steps.closer(base, network) | metrics.few_step_calibrations(base, network, limit and limit // 10)


JUDGED = {
    "edit": edit,
    "lora": lora,
    "hyper": hyper,
    "aligned": aligned,
    "control": control,
    "dreambooth": dreambooth,
    "inversion": inversion,
    "few_steps": few_steps,
}
TRAINLESS = ("edit", "aligned")  # methods that train nothing, so there is no adapter folder


def run(args):
    """Run `judge lora` and its like: print the scores; with --write, store them and rewrite the model card that quotes them."""
    from edu_diffusion import metrics, models

    if args.write and args.what in TRAINLESS:
        raise EduError(f"{args.what} trains nothing, so it has no folder to write scores to: leave out --write.")
    folder = located(args.adapter, args.what)
    base = models.load(args.model or "base")
    seeds = [1000 * s for s in range(args.seeds)]
    found = JUDGED[args.what](base, folder, metrics.load_judge(), seeds, args.limit)
    scores.show(found)
    if args.write:
        scores.write(folder, found, {"sampling_seeds": args.seeds, "sampling_steps": metrics.STEPS, "guidance": metrics.GUIDANCE})


def located(name, what):
    """The folder of an adapter: a shipped name or a path. Raises EduError when there is none."""
    if what in TRAINLESS:
        return None
    from edu_diffusion.models import locate

    name = name or next((n for n, recipe in ADAPTERS.items() if recipe == what), None)
    path = locate.there(name) if name else None
    if path is None or not path.is_dir():
        raise EduError(
            f"There is no {what} in {name or 'checkpoints'}: train one (train {what}), and name its folder "
            f"with --adapter, such as runs/{what}/model."
        )
    return path

"""The command `train`: run a recipe, show its progress, explain how to resume after Ctrl-C."""

import inspect

from edu_diffusion import install
from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.progress import Bar


def run(args):
    """Run the recipe that the arguments name; Ctrl-C stops it and prints how to resume."""
    recipe = find(args.recipe)
    if args.minutes is not None and not 0 < args.minutes <= 10_000:
        raise EduError(f"minutes must be more than 0 and at most 10000, not {args.minutes}")
    kind = kinds(args, recipe)
    folder = args.out or install.home() / "runs" / "-".join([args.recipe, *kind.values()])
    prepare(folder, args.resume, args.fresh)
    given = {name: getattr(args, name) for name in ("minutes", "device") if getattr(args, name) is not None} | kind
    bar = Bar()
    try:
        for progress in recipe(run=folder, **given):
            bar(progress)
    except KeyboardInterrupt:
        bar.close()
        print(
            f"Stopped. To resume from the last saved state: python3 -m edu_diffusion train {args.recipe} --resume"
            + "".join(f" --kind {name}" for name in kind.values())
            + (f' --out "{folder}"' if args.out else "")
        )
        raise
    bar.close()
    print(f"Done: {folder}")


def kinds(args, recipe):
    """{"kind": ...} when --kind was given, else {}; raises EduError when the recipe has only one kind."""
    if args.kind and "kind" not in inspect.signature(recipe).parameters:
        raise EduError(f"{args.recipe} has only one kind; leave out --kind")
    return {"kind": args.kind} if args.kind else {}


def find(name):
    """Return the recipe of that name, or raise EduError with the names of all."""
    from edu_diffusion.train import RECIPES
    if name not in RECIPES:
        raise EduError(f"there is no recipe {name}; the recipes are: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


def prepare(folder, resume, fresh):
    """Handle --resume and --fresh; without either, an earlier training run is resumed."""
    not_shipped(folder)
    begun = folder.is_dir() and any(folder.iterdir())
    if resume and not begun:
        raise EduError(f"there is no training run to resume in {folder}; leave out --resume to start one")
    if begun and fresh:
        print(f"The earlier training run is now in {set_aside(folder)}")
    elif begun:
        print(f"Resuming the training run in {folder} (--fresh starts over)")


def not_shipped(folder):
    """Raise EduError for a folder among the shipped checkpoints, which only the command release may replace."""
    if folder.resolve().is_relative_to((files.PACKAGE / "checkpoints").resolve()):
        raise EduError(f"{folder} is among the shipped checkpoints, which training never changes: name another folder with --out; "
                       "only the command release replaces shipped checkpoints.")


def set_aside(folder):
    """Rename a folder by appending the first free number, and return the new path: no training run is ever deleted."""
    names = (folder.with_name(f"{folder.name}.{number}") for number in range(1, 100_000))
    free = next(name for name in names if not name.exists())
    return folder.rename(free)

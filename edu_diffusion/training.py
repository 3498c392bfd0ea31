"""The verb `train`: run a recipe, show its progress, say how to go on after Ctrl-C."""

import inspect

from edu_diffusion import install
from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.progress import Bar


def run(args):
    """Run the recipe that the arguments name; Ctrl-C ends it and says how to continue."""
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
            f"Stopped. To go on from the last save: python3 -m edu_diffusion train {args.recipe} --resume"
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
    """Obey --resume and --fresh; without either, an earlier training goes on."""
    not_shipped(folder)
    begun = folder.is_dir() and any(folder.iterdir())
    if resume and not begun:
        raise EduError(f"there is no training to resume in {folder}; leave out --resume to begin one")
    if begun and fresh:
        print(f"The earlier training is now in {set_aside(folder)}")
    elif begun:
        print(f"Going on with the training in {folder} (--fresh begins again)")


def not_shipped(folder):
    """Raise EduError for a folder among the shipped checkpoints: what is shipped comes by the verb release alone."""
    if folder.resolve().is_relative_to((files.PACKAGE / "checkpoints").resolve()):
        raise EduError(f"{folder} is among the shipped checkpoints, where no training writes: name another folder with --out; "
                       "the verb release replaces what is shipped.")


def set_aside(folder):
    """Rename a folder to the first free name with a number, and return that: nobody's training is deleted."""
    names = (folder.with_name(f"{folder.name}.{number}") for number in range(1, 100_000))
    free = next(name for name in names if not name.exists())
    return folder.rename(free)

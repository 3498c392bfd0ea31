"""The command `train`: run a recipe, show its progress, explain how to resume after Ctrl-C."""

import inspect

from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

from . import runs


def run(args, rest=()):
    """Run the recipe that the arguments name; Ctrl-C stops it and prints how to resume."""
    recipe = find(args.recipe)
    if args.minutes is not None and not 0 < args.minutes <= 10_000:
        raise EduError(f"minutes must be more than 0 and at most 10000, not {args.minutes}")
    kind = kinds(args, recipe)
    folder = args.out or environment.home() / "runs" / "-".join([args.recipe, *kind.values()])
    runs.prepare(folder, args.resume, args.fresh)
    given = {name: getattr(args, name) for name in ("minutes", "device") if getattr(args, name) is not None} | kind
    try:
        runs.follow(recipe(run=folder, **given))
    except KeyboardInterrupt:
        if not any(folder.rglob("state.safetensors")):
            print("Stopped before the end of the first step: there is nothing to resume.")
            raise
        print(
            f"Stopped, and saved. To resume: python3 -m edu_diffusion train {args.recipe} --resume"
            + "".join(f" --kind {name}" for name in kind.values())
            + (f' --out "{folder}"' if args.out else "")
        )
        raise
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

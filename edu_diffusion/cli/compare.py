"""The command `compare`: every fine-tuning method on the same two tasks with the same training time.

    python3 -m edu_diffusion compare --seconds 60

Each method learns a drawing style and, in a separate run, a subject. Then: how much better are the images of each, what
did the model forget, how large is the file, and do both still work when combined? Writes compared.json and compared.md.
"""

from pathlib import Path

from edu_diffusion.compare.bench import SEED, Bench, folder
from edu_diffusion.compare.table import markdown
from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

from . import runs


def run(args, rest=()):
    """Train and evaluate the methods that the arguments name; print the table and write it."""
    from edu_diffusion import models
    from edu_diffusion.compare.methods import chosen

    out = Path(args.out or environment.home() / "runs" / "compare")
    methods = chosen(args.only)
    if not 0 < args.seconds <= 36_000 or args.limit < 2:
        raise EduError("seconds must be above 0 and at most 36000, and limit at least 2")
    for name, method in methods.items():
        train(method, name, out, args.seconds, args.model, args.device)
    bench = Bench(args.model, args.limit, args.device)
    rows = [bench.row(name, method, out) for name, method in methods.items()]
    rows += [] if args.only else [bench.aligned(), bench.control()]
    settings = {"seconds": args.seconds, "seed": SEED, "hardware": models.hardware(args.device)} | bench.sizes
    table = {"settings": settings, "base": bench.base, "rows": rows}
    write(out, table)
    print(markdown(table))
    print(f"Written to {out}: compared.json, compared.md")


def train(method, name, out, seconds, model, device=None):
    """Run a method's two recipes for this many seconds each and show the progress; an earlier run in the folder is continued."""
    from edu_diffusion.train import RECIPES

    for task in ("style", "subject"):
        recipe, settings = getattr(method, task)
        print(f"{name}: the {task}", flush=True)
        where = folder(out, name, task).parent
        runs.follow(RECIPES[recipe](minutes=seconds / 60, run=where, model=model, device=device, **settings))


def write(out, table):
    """Write compared.json and compared.md."""
    Path(out).mkdir(parents=True, exist_ok=True)
    files.write_json(Path(out) / "compared.json", table)
    files.write_bytes(Path(out) / "compared.md", (markdown(table) + "\n").encode())

"""The command `compare`: every fine-tuning method on the same two tasks with the same training time.

    python3 -m edu_diffusion compare --seconds 60

Each method learns a drawing style and, in a separate run, a subject. Then: how much better are the images of each, what
did the model forget, how large is the file, and do both still work when combined? Writes compared.json and compared.md.
"""

import json
from pathlib import Path

from edu_diffusion import install
from edu_diffusion.data import files
from edu_diffusion.errors import EduError

SHIPPED = files.PACKAGE / "checkpoints" / "compared.json"
SEED = 1  # of the first image; not 0, since StyleAligned uses the seed before it


def main(args):
    """Train and evaluate the methods that the arguments name; print the table and write it."""
    from edu_diffusion import models
    from edu_diffusion.methods import chosen
    out = Path(args.out or install.home() / "runs" / "compare")
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
    from edu_diffusion.progress import Bar
    from edu_diffusion.train import RECIPES
    for task in ("style", "subject"):
        recipe, settings = getattr(method, task)
        print(f"{name}: the {task}", flush=True)
        bar = Bar()
        for progress in RECIPES[recipe](minutes=seconds / 60, run=folder(out, name, task).parent, model=model,
                                        device=device, **settings):
            bar(progress)
        bar.close()


def folder(out, name, task):
    """Where a method's result for a task is stored."""
    return Path(out) / f"{name.lower().replace(' ', '-')}-{task}" / "model"


class Bench:
    """The prompts, the base model's scores on them, and how a method is measured against that baseline."""

    def __init__(self, model="base", limit=80, device=None):
        """model: the base model. limit: how many prompts of each kind; every method gets the same prompts and seeds."""
        from edu_diffusion import judge, models
        from edu_diffusion.data import newstyle, subject
        from edu_diffusion.data.world import prompts
        self.pipe, self.judge = models.load(model, device), judge.load_judge(device)
        self.likeness = judge.subject.Likeness(self.judge)
        self.styled, self.ordinary = newstyle.rows(limit=limit), prompts("core", "full")[:limit]
        self.things = list(subject.HELD_OUT[:limit])
        self.real = subject.render(self.things)[0]
        self.before = {"style": self.style(self.pipe), "ordinary": self.concepts(self.pipe),
                       "subject": self.subject(self.pipe, "robot")}
        self.base = {"style": judge.score(self.before["style"]), "subject": judge.mean(self.before["subject"], "cosine"),
                     "concept": judge.score(self.before["ordinary"])} | self.ceilings()
        self.sizes = {"style_prompts": len(self.styled), "ordinary_prompts": len(self.ordinary),
                      "subject_prompts": len(self.things)}

    def ceilings(self):
        """The scores of real scenes after a VAE round trip, the upper bound for any method."""
        from edu_diffusion import judge
        from edu_diffusion.data import scenes
        drawn = scenes.render(scenes.spec_of(self.styled))[0]
        style = self.drawn_in_style(judge.through_vae(self.pipe, drawn))
        like = self.likeness.to_others(judge.through_vae(self.pipe, self.real), self.real)
        return {"style_ceiling": judge.score(style), "subject_ceiling": judge.mean(like, "cosine")}

    def drawn_in_style(self, pictures):
        """Whether the nearest reference sprite is one in the new style: (B,)."""
        from edu_diffusion.data.words import NEW_STYLE
        from edu_diffusion.judge.adapters import named
        return named(pictures, self.styled, NEW_STYLE)["style"]

    def style(self, pipe, word=None):
        """The same for images that a pipeline generates; word: what the prompts call the style, if not its usual name."""
        from edu_diffusion import judge
        from edu_diffusion.data.words import NEW_STYLE
        rows = [{**r, "prompt": r["prompt"].replace(NEW_STYLE, word or NEW_STYLE)} for r in self.styled]
        return self.drawn_in_style(judge.draw(pipe, rows, SEED))

    def concepts(self, pipe):
        """Whether the judge recognises the concept in ordinary prompts, which ask for nothing new: (B,)."""
        from edu_diffusion import judge
        return judge.right(self.judge, judge.draw(pipe, self.ordinary, SEED), self.ordinary)["concept"]

    def subject(self, pipe, name):
        """How similar the generated subject is to the real one: (B,) cosine similarities."""
        from edu_diffusion import judge
        from edu_diffusion.data import subject
        rows = [{**r, "prompt": text} for r, text in zip(self.things, subject.captions(self.things, name))]
        return self.likeness.to_others(judge.draw(pipe, rows, SEED), self.real)

    def row(self, name, method, out):
        """Measure the two trained models of a method, each alone and both combined: a row of the table."""
        style, thing = (folder(out, name, task) for task in ("style", "subject"))
        with method.use(self.pipe, style) as pipe:
            drawn, ordinary = self.style(pipe, method.word), self.concepts(pipe)
        with method.use(self.pipe, thing) as pipe:
            like = self.subject(pipe, method.name)
        with method.use(self.pipe, style, thing) as pipe:
            both = self.style(pipe, method.word), self.subject(pipe, method.name)
        return {"method": name} | facts(style) | self.gains(drawn, ordinary, like, both) | {"note": method.note}

    def gains(self, drawn, ordinary, like=None, both=None):
        """The scores of a row; all differences are paired."""
        from edu_diffusion.judge import mean, paired, score
        before = self.before
        scores = {"style": score(drawn), "style_gain": paired(before["style"], drawn),
                  "forgetting": paired(ordinary, before["ordinary"])}
        if like is not None:
            scores |= {"subject": mean(like, "cosine"), "subject_gain": paired(before["subject"], like, "cosine")}
        if both is not None:
            scores |= {"style_with_both": paired(drawn, both[0]), "subject_with_both": paired(like, both[1], "cosine")}
        return scores

    def aligned(self):
        """The row of StyleAligned, which gets one reference image and trains nothing."""
        from edu_diffusion.judge import right
        from edu_diffusion.methods import aligned_pictures
        drawn, ordinary = (aligned_pictures(self.pipe, rows, SEED) for rows in (self.styled, self.ordinary))
        found = right(self.judge, ordinary, self.ordinary)["concept"]
        cost = {"trained": 0, "bytes": 0, "seconds": 0.0, "steps": 0}
        return {"method": "StyleAligned"} | cost | self.gains(self.drawn_in_style(drawn), found) | {
            "note": "no training: the batch follows one reference image; a subject is another task"}

    def control(self):
        """The row of ControlNet, with its cost only: it learns spatial control, which is another task."""
        from edu_diffusion import models
        net = models.build_controlnet(self.pipe.unet)
        count = sum(p.numel() for p in net.parameters())
        return {"method": "ControlNet", "trained": count, "bytes": 2 * count, "seconds": None, "steps": None,
                "note": "another task: it controls where lines are, not how they look; see its model card for scores"}


def facts(where):
    """The cost of a training run: trainable parameters, bytes of the weight files, seconds, steps."""
    from edu_diffusion.train import loop
    card = json.loads((where / "card.json").read_text(encoding="utf-8"))
    found = sorted((where / "unet" if (where / "unet").is_dir() else where).glob("*.safetensors"))
    return {"trained": card["trained"], "bytes": sum(p.stat().st_size for p in found),
            "seconds": round(60 * loop.about(where.parent)["minutes"], 1), "steps": loop.about(where.parent)["steps"]}


def shipped():
    """The table that was measured for the lessons. Raises EduError when there is none."""
    if not SHIPPED.is_file():
        raise EduError("There is no table of the methods yet; python3 -m edu_diffusion compare writes one.")
    return json.loads(SHIPPED.read_text(encoding="utf-8"))


# ---------------------------------------------------------------- the table

COLUMNS = {"method": "method", "trained": "trained numbers", "bytes": "file", "seconds": "seconds", "steps": "steps",
           "style": "new style", "style_gain": "gained", "subject": "the subject", "subject_gain": "gained",
           "forgetting": "forgotten", "style_with_both": "style, both on", "subject_with_both": "subject, both on",
           "note": ""}


def markdown(table, columns=tuple(COLUMNS)):
    """The table as Markdown: shares in percent, differences in percentage points with their 95 % interval.

    columns: keys of COLUMNS.
    """
    base, best = ({"method": name, "style": table["base"][f"style{end}"], "subject": table["base"][f"subject{end}"]}
                  for name, end in (("the base", ""), ("real scenes through the VAE", "_ceiling")))
    lines = [[COLUMNS[key] for key in columns], ["---"] * len(columns)]
    lines += [[cell(key, row.get(key)) for key in columns] for row in (base, *table["rows"], best)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(key, value):
    """The text of one table cell."""
    if value is None:
        return ""
    if key == "bytes":
        return f"{value / 1e6:.2f} MB" if value >= 1e5 else f"{value / 1e3:.1f} kB"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, dict):
        return value
    share = "unit" not in value
    scale, digits, sign = (100, 0, "+") if share else (1, 2, "+")
    if key in ("style", "subject"):
        return f"{scale * value['value']:.{digits}f}" + (" %" if share else "")
    middle, low, high = (f"{scale * value[k]:{sign}.{digits}f}" for k in ("value", "low", "high"))
    return f"{middle} [{low}, {high}]"


def write(out, table):
    """Write compared.json and compared.md."""
    Path(out).mkdir(parents=True, exist_ok=True)
    files.write_json(Path(out) / "compared.json", table)
    files.write_bytes(Path(out) / "compared.md", (markdown(table) + "\n").encode())

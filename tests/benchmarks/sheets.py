"""Six contact sheets of the base: the effect of seed, steps, guidance, a condition, a LoRA and img2img's strength.

    python3 tests/benchmarks/sheets.py --out DIR                    # all six as PNG files: minutes
    python3 tests/benchmarks/sheets.py --out DIR --only guidance    # one of them

No cherry-picking: every row shows seeds 0 to 7, or 0 to 15, in order. Printed for each file: its name, its size and its
title as Markdown, to be put into a README.
"""

import argparse
import pathlib
import textwrap
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw, ImageFont

from edu_diffusion import models, steps
from edu_diffusion.data import scenes, shapes
from edu_diffusion.data.world import world

SEEDS = COLUMNS = 8
OPEN, FULL = "a cat", "a big cat in the middle on a blue background, noto style"
EDGE = 128  # pixels of an image
GAP = 4  # pixels between two images
LABEL = 168  # pixels for the row labels
HEAD = 20  # pixels for the column heads
TITLE = 34  # pixels for the title
INK = (20, 20, 24)
QUIET = (96, 96, 104)
PAPER = (255, 255, 255)
COLOURS = (128, 96, 64)  # of the palette: the first whose file is small enough, or the last
MOST = 150_000  # bytes


class Row(NamedTuple):
    """label: prompt and setting. images: (B, 3, 64, 64) in [-1, 1]. given: (3, 64, 64), the model's image input or condition."""

    label: str
    images: torch.Tensor
    given: torch.Tensor | None = None


# ---------------------------------------------------------------- what is drawn: each returns a title and rows


def seeds(args, pipe):
    rows = [Row(f'"{prompt}"', draw(pipe, prompt)) for prompt in (OPEN, FULL)]
    return "The seed: two prompts, eight seeds each", rows


def step_counts(args, pipe):
    asked = [(prompt, n) for prompt in (OPEN, FULL) for n in (1, 2, 4, 10, 20)]
    rows = [Row(f'"{prompt}"\n\n{counted(n)}', draw(pipe, prompt, steps=n)) for prompt, n in asked]
    return "The number of denoising steps: each column is one seed, drawn in more and more steps", rows


def guidance(args, pipe):
    rows = [
        Row(f'"{prompt}"\n\nguidance {g}', draw(pipe, prompt, 2 * SEEDS, guidance=float(g)))
        for prompt in ("a ghost", OPEN)
        for g in (1, 2, 4, 8)
    ]
    return "The guidance scale: the same sixteen seeds, more and more guidance", rows


def control(args, pipe):
    net = models.load_control(args.kind, pipe.device)
    asked = [("circle", prompt) for prompt in ("", "some food", "an animal", "a face")]
    asked += [(name, "a thing on a blue background") for name in ("circle", "star", "crescent")]
    rows = []
    for name, prompt in asked:
        shown = shapes.CONDITIONS[args.kind](name)
        pictures = draw(pipe, prompt, control=steps.Control(net, shown))
        rows.append(Row(f"{name}\n\n" + (f'"{prompt}"' if prompt else "no prompt"), pictures, shown[0] * 2 - 1))
    return f"ControlNet ({args.kind}): the drawing at the left says where, the prompt says what", rows


def lora(args, pipe):
    models.load_lora(pipe, "lora")
    rows = []
    for weight in (0.0, 0.5, 1.0):
        pipe.set_adapters(["lora"], [weight])
        rows.append(Row(f'"a fox"\n\nLoRA weight {weight:g}', draw(pipe, "a fox")))
    pipe.unload_lora_weights()
    return "The weight of a LoRA that was taught a new drawing style: 0 is the base alone", rows


def img2img(args, pipe):
    given = tomato()
    prompt = "a soccer ball"
    rows = []
    for strength in (0.2, 0.4, 0.6, 0.8, 1.0):
        drawn = steps.final(pipe, steps.img2img(pipe, [prompt] * SEEDS, given.to(pipe.device), strength=strength))
        rows.append(Row(f'"{prompt}"\n\nstrength {strength:g}', drawn.cpu(), given[0]))
    return "img2img: the picture at the left made noisy, then drawn on from there; strength is how noisy", rows


SHEETS = {"seeds": seeds, "steps": step_counts, "guidance": guidance, "control": control, "lora": lora, "img2img": img2img}


def draw(pipe, prompt, n=SEEDS, **settings):
    """Images of one prompt, seeds 0 to n - 1: (n, 3, 64, 64) in [-1, 1]."""
    return steps.draw(pipe, [prompt] * n, **settings).cpu()


def tomato():
    """A small tomato at the bottom left on green: (1, 3, 64, 64) in [-1, 1]."""
    id_ = next(concept.id for concept in world().concepts if concept.name == "tomato")
    row = {"id": id_, "colour": "green", "style": "twemoji", "size": "small", "place": "bottom left"}
    return scenes.render(scenes.spec_of([row]))[0]


def counted(n):
    return f"{n} step" + "s" * (n > 1)


# ---------------------------------------------------------------- how it is laid out


def sheet(title, rows):
    """A PIL image: the title, the seeds above the columns, and for each row its label, its input, and its images."""
    left = LABEL + (EDGE + 4 * GAP if any(row.given is not None for row in rows) else 0)
    lines = [-(-len(row.images) // COLUMNS) for row in rows]
    size = left + COLUMNS * (EDGE + GAP) + GAP, TITLE + HEAD + sum(lines) * (EDGE + GAP) + len(rows) * 2 * GAP
    image = Image.new("RGB", size, PAPER)
    pen, y = ImageDraw.Draw(image), TITLE + HEAD
    pen.text((2 * GAP, TITLE / 2), title, INK, font(18), anchor="lm")
    heads(pen, left, max(lines))
    for row, high in zip(rows, lines):
        words = "\n".join(part for line in row.label.split("\n") for part in textwrap.wrap(line, 21) or [""])
        pen.multiline_text((2 * GAP, y + high * (EDGE + GAP) / 2), words, INK, font(15), anchor="lm", spacing=3)
        if row.given is not None:
            image.paste(pixels(row.given), (LABEL, y))
        for i, picture in enumerate(row.images):
            image.paste(pixels(picture), (left + i % COLUMNS * (EDGE + GAP), y + i // COLUMNS * (EDGE + GAP)))
        y += high * (EDGE + GAP) + 2 * GAP
    return image


def heads(pen, left, lines):
    """The seeds above the columns, and "given" above the inputs."""
    if left > LABEL:
        pen.text((LABEL + EDGE / 2, TITLE + HEAD / 2), "given", QUIET, font(13), anchor="mm")
    for i in range(COLUMNS):
        numbers = " and ".join(str(i + k * COLUMNS) for k in range(lines))
        words = f"seed{'s' * (lines > 1)} {numbers}"
        pen.text((left + i * (EDGE + GAP) + EDGE / 2, TITLE + HEAD / 2), words, QUIET, font(13), anchor="mm")


def pixels(x):
    """A picture (3, H, W) in [-1, 1] as a PIL image of EDGE pixels."""
    return Image.fromarray(steps.to_uint8(x[None])[0].numpy()).resize((EDGE, EDGE), Image.Resampling.NEAREST)


def font(size):
    return ImageFont.load_default(size)


def save(image, path):
    """Write a PNG with the most of COLOURS that keep it below MOST bytes; fewer would be visible in the backgrounds."""
    for colours in COLOURS:
        image.quantize(colours, dither=Image.Dither.NONE, kmeans=2).save(path, optimize=True)
        if path.stat().st_size <= MOST:
            break


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--out", type=pathlib.Path, required=True, help="folder for the PNG files")
    options.add_argument("--model", default="base")
    options.add_argument("--kind", default="canny", choices=shapes.CONDITIONS, help="which shipped ControlNet")
    options.add_argument("--only", choices=SHEETS)
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    pipe = models.load(args.model)
    for name in [args.only] if args.only else SHEETS:
        title, rows = SHEETS[name](args, pipe)
        path = args.out / f"{name}.png"
        save(sheet(title, rows), path)
        print(f"![{title}]({path.name})  {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()

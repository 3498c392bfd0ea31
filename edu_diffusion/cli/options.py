"""The options of the commands that have many; standard library only, like main.py."""

from pathlib import Path


def language_option(command):
    command.add_argument("--language", metavar="CODE", help="speak another language, such as de; a wrong one lists them")


def generate_options(command):
    add = command.add_argument
    add("prompt", nargs="?", metavar="PROMPT", help='what to generate, such as "a cat face on a blue background"')
    add(
        "--from",
        dest="source",
        metavar="PNG",
        help="generate this image again from the settings stored in it; further options override them",
    )
    add("--seed", type=int, help="seed of the initial noise, 0 to 2**63 - 1 (default 0)")
    add("--steps", type=int, help="number of denoising steps, 1 to 1000 (default 20)")
    add(
        "--guidance",
        type=float,
        help="guidance scale, 0 to 30: higher follows the prompt more closely, 1 is no guidance (default: `steps.GUIDANCE`)",
    )
    add("--negative", metavar="PROMPT", help="negative prompt: what to avoid")
    add("--model", help="a model's name, folder or .safetensors file (default base)")
    add("--config", metavar="MODEL", help="for a .safetensors file without its configuration: a folder of the same kind")
    add("--device", help="cpu, cuda or mps (default: the fastest there is)")
    add("--size", metavar="WxH", help="pixels, multiples of 8, such as 512 or 768x512 (default: what the model was made for)")
    add("--scale", type=int, default=1, help="enlarge: each pixel becomes a square of N x N (default 1)")
    add("--school", action="store_true", help="for a class: refuse prompts with a word of datasets/emoji/school.csv")
    add("--out", type=Path, metavar="PNG", help="the file to write (default picture.png, or the next free name)")


def train_options(command):
    add = command.add_argument
    add("recipe", metavar="RECIPE", help="what to train; a wrong name lists them all")
    add("--minutes", type=float, help="training time (default: the recipe's own)")
    add("--out", type=Path, metavar="FOLDER", help="folder of the training run (default runs/RECIPE, or RECIPE-KIND)")
    add("--device", help="cpu, cuda or mps (default: the fastest there is)")
    add(
        "--kind",
        choices=("canny", "segmentation", "depth", "pose", "subject", "style", "thing", "guidance", "consistency", "adversarial"),
        help="for control: the kind of condition, canny (default), segmentation, depth or pose; for inversion: what the new "
        "word stands for, the subject (default), the style, or a core concept (thing); for few_steps: what is distilled, guidance, "
        "consistency (default), or consistency with an adversarial loss",
    )
    begin = command.add_mutually_exclusive_group()
    begin.add_argument("--resume", action="store_true", help="continue the training run in the folder; fail if there is none")
    begin.add_argument("--fresh", action="store_true", help="move an earlier training run aside and start over")


def release_options(command):
    add = command.add_argument
    add("stages", nargs="*", metavar="STAGE", help="such as canny (default: all, in order); a wrong name lists them")
    add("--out", type=Path, metavar="FOLDER", help="folder for training runs and their evaluation (default runs/release)")
    add("--steps", type=int, help="training steps of each stage (default: the stage's own number)")
    add("--processes", type=int, default=1, help="train the base in this many processes, faster on some CPUs (default 1)")
    add("--only-judge", action="store_true", help="only evaluate what is trained there: replace nothing")
    add("--below-floors", action="store_true", help="ship a model that misses minimum scores, too; its card.json lists them")
    add("--fresh", action="store_true", help="move earlier training runs aside and start over")
    add("--device", help="cpu, cuda or mps (default: the fastest there is)")


def compare_options(command):
    add = command.add_argument
    add("--seconds", type=float, default=60.0, help="training time of each run (default 60)")
    add("--limit", type=int, default=80, help="number of prompts of each kind to evaluate with (default 80)")
    add("--only", nargs="+", metavar="METHOD", help='some of the methods, such as LoRA "textual inversion"')
    add("--model", default="base", help="the model to fine-tune: a name or folder (default base)")
    add("--out", type=Path, metavar="FOLDER", help="folder for training runs and the table (default runs/compare)")
    add("--device", help="cpu, cuda or mps (default: the fastest there is)")


def convert_options(command):
    add = command.add_argument
    add("source", metavar="SOURCE", help="a model's name, folder or .safetensors file; or a .ckpt that imports nothing strange")
    add("target", metavar="TARGET", help="the file to write, such as base.safetensors, or a new folder")
    add("--config", metavar="MODEL", help="for a file without its configuration: a model of the same kind, such as base")
    precision = command.add_mutually_exclusive_group()
    precision.add_argument("--half", action="store_true", help="write float16 weights (default: the source's precision)")
    precision.add_argument("--full", action="store_true", help="write float32 weights")


def wall_options(command):
    add = command.add_argument
    add("folder", type=Path, metavar="FOLDER", help="the folder with the class's PNG files; wall.json in it keeps your answers")
    add("--again", action="store_true", help="forget earlier answers and ask about every picture")
    add("--school", action="store_true", help="leave out pictures whose prompt has a word of datasets/emoji/school.csv")
    add("--title", default="Our pictures", help='the heading of the page (default "Our pictures")')
    add("--no-browser", action="store_true", help="do not open the page with the new pictures in a browser")
    add("--out", type=Path, metavar="HTML", help="the page to write (default wall.html in the folder)")


def slides_options(command):
    command.add_argument("lesson", metavar="LESSON", help="such as 01_noise, or 01")
    command.add_argument("--out", metavar="FILE", help="the file to write (default: the lesson's name with _slides.html)")
    command.add_argument("--further", action="store_true", help='with "Going further"')
    language_option(command)


def kit_options(command):
    add = command.add_argument
    add(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="a folder of its own, such as /media/stick/kit; a kit in it is finished or renewed",
    )
    systems = ("linux", "windows", "macos")
    add("--platform", nargs="+", choices=systems, help="the systems that it is for (default: this one); only linux was tried")
    add("--python", metavar="VERSION", help="the Python that the computers have, such as 3.12 (default: that of this one)")


def doctor_options(command):
    add = command.add_argument
    add(
        "--class",
        dest="for_class",
        action="store_true",
        help="for the day before a class, some minutes: use every checkpoint, run the first lesson, measure the speed",
    )
    add("--kit", type=Path, metavar="FOLDER", help="the same, and compare the files of a kit with its list")

"""The options of the verbs that have many; standard library only, like cli.py."""

from pathlib import Path


def generate_options(command):
    add = command.add_argument
    add("prompt", nargs="?", metavar="PROMPT", help='what to draw, such as "a cat face on a blue background"')
    add(
        "--from",
        dest="source",
        metavar="PNG",
        help="make this picture again from the settings written in it; further options change them",
    )
    add("--seed", type=int, help="which noise to start from, 0 to 2**63 - 1 (default 0)")
    add("--steps", type=int, help="1 to 1000 (default 20)")
    add(
        "--guidance",
        type=float,
        help="how closely to follow the prompt, 0 to 30 (default: the measured one, `steps.GUIDANCE`; 1 is no guidance)",
    )
    add("--negative", metavar="PROMPT", help="what to stay away from")
    add("--model", help="a model's name, folder or .safetensors file (default base)")
    add("--device", help="cpu, cuda or mps (default: the fastest there is)")
    add("--scale", type=int, default=1, help="enlarge, each pixel becoming a square of N x N (default 1)")
    add(
        "--out",
        type=Path,
        metavar="PNG",
        help="the file to write (default picture.png, or the next free name)",
    )


def train_options(command):
    add = command.add_argument
    add("recipe", metavar="RECIPE", help="what to train; a wrong name lists them all")
    add("--minutes", type=float, help="how long to train (default: the recipe's own)")
    add("--out", type=Path, metavar="FOLDER", help="where the training lives (default runs/RECIPE, or RECIPE-KIND)")
    add("--device", help="cpu, cuda or mps (default: the fastest there is)")
    add("--kind", choices=("canny", "segmentation", "depth", "pose", "subject", "style", "thing"),
        help="for control: what to follow, canny (default), segmentation, depth or pose; for inversion: what the new "
             "word means, the subject (default), the style, or a thing of the core")
    begin = command.add_mutually_exclusive_group()
    begin.add_argument(
        "--resume", action="store_true", help="go on with the training in the folder; fail if none"
    )
    begin.add_argument("--fresh", action="store_true", help="move an earlier training aside and begin again")


def release_options(command):
    add = command.add_argument
    add("stages", nargs="*", metavar="STAGE", help="such as canny (default: all, in their order); a wrong name lists them")
    add("--out", type=Path, metavar="FOLDER", help="where trainings live and are judged (default runs/release)")
    add("--steps", type=int, help="how long each stage trains (default: its own number of steps)")
    add("--only-judge", action="store_true", help="only judge what is trained there: replace nothing")
    add("--below-floors", action="store_true", help="ship what misses its floors, too; its card.json says which")
    add("--fresh", action="store_true", help="move earlier trainings aside and begin again")
    add("--device", help="cpu, cuda or mps (default: the fastest there is)")


def compare_options(command):
    add = command.add_argument
    add("--seconds", type=float, default=60.0, help="how long each training lasts (default 60)")
    add("--limit", type=int, default=80, help="how many prompts of each kind judge it (default 80)")
    add("--only", nargs="+", metavar="METHOD", help='some of the methods, such as LoRA "textual inversion"')
    add("--model", default="base", help="what is taught: a model's name or folder (default base)")
    add("--out", type=Path, metavar="FOLDER", help="where trainings and table go (default runs/compare)")
    add("--device", help="cpu, cuda or mps (default: the fastest there is)")

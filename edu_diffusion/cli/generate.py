"""The command `generate`: read the settings from the command line or a PNG file, check them, write an image to a PNG file."""

import contextlib
import time
import warnings
from pathlib import Path

from edu_diffusion.data import arguments, school
from edu_diffusion.errors import EduError

from . import estimate, infotext, size, unfollowed

NAMES = ("prompt", "negative", "seed", "steps", "guidance", "model", "size")


def run(args, rest=()):
    """Generate the image that the arguments ask for, and print where it is."""
    path, seconds = make(args)
    print(f"{path} ({seconds:.1f} s)")


def make(args):
    """Generate the image that the arguments ask for; return its path and the seconds that sampling took."""
    school.switch(args.school)
    given = checked(gather(args))
    check_places(args)
    from edu_diffusion import models
    from edu_diffusion.models import memory_guard

    settings = defaults() | given
    estimate.before(settings, args.scale, args.device)
    pipe = models.load(settings["model"], args.device, **({"config": args.config} if args.config else {}))
    settings, expected = settings | {"hash": infotext.weights_hash(pipe)}, settings.get("hash")
    settings["size"] = size.chosen(pipe, settings, args.size, expected == settings["hash"])
    told = foreign(pipe, given, settings["size"]), notices(pipe, settings, expected), estimate.sentences(pipe, settings, args.scale)
    for sentence in (sentence for several in told for sentence in several):
        print(sentence, flush=True)
    begin = time.perf_counter()
    planned = {"steps": settings["steps"], "guidance": settings["guidance"] != 1, "size": settings["size"]}
    with memory_guard(pipe, gpu=pipe.device.type != "cpu", **planned):
        pixels = draw(pipe, settings)
    seconds = time.perf_counter() - begin
    with contextlib.nullcontext(args.out) if args.out else infotext.reserved() as path:
        infotext.write(path, pixels, settings | {"model": model_name(settings["model"])}, args.scale)
    return path, seconds


def defaults():
    """Return the default settings, all but the prompt; called late, since importing `steps` loads torch, which takes seconds."""
    from edu_diffusion import steps

    return {"negative": "", "seed": 0, "steps": steps.STEPS, "guidance": steps.GUIDANCE, "model": "base"}


def gather(args):
    """Merge the settings: those stored in the PNG file, then those from the command line."""
    stored = infotext.read(args.source) if args.source else {}
    given = {name: getattr(args, name) for name in NAMES if getattr(args, name) is not None}
    if "size" in given:
        given["size"] = size.pair(given["size"])
    if "prompt" not in stored | given:
        raise EduError('generate needs a prompt, such as: generate "a cat face on a blue background"')
    if stored.get("model", "base") != "base" and "model" not in given:
        raise EduError(
            f"the picture was generated with a model called {unfollowed.short(stored['model'])}; say where it is with --model"
        )
    return stored | given


def checked(settings):
    """Return the given settings, prompts on one line. Raises EduError for a value out of range."""
    arguments.check_settings(settings)
    prompts = {name: one_line(settings[name]) for name in ("prompt", "negative") if name in settings}
    for name, prompt in prompts.items():
        if infotext.plain(prompt) != prompt:
            raise EduError(f"the {name} has a control character, which the picture could not keep; type it again")
        school.check(prompt)
    return settings | prompts


def one_line(prompt):
    """Return a prompt with single spaces: the tokenizer sees no difference, and the text chunk needs one line."""
    try:
        prompt.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EduError("the prompt has an invalid character (half of a surrogate pair); type it again") from error
    if "\0" in prompt:
        raise EduError("the prompt has a null character, which text must not contain; type it again")
    return " ".join(prompt.split())


def check_places(args):
    """Refuse paths that cannot be written before any time is spent on sampling."""
    out = args.out
    arguments.check_settings({"scale": args.scale})
    if out and out.is_dir():
        raise EduError(f"{out} is a folder; --out needs the name of a file in it, such as {out / 'picture.png'}")
    if out and not out.name.lower().endswith(".png"):
        raise EduError(f"the image is saved as a PNG file, so --out must end in .png, not {out.name}")
    if out and not out.parent.is_dir():
        raise EduError(f"there is no folder {out.parent}; create it first or choose another --out")
    infotext.probe(out or Path("picture.png"))


def foreign(pipe, stored, drawn=None):
    """Yield a sentence for each thing that another program's picture says and that is not followed here.

    drawn: the size of the new picture, (height, width); None is the model's own.
    """
    yield from unfollowed.sentences(stored, (drawn or size.own(pipe))[::-1])
    if "size" in stored and not stored.get("said") and stored["size"] != drawn and drawn:
        yield (
            f"The picture has {size.words(stored['size'])} pixels, and this model draws {size.words(drawn)}; "
            "--size asks for another size."
        )


def notices(pipe, settings, expected):
    """Yield a warning for everything that makes the image differ from what its settings say, and advice on the prompts."""
    from edu_diffusion.data import advice

    if expected and expected != settings["hash"]:
        yield f"The picture was made with other weights ({expected}, not {settings['hash']}): the new one will differ."
    for name in ("prompt", "negative"):
        yield from advice.for_model(pipe.tokenizer, settings[name], negative=name == "negative")
        words = advice.dropped(pipe.tokenizer, settings[name])
        if words:
            yield (
                f"The {name} is longer than the {pipe.tokenizer.model_max_length - 2} tokens that the text encoder reads; "
                f"dropped: {words}"
            )


def draw(pipe, settings):
    """Run the readable sampling loop; return (H, W, 3) uint8. `notices` has reported dropped words already."""
    from edu_diffusion import steps

    wanted = {name: settings[name] for name in ("negative", "seed", "steps", "guidance")}
    wanted["z_T"] = size.noise(pipe, settings["seed"], settings.get("size"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The prompt ", UserWarning)
        return steps.to_uint8(steps.draw(pipe, settings["prompt"], **wanted))[0].numpy()


def model_name(model):
    """Return the last part of a model's path: an image file should not reveal the names of its author's folders."""
    return str(model).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]

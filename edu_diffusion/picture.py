"""The verb `generate`: settings from the command line or a picture, checked, then a picture in a PNG file."""

import math
import time
import warnings

from edu_diffusion import png
from edu_diffusion.errors import EduError

NAMES = ("prompt", "negative", "seed", "steps", "guidance", "model")


def make(args):
    """Make the picture that the arguments ask for; return its path and the seconds that drawing took."""
    given = checked(gather(args))
    check_places(args)
    from edu_diffusion import models
    settings = defaults() | given
    pipe = models.load(settings["model"], args.device)
    settings, expected = settings | {"hash": png.weights_hash(pipe)}, settings.get("hash")
    for sentence in notices(pipe, settings, expected):
        print(sentence)
    begin = time.perf_counter()
    pixels = draw(pipe, settings)
    seconds = time.perf_counter() - begin
    path = args.out or png.free_file()
    png.write(path, pixels, settings | {"model": model_name(settings["model"])}, args.scale)
    return path, seconds


def defaults():
    """Return the settings of a picture but its prompt; called late, since `steps` needs torch, which takes seconds."""
    from edu_diffusion import steps
    return {"negative": "", "seed": 0, "steps": steps.STEPS, "guidance": steps.GUIDANCE, "model": "base"}


def gather(args):
    """Put together the settings that are given: those in the picture, then those on the command line."""
    stored = png.read(args.source) if args.source else {}
    given = {name: getattr(args, name) for name in NAMES if getattr(args, name) is not None}
    if "prompt" not in stored | given:
        raise EduError('generate needs a prompt, such as: generate "a cat face on a blue background"')
    if stored.get("model", "base") != "base" and "model" not in given:
        raise EduError(
            f"the picture was made with a model called {stored['model']}; say where it is with --model"
        )
    return stored | given


def checked(settings):
    """Return the settings that are given, prompts on one line. Raises EduError for a value that is not allowed."""
    steps, seed, guidance = (settings.get(name, 1) for name in ("steps", "seed", "guidance"))
    if not 1 <= steps <= 1000:
        raise EduError(f"steps must be 1 to 1000, not {steps}; 20 is a good start")
    if not 0 <= seed < 2**63:
        raise EduError(f"the seed must be 0 to 2**63 - 1, not {seed}; each seed gives another picture")
    if not (math.isfinite(guidance) and 0 <= guidance <= 30):
        raise EduError(f"guidance must be 0 to 30, not {guidance}; 1 is no guidance, more obeys the prompt more")
    return settings | {name: one_line(settings[name]) for name in ("prompt", "negative") if name in settings}


def one_line(prompt):
    """Return a prompt with single spaces: all the same to the tokenizer, and the chunk needs one line."""
    try:
        prompt.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EduError("the prompt has a broken character (half of a pair); type it again") from error
    if "\0" in prompt:
        raise EduError("the prompt has a zero character, which no text may have; type it again")
    return " ".join(prompt.split())


def check_places(args):
    """Refuse what could not be written before time is spent on drawing it."""
    if not 1 <= args.scale <= 64:
        raise EduError(f"scale must be 1 to 64, not {args.scale}; 8 makes a picture of 512 x 512")
    if args.out and args.out.suffix.lower() != ".png":
        raise EduError(f"the picture is a PNG file, so --out must end in .png, not {args.out.name}")
    if args.out and not args.out.parent.is_dir():
        raise EduError(f"there is no folder {args.out.parent}; make it first or choose another --out")


def notices(pipe, settings, expected):
    """Yield a sentence for everything that makes the picture other than its settings say."""
    if expected and expected != settings["hash"]:
        yield f"These are not the weights of the picture ({settings['hash']}, not {expected}): it will differ."
    for name in ("prompt", "negative"):
        words = dropped(pipe.tokenizer, settings[name])
        if words:
            yield (
                f"The {name} is longer than the {pipe.tokenizer.model_max_length - 2} tokens that are read; "
                f"dropped: {words}"
            )


def dropped(tokenizer, prompt):
    """Return the end of a prompt that does not fit into the text encoder's window, or an empty string."""
    tokens = tokenizer.tokenize(prompt)[tokenizer.model_max_length - 2:]
    return tokenizer.decode(tokenizer.convert_tokens_to_ids(tokens)).strip()


def draw(pipe, settings):
    """Run the readable loop; return (H, W, 3) uint8. `notices` has named dropped words already."""
    from edu_diffusion.steps.generate import decode, generate, to_uint8
    wanted = {name: settings[name] for name in ("negative", "seed", "steps", "guidance")}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The prompt ", UserWarning)
        *_, last = generate(pipe, settings["prompt"], **wanted)
    return to_uint8(decode(pipe, last.z_s))[0].numpy()


def model_name(model):
    """Return the last part of a model's path: a picture need not tell how its maker's folders are called."""
    return str(model).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]

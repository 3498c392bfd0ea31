"""Generation settings stored in the PNG file itself, so that the file alone suffices to generate the image again.

The text chunk `parameters` has the format that AUTOMATIC1111's web interface made common:

    a cat face on a blue background
    Negative prompt: a dog
    Steps: 20, Sampler: DDIM, CFG scale: 4.0, Seed: 7, Size: 64x64, Model: base, Model hash: ..., Version: ...
"""

import contextlib
import hashlib
import io
import json
import os
import re
from pathlib import Path

from edu_diffusion import __version__
from edu_diffusion.data import files, pngchunks
from edu_diffusion.errors import EduError

from . import size

KEY = "parameters"
NEGATIVE = "Negative prompt: "
OURS = "edu_diffusion"  # how the version begins that our own pictures name
FIELDS = {
    "steps": ("Steps", int),
    "guidance": ("CFG scale", float),
    "seed": ("Seed", int),
    "model": ("Model", str),
    "hash": ("Model hash", str),
}
# One setting and what ends it; a quoted value may hold commas and line breaks, anything without a label is passed over.
SETTING = re.compile(r' *(?:(\w[\w /()+.\-]{0,79}?) *: *)?("[^"\\]*(?:\\.[^"\\]*)*"|[^,\n]*) *(,|\n|$)', re.DOTALL)
SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")  # moves the cursor of a terminal, or changes its colours
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # all but the line break


def describe(settings, sides):
    """Return the text for the chunk. settings: prompt, negative, and those in FIELDS. sides: (width, height)."""
    values = {
        "Steps": settings["steps"],
        "Sampler": "DDIM",
        "CFG scale": float(settings["guidance"]),
        "Seed": settings["seed"],
        "Size": f"{sides[0]}x{sides[1]}",
        "Model": settings["model"],
        "Model hash": settings["hash"],
        "Version": f"{OURS} {__version__}",
    }
    negative = [NEGATIVE + settings["negative"]] * bool(settings["negative"])
    return "\n".join([settings["prompt"], *negative, ", ".join(f"{key}: {quoted(v)}" for key, v in values.items())])


def quoted(value):
    """Return a value unchanged, or as JSON if it contains a comma, colon or quote that would confuse a reader."""
    text = str(value).encode("utf-8", "replace").decode()  # the name of a folder may be no Unicode
    confusing = re.search(r'[,:"]', text) or text != text.strip() or not text.isprintable()
    return json.dumps(text, ensure_ascii=False) if confusing else text


def unquoted(text):
    """Return what a value was before `quoted`, on one line; a broken JSON string without its quotes."""
    if re.fullmatch(r'".*"', text, re.DOTALL):
        try:
            text = plain(json.loads(text, strict=False).encode("utf-8", "replace").decode())
        except ValueError:
            text = text[1:-1]
    return " ".join(text.split())


def plain(text):
    """Return a text with line breaks as on Unix and without control characters, which could command the terminal."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return CONTROL.sub("", SEQUENCE.sub("", lines))


def parse(text):
    """Return the settings in a chunk's text; prompts from other programs may span several lines.

    Raises EduError when the text has no line of settings.
    """
    prompts, said = split(text)
    first = 1 if ours(said) else 0  # our prompt is the first line, even an empty one, or one that begins like a negative prompt
    start = next((i for i, line in enumerate(prompts) if i >= first and line.startswith(NEGATIVE.strip())), len(prompts))
    negative = " ".join(prompts[start:])[len(NEGATIVE.strip()) :]
    return {"prompt": " ".join(prompts[:start]).strip(), "negative": negative.strip(), **fields(said)}


def split(text):
    """Return the lines of the prompts, and {label: value} of the line of settings: the last that begins with Steps: and a number.

    Other programs write further lines after it, which are ignored.
    """
    text = plain(text)
    starts = [*re.finditer("^Steps:", text, re.M), *re.finditer(r"^Steps: *\d", text, re.M)]
    if not starts:
        raise EduError("the picture's text does not say how it was generated (no line begins with Steps:)")
    start, said = starts[-1].start(), {}
    for label, value in labelled(text, start):
        said.setdefault(label, value)  # one nested in another comes later than the one that counts
    return text[:start].split("\n")[:-1], said


def labelled(text, place):
    """Yield (label, value) from a place to the end of its line."""
    end = ","
    while end == ",":
        label, value, end = (found := SETTING.match(text, place)).groups()
        place = found.end()
        if label:
            yield label, unquoted(value)


def ours(said):
    return said.get("Version", "").startswith(OURS)


def fields(said):
    """Convert the values of the line of settings to numbers."""
    return {name: converted(label, said[label], kind) for name, (label, kind) in FIELDS.items() if label in said}


def converted(label, value, kind):
    try:
        return kind(value)
    except ValueError as error:
        raise EduError(
            f"the picture's settings cannot be read ({label}: {value[:40]!r} is not a number); "
            f"give the prompt and settings themselves instead of --from"
        ) from error


def write(path, pixels, settings, scale=1):
    """Write an image with its settings, atomically. pixels: (H, W, 3) uint8, each becoming scale x scale pixels."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    height, width = pixels.shape[:2]
    info = PngInfo()
    info.add_text(KEY, describe(settings, (width, height)))
    picture, file = Image.fromarray(pixels), io.BytesIO()
    picture.resize((width * scale, height * scale), Image.Resampling.NEAREST).save(file, format="PNG", pnginfo=info)
    try:
        files.write_bytes(path, file.getvalue())
    except OSError as error:
        raise unwritable(path, error) from error


def read(path):
    """Return the settings in a PNG file, and as `said` all that another program wrote, {} in our own pictures.

    Raises EduError when the file or the text is missing, damaged, or too long.
    """
    text = pngchunks.text(path, KEY)
    if text is None:
        raise EduError(
            f"{path} does not say how it was generated: it has no text chunk called {KEY}; "
            f"many programs drop such text when they save or send a picture"
        )
    settings, said = parse(text), split(text)[1]
    if ours(said):
        return settings | own_size(said) | {"said": {}}
    settings.pop("hash", None)  # computed in another way: it differs even for the same weights
    return settings | {"said": said}


def own_size(said):
    """The size of one of our own pictures, which is drawn in that size again."""
    try:
        return {"size": size.pair(said["Size"])} if "Size" in said else {}
    except EduError:
        return {}


def weights_hash(pipe):
    """Return a checksum of ten hexadecimal digits over all weights of a pipeline, independent of the file format."""
    import torch

    total = hashlib.sha256()
    for module in (pipe.unet, pipe.vae, pipe.text_encoder):
        for name, tensor in sorted(module.state_dict().items()):
            total.update(name.encode())
            total.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return total.hexdigest()[:10]


@contextlib.contextmanager
def reserved(stem="picture"):
    """Reserve picture.png, or picture-2.png and so on, with an empty file: nothing is overwritten, even by two programs at once.

    Yields its path; if the block fails, the empty file is removed.
    """
    names = [f"{stem}.png", *(f"{stem}-{number}.png" for number in range(2, 100_000))]
    path = next(path for path in map(Path, names) if reserve(path))
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def probe(path):
    """Raise EduError where `write` would fail, by making and removing an empty file of the temporary name that it uses."""
    trial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path, error):
    return EduError(f"{path} cannot be written ({error.strerror or error}); choose another place with --out")


def reserve(path):
    """Create an empty file; False if there is a file of that name. Raises EduError where nothing can be written."""
    try:
        path.open("xb").close()
    except FileExistsError:
        return False
    except OSError as error:
        raise unwritable(path, error) from error
    return True

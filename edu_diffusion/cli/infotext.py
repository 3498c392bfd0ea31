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
import re
from pathlib import Path

from edu_diffusion import __version__
from edu_diffusion.data import files
from edu_diffusion.errors import EduError

KEY = "parameters"
NEGATIVE = "Negative prompt: "
FIELDS = {"steps": ("Steps", int), "guidance": ("CFG scale", float), "seed": ("Seed", int),
          "model": ("Model", str), "hash": ("Model hash", str)}
MOST_PIXELS = 16_000_000


def describe(settings, size):
    """Return the text for the chunk. settings: prompt, negative, and those in FIELDS. size: (width, height)."""
    values = {"Steps": settings["steps"], "Sampler": "DDIM", "CFG scale": float(settings["guidance"]),
              "Seed": settings["seed"], "Size": f"{size[0]}x{size[1]}", "Model": settings["model"],
              "Model hash": settings["hash"], "Version": f"edu_diffusion {__version__}"}
    negative = [NEGATIVE + settings["negative"]] * bool(settings["negative"])
    return "\n".join(
        [settings["prompt"], *negative, ", ".join(f"{key}: {quoted(v)}" for key, v in values.items())]
    )


def quoted(value):
    """Return a value unchanged, or as JSON if it contains a comma, colon or quote that would confuse a reader."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r'[,:"\n]', text) else text


def parse(text):
    """Return the settings in a chunk's text; prompts from other programs may span several lines.

    Raises EduError when the text has no line of settings.
    """
    *prompts, last = text.strip("\n").split("\n")
    found = dict(re.findall(r'\s*([\w ]+?):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)', last))
    if "Steps" not in found:
        raise EduError(
            "the picture's text does not say how it was generated (no line begins with Steps:)"
        )
    start = next((i for i, line in enumerate(prompts[1:], 1) if line.startswith(NEGATIVE)), len(prompts))
    negative = " ".join(prompts[start:])[len(NEGATIVE):]
    return {"prompt": " ".join(prompts[:start]), "negative": negative, **fields(found)}


def fields(found):
    """Convert the texts of the last line to numbers."""
    try:
        return {name: kind(json.loads(found[label]) if found[label].startswith('"') else found[label])
                for name, (label, kind) in FIELDS.items() if label in found}
    except ValueError as error:
        raise EduError(f"the picture's settings cannot be read ({error})") from error


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
        raise EduError(f"{path} cannot be written ({error.strerror or error}); "
                       f"choose another place with --out") from error


def read(path):
    """Return the settings in a PNG file. Raises EduError when the file, the image or the text is missing."""
    from PIL import Image, UnidentifiedImageError
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            text = picture.info.get(KEY) if picture.width * picture.height <= MOST_PIXELS else None
            if text is None:
                picture.load()  # some programs write the chunk after the pixels, where it is found only now
                text = picture.text.get(KEY)
    except FileNotFoundError as error:
        raise EduError(f"there is no file {path}") from error
    except (OSError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise EduError(f"{path} is not a readable PNG picture") from error
    if text is None:
        raise EduError(f"{path} does not say how it was generated: it has no text chunk called {KEY}; "
                       f"many programs drop such text when they save or send a picture")
    return parse(text)


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


def reserve(path):
    """Create an empty file; False if there is a file of that name. Raises EduError where nothing can be written."""
    try:
        path.open("xb").close()
    except FileExistsError:
        return False
    except OSError as error:
        raise EduError(f"{path} cannot be written ({error.strerror}); choose another place with --out") from error
    return True

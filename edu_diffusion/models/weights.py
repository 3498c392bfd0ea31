"""Weight files: where they are, what is in their headers, and opening one with metadata that the library refuses."""

import contextlib
import pathlib
import tempfile

from ..data import layout
from ..errors import EduError
from . import finite
from .sentences import few, in_words, reachable
from .settings import read_json

STEMS = {"vae": "diffusion_pytorch_model", "text_encoder": "model", "text_encoder_2": "model", "unet": "diffusion_pytorch_model"}
HALF = "fp16"  # the libraries' name for a second set of files in half precision, such as model.fp16.safetensors
OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
UNUSED = ("logit_scale", "text_projection", "visual_projection.", "vision_model.")  # of a whole CLIP, in its text encoder's file


def variant(root):
    """The libraries' variant= for a folder: "fp16" if a part has no other weight files, else None."""
    halves = [
        part
        for part in STEMS
        if not any(f.is_file() for f in files_of(root, part, "")) and any(f.is_file() for f in files_of(root, part, f".{HALF}"))
    ]
    return HALF if halves else None


def weight_files(root, part):
    """The weight files of a part: a single one, or the shards that an index lists; for a variant the part's own, if it has any."""
    half = files_of(root, part, f".{HALF}") if variant(root) else []
    return half if half and half[0].is_file() else files_of(root, part, "")


def files_of(root, part, suffix):
    """The names of a part's weight files, whether or not they exist. suffix: "" or that of a variant, ".fp16"."""
    single = root / part / f"{STEMS[part]}{suffix}.safetensors"
    index = root / part / f"{STEMS[part]}.safetensors.index{suffix}.json"
    with in_words(index):
        several = sorted(set(read_json(index)["weight_map"].values())) if index.is_file() else []
        return [single.with_name(name) for name in several] or [single]


def header(path):
    """{name: shape} of all tensors in a .safetensors file. Raises EduError if their numbers are not finite; see finite.py."""
    with opened(path) as file:
        finite.check(path, file)
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def metadata(path):
    """The metadata of a .safetensors file, {name: text}; {} where there is none."""
    return layout.read(path).metadata


@contextlib.contextmanager
def opened(path):
    """A .safetensors file, opened by the library; see readable(). Raises EduError for a damaged one."""
    import safetensors

    with reachable():
        open(path, "rb").close()  # safetensors says of a file without permission that it does not exist
    with readable(path) as whole:
        try:
            file = safetensors.safe_open(whole, "pt")
        except (safetensors.SafetensorError, OSError) as error:
            raise EduError(f"{path} is not a complete .safetensors file ({error}); copy or download it again.") from error
        with file:
            yield file


@contextlib.contextmanager
def readable(path):
    """The path of a .safetensors file that the library opens: its own, or for metadata that is not text a temporary copy's.

    The library refuses a number in the metadata, and with it the whole file; some programs write one.
    """
    if not not_text(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield layout.rewritten(path, pathlib.Path(folder, "copy.safetensors"))


def not_text(path):
    """The entries of a file's metadata that are not text; () for a file whose header cannot be read at all."""
    try:
        return layout.read(path).not_text
    except EduError:
        return ()


def refuse_infinite(what, tensors):
    """Raise EduError for tensors with numbers that are not finite; half precision makes them of any number above 65504."""
    bad = sorted(name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all())
    if bad:
        raise EduError(
            f"{what} is not saved: {few(bad)} would hold numbers that are not finite, being above 65504 in half "
            "precision or damaged before; train it again with a lower learning rate."
        )


def shapes(model):
    """{name: shape} of a module's tensors."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def modern(named):
    """{name: value} with today's parameter names; Stable Diffusion 1.5's folder uses older ones."""
    new = {}
    for name, value in named.items():
        for old, now in OLD_NAMES.items():
            name = name.replace(old, now)
        new[name.removeprefix("text_model.")] = value
    return {name: value for name, value in new.items() if not name.endswith("position_ids")}


def of_part(part, named):
    """{name: value} of what a part uses, with today's names: some files have more of CLIP than the text encoder."""
    return {name: value for name, value in modern(named).items() if part != "text_encoder" or not name.startswith(UNUSED)}

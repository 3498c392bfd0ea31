"""The verb `export`: `convert` to one .safetensors file, in half precision; an earlier file of that name is replaced."""

from . import convert


def run(args, rest=()):
    """Write the file and print its path, size, precision and model hash."""
    from edu_diffusion import models

    convert.report(models.to_single_file(args.model, args.file))

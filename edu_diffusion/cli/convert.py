"""The verb `convert`: write a model once more, as a folder or as one file, in full or in half precision."""


def run(args, rest=()):
    """Convert the model; print its new path, size, precision and, for a file, its model hash."""
    import torch

    from edu_diffusion import models

    dtype = torch.float16 if args.half else torch.float32 if args.full else None
    report(models.convert(args.source, args.target, dtype, args.config))


def report(path):
    """Print what was written."""
    from edu_diffusion import models
    from edu_diffusion.data import checksums

    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    kind = "half" if models.precision(path).itemsize == 2 else "full"
    hash_ = f", model hash {checksums.model_hash(path).short}" if path.is_file() else ""
    print(f"{path} ({sum(file.stat().st_size for file in files) / 1e6:.1f} MB, {kind} precision{hash_})")

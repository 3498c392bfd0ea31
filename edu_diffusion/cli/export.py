"""The verb `export`: write a model as one .safetensors file with the original key names."""


def run(args, rest=()):
    """Write the file and print its path and size."""
    from edu_diffusion import models

    path = models.to_single_file(args.model, args.file)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")

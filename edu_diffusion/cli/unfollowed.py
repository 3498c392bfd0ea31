"""What another program's picture says about itself and `generate --from` does not follow, one sentence each."""

import re

HIRES = re.compile("Hires |Upscale|Postprocess upscale|Denoising strength")
LORA = re.compile("<(?:lora|lyco):([^:>]{1,80})")
ELSEWHERE = {
    "Steps",
    "CFG scale",
    "Seed",
    "Sampler",
    "Schedule type",
    "Size",
    "Model",
    "Model hash",
    "Hashes",
    "Version",
    "Clip skip",
    "Lora hashes",
    "Template",
    "Negative Template",
}  # followed, said by another sentence, or no setting


def sentences(stored, size):
    """Yield one sentence for each thing that is not followed; none for our own pictures. size: (width, height) of the model."""
    said = stored.get("said", {})
    yield from sampling(said)
    if "Size" in said and said["Size"].replace(" ", "") != f"{size[0]}x{size[1]}":
        yield f"The picture was drawn with {short(said['Size'])} pixels; this model draws {size[0]}x{size[1]}."
    if hires := [label for label in said if HIRES.match(label)]:
        yield f"The picture was enlarged ({named(said, hires)}); the new one is not, see --scale."
    if said:
        yield from weights(said, stored.get("prompt", "") + stored.get("negative", ""))
    if rest := [label for label in said if label not in ELSEWHERE | {*hires}]:
        yield f"These settings of the picture are not followed either: {short(', '.join(rest))}."


def sampling(said):
    """Another sampler than ours, or another spacing of its timesteps."""
    sampler, spacing = said.get("Sampler", "DDIM"), said.get("Schedule type", "Automatic")
    if sampler != "DDIM":
        yield f"The picture was drawn with the sampler {short(sampler)}; this program draws with DDIM."
    if spacing != "Automatic":
        yield f"The picture was drawn with the schedule {short(spacing)}; this program spaces the timesteps evenly."


def weights(said, prompts):
    """Weights and layers that the picture needs and that are not those of the model alone."""
    if names := said.get("Lora hashes") or ", ".join(LORA.findall(prompts)):
        yield f"The picture was drawn with LoRA ({short(names)}); none is loaded here."
    if said.get("Clip skip", "1") != "1":
        yield f"The picture was drawn with clip skip {short(said['Clip skip'])}; here the text encoder's last layer is used."
    if "Model hash" in said:
        yield (
            f"The picture names its weights by the hash {short(said['Model hash'])} of a file; "
            f"whether these are the same cannot be told."
        )


def named(said, labels):
    return short(", ".join(f"{label}: {said[label]}" for label in labels))


def short(text, most=160):
    """A text from a file, for one line of a terminal."""
    return text if len(text) <= most else text[:most] + " ..."

"""Latents: channels, edits, interpolation, a random direction, and file size compared with JPEG."""

from collections.abc import Callable, Mapping
from typing import Any

from ..data import scenes
from ..data.jpeg import best_jpeg, psnr
from ..data.photos import NAMES, photo
from ..errors import EduError
from ..figures import Coded, edited_latent, reconstructions, ways
from ..steps import GUIDANCE, STEPS, initial_noise
from .cache import Cache
from .cached_runs import CachedRuns, other_words
from .controls import choice, dragged, reveal, seeds, whole, words
from .explore import Explore
from .hints import Drawing, Pipeline, Tensor
from .images import edge, resized

__all__ = ["LatentExplorer"]

VIEWS = {  # view: the controls for it
    "the channels": ("picture", "channel", "add", "where"),
    "between two pictures": ("picture", "other", "share"),
    "between two prompts": ("prompt", "other_prompt", "share", "seed", "steps", "guidance"),
    "a random direction": ("picture", "direction", "reach"),
    "bytes against JPEG": ("picture",),
}
ADDED = 0.5  # the slider's step for the number added to a channel
PLACES = ("everywhere", "the left half", "the middle")
SCENES = 29  # a seed whose scenes have different backgrounds
SHARES = [k / 6 for k in range(7)]


class LatentExplorer(Explore):
    """Explore latents: their channels and edits of them, interpolation, a random direction, and their size in bytes.

    pipe: a StableDiffusionPipeline. pictures: {name: (3, H, W) or (1, 3, H, W) in [-1, 1]}, such as your own;
    None: three scenes, with the sprite's mask, and three photographs. show: the first view, one of VIEWS.
    Interpolating two prompts runs the U-Net, everything else the VAE only; a picture is encoded once, a latent
    decoded once.
    """

    def __init__(
        self,
        pipe: Pipeline,
        pictures: Mapping[str, Tensor] | None = None,
        show: str = "the channels",
        prompt: str = "a cat face on a blue background",
        other_prompt: str = "a dog face on a red background",
        seed: int = 0,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
    ) -> None:
        self.runs = CachedRuns(pipe)
        self.pictures = collected(pictures, edge(pipe))
        self._encoded = Cache(2 * len(self.pictures))  # the latent and the compressed forms of each
        names, last = list(self.pictures), pipe.vae.config.latent_channels - 1
        super().__init__(
            self.view,
            show=choice(VIEWS, show, "Show"),
            picture=choice(names, names[0], "Picture"),
            other=choice(names, names[min(1, len(names) - 1)], "Other picture"),
            channel=dragged(0, 0, last, "Channel"),
            add=dragged(1.0, -6, 6, "Add", ADDED),
            where=choice(PLACES, PLACES[0], "Where"),
            prompt=words(prompt, "Prompt"),
            other_prompt=words(other_prompt, "Other prompt"),
            share=dragged(0.5, 0, 1, "Fraction of the other", 0.1),
            seed=seeds(seed),
            steps=whole(steps, 1, 100, "Steps"),
            guidance=dragged(guidance, 0, 30, "Guidance", 0.5),
            direction=seeds(0, "Direction"),
            reach=dragged(1.5, 0, 6, "Distance", 0.5),
        )
        self.controls["show"].observe(lambda _: self._reveal(), "value")
        self._reveal()

    def _reveal(self):
        """Show the controls that the view needs."""
        reveal(self.controls, ["show", *VIEWS[self.controls["show"].value]])

    def view(self, show: str, **values: Any) -> Drawing:
        """Yield progress messages, then the view as a Picture."""
        draw: dict[str, Callable[..., Drawing]] = {
            "the channels": self.edited,
            "between two pictures": self.between,
            "a random direction": self.walk,
            "between two prompts": self.prompts,
            "bytes against JPEG": self.against_jpeg,
        }
        yield from draw[show](**{name: values[name] for name in VIEWS[show]})

    def edited(self, picture: str, channel: int, add: float, where: str) -> Drawing:
        """Show the channels of a picture's latent, and the effect of adding a number to one of them."""
        z_0 = self.latent(picture)
        rows = [(f"latent of {picture}", z_0)]
        if add:
            rows.append((f"channel {channel} {add:+g}, {where}", changed(z_0, channel, add, where)))
        images = self.runs.pictures(*(z for _, z in rows))
        done = f"{add:+g} is added to channel {channel}, {where}." if add else ""
        yield edited_latent([(name, z[0], image) for (name, z), image in zip(rows, images)], done)
        near = [changed(z_0, channel, add + further, where) for further in (-ADDED, ADDED)]
        yield from ("" for _ in self.runs.prepared(near))

    def between(self, picture: str, other: str, share: float) -> Drawing:
        """Interpolate from one picture to another: decoded latents above, cross-faded pixels below."""
        a, b = self.latent(picture), self.latent(other)
        shares = sorted({*SHARES, share})
        mixed = self.runs.pictures(*((1 - w) * a + w * b for w in shares))
        faded = [(1 - w) * self.pictures[picture][0] + w * self.pictures[other][0] for w in shares]
        yield ways(
            {"mixed latents": mixed, "mixed pixels": faded},
            [f"{100 * w:.0f} %" for w in shares],
            f"From {picture} to {other}.",
            shares.index(share),
        )

    def walk(self, picture: str, direction: int, reach: float) -> Drawing:
        """Move from a picture's latent straight in a random direction, where latents rarely decode to a picture."""
        z_0 = self.latent(picture)
        way = initial_noise(self.runs.pipe, [direction]).to(z_0)
        images = self.runs.pictures(*(z_0 + w * reach * way for w in SHARES))
        yield ways(
            {f"direction {direction}": images},
            [f"distance {w * reach:.3g}" for w in SHARES],
            f"From the latent of {picture} in a random direction, by the given distance for each of its numbers.",
        )

    def prompts(self, prompt: str, other_prompt: str, share: float, seed: int, steps: int, guidance: float) -> Drawing:
        """Show two prompts, and the picture for an interpolation of their text embeddings, from the same noise."""
        c, c_other = (self.runs.embed(text) for text in (prompt, other_prompt))
        ends = []
        for w in (0, share, 1):
            mixed = other_words((1 - w) * c + w * c_other)
            states = yield from self.runs.run(prompt, mixed, (other_prompt, w), seed=seed, steps=steps, guidance=guidance)
            ends.append(states[-1].z_s)
        labels = [prompt, f"{100 * share:.0f} % of the other", other_prompt]
        images = self.runs.pictures(*ends)
        yield ways({"mixed text": images}, labels, f'From "{prompt}" to "{other_prompt}".', 1)

    def against_jpeg(self, picture: str) -> Drawing:
        """Show the reconstruction from the latent in 16 and in 8 bits, and from JPEG files that are no larger."""
        image, mask = self.pictures[picture]
        coded, header = self._encoded.get(
            ("bytes", picture), lambda: self.coded(image, mask, self.latent(picture)), self.runs.pipe.vae
        )
        yield reconstructions(
            image,
            coded,
            mask,
            f"Of each JPEG file about {header} bytes are tables; the weights of the VAE's decoder are not counted.",
        )

    def coded(self, image: Tensor, mask: Tensor | None, z_0: Tensor) -> tuple[list[Coded], int]:
        """Return four compressed forms of a picture, two sizes each of latent and JPEG; and the bytes of JPEG's header."""
        ways, header = [], 0
        for bits, (z, nbytes) in (("16", half(z_0)), ("8", eight_bits(z_0))):
            back, jpeg = self.runs.pictures(z)[0], best_jpeg(image, nbytes, mask)
            ways.append(Coded(f"latent, {bits} bits", back, nbytes, psnr(back, image, mask)))
            small = "JPEG" if jpeg.nbytes <= nbytes else "smallest JPEG"
            ways.append(Coded(small, jpeg.image, jpeg.nbytes, psnr(jpeg.image, image, mask)))
            header = jpeg.header
        return ways, header

    def latent(self, name: str) -> Tensor:
        """Return the scaled mean latent of a picture, (1, C, h, w); encoded once."""
        vae = self.runs.pipe.vae
        return self._encoded.get(("latent", name), lambda: encoded(vae, self.pictures[name][0]), vae)


def encoded(vae, image):
    """Return the scaled mean latent of a picture (3, H, W): (1, C, h, w)."""
    weight = next(vae.parameters())
    x_0 = image[None].to(weight.device, weight.dtype)
    return vae.encode(x_0).latent_dist.mode().detach() * vae.config.scaling_factor


def collected(pictures, size):
    """Return {name: (picture (3, size, size), mask (size, size) or None)}."""
    if pictures is None:
        scene = scenes.batch(3, seed=SCENES, plain=True)
        found = {text: (x, m[0]) for text, x, m in zip(scene.captions, scene.images, scene.masks)}
        found |= {f"photograph: {name}": (photo(name, size)[0], None) for name in NAMES}
    else:
        found = {name: (x[0] if x.ndim == 4 else x, None) for name, x in pictures.items()}
    for name, (x, _) in found.items():
        if x.ndim != 3 or x.shape[0] != 3:
            raise EduError(f"The picture {name!r} has the shape {tuple(x.shape)}; it must be (3, height, width).")
    return {name: tuple(part if part is None else resized(part, size) for part in pair) for name, pair in found.items()}


def changed(z_0, channel, add, where):
    """Return a copy of a latent (1, C, h, w) with a number added to one channel in some region."""
    z, (h, w) = z_0.clone(), z_0.shape[-2:]
    rows, columns = {
        "everywhere": (slice(None), slice(None)),
        "the left half": (slice(None), slice(w // 2)),
        "the middle": (slice(h // 4, h - h // 4), slice(w // 4, w - w // 4)),
    }[where]
    z[:, channel, rows, columns] += add
    return z


def half(z):
    """Return a latent rounded to 16-bit numbers, and its bytes."""
    return z.half().to(z.dtype), 2 * z.numel()


def eight_bits(z):
    """Return a latent quantised to 256 values per channel, from its smallest to its largest, and its bytes.

    Those two values, 16 bits each, are counted as well.
    """
    low, high = (x.half().to(z.dtype) for x in (z.amin((2, 3), keepdim=True), z.amax((2, 3), keepdim=True)))
    step = ((high - low) / 255).clamp(min=1e-6)
    return low + ((z - low) / step).round().clamp(0, 255) * step, z.numel() + 4 * z.shape[1]

"""Noise schedules: the same picture at any timestep of each of them, and their curves on one axis."""

import os
from collections.abc import Callable, Mapping, Sequence

from ..data.photos import NAMES, photo
from ..data.pictures import noise_like, own_picture
from ..errors import EduError
from ..figures import Picture
from ..figures.noise_stages import QUANTITIES, noising
from ..steps import abar, cosine_betas, linear_betas, q_sample, scaled_linear_betas, sigmoid_betas, zero_terminal_snr
from .controls import choice, dragged, seeds
from .explore import Explore
from .hints import Tensor

__all__ = ["ScheduleExplorer", "schedules"]

MOST = 5  # schedules whose lines and pictures can still be told apart


def schedules(T: int = 1000) -> dict[str, Tensor]:
    """Return the five schedules of the course: {name: betas (T,)}."""
    usual = scaled_linear_betas(T)
    return {
        "linear": linear_betas(T),
        "scaled linear": usual,
        "cosine": cosine_betas(T),
        "sigmoid": sigmoid_betas(T),
        "zero at the end": zero_terminal_snr(usual),
    }


class ScheduleExplorer(Explore):
    """One picture at a timestep of every schedule, side by side, and the curves with this timestep marked.

    picture: "cat", "coffee" or "rocket", a picture file, or a tensor (3, H, W) or (1, 3, H, W) in [-1, 1]. t: the
    timestep, from 0. show: the quantity of the curves, one of QUANTITIES. betas: {name: (T,)}, at most five schedules
    of one length, including your own; None is the five of the course. noise: the function that adds the
    noise, (x_0, eps, abar_t) -> x_t. All pictures have the same noise, that of `seed`. size: the edge in pixels to
    which photographs and files are resized.
    """

    def __init__(
        self,
        picture: Tensor | str | os.PathLike | bytes = "cat",
        t: int = 300,
        show: str = QUANTITIES[0],
        betas: Mapping[str, Tensor | Sequence[float]] | None = None,
        noise: Callable[[Tensor, Tensor, Tensor], Tensor] = q_sample,
        seed: int = 0,
        size: int = 64,
    ) -> None:
        self.betas, self.noise = checked(schedules() if betas is None else betas), noise
        self.abars = {name: abar(b) for name, b in self.betas.items()}
        self.pictures, first = collected(picture, size)
        last = len(next(iter(self.betas.values()))) - 1
        super().__init__(
            self.noised,
            t=dragged(t, 0, last, "Timestep t"),
            show=choice(QUANTITIES, show, "Curves:"),
            picture=choice(self.pictures, first, "Picture"),
            seed=seeds(seed, "Seed of the noise"),
        )

    def noised(self, t: int, show: str, picture: str, seed: int) -> Picture:
        """Return the Picture for a timestep."""
        x_0 = self.pictures[picture]
        eps = noise_like(x_0, seed)
        noisy = {name: self.noise(x_0, eps, left[t])[0] for name, left in self.abars.items()}
        return noising(noisy, self.betas, t, show, f"The picture {picture}")


def checked(betas):
    """Return schedules as float tensors. Raises EduError for anything else."""
    empty = linear_betas(1)
    betas = {name: (b if hasattr(b, "ndim") else empty.new_tensor(b)).float() for name, b in betas.items()}
    shapes = {tuple(b.shape) for b in betas.values()}
    if not 1 <= len(betas) <= MOST or len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise EduError(f"betas has {len(betas)} schedules of the shapes {sorted(shapes)}; give 1 to {MOST}, all of one shape (T,).")
    beyond = [name for name, b in betas.items() if not ((b > 0) & (b <= 1)).all()]
    if beyond:
        raise EduError(
            f"The schedule {beyond[0]!r} has values outside (0, 1]; a beta is the fraction of the variance "
            "that a timestep replaces by noise."
        )
    return betas


def collected(picture, size):
    """Return the photographs, preceded by the user's own picture: ({name: (1, 3, H, W)}, the one shown first)."""
    photographs = {name: photo(name, size) for name in NAMES}
    if isinstance(picture, str) and picture in NAMES:
        return photographs, picture
    return {"my own": own_picture(picture, size), **photographs}, "my own"

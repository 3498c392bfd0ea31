"""Noise schedules: the same picture under all of them, at any level, and their curves on one axis."""

from ..data.photos import NAMES, photo
from ..data.pictures import noise_like, own_picture
from ..errors import EduError
from ..figures.noising import QUANTITIES, noising
from ..steps import (
    abar, cosine_betas, linear_betas, q_sample, scaled_linear_betas, sigmoid_betas, zero_terminal_snr,
)
from .explore import Explore
from .timeline import choice, dragged, whole

__all__ = ["ScheduleExplorer", "schedules"]

MOST = 5  # schedules that lines and pictures can still be told apart for


def schedules(T=1000):
    """The five schedules of the course: {name: betas (T,)}."""
    usual = scaled_linear_betas(T)
    return {"linear": linear_betas(T), "scaled linear": usual, "cosine": cosine_betas(T),
            "sigmoid": sigmoid_betas(T), "zero at the end": zero_terminal_snr(usual)}


class ScheduleExplorer(Explore):
    """One picture at a level of noise, for every schedule side by side, and the curves with that level marked.

    picture: "cat", "coffee" or "rocket", a picture file, or a tensor (3, H, W) or (1, 3, H, W) in [-1, 1]. t: the
    level, from 0. show: one of QUANTITIES, what the curves are of. betas: {name: (T,)}, at most five schedules
    of one length, your own among them perhaps; None is the five of the course. noise: the function that makes
    it noisy, (x_0, eps, abar_t) -> x_t. All pictures have the same noise, that of `seed`. size: the edge in pixels to
    which photographs and files are brought.
    """

    def __init__(self, picture="cat", t=300, show=QUANTITIES[0], betas=None, noise=q_sample, seed=0,
                 size=64):
        self.betas, self.noise = checked(schedules() if betas is None else betas), noise
        self.abars = {name: abar(b) for name, b in self.betas.items()}
        self.pictures, first = collected(picture, size)
        last = len(next(iter(self.betas.values()))) - 1
        super().__init__(
            self.levels, t=dragged(t, 0, last, "Level t"), show=choice(QUANTITIES, show, "Curves:"),
            picture=choice(self.pictures, first, "Picture"), seed=whole(seed, 0, 2**31 - 1, "Seed of the noise"))

    def levels(self, t, show, picture, seed):
        """The Picture for a level."""
        x_0 = self.pictures[picture]
        eps = noise_like(x_0, seed)
        noisy = {name: self.noise(x_0, eps, left[t])[0] for name, left in self.abars.items()}
        return noising(noisy, self.betas, t, show, f"The picture {picture}")


def checked(betas):
    """Schedules as float tensors. Raises EduError for what is none."""
    empty = linear_betas(1)
    betas = {name: (b if hasattr(b, "ndim") else empty.new_tensor(b)).float() for name, b in betas.items()}
    shapes = {tuple(b.shape) for b in betas.values()}
    if not 1 <= len(betas) <= MOST or len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise EduError(f"betas has {len(betas)} schedules of the shapes {sorted(shapes)}; give 1 to {MOST}, "
                       "all of one shape (T,).")
    beyond = [name for name, b in betas.items() if not ((b > 0) & (b <= 1)).all()]
    if beyond:
        raise EduError(f"The schedule {beyond[0]!r} has values outside (0, 1]; a beta is the share of variance that "
                       "a level replaces by noise.")
    return betas


def collected(picture, size):
    """The photographs and, in front of them, somebody's own picture: ({name: (1, 3, H, W)}, which is shown)."""
    photographs = {name: photo(name, size) for name in NAMES}
    if isinstance(picture, str) and picture in NAMES:
        return photographs, picture
    return {"my own": own_picture(picture, size), **photographs}, "my own"

"""The forward process: noise schedules over T timesteps, and how a clean image becomes a noisy one."""

import torch

__all__ = [
    "abar", "cosine_betas", "linear_betas", "q_sample", "scaled_linear_betas", "sigmoid_betas", "snr",
    "velocity", "zero_terminal_snr",
]


def linear_betas(T=1000, beta_start=0.0001, beta_end=0.02):
    """Return the betas of the first DDPM: they rise linearly.

    beta_t = beta_start + t / (T - 1) (beta_end - beta_start)

    Returns (T,) in (0, 1), rising from beta_start to beta_end.
    Source: Ho et al. 2020, section 4. Twin: diffusers.DDPMScheduler, its betas for beta_schedule="linear".
    """
    return torch.linspace(beta_start, beta_end, T)


def scaled_linear_betas(T=1000, beta_start=0.00085, beta_end=0.012):
    """Return the betas of Stable Diffusion: sqrt(beta) rises linearly.

    beta_t = (sqrt(beta_start) + t / (T - 1) (sqrt(beta_end) - sqrt(beta_start)))^2

    Returns (T,) in (0, 1), rising from beta_start to beta_end.
    Source: Rombach et al. 2022, the authors' released code (there called "linear").
    Twin: diffusers.DDIMScheduler, its betas for beta_schedule="scaled_linear".
    """
    return torch.linspace(beta_start**0.5, beta_end**0.5, T) ** 2


def cosine_betas(T=1000):
    """Return the betas for which abar falls like a squared cosine.

    beta_t = min(1 - f(t + 1) / f(t), 0.999), with f(t) = cos((t / T + 0.008) / 1.008 * pi / 2)^2

    Returns (T,) in (0, 1). Computed in float64, because the last f are nearly zero.
    Source: Nichol and Dhariwal 2021, eq. 17.
    Twin: diffusers.schedulers.scheduling_ddim.betas_for_alpha_bar.
    """
    u = torch.arange(T + 1, dtype=torch.float64) / T
    f = torch.cos((u + 0.008) / 1.008 * torch.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=0.999).float()


def sigmoid_betas(T=1000, beta_start=0.0001, beta_end=0.02):
    """Return betas that rise like a sigmoid, flat at both ends and steep in the middle.

    beta_t = beta_start + (beta_end - beta_start) / (1 + exp(-u_t)), with u_t from -6 to 6 in equal steps

    Returns (T,) in (0, 1), rising; at the ends 0.25 % of the range away from beta_start and beta_end.
    Source: Xu et al. 2022 (GeoDiff), the authors' released code.
    Twin: diffusers.DDPMScheduler, its betas for beta_schedule="sigmoid".
    """
    return beta_start + (beta_end - beta_start) * torch.linspace(-6, 6, T).sigmoid()


def zero_terminal_snr(betas):
    """Rescale a schedule so that its last timestep is pure noise, as the sampler assumes (zero terminal SNR).

    sqrt(abar'_t) = (sqrt(abar_t) - sqrt(abar_T-1)) sqrt(abar_0) / (sqrt(abar_0) - sqrt(abar_T-1))

    The first timestep stays as it was; the last beta becomes 1. There eps says nothing about x_0, so a model
    for such a schedule has to predict v.
    betas: (T,) in (0, 1), T at least 2. Returns (T,) in (0, 1].
    Source: Lin et al. 2024, algorithm 1.
    Twin: diffusers.schedulers.scheduling_ddim.rescale_zero_terminal_snr.
    """
    root = abar(betas) ** 0.5
    left = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    return 1 - torch.cat([left[:1], left[1:] / left[:-1]])


def abar(betas):
    """Return how much signal (as variance) is left at each timestep.

    abar_t = (1 - beta_0) (1 - beta_1) ... (1 - beta_t)

    betas: (T,) in (0, 1). Returns (T,), decreasing.
    Source: Ho et al. 2020, above eq. 4. Twin: diffusers.DDIMScheduler, its alphas_cumprod.
    """
    return torch.cumprod(1 - betas, dim=0)


def snr(abar_t):
    """Return the signal-to-noise ratio of a timestep: 1 where signal and noise are equally strong.

    snr_t = abar_t / (1 - abar_t)

    abar_t: any shape, in (0, 1). Returns the same shape, > 0.
    Source: Kingma et al. 2021, section 3.1. Twin: diffusers.training_utils.compute_snr.
    """
    return abar_t / (1 - abar_t)


def q_sample(x_0, eps, abar_t):
    """Add noise to a clean image, up to any timestep in a single step.

    x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps

    x_0, eps: (B, C, H, W). abar_t: in [0, 1], a scalar or (B,). Returns (B, C, H, W).
    Source: Ho et al. 2020, eq. 4. Twin: diffusers.DDIMScheduler.add_noise.
    """
    abar_t = per_picture(abar_t, x_0)
    return abar_t**0.5 * x_0 + (1 - abar_t) ** 0.5 * eps


def velocity(x_0, eps, abar_t):
    """Return the target of v-prediction: close to eps where there is little noise, to -x_0 where there is much.

    v = sqrt(abar_t) eps - sqrt(1 - abar_t) x_0

    x_0, eps: (B, C, H, W). abar_t: in [0, 1], a scalar or (B,). Returns (B, C, H, W).
    Source: Salimans and Ho 2022, appendix D. Twin: diffusers.DDIMScheduler.get_velocity.
    """
    abar_t = per_picture(abar_t, x_0)
    return abar_t**0.5 * eps - (1 - abar_t) ** 0.5 * x_0


def per_picture(abar_t, x):
    """Reshape abar_t from (B,) to (B, 1, 1, 1), in x's dtype and on its device; a scalar is returned unchanged.

    Without this a batch as large as the picture is wide would silently get one timestep per column.
    """
    if torch.is_tensor(abar_t) and abar_t.ndim == 1:
        return abar_t.to(x).reshape(-1, *[1] * (x.ndim - 1))
    return abar_t

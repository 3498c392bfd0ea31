"""Few steps: the samplers of distilled models, and the losses of an adversarial finish."""

import torch

from .denoise import ddim_step, predict_x0
from .noise import q_sample

__all__ = ["consistency_scalings", "hinge_discriminator", "hinge_student", "lcm_step", "tcd_step"]


def consistency_scalings(t, sigma_data=0.5, scaling=10.0):
    """Return (c_skip, c_out), the weights of z_t and of the predicted z_0 in a consistency model's answer.

    f(z_t, t) = c_skip z_t + c_out z_0, with s = scaling t,
    c_skip = sigma_data^2 / (s^2 + sigma_data^2), c_out = s / sqrt(s^2 + sigma_data^2)

    At t = 0 the answer is z_t itself, whatever the network says: the boundary condition of a consistency function.
    t: a scalar or a tensor of timesteps from 0. Returns two values like t.
    Source: Luo et al. 2023 (Latent Consistency Models), section 4.1; Song et al. 2023, equation 5.
    Twin: diffusers.LCMScheduler.get_scalings_for_boundary_condition_discrete.
    """
    s = scaling * t
    return sigma_data**2 / (s**2 + sigma_data**2), s / (s**2 + sigma_data**2) ** 0.5


def lcm_step(x_t, eps, abar_t, abar_s, noise):
    """Take the predicted clean image as the answer, and add new noise up to the cleaner level s.

    x_s = q_sample(x_0, noise, abar_s), with x_0 = predict_x0(x_t, eps, abar_t)

    Without c_skip and c_out (`consistency_scalings`), which from t = 100 on change less than one part in a million.
    x_t, eps, noise: (B, C, H, W). abar_t < abar_s: scalars in (0, 1]. Returns (B, C, H, W).
    Source: Song et al. 2023, algorithm 1. Twin: diffusers.LCMScheduler.step.
    """
    return q_sample(predict_x0(x_t, eps, abar_t), noise, abar_s)


def tcd_step(x_t, eps, abar_t, abar_s, noise, abar_r=None):
    """Jump without noise to the level r, cleaner than s, and add new noise back up to s.

    x_s = sqrt(abar_s / abar_r) x_r + sqrt(1 - abar_s / abar_r) noise, with x_r = ddim_step(x_t, eps, abar_t, abar_r)

    abar_r = abar_s is DDIM's step, abar_r = 1 is `lcm_step`: how much of the noise is new lies between them (the
    library's eta: r = (1 - eta) s as timesteps). x_t, eps, noise: (B, C, H, W). abar_t < abar_s <= abar_r: scalars in
    (0, 1]; None is abar_s. Returns (B, C, H, W).
    Source: Zheng et al. 2024 (Trajectory Consistency Distillation), algorithm 4. Twin: diffusers.TCDScheduler.step.
    """
    abar_r = abar_s if abar_r is None else abar_r
    kept = abar_s / abar_r
    return kept**0.5 * ddim_step(x_t, eps, abar_t, abar_r) + (1 - kept) ** 0.5 * noise


def hinge_discriminator(real, fake):
    """The loss of a discriminator whose scores should be above 1 for real images and below -1 for generated ones.

    mean(max(0, 1 - real)) + mean(max(0, 1 + fake))

    real, fake: scores of any shape. Returns a scalar. Source: Lim and Ye 2017, Geometric GAN; Sauer et al. 2023, section 3.3.
    Twin: torch.nn.HingeEmbeddingLoss, which is max(0, margin - x) for the label -1.
    """
    return torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()


def hinge_student(fake):
    """The loss of the student: the discriminator should call its images real.

    -mean(fake)

    fake: the discriminator's scores of the student's images, of any shape. Returns a scalar.
    Source: Lim and Ye 2017, Geometric GAN. Twin: torch.nn.HingeEmbeddingLoss with the label 1, which is its mean, up to the sign.
    """
    return -fake.mean()

"""Flow matching: the same idea in other variables, a straight line from the image to the noise.

Here the timestep is the fraction of noise itself, t and s in [0, 1] with t > s, and the model predicts the
direction of the line, u = eps - x_0. It is another parameterisation, not another sampler: in
y = x / (1 - t) its Euler step is DDIM's again.
"""

from .noise import per_picture

__all__ = ["flow_euler_step", "flow_sample"]


def flow_sample(x_0, eps, t):
    """Add noise to a clean image: interpolate between it (t = 0) and the noise (t = 1).

    x_t = (1 - t) x_0 + t eps

    x_0, eps: (B, C, H, W). t: in [0, 1], a scalar or (B,). Returns (B, C, H, W).
    Source: Liu et al. 2023 (Rectified Flow), section 2.1, with t counted from the image.
    Twin: diffusers.FlowMatchEulerDiscreteScheduler.scale_noise.
    """
    t = per_picture(t, x_0)
    return (1 - t) * x_0 + t * eps


def flow_euler_step(x_t, u, t, s):
    """Follow the predicted direction from timestep t back to the less noisy timestep s.

    x_s = x_t + (s - t) u

    x_t: (B, C, H, W). u: the same, an estimate of eps - x_0. t > s: in [0, 1], scalars or (B,).
    Returns (B, C, H, W).
    Source: Liu et al. 2023 (Rectified Flow), section 2.1.
    Twin: diffusers.FlowMatchEulerDiscreteScheduler.step.
    """
    return x_t + per_picture(s - t, x_t) * u

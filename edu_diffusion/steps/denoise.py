"""Denoising: from the model's prediction to the predicted clean image x_0, and one DDIM step towards it."""

from .noise import per_picture, q_sample
from .validate import StepError, check_prediction_type, check_whole

__all__ = [
    "ddim_step", "ddim_timesteps", "eps_from_v", "eps_from_x0", "predict_x0", "to_eps", "to_x0", "x0_from_v",
]


def predict_x0(x_t, eps, abar_t):
    """Predict the clean image: solve q_sample for x_0, given the noise.

    x_0 = (x_t - sqrt(1 - abar_t) eps) / sqrt(abar_t)

    x_t, eps: (B, C, H, W). abar_t: in (0, 1], a scalar or (B,). Returns (B, C, H, W).
    Source: Ho et al. 2020, eq. 15. Twin: diffusers.DDIMScheduler.step, its pred_original_sample.
    """
    abar_t = per_picture(abar_t, x_t)
    return (x_t - (1 - abar_t) ** 0.5 * eps) / abar_t**0.5


def eps_from_x0(x_0, x_t, abar_t):
    """Solve q_sample for the noise, given the clean image.

    eps = (x_t - sqrt(abar_t) x_0) / sqrt(1 - abar_t)

    x_0, x_t: (B, C, H, W). abar_t: in [0, 1), a scalar or (B,). Returns (B, C, H, W).
    Source: Ho et al. 2020, eq. 4. Twin: diffusers.DDIMScheduler.step with prediction_type="sample".
    """
    abar_t = per_picture(abar_t, x_t)
    return (x_t - abar_t**0.5 * x_0) / (1 - abar_t) ** 0.5


def x0_from_v(v, x_t, abar_t):
    """Convert a velocity to the clean image; nothing is divided, so it works at every timestep.

    x_0 = sqrt(abar_t) x_t - sqrt(1 - abar_t) v

    v, x_t: (B, C, H, W). abar_t: in [0, 1], a scalar or (B,). Returns (B, C, H, W).
    Source: Salimans and Ho 2022, appendix D. Twin: diffusers.DDIMScheduler.step with "v_prediction".
    """
    abar_t = per_picture(abar_t, x_t)
    return abar_t**0.5 * x_t - (1 - abar_t) ** 0.5 * v


def eps_from_v(v, x_t, abar_t):
    """Convert a velocity to the noise.

    eps = sqrt(abar_t) v + sqrt(1 - abar_t) x_t

    v, x_t: (B, C, H, W). abar_t: in [0, 1], a scalar or (B,). Returns (B, C, H, W).
    Source: Salimans and Ho 2022, appendix D. Twin: diffusers.DDIMScheduler.step with "v_prediction".
    """
    abar_t = per_picture(abar_t, x_t)
    return abar_t**0.5 * v + (1 - abar_t) ** 0.5 * x_t


def to_eps(out, x_t, abar_t, prediction_type="epsilon"):
    """Convert a model's output to the noise, whichever of eps, v or x_0 it was trained to predict.

    eps = out, or eps_from_v(out), or eps_from_x0(out)

    out, x_t: (B, C, H, W). abar_t: in (0, 1), a scalar or (B,). Returns (B, C, H, W).
    prediction_type: "epsilon", "v_prediction" or "sample" (x_0); anything else raises ValueError.
    Source: Salimans and Ho 2022, section 4. Twin: diffusers.DDIMScheduler.step.
    """
    check_prediction_type(prediction_type)
    if prediction_type == "epsilon":
        return out
    convert = eps_from_v if prediction_type == "v_prediction" else eps_from_x0
    return convert(out, x_t, abar_t)


def to_x0(out, x_t, abar_t, prediction_type="epsilon"):
    """Convert a model's output to the clean image, whichever of eps, v or x_0 it was trained to predict.

    x_0 = predict_x0(x_t, out), or x0_from_v(out), or out

    out, x_t: (B, C, H, W). abar_t: in (0, 1], a scalar or (B,). Returns (B, C, H, W).
    prediction_type: "epsilon", "v_prediction" or "sample" (x_0); anything else raises ValueError.
    Source: Salimans and Ho 2022, section 4. Twin: diffusers.DDIMScheduler.step, its pred_original_sample.
    """
    check_prediction_type(prediction_type)
    if prediction_type == "epsilon":
        return predict_x0(x_t, out, abar_t)
    return x0_from_v(out, x_t, abar_t) if prediction_type == "v_prediction" else out


def ddim_step(x_t, eps, abar_t, abar_s):
    """Move x_t to the less noisy timestep s without adding noise.

    x_s = sqrt(abar_s) x_0 + sqrt(1 - abar_s) eps, with x_0 = predict_x0(x_t, eps, abar_t)

    x_t, eps: (B, C, H, W). abar_t < abar_s: in (0, 1], scalars or (B,). Returns (B, C, H, W).
    Source: Song et al. 2021, eq. 12 with sigma_t = 0. Twin: diffusers.DDIMScheduler.step with eta=0.
    """
    return q_sample(predict_x0(x_t, eps, abar_t), eps, abar_s)


def ddim_timesteps(steps, T=1000, spacing="trailing", offset=0):
    """Choose the timesteps of a sampling run out of all T: a list of pairs (t, s), from the noisiest to the cleanest.

    trailing: t = round(T - i T / steps) - 1    leading: t = (steps - 1 - i) (T // steps) + offset
    linspace: t = round((T - 1) (steps - 1 - i) / (steps - 1))           always: s = t - T // steps

    s = -1 stands for "no noise left". When T / steps is not whole, trailing's s is not quite the next t;
    the library does the same. For 63 values of steps up to 1000 (61 is the first) rounding gives the
    library one timestep too many, t = -1; it is left out here.
    steps: 1 to T, and for "leading" few enough that t < T. Raises ValueError otherwise.
    Source: Lin et al. 2024, table 2. Twin: diffusers.DDIMScheduler.set_timesteps.
    """
    check_whole("steps", steps, 1, T)
    levels = spaced(steps, T, spacing, offset)
    if levels[0] >= T:
        raise StepError(f"steps is {steps}, but {spacing} spacing with offset {offset} would then start at "
                         f"timestep {levels[0]}, and the last one is {T - 1}; take fewer steps.")
    return [(t, max(t - T // steps, -1)) for t in levels]


def spaced(steps, T, spacing, offset):
    """Return the timesteps t, computed in the library's floating-point order so that ties round the same way."""
    if spacing == "trailing":
        stride = (T - T / steps) - T
        return [round(T + i * stride) - 1 for i in range(steps)]
    if spacing == "leading":
        return [i * (T // steps) + offset for i in reversed(range(steps))]
    if spacing == "linspace":
        stride = (T - 1) / max(steps - 1, 1)
        return [round(i * stride) for i in reversed(range(steps))]
    raise StepError(f"spacing is {spacing!r}; it must be 'trailing', 'leading' or 'linspace'.")

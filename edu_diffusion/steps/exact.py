"""Optimal denoisers, computed exactly from known data without a network: what training approximates.

`x_t` may have any shape (B, ...): pictures, latents, points (B, 2). `eps_from_x0` converts a result to noise.
Everything is computed at once: B times K pictures must fit into memory.
"""

from .noise import per_picture
from .validate import StepError

__all__ = ["dataset_x0", "mixture_posterior", "mixture_x0"]


def mixture_posterior(x_t, abar_t, means, stds, weights):
    """Return the probability of each component of a Gaussian mixture to be the origin of a noisy point.

    p(k | x_t) = softmax_k(log w_k - |x_t - sqrt(abar_t) m_k|^2 / (2 var_k) - D / 2 log var_k),
    with var_k = abar_t std_k^2 + 1 - abar_t, the variance of component k and of the noise together

    Only differences of logarithms are used, so nothing underflows however many values D a picture has.
    x_t: (B, ...). abar_t: in [0, 1), a scalar or (B,). means: (K, ...), the rest as in x_t.
    stds: (K,), >= 0. weights: (K,), >= 0. Returns (B, K); rows sum to 1.
    Raises ValueError for means of another shape.
    Source: Bishop 2006, section 9.2.
    Twin: torch.distributions.MixtureSameFamily.log_prob, differentiated by the logits of the weights.
    """
    if means.shape[1:] != x_t.shape[1:]:
        wanted = ", ".join(map(str, x_t.shape[1:]))
        raise StepError(f"means has the shape {tuple(means.shape)}; it must be (K, {wanted}), like x_t.")
    signal = per_picture(abar_t, x_t[:, None]) ** 0.5 * means
    distance = (x_t[:, None] - signal).flatten(2).square().sum(dim=2)
    var = spread(abar_t, stds, distance)
    D = x_t[0].numel()
    return (weights.log() - distance / (2 * var) - D / 2 * var.log()).softmax(dim=1)


def mixture_x0(x_t, abar_t, means, stds, weights):
    """Return the exact posterior mean of x_0 given x_t when the data are a known Gaussian mixture.

    E[x_0 | x_t] = sum_k p(k | x_t) ((1 - abar_t) m_k + sqrt(abar_t) std_k^2 x_t) / var_k

    Each component contributes a mean of its centre and the noisy point, weighted by their precisions; the
    components are then weighted by mixture_posterior. No network can have a smaller expected squared error.
    Arguments as in mixture_posterior. Returns (B, ...).
    Source: Bishop 2006, section 2.3.3.
    Twin: torch.distributions.MixtureSameFamily.log_prob; its gradient: (sqrt(abar_t) x_0 - x_t) / (1 - abar_t).
    """
    x, p = x_t.flatten(1), mixture_posterior(x_t, abar_t, means, stds, weights)
    abar_t = per_picture(abar_t, x)
    p = p / spread(abar_t, stds, p)
    x_0 = (1 - abar_t) * p @ means.flatten(1) + abar_t**0.5 * (p * stds**2).sum(dim=1, keepdim=True) * x
    return x_0.reshape(x_t.shape)


def dataset_x0(x_t, abar_t, data):
    """Return the exact posterior mean of x_0 when the data are these pictures and no others: a mean of them.

    E[x_0 | x_t] = sum_i p_i x_i, with p_i = softmax_i(-|x_t - sqrt(abar_t) x_i|^2 / (2 (1 - abar_t)))

    No network can have a lower training loss. But it generates nothing new: where there is little noise, the mean
    is one picture of the training set, so this is memorisation. A network that generalises has not learned this.
    x_t: (B, ...). abar_t: in [0, 1), a scalar or (B,). data: (N, ...), the rest as in x_t. Returns (B, ...).
    Source: Karras et al. 2022, appendix B.3. Twin: torch.distributions.MixtureSameFamily.log_prob.
    """
    points, equal = data.new_zeros(len(data)), data.new_ones(len(data))
    p = mixture_posterior(x_t, abar_t, data, points, equal)
    return (p @ data.flatten(1)).reshape(x_t.shape)


def spread(abar_t, stds, like):
    """Return var_k: (K,), or (B, K) if each picture has its own timestep; like: any tensor (B, K)."""
    abar_t = per_picture(abar_t, like)
    return abar_t * stds**2 + 1 - abar_t

"""The two formulas of the variational autoencoder: sampling a latent, and its KL divergence from a standard normal.

The library clips logvar to [-30, 20] before either, so that exp stays finite; so do we.
"""

__all__ = ["kl_to_unit", "sample_latent"]


def sample_latent(mean, logvar, eps):
    """Sample a latent from the encoder's distribution so that gradients flow (the reparametrisation trick).

    z = mean + exp(logvar / 2) eps

    mean, logvar, eps: (B, 4, h, w); eps is standard normal. Returns (B, 4, h, w).
    Source: Kingma and Welling 2013, section 2.4.
    Twin: diffusers.models.autoencoders.vae.DiagonalGaussianDistribution.sample.
    """
    return mean + (0.5 * logvar.clamp(-30, 20)).exp() * eps


def kl_to_unit(mean, logvar):
    """Return each picture's Kullback-Leibler divergence from N(mean, exp(logvar)) to N(0, 1), in nats.

    KL = 1/2 sum(mean^2 + exp(logvar) - 1 - logvar)

    mean, logvar: (B, 4, h, w). Returns (B,), >= 0; 0 only where mean = logvar = 0.
    Source: Kingma and Welling 2013, appendix B.
    Twin: diffusers.models.autoencoders.vae.DiagonalGaussianDistribution.kl.
    """
    logvar = logvar.clamp(-30, 20)
    return 0.5 * (mean**2 + logvar.exp() - 1.0 - logvar).sum(dim=tuple(range(1, mean.ndim)))

"""How far two sets of pictures are apart as sets: the Fréchet distance between their features."""

import torch


def frechet(a, b):
    """Squared Fréchet distance between the Gaussians that fit two sets of features.

    d^2 = |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a^(1/2) C_b C_a^(1/2))^(1/2))

    a, b: (n, d) and (m, d), n and m well above d. Returns a float, 0 for equal means and covariances.
    With InceptionV3's features this is the FID (Heusel et al. 2017); here the features are the judge's or
    LeNet's, so the number cannot be compared with published ones, only with its own floor.
    """
    a, b = a.double(), b.double()
    c_a, c_b = torch.cov(a.T), torch.cov(b.T)
    half = root(c_a)
    cross = root(half @ c_b @ half)
    return float((a.mean(0) - b.mean(0)).square().sum() + (c_a + c_b - 2 * cross).trace())


def root(matrix):
    """Square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


@torch.no_grad()
def features(judge, images):
    """The judge's features of pictures, in batches: (n, 192)."""
    device = next(judge.parameters()).device
    return torch.cat([judge.features(x.to(device)).cpu() for x in images.split(100)])

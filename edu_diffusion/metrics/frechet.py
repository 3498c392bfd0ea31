"""The Fréchet distance between the features of two sets of images."""

import torch

RESAMPLES = 50  # bootstrap samples of the images, for an interval


def frechet_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Squared Fréchet distance between the Gaussians fitted to two sets of features.

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
    """Square root of a symmetric positive semi-definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def excess(real: torch.Tensor, drawn: torch.Tensor, other: torch.Tensor, resamples: int = RESAMPLES) -> dict:
    """{value, n, low, high}: how much farther the generated images are from real ones than other real ones are; 0 is best.

    excess = frechet(real, drawn) - frechet(real, other)

    A finite sample has a distance even to its own distribution; the second term removes it. real, drawn, other: (n, d)
    features; drawn and other have the same n captions, so they are resampled together. See interval.
    """
    return interval(excesses(real, {"": drawn}, other, resamples)[""], len(drawn))


def excesses(real, drawn, other, resamples=RESAMPLES, seed=0):
    """The excess of several sets, {name: (n, d)}, over one floor: {name: (1 + resamples,)}, first that of all images,
    then of bootstrap samples, the same ones in every set.
    """
    rng, found = torch.Generator().manual_seed(seed), {name: [] for name in drawn}
    for i in range(resamples + 1):
        one, two = (torch.randint(len(x), (len(x),), generator=rng) if i else torch.arange(len(x)) for x in (real, other))
        least = frechet_distance(real[one], other[two])
        for name, x in drawn.items():
            found[name].append(frechet_distance(real[one], x[two]) - least)
    return {name: torch.tensor(values) for name, values in found.items()}


def interval(values, n):
    """{value, n, low, high} of values whose first is the estimate and the others bootstrap resamples: 1.96 standard deviations
    each way. (The resamples' own mean is biased upwards: duplicates make every sample narrower.)
    """
    middle, reach = values[0].item(), 1.96 * values[1:].std().item()
    return {"value": round(middle, 3), "n": n, "low": round(middle - reach, 3), "high": round(middle + reach, 3), "unit": "d²"}


@torch.no_grad()
def features(judge, images):
    """The judge's features of images, in batches: (n, 192), on the CPU."""
    device = next(judge.parameters()).device
    return torch.cat([judge.features(x.to(device)).cpu() for x in images.split(100)])

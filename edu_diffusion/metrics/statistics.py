"""Shares, means, differences and quantiles with their 95 % intervals."""

import math

import torch


def score(hits: torch.Tensor) -> dict:
    """{value, n, low, high}: a share with its 95 % Wilson interval. hits: (n,) booleans, or the shares of n clusters."""
    n = len(hits)
    p = hits.float().mean().item()
    z = 1.96
    middle, reach = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * reach) / (1 + z * z / n) for sign in (-1, 1))
    return {"value": round(p, 4), "n": n, "low": round(max(0.0, low), 4), "high": round(high, 4)}


def paired(before: torch.Tensor, after: torch.Tensor, unit: str | None = None) -> dict:
    """{value, n, low, high}: the mean of after - before with its 95 % interval, and its unit if it is not a share.

    before, after: (n,) booleans or numbers for the same prompts and seeds, so that only the difference counts. The
    interval is the normal one; for booleans with half a case added to each cell of the table (Agresti and Min
    2005), since otherwise no change at all would look certain.
    """
    gain = after.double().cpu() - before.double().cpu()
    half = gain.new_tensor([0.5**0.5, -(0.5**0.5)])  # the contribution of half a case each way to the sums
    seen = torch.cat([gain, half]) if before.dtype == torch.bool else gain
    middle, reach = seen.mean().item(), 1.96 * seen.var(correction=min(1, len(seen) - 1)).sqrt().item() / math.sqrt(len(seen))
    most = 1.0 if before.dtype == torch.bool else math.inf  # the largest change of a share
    score = {"value": gain.mean().item(), "n": len(gain), "low": max(-most, middle - reach), "high": min(most, middle + reach)}
    return {k: round(v, 4) for k, v in score.items()} | ({"unit": unit} if unit else {})


def mean(values: torch.Tensor, unit: str | None = None) -> dict:
    """The same for the mean of numbers, (n,)."""
    return paired(torch.zeros_like(values), values, unit)


def quantile(values, q, unit):
    """The same for a quantile of numbers, (n,): its interval is that between the corresponding order statistics."""
    n, reach = len(values), 1.96 * math.sqrt(len(values) * q * (1 - q))
    ranks = ((n * q + sign * reach) / n for sign in (-1, 1))
    low, high = (values.quantile(min(max(rank, 0.0), 1.0)).item() for rank in ranks)
    return {"value": round(values.quantile(q).item(), 4), "n": n, "low": round(low, 4), "high": round(high, 4), "unit": unit}

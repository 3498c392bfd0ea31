"""Merging checkpoints: arithmetic with the weights of models that were fine-tuned from a common one.

A state dict {name: tensor} is treated as one long vector theta. It works for models that began as the same one and did
not move far: between two models trained apart, the mean of their weights is not a model of anything.
"""

from .validate import StepError

__all__ = ["add_difference", "weighted_sum"]


def weighted_sum(a, b, weight=0.5):
    """Merge two checkpoints: every number is the weighted mean of the two.

    theta = (1 - weight) theta_a + weight theta_b

    a, b: {name: tensor} with the same names and shapes, or ValueError is raised. weight: a number; 0 is a, 1 is b.
    Returns {name: tensor}; tensors of whole numbers, such as positions, are a's.
    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", section 3. Twin: torch.lerp.
    """
    check_alike(a, b)
    return {name: (1 - weight) * a[name] + weight * b[name] if a[name].is_floating_point() else a[name] for name in a}


def add_difference(a, b, c, weight=1.0):
    """Add to a checkpoint what another one learned: its difference from the model it began as.

    theta = theta_a + weight (theta_b - theta_c)

    a, b, c: {name: tensor} with the same names and shapes, or ValueError is raised; b was fine-tuned from c.
    weight: a number; 0 is a. Returns {name: tensor}; tensors of whole numbers are a's.
    Source: Ilharco et al. 2023, "Editing models with task arithmetic", section 2.
    Twin: peft.utils.merge_utils.task_arithmetic.
    """
    check_alike(a, b)
    check_alike(a, c)
    return {name: a[name] + weight * (b[name] - c[name]) if a[name].is_floating_point() else a[name] for name in a}


def check_alike(a, b):
    """Raise ValueError unless two state dicts have the same names and shapes."""
    if single := sorted(a.keys() ^ b.keys()):
        raise StepError(f"Only one of the two checkpoints has {single[0]} ({len(single)} such tensors); merge models of one kind.")
    for name in a:
        if a[name].shape != b[name].shape:
            raise StepError(f"{name} is {tuple(a[name].shape)} in one checkpoint and {tuple(b[name].shape)} in the other; "
                            "merge models of one kind.")

"""Questions of lesson 15: what one evaluation gives, what a consistency function learns, and how few steps are sampled."""

import torch

from ..steps import eps_from_x0, hinge_discriminator, predict_x0, q_sample, velocity
from .exercise import Exercise
from .few_steps_choices import EVALUATIONS, FAST_PLOT, FIRST_ANSWER, FORGOTTEN, NEW_NOISE, NO_BOUNDARY
from .gradients import tracked


def velocity_to(z_0, z_t, abar_t):
    """The velocity at z_t with which the predicted clean latent is z_0."""
    return velocity(z_0, eps_from_x0(z_0, z_t, abar_t), abar_t)


def answer_again(z, timesteps, abar, answer, noises):
    """Answer, add new noise up to the next timestep, answer again; the last answer is the result."""
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        z = q_sample(answer(z, t), noise, abar[s])
    return answer(z, timesteps[-1])


def points():
    """Arguments (z_0, z_t, abar_t): a noisy point and a clean one; in the last case, as in training, an abar for each."""
    rng = torch.Generator().manual_seed(51)
    levels = (torch.tensor(0.2), torch.tensor(0.7), torch.tensor([0.1, 0.5, 0.9]).view(3, 1, 1, 1))
    sizes = ((2, 4, 3, 5), (3, 4, 2, 2), (3, 4, 2, 2))
    return [(*torch.randn(2, *size, generator=rng), abar_t) for size, abar_t in zip(sizes, levels)]


def answered(z, t):
    """Stands in for a distilled network: a formula that depends on the latent and on the timestep."""
    return torch.tanh(z * (1 + t / 1000)) - 0.0003 * t


def runs():
    """Arguments (z, timesteps, abar, answer, noises): a run of four evaluations and one of three."""
    rng, abar = torch.Generator().manual_seed(52), torch.linspace(1, 0.03, 1000) ** 2
    chosen = (([999, 759, 499, 259], (2, 4, 3, 5)), ([899, 599, 299], (1, 4, 2, 2)))
    return [
        (torch.randn(size, generator=rng), t, abar, answered, list(torch.randn(len(t) - 1, *size, generator=rng)))
        for t, size in chosen
    ]


def scores():
    """Arguments (real, fake): scores on both sides of both limits; in the second case most are where they should be."""
    rng = torch.Generator().manual_seed(53)
    ours = ((6, 9), 0.0), ((2, 5), 2.0)
    return [tracked(*(1.5 * torch.randn(size, generator=rng) + sign * far for sign in (1, -1))) for size, far in ours]


def looped(change):
    """A mistake in the loop: change(z, z_0, abar_t, abar_s, noise, first noise) is the next latent."""

    def mistake(z, timesteps, abar, answer, noises):
        for t, s, noise in zip(timesteps, timesteps[1:], noises):
            z = change(z, answer(z, t), abar[t], abar[s], noise, noises[0])
        return answer(z, timesteps[-1])

    return mistake


def once(z, timesteps, abar, answer, noises):
    return answer(z, timesteps[0])


def twice(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        z = answer(q_sample(answer(z, t), noise, abar[s]), s)
    return answer(z, timesteps[-1])


def noise_first(z, timesteps, abar, answer, noises):
    for s, noise in zip(timesteps[1:], noises):
        z = answer(q_sample(z, noise, abar[s]), s)
    return answer(z, timesteps[-1])


def never_evaluated_again(z, timesteps, abar, answer, noises):
    z_0 = answer(z, timesteps[0])
    for s, noise in zip(timesteps[1:], noises):
        z = q_sample(z_0, noise, abar[s])
    return answer(z, timesteps[-1])


def at_the_next_level(z, timesteps, abar, answer, noises):
    for s, noise in zip(timesteps[1:], noises):
        z = q_sample(answer(z, s), noise, abar[s])
    return answer(z, timesteps[-1])


def stopped(z, timesteps, abar, answer, noises):
    return answer(q_sample(answer(z, timesteps[0]), noises[0], abar[timesteps[1]]), timesteps[1])


def stopped_early(z, timesteps, abar, answer, noises):
    return answer(q_sample(answer(z, timesteps[0]), noises[0], abar[timesteps[1]]), timesteps[-1])


def with_the_number(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        z = q_sample(answer(z, t), noise, s / len(abar))
    return answer(z, timesteps[-1])


def with_the_timestep(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        z = q_sample(answer(z, t), noise, s)
    return answer(z, timesteps[-1])


VELOCITY_TO = Exercise(
    "velocity_to",
    velocity_to,
    points,
    (
        ("you have solved for the noise; the network of our model predicts v.", eps_from_x0),
        ("divide by what multiplies v: sqrt(1 - abar_t).", lambda z_0, z_t, abar_t: abar_t**0.5 * z_t - z_0),
        (
            "you have divided by 1 - abar_t; v is multiplied by its square root.",
            lambda z_0, z_t, abar_t: (abar_t**0.5 * z_t - z_0) / (1 - abar_t),
        ),
        (
            "the sign is reversed: bring v to one side and z_0 to the other.",
            lambda z_0, z_t, abar_t: (z_0 - abar_t**0.5 * z_t) / (1 - abar_t) ** 0.5,
        ),
        ("z_t is multiplied by the square root of abar_t.", lambda z_0, z_t, abar_t: (abar_t * z_t - z_0) / (1 - abar_t) ** 0.5),
        (
            "z_t is multiplied by sqrt(abar_t) in the formula; the factor is missing.",
            lambda z_0, z_t, abar_t: (z_t - z_0) / (1 - abar_t) ** 0.5,
        ),
        (
            "this is the formula itself, with z_0 in the place of v; solve it for v. (If you called velocity: its "
            "second argument is the noise, not z_t.)",
            lambda z_0, z_t, abar_t: abar_t**0.5 * z_t - (1 - abar_t) ** 0.5 * z_0,
        ),
        (
            "multiplying by sqrt(1 - abar_t) does not undo a multiplication by it; divide.",
            lambda z_0, z_t, abar_t: (abar_t**0.5 * z_t - z_0) * (1 - abar_t) ** 0.5,
        ),
        (
            "brackets are missing: the whole difference is divided.",
            lambda z_0, z_t, abar_t: abar_t**0.5 * z_t - z_0 / (1 - abar_t) ** 0.5,
        ),
        ("the two square roots are swapped.", lambda z_0, z_t, abar_t: ((1 - abar_t) ** 0.5 * z_t - z_0) / abar_t**0.5),
        *(
            (
                "this is the difference of z_t and z_0, and v is not that: solve the formula for v.",
                lambda z_0, z_t, abar_t, sign=sign: sign * (z_t - z_0),
            )
            for sign in (1, -1)
        ),
        (
            "the square root belongs to the whole 1 - abar_t: sqrt(1 - abar_t), not 1 - sqrt(abar_t).",
            lambda z_0, z_t, abar_t: (abar_t**0.5 * z_t - z_0) / (1 - abar_t**0.5),
        ),
        (
            "the square roots are missing: both factors in the formula are roots.",
            lambda z_0, z_t, abar_t: (abar_t * z_t - z_0) / (1 - abar_t),
        ),
    ),
    "with this target, one prediction of the network leads straight to z_0.",
)


ANSWER_AGAIN = Exercise(
    "answer_again",
    answer_again,
    runs,
    (
        ("this is the first answer alone; add noise to it, and let the model answer again.", once),
        (
            "the model is evaluated at the first timestep only; evaluate it in every step, with the latent of that step.",
            never_evaluated_again,
        ),
        ("the model gets the wrong timestep: when it is evaluated, z has the noise of t, not yet that of s.", at_the_next_level),
        (
            "this adds the noise of t, where the step began; the next latent belongs to the timestep s.",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: q_sample(z_0, noise, abar_t)),
        ),
        (
            "no noise is added: the model then gets a clean latent together with the timestep of a noisy one.",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: z_0),
        ),
        (
            "this is DDIM's step: it goes on with the noise that is in z. Here the noise is new.",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: q_sample(z_0, eps_from_x0(z_0, z, abar_t), abar_s)),
        ),
        (
            "every step adds the same noise, the first; take the noise of the step.",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: q_sample(z_0, first, abar_s)),
        ),
        (
            "the noise is added to the noisy z; add it to the answer.",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: q_sample(z, noise, abar_s)),
        ),
        (
            "the noise is added at full strength; mix it with the answer as q_sample does.",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: z_0 + noise),
        ),
        (
            "signal and noise are swapped: q_sample takes the clean latent first.",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: q_sample(noise, z_0, abar_s)),
        ),
        (
            "answer gives the clean latent already; do not take it for the noise.",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: q_sample(predict_x0(z, z_0, abar_t), noise, abar_s)),
        ),
        *(("q_sample takes the signal level abar[s], not the timestep itself.", f) for f in (with_the_number, with_the_timestep)),
        ("z never changes: what q_sample returns must become the new z.", looped(lambda z, z_0, abar_t, abar_s, noise, first: z)),
        *(("this ends after the first round: a `return` inside the loop ends the function.", f) for f in (stopped, stopped_early)),
        (
            "the square roots are missing: q_sample mixes with sqrt(abar_s) and sqrt(1 - abar_s).",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: abar_s * z_0 + (1 - abar_s) * noise),
        ),
        (
            "q_sample takes the square roots itself; give it abar[s] as it is.",
            looped(lambda z, z_0, abar_t, abar_s, noise, first: q_sample(z_0, noise, abar_s**0.5)),
        ),
        ("the other way round: first the model answers, then new noise is added to its answer.", noise_first),
        ("this answers twice in each round: after the noise, the next round answers, or the last line.", twice),
    ),
    "your loop samples a distilled model; the library's name for it is LCMScheduler.",
    lines=(
        "def my_answer_again(z, timesteps, abar, answer, noises):",
        "    for t, s, noise in zip(timesteps, timesteps[1:], noises):",
        "        z_0 = answer(z, t)",
        "        z = q_sample(z_0, noise, abar[s])",
        "    return answer(z, timesteps[-1])",
    ),
)


HINGE = Exercise(
    "hinge",
    hinge_discriminator,
    scores,
    (
        (
            "this is the loss of real images alone; that of the generated ones is missing.",
            lambda real, fake: torch.relu(1 - real).mean(),
        ),
        (
            "this is the loss of generated images alone; that of the real ones is missing.",
            lambda real, fake: torch.relu(1 + fake).mean(),
        ),
        (
            "nothing may be won beyond the limit: a term below zero counts as zero. torch.relu does that.",
            lambda real, fake: (1 - real).mean() + (1 + fake).mean(),
        ),
        (
            "nothing may be won beyond the limit: a term below zero counts as zero. torch.relu does that.",
            lambda real, fake: fake.mean() - real.mean(),
        ),
        ("this is the student's second loss; the question asks for that of the discriminator.", lambda real, fake: -fake.mean()),
        (
            "this is the logistic loss, in which every score costs something; here the cost is the distance from the limit.",
            lambda real, fake: torch.nn.functional.softplus(-real).mean() + torch.nn.functional.softplus(fake).mean(),
        ),
        (
            "the zero is a lower limit for each score; take the mean last.",
            lambda real, fake: torch.relu(1 - real.mean()) + torch.relu(1 + fake.mean()),
        ),
        (
            "real and generated are swapped: this discriminator would call the generated images real.",
            lambda real, fake: torch.relu(1 + real).mean() + torch.relu(1 - fake).mean(),
        ),
        (
            "both get the same target: generated images should score below -1.",
            lambda real, fake: torch.relu(1 - real).mean() + torch.relu(1 - fake).mean(),
        ),
        ("the limits are at zero here; they are 1 and -1.", lambda real, fake: torch.relu(-real).mean() + torch.relu(fake).mean()),
        (
            "take the means, not the sums: the loss must not grow with the number of places.",
            lambda real, fake: torch.relu(1 - real).sum() + torch.relu(1 + fake).sum(),
        ),
        (
            "take the means, not the sums: the loss must not grow with the number of places.",
            lambda real, fake: torch.relu(1 - real).sum(-1).mean() + torch.relu(1 + fake).sum(-1).mean(),
        ),
        (
            "the distance counts as it is, not squared.",
            lambda real, fake: torch.relu(1 - real).square().mean() + torch.relu(1 + fake).square().mean(),
        ),
        ("this is half of it: add both means.", lambda real, fake: (torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()) / 2),
        ("the two terms are added, not subtracted.", lambda real, fake: torch.relu(1 - real).mean() - torch.relu(1 + fake).mean()),
        (
            "a score on the right side of the limit costs nothing; here it is rewarded for being far beyond, and one on the"
            " wrong side is free. Look at the sign inside relu.",
            lambda real, fake: torch.relu(real - 1).mean() + torch.relu(-1 - fake).mean(),
        ),
        (
            "a score beyond the limit costs nothing; the absolute value makes it cost again. torch.relu does not.",
            lambda real, fake: (1 - real).abs().mean() + (1 + fake).abs().mean(),
        ),
        *(
            (
                "the limit of generated images is -1: a score above it costs its distance, fake + 1.",
                lambda real, fake, cost=cost: torch.relu(1 - real).mean() + torch.relu(cost(fake)).mean(),
            )
            for cost in (lambda fake: fake - 1, lambda fake: fake, lambda fake: -1 - fake)
        ),
        (
            "the limit of real images is 1: a score below it costs its distance, 1 - real.",
            lambda real, fake: torch.relu(real - 1).mean() + torch.relu(1 + fake).mean(),
        ),
        (
            "this is the mean of the scores that cost something; those that cost nothing count in the mean as well.",
            lambda real, fake: (1 - real)[real < 1].mean() + (1 + fake)[fake > -1].mean(),
        ),
        (
            "zero is the smallest cost here, not the largest: clamp(min=0).",
            lambda real, fake: (1 - real).clamp(max=0).mean() + (1 + fake).clamp(max=0).mean(),
        ),
        (
            "the `max` and `if` of Python need a single number, and a tensor has many; use torch.relu, or .clamp(min=0).",
            lambda real, fake: max(0, 1 - real).mean() + max(0, 1 + fake).mean(),
        ),
    ),
    "a discriminator trained with it learns from the images that it gets wrong or nearly wrong, and from no others.",
)


EXERCISES = [FIRST_ANSWER, EVALUATIONS, VELOCITY_TO, NO_BOUNDARY, ANSWER_AGAIN, FORGOTTEN, FAST_PLOT, HINGE, NEW_NOISE]

"""Lesson 15's questions: letters and numbers say what is computed, right answers in several forms, hints for wrong ones."""

import json
import math

import pytest
import torch

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, arrange, few_steps, verdict
from edu_diffusion.exercises.lines import shuffled
from edu_diffusion.models.locate import path_of
from edu_diffusion.train.few_steps import velocity_to as recipes

# ---------------------------------------------------------------- the velocity that leads to the end


def solved(z_0, z_t, abar_t):
    return (abar_t**0.5 * z_t - z_0) / (1 - abar_t) ** 0.5


def by_angle(z_0, z_t, abar_t):
    """The same with sine and cosine: abar is cos^2."""
    angle = torch.acos(abar_t.sqrt())
    return z_t / torch.tan(angle) - z_0 / torch.sin(angle)


def one_by_one(z_0, z_t, abar_t):
    levels = abar_t.expand(len(z_0), 1, 1, 1).flatten().tolist()
    return torch.stack([(math.sqrt(a) * x - y) / math.sqrt(1 - a) for x, y, a in zip(z_t, z_0, levels)])


@pytest.mark.parametrize("mine", [solved, by_angle, one_by_one, recipes])
def test_every_form_of_the_velocity_is_right(mine):
    assert verdict("velocity_to", mine).right


def test_the_velocity_leads_to_the_end():
    for z_0, z_t, abar_t in few_steps.points():
        torch.testing.assert_close(steps.x0_from_v(few_steps.velocity_to(z_0, z_t, abar_t), z_t, abar_t), z_0)


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda z_0, z_t, abar_t: z_0, "the result is z_0 itself"),
        (lambda z_0, z_t, abar_t: z_0 - z_t, "difference of z_t and z_0"),
        (lambda z_0, z_t, abar_t: z_t - z_0, "difference of z_t and z_0"),
        (lambda z_0, z_t, abar_t: (math.sqrt(abar_t) * z_t - z_0) / math.sqrt(1 - abar_t), "several numbers"),
        (lambda z_0, z_t, abar_t: (abar_t * z_t - z_0) / (1 - abar_t), "roots are missing"),
        (lambda z_0, z_t, abar_t: (abar_t.sqrt() * z_t - z_0) / (1 - abar_t.sqrt()), "not 1 - sqrt(abar_t)"),
        (lambda z_0, z_t, abar_t: -solved(z_0, z_t, abar_t), "the sign is reversed"),
        (lambda z_0, z_t, abar_t: solved(z_0, z_t, abar_t) / 2, "always 0.5 times"),
        (lambda z_0, z_t, abar_t: solved(z_t, z_0, abar_t), "z_0"),
        (lambda z_0, z_t, abar_t: solved(z_0, z_t, 1 - abar_t), "swapped"),
        (lambda z_0, z_t, abar_t: solved(z_0, z_t, abar_t)[0], "shape"),
        (lambda z_0, z_t: z_0, "positional"),
        (lambda z_0, z_t, abar_t: abar_t.sqrt() * z_t - z_0, "divide by what multiplies v"),
    ],
)
def test_a_wrong_velocity_gets_a_hint(mine, words):
    right, said = verdict("velocity_to", mine)
    assert right is False and words in said, said


# ---------------------------------------------------------------- the loop


def by_hand(z, timesteps, abar, answer, noises):
    z_0 = answer(z, timesteps[0])
    for i, s in enumerate(timesteps[1:]):
        z_0 = answer(abar[s] ** 0.5 * z_0 + (1 - abar[s]) ** 0.5 * noises[i], s)
    return z_0


def with_the_librarys_step(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        eps = steps.eps_from_x0(answer(z, t), z, abar[t])
        z = steps.lcm_step(z, eps, abar[t], abar[s], noise)
    return answer(z, timesteps[-1])


def again(z, timesteps, abar, answer, noises):
    """The same, by recursion."""
    if len(timesteps) == 1:
        return answer(z, timesteps[0])
    z = steps.q_sample(answer(z, timesteps[0]), noises[0], abar[timesteps[1]])
    return again(z, timesteps[1:], abar, answer, noises[1:])


def forgetful(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        steps.q_sample(answer(z, t), noise, abar[s])
    return answer(z, timesteps[-1])


def stopped(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        z = steps.q_sample(answer(z, t), noise, abar[s])
        return answer(z, s)


def answered_twice(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        z = answer(steps.q_sample(answer(z, t), noise, abar[s]), s)
    return answer(z, timesteps[-1])


def noise_before_answer(z, timesteps, abar, answer, noises):
    for s, noise in zip(timesteps[1:], noises):
        z = answer(steps.q_sample(z, noise, abar[s]), s)
    return answer(z, timesteps[-1])


def no_roots(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        z = abar[s] * answer(z, t) + (1 - abar[s]) * noise
    return answer(z, timesteps[-1])


def with_the_timestep(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        z = steps.q_sample(answer(z, t), noise, s)
    return answer(z, timesteps[-1])


def returned_in_the_loop(z, timesteps, abar, answer, noises):
    for t, s, noise in zip(timesteps, timesteps[1:], noises):
        z = steps.q_sample(answer(z, t), noise, abar[s])
        return answer(z, timesteps[-1])


@pytest.mark.parametrize("mine", [by_hand, with_the_librarys_step, again])
def test_every_form_of_the_loop_is_right(mine):
    assert verdict("answer_again", mine).right


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda z, timesteps, abar, answer, noises: z, "z itself"),
        (lambda z, timesteps, abar, answer, noises: by_hand(z, timesteps, abar.sqrt(), answer, noises), "square roots itself"),
        (forgetful, "z never changes"),
        (stopped, "first round"),
        (returned_in_the_loop, "first round"),
        (with_the_timestep, "not the timestep itself"),
        (answered_twice, "twice in each round"),
        (noise_before_answer, "the other way round"),
        (no_roots, "square roots are missing"),
        (lambda z, timesteps, abar, answer, noises: by_hand(z, timesteps, abar, answer, noises[::-1]), "differ"),
        (lambda z, timesteps, abar, answer, noises: by_hand(z, timesteps[:-1], abar, answer, noises), "differ"),
        (lambda z, timesteps, abar, answer, noises: -by_hand(z, timesteps, abar, answer, noises), "sign"),
        (lambda z, timesteps, abar, answer, noises: by_hand(z, timesteps, abar, answer, torch.randn(3, *z.shape)), "each time"),
        (lambda z, timesteps, abar, answer, noises: answer(z), "positional"),
    ],
)
def test_a_wrong_loop_gets_a_hint(mine, words):
    right, said = verdict("answer_again", mine)
    assert right is False and words in said, said


def test_orders_of_the_loops_lines():
    _, *body = few_steps.ANSWER_AGAIN.lines
    letter = {line.split()[0]: "ABCD"[shuffled(body, "answer_again").index(line)] for line in body}

    def judged(*order):
        return verdict("answer_again", arrange("answer_again", "".join(letter[word] for word in order))).right

    assert judged("for", "z_0", "z", "return")
    assert not judged("for", "z", "z_0", "return")


def test_the_loop_of_the_lesson_is_the_librarys():
    """As in the lesson: the same random numbers, one after the other."""
    from diffusers import LCMScheduler

    scheduler = LCMScheduler(beta_schedule="scaled_linear", prediction_type="v_prediction", timestep_spacing="trailing")
    scheduler.set_timesteps(4)
    model = lambda z, t: torch.tanh(z + t / 1000)  # noqa: E731
    answer = lambda z, t: steps.x0_from_v(model(z, t), z, scheduler.alphas_cumprod[t])  # noqa: E731
    rng = torch.Generator().manual_seed(0)
    z, *noises = (torch.randn(1, 4, 8, 8, generator=rng) for _ in range(4))
    mine = few_steps.answer_again(z, scheduler.timesteps.tolist(), scheduler.alphas_cumprod, answer, noises)
    rng = torch.Generator().manual_seed(0)
    theirs = torch.randn(1, 4, 8, 8, generator=rng)
    for t in scheduler.timesteps:
        theirs = scheduler.step(model(theirs, t), t, theirs, generator=rng).prev_sample
    torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)


# ---------------------------------------------------------------- the discriminator's loss


def clipped(real, fake):
    return (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()


def chosen(real, fake):
    cost = lambda x: torch.where(x > 0, x, torch.zeros_like(x)).sum() / x.numel()  # noqa: E731
    return cost(1 - real) + cost(1 + fake)


def as_the_library(real, fake):
    loss = torch.nn.HingeEmbeddingLoss()
    return loss(real, -torch.ones_like(real)) + loss(-fake, -torch.ones_like(fake))


@pytest.mark.parametrize("mine", [clipped, chosen, as_the_library])
def test_every_form_of_the_hinge_is_right(mine):
    assert verdict("hinge", mine).right


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda real, fake: -clipped(real, fake), "sign"),
        (lambda real, fake: 2 * clipped(real, fake), "always 2 times"),
        (lambda real, fake: torch.relu(1 - real) + torch.relu(1 + fake), "shape"),
        (lambda real, fake: real.mean() - fake.mean(), "differ"),
        (lambda real, fake: torch.nn.functional.softplus(-real).mean() + torch.nn.functional.softplus(fake).mean(), "logistic"),
        (lambda real, fake: fake.mean() - real.mean(), "below zero counts as zero"),
        (lambda real, fake: -fake.mean(), "the student's second loss"),
        (lambda real, fake: (1 - real).abs().mean() + (1 + fake).abs().mean(), "absolute value"),
        (lambda real, fake: torch.relu(1 - real).mean() + torch.relu(fake - 1).mean(), "generated images is -1"),
        (lambda real, fake: torch.relu(1 - real).mean() + torch.relu(fake).mean(), "generated images is -1"),
        (lambda real, fake: torch.relu(real - 1).mean() + torch.relu(1 + fake).mean(), "real images is 1"),
        (lambda real, fake: (1 - real)[real < 1].mean() + (1 + fake)[fake > -1].mean(), "count in the mean as well"),
        (lambda real, fake: torch.relu(1 - real).sum(1).mean() + torch.relu(1 + fake).sum(1).mean(), "not the sums"),
        (lambda real, fake: -torch.relu(real - 1).mean() - torch.relu(-1 - fake).mean(), "clamp(min=0)"),
        (lambda real, fake: max(1 - real, 0).mean() + max(1 + fake, 0).mean(), "use torch.relu"),
        (lambda real, fake: clipped(real, fake).item(), "gradient"),
        (lambda real: real.mean(), "positional"),
    ],
)
def test_a_wrong_hinge_gets_a_hint(mine, words):
    right, said = verdict("hinge", mine)
    assert right is False and words in said, said


def test_scores_lie_on_both_sides_of_both_limits():
    for real, fake in few_steps.scores():
        assert (real < 1).any() and (real > 1).any() and (fake < -1).any() and (fake > -1).any()


# ---------------------------------------------------------------- letters and numbers


def test_heun_with_guidance_is_counted():
    calls = []

    def model(x, t):
        calls.extend(["with", "without"])
        return x * 0.5

    levels = [(10 - i, 0.01 + 0.09 * i) for i in range(10)] + [(-1, 1.0)]
    list(steps.sample(model, torch.ones(1, 2), levels, steps.heun_step))
    assert len(calls) == few_steps.EVALUATIONS.right


def test_the_share_of_new_noise_is_counted():
    """From a clean latent at zero: the variances that tcd_step leaves, with the old noise alone and with the new alone."""
    abar_t, abar_s, abar_r = 0.1, 0.5, 0.8
    one, none = torch.ones(1), torch.zeros(1)
    old = steps.tcd_step((1 - abar_t) ** 0.5 * one, one, abar_t, abar_s, none, abar_r) ** 2
    new = steps.tcd_step(none, none, abar_t, abar_s, one, abar_r) ** 2
    assert float(old + new) == pytest.approx(1 - abar_s)
    assert float(new / (old + new)) == pytest.approx(few_steps.NEW_NOISE.right)


def test_the_first_answer_is_a_mean_with_little_of_its_own():
    """With the exact model of five spots: the first answers lie together in the middle, the ends at the spots."""
    x_0, ends, _ = plane()
    assert x_0.norm(dim=1).max() < 0.5 < 1 < ends.norm(dim=1).median() and few_steps.FIRST_ANSWER.right == "C"


def test_without_the_condition_all_answers_are_one():
    """A few steps of the lesson's training: without the boundary condition the answers draw together."""
    _, _, points = plane()
    spread = {}
    for boundary in (False, True):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(3, 32), torch.nn.SiLU(), torch.nn.Linear(32, 2))
        answer = lambda k, net=net, on=boundary: consistent(net, points[k], k / 20, on)  # noqa: E731
        optimiser = torch.optim.Adam(net.parameters(), 1e-2)
        for _ in range(150):
            loss = sum((answer(k) - answer(k + 1)).square().mean() for k in range(20))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        spread[boundary] = answer(0).detach().std(dim=0).mean()
    assert spread[False] < 0.05 < 0.5 < spread[True] and few_steps.NO_BOUNDARY.right == "B"


def consistent(net, x, k, boundary):
    """k: 0 at the noisy end of a trajectory, 1 at its clean end."""
    share = torch.full((len(x), 1), 1.0 - k)
    c_skip, c_out = steps.consistency_scalings(share) if boundary else (0, 1)
    return c_skip * x + c_out * net(torch.cat([x, share], dim=1))


def plane():
    """First answers, ends and all points of trajectories to five spots."""
    angles, abar = torch.arange(5) * 2 * torch.pi / 5, steps.abar(steps.scaled_linear_betas())
    means, five = 1.5 * torch.stack([angles.sin(), angles.cos()], dim=1), torch.ones(5) / 5
    exact = lambda x, t: steps.eps_from_x0(steps.mixture_x0(x, abar[t], means, 0.75 * five, five), x, abar[t])  # noqa: E731
    noise = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    states = list(steps.sample(exact, noise, steps.spaced_levels(abar, 20)))
    return states[0].x_0, states[-1].x_s, torch.stack([*(state.x_t for state in states), states[-1].x_s])


def excess():
    """{way: {evaluations: score}} of the lesson's figure: of the samplers without training the best."""
    known = json.loads((path_of("few_steps") / "metrics.json").read_text())
    ways = {
        "base": ["ddim_{}", "heun_{}", "dpmpp_2m_{}", "unipc_{}"],
        "guided": ["ddim_{}_guided", "dpmpp_2m_{}_guided", "unipc_{}_guided"],
        "lcm": ["lora_lcm_{}"],
        "tcd": ["lora_tcd06_{}"],
    }
    scores = {
        way: {n: [known[key] for k in keys if (key := f"excess_{k.format(n)}") in known] for n in (1, 2, 4, 8)}
        for way, keys in ways.items()
    }
    return {way: {n: min(s, key=lambda one: one["value"]) for n, s in of.items() if s} for way, of in scores.items()}


def overlap(a, b):
    return a["low"] < b["high"] and b["low"] < a["high"]


def test_the_figure_supports_one_sentence_of_four():
    base, guided, lcm, tcd = excess().values()
    assert not lcm[8]["value"] < lcm[4]["value"] and overlap(lcm[4], lcm[8]), "A"
    assert all(overlap(way[1], guided[4]) and abs(way[1]["value"] - guided[4]["value"]) < 0.2 for way in (lcm, tcd)), "B"
    assert all(guided[n]["low"] > base[n]["high"] or guided[n]["value"] > base[n]["value"] for n in (2, 4)), "C"
    assert guided[8]["value"] < base[8]["value"], "what the hint of C says"
    assert overlap(base[4], lcm[4]) and overlap(guided[8], tcd[8]), "D"
    assert all(way[n]["high"] < base[n]["low"] for way in (lcm, tcd) for n in (1, 2)), "what the hint of D says"
    assert few_steps.FAST_PLOT.right == "B"


def test_what_the_lesson_says_after_the_figure():
    known = json.loads((path_of("few_steps") / "metrics.json").read_text())
    assert min((known[f"excess_{way}_4"]["value"], way) for way in ("ddim", "heun", "dpmpp_2m", "unipc"))[1] == "heun"
    assert [f"{known[f'excess_{way}_4']['value']:.2f}" for way in ("heun", "lora_lcm")] == ["0.75", "0.73"]
    assert [f"{known[f'concept_{way}_4']['value']:.0%}" for way in ("heun", "lora_lcm")] == ["69%", "97%"]


def test_the_questions_are_the_lessons():
    assert set(EXERCISES) >= {e.name for e in few_steps.EXERCISES} and len(few_steps.EXERCISES) == 9

"""What a learner's answer sent back from its process: read as plain numbers, and compared here with the right results."""

import json
import math

from edu_diffusion.errors import said

LONGEST = 700  # characters of a hint


def lines(text):
    """Return {place: reply} from the lines of JSON; a place with two lines has none, since one of them is forged."""
    found, twice = {}, set()
    for line in text.splitlines():
        try:
            reply = json.loads(line)
            place = reply.pop("id")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            continue
        twice |= {place} & set(found)
        found[place] = reply
    return {place: reply for place, reply in found.items() if place not in twice}


def compared(exercise, reply, seed, vary):
    """Return the Verdict on what an answer sent back."""
    from edu_diffusion.exercises import Exercise, Verdict, verdict

    if not isinstance(reply, dict) or "fault" in reply:
        fault = str(reply["fault"]) if isinstance(reply, dict) else said("it ended Python, or took too long.")
        return Verdict(False, said("Not yet: {}", fault[:LONGEST]))
    if not isinstance(exercise, Exercise):
        value = reply.get("value")
        return verdict(exercise.name, value if type(value) in (str, int, float) else None)
    return compared_function(exercise, reply, seed, vary)


def compared_function(exercise, reply, seed, vary):
    from edu_diffusion.exercises import Verdict
    from edu_diffusion.exercises.careful import Fault
    from edu_diffusion.exercises.compare import agree
    from edu_diffusion.exercises.exercise import answers as results
    from edu_diffusion.exercises.exercise import hint
    from edu_diffusion.exercises.other_cases import other_cases

    other = exercise._replace(cases=other_cases(exercise.cases, seed, vary))
    wanted = results(other.reference, other.cases())
    try:
        found = tensors(reply.get("results"), len(wanted))
        if not agree(found, wanted):
            return Verdict(False, said("Not yet: {}", hint(other, found, wanted)[:LONGEST]))
        check_gradients(other, reply.get("reached"))
    except Fault as fault:
        return Verdict(False, said("Not yet: {}", fault))
    return Verdict(True, said("Right: {}", said(exercise.praise)))


def tensors(entries, count):
    """Return the results in a reply as tensors. Raises Fault for a reply of another form, or with another number of results."""
    import torch

    from edu_diffusion.exercises.careful import Fault

    if not isinstance(entries, list) or len(entries) != count or not all(map(is_entry, entries)):
        raise Fault(said("what it sent back is no list of results."))
    made = [torch.tensor(entry["numbers"], dtype=torch.float32).reshape(entry["shape"]) for entry in entries]
    return [x.to(torch.complex64) if entry["complex"] else x for x, entry in zip(made, entries)]


def is_entry(entry):
    """Whether an entry has a shape, a flag, and as many plain numbers as the shape says."""
    if not isinstance(entry, dict) or set(entry) != {"shape", "complex", "numbers"}:
        return False
    shape, numbers = entry["shape"], entry["numbers"]
    whole = isinstance(shape, list) and all(type(n) is int and 0 <= n < 10**6 for n in shape)
    plain = isinstance(numbers, list) and all(type(n) in (int, float) for n in numbers)
    return bool(whole and plain and math.prod(shape) == len(numbers) and type(entry["complex"]) is bool)


def check_gradients(exercise, reached):
    """Raise Fault unless gradients flow back wherever they do from the reference's results."""
    import inspect

    from edu_diffusion.exercises import gradients
    from edu_diffusion.exercises.careful import Fault

    wanted = [gradients.reached(exercise.reference(*case), case) for case in exercise.cases()]
    if not any(wanted):
        return
    if isinstance(reached, str):
        raise Fault(reached[:LONGEST])
    names = list(inspect.signature(exercise.reference).parameters)
    own = [set(places) for places in reached] if isinstance(reached, list) else [set()] * len(wanted)
    missing = [names[place] for places, found in zip(wanted, own) for place in sorted(places - found)]
    if missing:
        raise Fault(
            said("the numbers are right, but no gradient flows back to {}; leave out .item(), .detach() and no_grad.", missing[0])
        )

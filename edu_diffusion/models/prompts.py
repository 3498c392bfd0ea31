"""The school switch where a prompt becomes tokens: pipelines refuse what data/school.py lists."""

from ..data import school


def guard_prompts() -> None:
    """For a school class, make every pipeline of diffusers refuse a listed prompt with EduError; otherwise change nothing.

    A pipeline of Stable Diffusion, loaded here or made by a learner of its parts, hands its prompt and its negative prompt to
    maybe_convert_prompt before the tokenizer sees them; so do our steps. That method is wrapped once, in the class, so that
    the pipelines themselves stay the library's. Not seen are text embeddings, and a learner's own calls of the tokenizer.
    """
    from diffusers.loaders import TextualInversionLoaderMixin as Pipeline

    if not hasattr(Pipeline.maybe_convert_prompt, "__wrapped__"):
        Pipeline.maybe_convert_prompt = school.guarded(Pipeline.maybe_convert_prompt)

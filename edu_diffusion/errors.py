"""The one exception whose message is written for the user."""


class EduError(ValueError):
    """What went wrong, what is allowed and what to do, in one sentence; shown without a traceback."""

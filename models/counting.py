"""A number and what it counts, in words."""


def counted(number: int, one: str, many: str = "") -> str:
    """Say how many there are; `many` is `one` with an s where it is not given.

    >>> counted(1, "event"), counted(1_204, "event"), counted(1, "event waits", "events wait")
    ('1 event', '1,204 events', '1 event waits')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"

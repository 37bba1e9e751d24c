"""Values as bytes: pickle protocol 5, buffers out of band, and what `__main__` defines by value.

An interrupt may be raised anywhere in here.
"""

import pickle

_PLAIN = frozenset((int, float, bool, str, bytes, type(None)))


def dump(value, name):
    """[pickle, buffer, …] of a value. What cannot be sent raises TypeError and says where it is, seen from `name`."""
    if type(value) in _PLAIN:
        return [pickle.dumps(value, 5)]
    from antiphon import _functions

    return _functions.dump(value, name)


def check(value, name):
    """Raise TypeError if the value cannot be sent."""
    dump(value, name)


def load(data, buffers=()):
    """The value that `dump` gave these bytes for."""
    return pickle.loads(data, buffers=buffers)

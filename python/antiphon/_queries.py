"""Questions about the namespace, answered on the side thread: complete, inspect, check, who."""

from antiphon import _frames


def answer(kind, question, names):
    """The answer to one question, as JSON can say it."""
    if kind == _frames.WHO:
        return who(names)
    if kind == _frames.CHECK:
        from antiphon import _check

        return _check.check(question["source"])
    from antiphon import _inspect

    if kind == _frames.COMPLETE:
        return _inspect.complete(question["code"], question["cursor"], names)
    if kind == _frames.INSPECT:
        return _inspect.inspect(question["expr"], question.get("detail", 0), names)
    raise ValueError("unknown question %d" % kind)


def who(names):
    """The names user code has bound, with type and a short look at each."""
    from antiphon import _inspect

    found = []
    for name, value in sorted(names.copy().items(), key=lambda item: str(item[0])):
        if isinstance(name, str) and not name.startswith("_"):
            found.append({"name": name, "type": type(value).__name__, "summary": _inspect.summary(value)})
    return found

"""Functions and classes of `__main__` by value, so that they travel to an interpreter that does not have them.

The other side rebuilds them with this same module. A class that the other side's `__main__` has too, with the same
definition, is that side's own class, so `isinstance` holds between engines that ran the same statement. Code travels by
marshal: both sides need the same Python version, and say so clearly when they have not.
"""

import io
import marshal
import pickle
import sys
import types
import weakref
import zlib

VERSION = (sys.implementation.name, sys.version_info[:2])
_sent = weakref.WeakValueDictionary()  # identity of a class that came from elsewhere: the class
_identity = weakref.WeakKeyDictionary()
_busy = {}
# What every class gets anew, or what appears when it is first asked for (`__slotnames__`, annotations).
_skip = frozenset(
    "__dict__ __weakref__ __module__ __qualname__ __firstlineno__ __static_attributes__ __slotnames__ "
    "__annotations__ __annotations_cache__ __annotate_func__ __annotate__ __classdictcell__".split()
)


class Pickler(pickle.Pickler):
    """Pickle 5 with the definitions of `__main__` by value."""

    def reducer_override(self, thing):
        """Called by pickle for what it has no shortcut for."""
        if isinstance(thing, types.FunctionType):
            if by_value(thing):
                return reduce_function(thing)
        elif isinstance(thing, type):
            if by_value(thing):
                return reduce_class(thing)
        elif isinstance(thing, types.ModuleType):
            return import_module, (thing.__name__,)
        elif isinstance(thing, types.CellType):
            return reduce_cell(thing)
        elif isinstance(thing, types.CodeType):
            return load_code, (VERSION, marshal.dumps(thing))
        elif isinstance(thing, types.MappingProxyType):
            return make_proxy, (dict(thing),)
        elif type(thing).__module__ == "dataclasses":
            return reduce_sentinel(thing)
        elif isinstance(thing, property):
            return property, (thing.fget, thing.fset, thing.fdel, thing.__doc__)
        elif isinstance(thing, (staticmethod, classmethod)):
            return type(thing), (thing.__func__,)
        return NotImplemented


def make_proxy(names):
    """A read-only view of a dict."""
    return types.MappingProxyType(names)


def reduce_sentinel(thing):
    """Objects such as dataclasses.MISSING, which are compared by identity: by name."""
    module = sys.modules["dataclasses"]
    for name, value in module.__dict__.items():
        if value is thing:
            return getattr, (module, name)
    return NotImplemented


def by_value(thing):
    """True for what is defined in `__main__`, or cannot be found under its name (a lambda, a local function)."""
    module = getattr(thing, "__module__", None)
    if is_builtin(thing):
        return False
    if module in ("__main__", "__mp_main__", None):
        return True
    found = sys.modules.get(module)
    try:
        for part in thing.__qualname__.split("."):
            found = getattr(found, part)
    except AttributeError:
        return True
    return found is not thing and isinstance(thing, types.FunctionType)


def is_builtin(thing):
    """True for a class written in C."""
    return isinstance(thing, type) and not thing.__flags__ & 0x200


def reduce_function(function):
    """How pickle rebuilds a function: an empty one first, then its parts, so that it may refer to itself."""
    code = function.__code__
    used = {}
    for name in global_names(code):
        if name in function.__globals__:
            used[name] = function.__globals__[name]
    shell = (VERSION, marshal.dumps(code), function.__name__, len(code.co_freevars), function.__module__)
    state = {
        "globals": used,
        "closure": [contents(cell) for cell in function.__closure__ or ()],
        "defaults": function.__defaults__,
        "kwdefaults": function.__kwdefaults__,
        "qualname": function.__qualname__,
        "doc": function.__doc__,
        "dict": function.__dict__,
        "annotations": annotations_of(function),
    }
    return make_function, shell, state, None, None, fill_function


def contents(cell):
    """A cell's content in a tuple, which is empty for an empty cell."""
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def annotations_of(thing):
    """Annotations; where they cannot be evaluated, their text, as Python 3.14 can give it."""
    try:
        return dict(thing.__annotations__)
    except Exception:
        pass
    try:
        import annotationlib

        return annotationlib.get_annotations(thing, format=annotationlib.Format.STRING)
    except Exception:
        return {}


def global_names(code):
    """Names that the code, or code inside it, may look up in its globals."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(global_names(constant))
    return sorted(names)


def load_code(version, data):
    """Code from another interpreter, which must be of the same version."""
    if tuple(version[1]) != VERSION[1] or version[0] != VERSION[0]:
        raise TypeError(
            "a function made by %s %d.%d cannot run here: this is %s %d.%d"
            % (version[0], version[1][0], version[1][1], VERSION[0], VERSION[1][0], VERSION[1][1])
        )
    return marshal.loads(data)


def make_function(version, data, name, cells, module):
    """A function without its parts."""
    code = load_code(version, data)
    names = home(module)
    closure = tuple(types.CellType() for _ in range(cells)) or None
    return types.FunctionType(code, names, name, None, closure)


def home(module):
    """The globals a function from elsewhere gets: `__main__`'s, so that it sees what is defined here."""
    found = sys.modules.get("__main__" if module in (None, "__mp_main__") else module)
    return (found or sys.modules["__main__"]).__dict__


def fill_function(function, state):
    """Give a rebuilt function its parts. Globals that are here already are left as they are."""
    names = function.__globals__
    for name, value in state["globals"].items():
        names.setdefault(name, value)
    for cell, held in zip(function.__closure__ or (), state["closure"]):
        if held:
            cell.cell_contents = held[0]
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__qualname__ = state["qualname"]
    function.__doc__ = state["doc"]
    function.__dict__.update(state["dict"])
    function.__annotations__ = state["annotations"]


def reduce_cell(cell):
    """A closure's cell, which may be empty."""
    try:
        return make_cell, (), (cell.cell_contents,), None, None, fill_cell
    except ValueError:
        return make_cell, ()


def make_cell():
    """An empty cell."""
    return types.CellType()


def fill_cell(cell, contents):
    """Give a cell its content."""
    cell.cell_contents = contents[0]


def import_module(name):
    """The module of this name."""
    import importlib

    return importlib.import_module(name)


def fingerprint(kind):
    """A number that two definitions of a class share if they were made from the same text."""
    parts = [kind.__qualname__, *(base.__qualname__ for base in kind.__bases__)]
    for name in sorted(kind.__dict__):
        if name in _skip:
            continue
        value = kind.__dict__[name]
        value = getattr(value, "__func__", value)
        value = getattr(value, "fget", value)
        parts.append(name)
        if isinstance(value, types.FunctionType):
            code = value.__code__
            parts.append(repr((code.co_code, code.co_names, code.co_varnames, constants(code))))
        elif isinstance(value, (int, str, float, bytes, tuple)):
            parts.append(repr(value) if type(value) in (int, str, float, bytes) else str(len(value)))
    data = "\n".join(parts).encode("utf-8", "backslashreplace")
    return zlib.crc32(data) << 32 | zlib.adler32(data)


def constants(code):
    """The constants of a code object, with nested code by its bytes."""
    return [(c.co_code, constants(c)) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]


def reduce_class(kind):
    """How pickle rebuilds a class: the class with its bases first, then its attributes, so that it may refer to itself."""
    if is_enum(kind):
        return make_enum, enum_parts(kind)
    slots = kind.__dict__.get("__slots__")
    state = {}
    for name, value in kind.__dict__.items():
        if name in _skip or isinstance(value, types.MemberDescriptorType):
            continue
        if name == "_abc_impl" or (isinstance(value, types.GetSetDescriptorType)):
            continue
        state[name] = value
    if "__annotations__" in kind.__dict__ or "__annotate_func__" in kind.__dict__:
        # Evaluated: from Python 3.14 on they are a function that holds on to the whole body of the class.
        state["__annotations__"] = annotations_of(kind)
    mark = _identity.get(kind) or fingerprint(kind)
    shell = (type(kind), kind.__name__, kind.__bases__, kind.__qualname__, kind.__module__, slots, mark)
    return make_class, shell, state, None, None, fill_class


def is_enum(kind):
    """True for an Enum class."""
    enum = sys.modules.get("enum")
    return enum is not None and isinstance(kind, getattr(enum, "EnumMeta", ()))


def enum_parts(kind):
    """What `make_enum` needs."""
    members = {name: member.value for name, member in kind.__members__.items()}
    mark = _identity.get(kind) or zlib.crc32(repr((kind.__qualname__, sorted(members))).encode())
    rest = {
        name: value
        for name, value in kind.__dict__.items()
        if isinstance(value, (types.FunctionType, property, classmethod, staticmethod)) and not name.startswith("_")
    }
    return kind.__bases__, kind.__name__, kind.__qualname__, members, rest, mark


def make_enum(bases, name, qualname, members, rest, mark):
    """An Enum class with these members."""
    known = _known(qualname, mark, lambda kind: is_enum(kind) and mark == enum_parts(kind)[-1])
    if known is not None:
        return known
    meta = type(bases[0])
    names = meta.__prepare__(name, bases)
    for key, value in {**members, **rest}.items():
        names[key] = value
    names["__module__"], names["__qualname__"] = "__main__", qualname
    made = meta(name, bases, names)
    _sent[mark] = made
    _identity[made] = mark
    return made


def _known(qualname, mark, same):
    """The class here that is the same as one from elsewhere, or None."""
    found = _sent.get(mark)
    if found is not None:
        return found
    found = sys.modules["__main__"]
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and same(found) else None


def make_class(meta, name, bases, qualname, module, slots, mark):
    """A class without its attributes, or the one that is here already."""
    known = _known(qualname, mark, lambda kind: fingerprint(kind) == mark)
    if known is not None:
        return known
    names = {"__module__": module, "__qualname__": qualname}
    if slots is not None:
        names["__slots__"] = slots
    made = types.new_class(name, bases, {"metaclass": meta}, lambda space: space.update(names))
    _busy[made] = True
    _sent[mark] = made
    _identity[made] = mark
    return made


def fill_class(kind, state):
    """Give a class that `make_class` has just made its attributes."""
    if not _busy.pop(kind, False):
        return
    for name, value in state.items():
        if name in ("__slots__",):
            continue
        try:
            setattr(kind, name, value)
        except (AttributeError, TypeError):
            pass
    sys.modules.get("abc") and getattr(sys.modules["abc"], "update_abstractmethods", lambda kind: None)(kind)


def dump(value, name):
    """[pickle, buffer, …] of a value, or TypeError that says what cannot be sent and where it is."""
    buffers = []
    out = io.BytesIO()
    try:
        Pickler(out, 5, buffer_callback=buffers.append).dump(value)
    except KeyboardInterrupt:
        raise
    except Exception as error:
        raise TypeError(complaint(value, name, error)) from None
    raws = []
    for buffer in buffers:
        try:
            raws.append(buffer.raw())
        except BufferError:
            raws.append(memoryview(bytes(buffer)))
    return [out.getbuffer(), *raws]


def complaint(value, name, error):
    """Why a value cannot be sent: the innermost part that pickle refuses, with the way to it."""
    path, culprit = blame(value, name if name.isidentifier() else "value", [4000], 0)
    kind = type(culprit)
    where = kind.__name__ if kind.__module__ == "builtins" else kind.__module__ + "." + kind.__name__
    article = "an" if where[:1].lower() in "aeiou" else "a"
    label = repr(name) if name.isidentifier() else name
    text = "cannot send %s: %s is %s %s" % (label, path, article, where)
    reason = str(error)
    return text if "cannot pickle" in reason else "%s (%s)" % (text, reason)


def refused(value):
    """True if pickle refuses the value."""
    try:
        Pickler(io.BytesIO(), 5, buffer_callback=lambda buffer: None).dump(value)
    except Exception:
        return True
    return False


def blame(value, path, budget, depth):
    """(path, part) of the innermost part of a refused value that is refused itself."""
    if depth < 12:
        for step, part in parts_of(value):
            budget[0] -= 1
            if budget[0] < 0:
                break
            if refused(part):
                return blame(part, path + step, budget, depth + 1)
    return path, value


def parts_of(value):
    """(how to write it, part) of what a value is made of."""
    if isinstance(value, dict):
        for key, part in list(value.items()):
            yield "[%.60r]" % (key,), part
    elif isinstance(value, (list, tuple)):
        for at, part in enumerate(value):
            yield "[%d]" % at, part
    elif isinstance(value, (set, frozenset)):
        for part in value:
            yield "{…}", part
    elif isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or ()):
            try:
                yield ".<%s>" % name, cell.cell_contents
            except ValueError:
                pass
        for name in global_names(value.__code__):
            if name in value.__globals__:
                yield ".<%s>" % name, value.__globals__[name]
    elif isinstance(getattr(value, "__dict__", None), dict) and not isinstance(value, type):
        for name, part in list(value.__dict__.items()):
            yield "." + name, part

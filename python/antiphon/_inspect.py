"""Looking at the namespace without running the user's code: completion, inspection, short summaries.

Attributes are looked up in the dictionaries of objects and classes; a property, a `__getattr__` or any other descriptor
written in Python is not called. A `repr` is only taken of built-in types.
"""

import builtins
import keyword
import os
import sys

MAX_MATCHES = 1000
MAX_SUMMARY = 80
MAX_SOURCE = 1 << 20

_missing = object()
_word = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_scalar = (int, float, complex, bool, type(None), str, bytes)
_safe_descriptors = frozenset(
    ("getset_descriptor", "member_descriptor", "wrapper_descriptor", "method_descriptor", "classmethod_descriptor")
)
_callables = frozenset(("function", "method", "builtin_function_or_method", "type", "method-wrapper"))


def is_word(char):
    """True for a character a name may have."""
    return char in _word or ord(char) > 127 and (char.isalnum() or char.isidentifier())


def complete(code, cursor, names):
    """Completions of what stands before the cursor: {"matches": whole replacements, "start": where they begin}."""
    line = code[:cursor]
    begin = line.rfind("\n") + 1
    text = line[begin:]
    words = text.split()
    if words and words[0] in ("import", "from"):
        found = complete_import(text, words, names)
        if found is not None:
            return {"matches": found[0], "start": begin + found[1]}
    key = complete_key(text, names)
    if key is not None:
        return {"matches": key[0], "start": begin + key[1]}
    at = len(text)
    while at and is_word(text[at - 1]):
        at -= 1
    prefix = text[at:]
    if prefix[:1].isdigit():
        return {"matches": [], "start": cursor}
    if at and text[at - 1] == ".":
        return {"matches": attributes(dotted_before(text, at - 1), prefix, names), "start": begin + at}
    if not prefix:
        return {"matches": [], "start": cursor}
    found = {name for name in list(names) if isinstance(name, str) and name.startswith(prefix)}
    found.update(name for name in dir(builtins) if name.startswith(prefix))
    found.update(word for word in keyword.kwlist if word.startswith(prefix))
    return {"matches": shortlist(found, prefix), "start": begin + at}


def shortlist(found, prefix):
    """Sorted, without underscored names unless asked for, and not too many."""
    if not prefix.startswith("_"):
        found = (name for name in found if not name.startswith("_"))
    return sorted(found)[:MAX_MATCHES]


def dotted_before(text, dot):
    """The expression that ends at this dot, if it is made of names, dots and subscripts by literals; else ""."""
    at = dot
    while at:
        char = text[at - 1]
        if is_word(char) or char == ".":
            at -= 1
        elif char == "]":
            bracket = text.rfind("[", 0, at)
            if bracket < 0 or not is_literal(text[bracket + 1 : at - 1]):
                break
            at = bracket
        else:
            break
    return text[at:dot]


def is_literal(text):
    """True if the text is one number or one plain string."""
    return literal(text) is not _missing


def literal(text):
    """The value of a text that is one number or one plain string."""
    import ast

    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return _missing
    return value if isinstance(value, (int, str, bytes, float)) else _missing


def resolve(expression, names):
    """The object an expression of names, dots and literal subscripts means, or `_missing`; runs no user code."""
    rest, value = expression.strip(), _missing
    at = 0
    while at < len(rest) and is_word(rest[at]):
        at += 1
    name, rest = rest[:at], rest[at:]
    if not name.isidentifier():
        return _missing
    value = names.get(name, _missing)
    if value is _missing:
        value = builtins.__dict__.get(name, _missing)
    while rest and value is not _missing:
        if rest[0] == ".":
            at = 1
            while at < len(rest) and is_word(rest[at]):
                at += 1
            value, rest = static(value, rest[1:at]), rest[at:]
        elif rest[0] == "[":
            end = rest.find("]")
            key = literal(rest[1:end]) if end > 0 else _missing
            if key is _missing or type(value) not in (dict, list, tuple):
                return _missing
            try:
                value, rest = value[key], rest[end + 1 :]
            except (LookupError, TypeError):
                return _missing
        else:
            return _missing
    return value


def static(value, name):
    """The attribute, if it can be had without running the user's code."""
    kind = type(value)
    if isinstance(value, type(sys)):
        return value.__dict__.get(name, _missing)
    bases = type.__dict__["__mro__"].__get__(kind)
    for base in bases:
        found = base.__dict__.get(name, _missing)
        if found is _missing:
            continue
        called = type(found).__name__
        if called in ("function", "staticmethod", "classmethod") or called in _safe_descriptors:
            if called in _safe_descriptors and base.__flags__ & 0x200 and kind.__getattribute__ is not object.__getattribute__:
                if not isinstance(value, type):
                    return _missing
            try:
                return getattr(value, name) if called != "function" or not overrides(kind) else found
            except Exception:
                return _missing
        if hasattr(type(found), "__get__"):
            return _missing
        own = dictionary(value).get(name, _missing)
        return found if own is _missing else own
    if isinstance(value, type):
        for base in type.__dict__["__mro__"].__get__(value):
            found = base.__dict__.get(name, _missing)
            if found is not _missing:
                inner = getattr(found, "__func__", found) if isinstance(found, (staticmethod, classmethod)) else found
                return inner
        return _missing
    return dictionary(value).get(name, _missing)


def overrides(kind):
    """True if attribute access of this class runs user code."""
    return any("__getattribute__" in base.__dict__ for base in kind.__mro__ if base is not object)


def dictionary(value):
    """The object's own attributes, without going through a property."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except Exception:
        return {}
    return found if isinstance(found, dict) else {}


def attributes(expression, prefix, names):
    """The attributes of what the expression means that begin with the prefix."""
    value = resolve(expression, names) if expression else _missing
    if value is _missing:
        return []
    found = set()
    if isinstance(value, type(sys)):
        found.update(value.__dict__)
    else:
        found.update(dictionary(value))
        for base in type(value).__mro__:
            found.update(base.__dict__)
        if isinstance(value, type):
            for base in value.__mro__:
                found.update(base.__dict__)
    return shortlist((name for name in found if isinstance(name, str) and name.startswith(prefix)), prefix)


def complete_key(text, names):
    """Keys of a dict after `name["…`: (matches, start), or None if that is not what stands there."""
    quote_at = max(text.rfind("['"), text.rfind('["'))
    if quote_at < 1:
        return None
    quote, prefix = text[quote_at + 1], text[quote_at + 2 :]
    if quote in prefix:
        return None
    value = resolve(dotted_before(text, quote_at), names)
    if type(value) is not dict:
        return None
    found = [key for key in list(value) if type(key) is str and key.startswith(prefix)]
    return sorted(key + quote + "]" for key in found)[:MAX_MATCHES], quote_at + 2


def complete_import(text, words, names):
    """Modules after `import` and `from`, and names of a loaded module after `from m import`."""
    at = len(text)
    while at and (is_word(text[at - 1]) or text[at - 1] == "."):
        at -= 1
    prefix = text[at:]
    if at == 0:
        return None
    if words[0] == "from" and "import" in words[1:]:
        module = sys.modules.get(words[1])
        listed = set(module.__dict__ if module is not None else ())
        listed.update(submodules(words[1]))
        return shortlist({name for name in listed if name.startswith(prefix)}, prefix), at
    if words[0] == "from" and len(words) > 2 - (not prefix):
        return shortlist({"import"} if "import".startswith(prefix) else (), prefix), at
    package, dot, last = prefix.rpartition(".")
    listed = submodules(package) if dot else top_modules()
    return shortlist({name for name in listed if name.startswith(last)}, last), at + len(package) + len(dot)


def top_modules():
    """Names that `import` would find."""
    found = set(sys.builtin_module_names)
    found.update(getattr(sys, "stdlib_module_names", ()))
    found.update(name for name in list(sys.modules) if "." not in name)
    for folder in sys.path:
        found.update(modules_in(folder or "."))
    return found


def submodules(package):
    """The modules inside a package that is loaded already."""
    module = sys.modules.get(package)
    found = {name[len(package) + 1 :] for name in list(sys.modules) if name.startswith(package + ".")}
    for folder in list(getattr(module, "__path__", None) or ()):
        found.update(modules_in(folder))
    return {name for name in found if "." not in name}


def modules_in(folder):
    """Names of modules in a folder."""
    try:
        entries = os.listdir(folder)
    except OSError:
        return
    for entry in entries:
        name, dot, kind = entry.partition(".")
        if name.isidentifier() and (not dot or kind == "py" or kind.endswith((".so", ".pyd")) or kind == "so"):
            if dot or os.path.isdir(os.path.join(folder, entry)):
                yield name


def summary(value):
    """A few words about a value; nothing of the user's is called."""
    kind = type(value)
    if kind in _scalar:
        text = repr(value[:200] if isinstance(value, (str, bytes)) else value) if not big(value) else "a large int"
    elif kind in (list, tuple, dict, set, frozenset, bytearray):
        text = "%d item%s" % (len(value), "" if len(value) == 1 else "s")
    elif kind is type(sys):
        text = str(value.__dict__.get("__name__"))
    elif kind.__name__ == "function":
        text = value.__name__ + signature(value)
    elif isinstance(value, type):
        text = "class " + value.__name__
    elif kind.__module__ in ("numpy", "pandas.core.frame", "pandas.core.series") and hasattr(value, "shape"):
        text = "shape " + str(value.shape)
    else:
        text = ""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MAX_SUMMARY else text[: MAX_SUMMARY - 1] + "…"


def big(value):
    """True for an int whose decimal text would take long."""
    return type(value) is int and value.bit_length() > 2000


def signature(value):
    """The signature of a callable as text, or ""."""
    import inspect as library

    try:
        return str(library.signature(value))
    except Exception:
        return ""


def inspect(expression, detail, names):
    """Signature, type, documentation and, with detail 1, source of what the expression means."""
    import inspect as library

    expression = expression.strip()
    value = resolve(expression, names)
    if value is _missing:
        return {"found": False, "text": "nothing is known about %r" % expression}
    lines = []
    if callable(value):
        text = signature(value)
        if text:
            lines.append("Signature: " + getattr(value, "__name__", expression) + text)
    kind = type(value)
    lines.append("Type:      " + kind.__name__)
    text = summary(value)
    if text and not callable(value):
        lines.append("Value:     " + text)
    source = None
    try:
        where = library.getsourcefile(value) or ""
        if where:
            lines.append("File:      " + where)
        if detail:
            source = library.getsource(value)[:MAX_SOURCE]
    except Exception:
        pass
    if source is not None:
        lines.append("Source:")
        lines.append(source.rstrip("\n"))
    else:
        doc = static(value, "__doc__")
        if isinstance(doc, str) and doc.strip():
            lines.append("Doc:")
            lines.append(library.cleandoc(doc))
    return {"found": True, "text": "\n".join(lines)}

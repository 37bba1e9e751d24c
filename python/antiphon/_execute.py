"""Runs statements in the namespace: what EXECUTE, CALL, PUT, GET, RESET and BIND do.

Owns the `__main__` module and the sources of statements. Knows nothing of sockets: each function returns what a RESULT
carries, (flags, extra, segments), or raises. An interrupt may be raised anywhere in here.
"""

import _ast
import builtins
import json
import linecache
import sys

from antiphon import _script, _values

WANT_REPR, WANT_VALUE, SCRIPT = 1, 2, 4
HAS_REPR, HAS_VALUE, CUT = 2, 4, 8

ONLY_AST = 0x400  # ast.PyCF_ONLY_AST, without importing ast
TOP_LEVEL_AWAIT = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
COROUTINE = 0x80  # inspect.CO_COROUTINE
MAX_SOURCES = 2000  # statements whose source is kept for tracebacks
MAX_SOURCE_BYTES = 32 << 20

Module = type(sys)
_WORDS = ("import ", "from ", "def ", "class ", "for ", "while ", "if ", "with ", "try:", "del ", "@")
_none = (0, 0, (b"",))


def _nothing(flags):
    """What a RESULT carries for an expression that is None: it is shown as nothing, but it is a value."""
    return (HAS_VALUE, 0, [b"", *_values.dump(None, "the value")]) if flags & WANT_VALUE else _none


class Namespace:
    """The `__main__` module and what runs in it."""

    def __init__(self):
        self.module = Module("__main__")
        self.names = self.module.__dict__
        self.features = 0  # flags of `from __future__ import …`, which hold for later statements too
        self.feature_mask = future_mask()
        self.loop = None
        self.sources = {}
        self.source_bytes = 0
        sys.modules["__main__"] = self.module
        self._fill()
        for name in ("exit", "quit"):
            if not hasattr(builtins, name):
                setattr(builtins, name, Quitter(name))

    def _fill(self):
        self.names.update(
            __name__="__main__", __doc__=None, __package__=None, __loader__=None, __spec__=None, __builtins__=builtins
        )

    def prepare(self):
        """Undo what would keep the next statement from running."""
        names = self.names
        names["__builtins__"] = builtins
        names["__name__"] = "__main__"
        if "__warningregistry__" in names:
            del names["__warningregistry__"]  # it goes by line numbers, which each statement starts anew
        if sys.modules.get("__main__") is not self.module:
            sys.modules["__main__"] = self.module

    def execute(self, flags, extra, segments):
        """EXECUTE: run a statement, or a script."""
        source = str(segments[0], "utf-8")
        name = str(segments[1], "utf-8")
        if flags & SCRIPT:
            argv = json.loads(segments[2].decode("utf-8", "surrogatepass")) if len(segments) > 2 else []
            self._script(source, name, argv)
            return _none
        self.remember(name, source)
        self.prepare()
        names = self.names
        mode = "block" if "\n" in source or ";" in source else one_liner(source)
        if mode == "eval":
            try:
                code = compile(source, name, "eval", TOP_LEVEL_AWAIT | self.features, True)
            except (SyntaxError, ValueError):
                mode = "block"
        elif mode == "exec":
            code = compile(source, name, "exec", TOP_LEVEL_AWAIT | self.features, True)
            self.features |= code.co_flags & self.feature_mask
        if mode == "block":
            return self._block(flags, extra, source, name)
        value = eval(code, names)
        if code.co_flags & COROUTINE:
            value = self._await(value)
        if value is None:
            return _none if mode == "exec" else _nothing(flags)
        return self.answer(flags, extra, value)

    def _block(self, flags, extra, source, name):
        """Statements: all but a trailing expression are executed, that one is evaluated."""
        tree = compile(source, name, "exec", ONLY_AST | TOP_LEVEL_AWAIT | self.features, True)
        last = None
        if tree.body and type(tree.body[-1]).__name__ == "Expr":
            last = tree.body.pop()
        if tree.body:
            code = compile(tree, name, "exec", TOP_LEVEL_AWAIT | self.features, True)
            self.features |= code.co_flags & self.feature_mask
            done = eval(code, self.names)
            if code.co_flags & COROUTINE:
                self._await(done)
        if last is None:
            return _none
        code = compile(_ast.Expression(last.value), name, "eval", TOP_LEVEL_AWAIT | self.features, True)
        value = eval(code, self.names)
        if code.co_flags & COROUTINE:
            value = self._await(value)
        if value is None:
            return _nothing(flags)
        if ";" in source and suppressed(source, last):
            if not flags & WANT_VALUE:
                return _none
            flags &= ~WANT_REPR
        return self.answer(flags, extra, value)

    def _script(self, source, path, argv):
        """`%run`: the source as `__main__`, with sys.argv and `__file__` set while it runs."""
        source = source.lstrip("\ufeff")
        self.remember(path, source)
        self.prepare()
        code = compile(source, path, "exec", 0, True)
        _script.run(code, self.names, path, argv)

    def answer(self, flags, extra, value):
        """What a RESULT carries for this value."""
        previous = builtins.__dict__.get("_")
        if value is not None and previous is not value:
            builtins.___ = builtins.__dict__.get("__")
            builtins.__dict__["__"] = previous
            builtins._ = value
        out, full, text = 0, 0, b""
        if flags & WANT_REPR:
            if sys.displayhook is not sys.__displayhook__:
                sys.displayhook(value)
            else:
                out, full, text = shown(value, extra)
        if not flags & WANT_VALUE:
            return out, full, (text,)
        return out | HAS_VALUE, full, [text, *_values.dump(value, "the value")]

    def call(self, flags, extra, segments):
        """CALL: a pickled function, its arguments, and its value."""
        self.prepare()
        function, args, kwargs = _values.load(segments[0], segments[1:])
        value = function(*args, **kwargs)
        if value is None and not flags & WANT_VALUE:
            return _none
        out, full, text = 0, 0, b""
        if flags & WANT_REPR and value is not None:
            out, full, text = shown(value, extra)
        if not flags & WANT_VALUE:
            return out, full, (text,)
        return out | HAS_VALUE, full, [text, *_values.dump(value, "the value")]

    def put(self, flags, extra, segments):
        """PUT: bind one name to a value, or several to its items; all or none."""
        self.prepare()
        targets = json.loads(segments[0])
        for name in targets:
            if not name.isidentifier():
                raise ValueError("cannot bind %r: it is not a name" % name)
        value = _values.load(segments[1], segments[2:])
        if len(targets) == 1:
            self.names[targets[0]] = value
            return _none
        values = list(value)
        if len(values) != len(targets):
            raise ValueError("cannot unpack %d values into %d names" % (len(values), len(targets)))
        self.names.update(zip(targets, values))
        return _none

    def get(self, flags, extra, segments):
        """GET: the value of a name, or the list of the values of several."""
        wanted = json.loads(segments[0])
        for name in wanted:
            if name not in self.names:
                raise NameError("name %r is not defined" % name)
        values = [self.names[name] for name in wanted]
        if len(values) == 1:
            return HAS_VALUE, 0, [b"", *_values.dump(values[0], wanted[0])]
        for name, value in zip(wanted, values):
            _values.check(value, name)
        return HAS_VALUE, 0, [b"", *_values.dump(values, "the values")]

    def reset(self, flags, extra, segments):
        """RESET: an empty namespace. Modules stay imported, as in any Python."""
        self.names.clear()
        self._fill()
        self.features = 0
        for name in ("_", "__", "___"):
            builtins.__dict__.pop(name, None)
        sys.displayhook = sys.__displayhook__
        sys.excepthook = sys.__excepthook__
        return _none

    def bind(self, flags, extra, segments):
        """BIND: a name to the list of several values."""
        what = json.loads(segments[0])
        values, at = [], 1
        for run in what["runs"]:
            values.append(_values.load(segments[at], segments[at + 1 : at + run]))
            at += run
        self.names[what["name"]] = values
        return _none

    def remember(self, name, source):
        """Keep a statement's source, so that tracebacks, warnings and inspect can show it."""
        kept = self.sources
        self.source_bytes += len(source) - kept.pop(name, 0)
        kept[name] = len(source)
        # Each line ends in a newline, as linecache itself has it: the marks below a line are placed by that.
        lines = source.splitlines(True) if source.endswith("\n") else (source + "\n").splitlines(True)
        linecache.cache[name] = (len(source), None, lines, name)
        while len(kept) > MAX_SOURCES or (self.source_bytes > MAX_SOURCE_BYTES and len(kept) > 1):
            oldest = next(iter(kept))
            self.source_bytes -= kept.pop(oldest)
            linecache.cache.pop(oldest, None)

    def _await(self, coroutine):
        """Top-level await: one event loop serves all statements, so that tasks outlive the one that made them."""
        import asyncio

        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        task = self.loop.create_task(coroutine)
        try:
            return self.loop.run_until_complete(task)
        except BaseException:
            if not task.done():
                task.cancel()
                self.loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            raise


class Quitter:
    """`exit` and `quit` where the site module is not loaded."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return "%s() ends the statement" % self.name

    def __call__(self, code=None):
        raise SystemExit(code)


def future_mask():
    """All compiler flags that a `from __future__ import` may set."""
    import __future__

    mask = 0
    for name in __future__.all_feature_names:
        mask |= getattr(__future__, name).compiler_flag
    return mask & ~0x10 & ~0x40  # `nested_scopes` and `generators` share bits with flags of every code object


def one_liner(source):
    """How a line without semicolons is compiled: without the detour over a syntax tree if it is plain what it is."""
    if source.startswith(_WORDS):
        return "exec"
    if "=" not in source:
        return "eval"
    target, _, rest = source.partition("=")
    return "exec" if rest[:1] != "=" and target.rstrip().isidentifier() else "block"


def suppressed(source, node):
    """True if a semicolon follows the trailing expression: as in IPython, its value is then not shown."""
    line = source.splitlines()[node.end_lineno - 1]
    rest = line.encode("utf-8")[node.end_col_offset :]
    return rest.lstrip().startswith(b";")


def shown(value, limit):
    """(flags, full length, text) of a value's repr; a text longer than the limit loses its middle."""
    text = repr(value)
    full = len(text)
    out = HAS_REPR
    if limit and full > limit:
        tail = limit // 4
        text = text[: limit - tail] + " … " + (text[-tail:] if tail else "")
        out |= CUT
    else:
        full = 0
    try:
        return out, full, text.encode("utf-8")
    except UnicodeEncodeError:
        return out, full, text.encode("utf-8", "backslashreplace")

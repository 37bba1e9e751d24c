"""Is what was typed so far a whole statement, and how far should the next line be indented?

Works from the text alone: a small scanner finds open brackets and strings, the compiler decides the rest. It does not use
codeop, which not every interpreter has working.
"""

TOP_LEVEL_AWAIT = 0x2000
COMPOUND = frozenset("if for while with def class try async match @".split())
ENDING = frozenset("return pass break continue raise".split())
OPENING, CLOSING = "([{", ")]}"


class Scan:
    """What a look over the text finds: logical lines, and what is still open at its end."""

    def __init__(self, source):
        self.lines = []  # (start, end) of each logical line's text without comment
        self.open = []  # positions of open brackets
        self.string = None  # the quotes of a string that is open at the end
        self.broken = False  # a bracket closed that was not open, or a one-line string not ended
        self.continued = False  # a backslash ends the last line
        self._scan(source)

    def _scan(self, source):
        at, size, start, stop = 0, len(source), None, None
        while at < size:
            char = source[at]
            if char in "\"'":
                start = at if start is None else start
                at = stop = self._string(source, at)
                continue
            if char == "#":
                at = source.find("\n", at)
                at = size if at < 0 else at
                continue
            if char == "\\" and source[at + 1 : at + 2] in ("\n", ""):
                self.continued = at + 2 >= size
                at += 2
                continue
            if char == "\n":
                if start is not None and not self.open:
                    self.lines.append((start, stop))
                    start = None
            elif not char.isspace():
                start = at if start is None else start
                stop = at + 1
                if char in OPENING:
                    self.open.append(at)
                elif char in CLOSING:
                    if not self.open or OPENING.index(source[self.open[-1]]) != CLOSING.index(char):
                        self.broken = True
                    else:
                        self.open.pop()
            at += 1
        if start is not None:
            self.lines.append((start, stop))

    def _string(self, source, at):
        """The position after the string that starts here."""
        quote = source[at]
        triple = source[at : at + 3] == quote * 3
        end = quote * 3 if triple else quote
        at += len(end)
        while at < len(source):
            if source[at] == "\\":
                at += 2
            elif source.startswith(end, at):
                return at + len(end)
            elif source[at] == "\n" and not triple:
                self.broken = True
                return at
            else:
                at += 1
        if triple or source.endswith("\\") or source.endswith("\\\n"):
            self.string = end
        else:
            self.broken = True
        return at


def check(source):
    """{"status": "complete", "incomplete" or "invalid", "indent": …} of what was typed so far."""
    scan = Scan(source)
    status = judge(source, scan)
    return {"status": status, "indent": indent(source, scan) if status == "incomplete" else ""}


def judge(source, scan):
    """The status."""
    if scan.string:
        return "incomplete"
    if scan.broken:
        return "complete" if compiles(source) else "invalid"
    if scan.open:
        return "incomplete"
    if not scan.lines:
        return "complete"
    blank = source.endswith("\n") or not source.rpartition("\n")[2].strip()
    if scan.continued:
        return "incomplete"
    if compiles(source):
        return "incomplete" if compound(source, scan) and not blank else "complete"
    return "incomplete" if continues(source, scan) else "invalid"


def compiles(source):
    """True if the compiler takes it."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<input>", "exec", TOP_LEVEL_AWAIT, True)
    except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError):
        return False
    return True


def indent_at(source, position):
    """The white space before this position in its line."""
    line = source[source.rfind("\n", 0, position) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]


def first_word(text):
    """The word a logical line starts with; `@` for a decorator."""
    if text.startswith("@"):
        return "@"
    size = 0
    while size < len(text) and (text[size].isalnum() or text[size] == "_"):
        size += 1
    return text[:size]


def compound(source, scan):
    """True if the last statement at the outermost level may go on: it is an `if`, a `def` or the like."""
    for start, stop in reversed(scan.lines):
        if not indent_at(source, start):
            word = first_word(source[start:stop])
            return word in COMPOUND and (word != "match" or source[start:stop].endswith(":"))
    return True


def continues(source, scan):
    """True if something could follow that makes it a statement."""
    start, stop = scan.lines[-1]
    last, lead = source[start:stop], indent_at(source, start)
    body = source.rstrip()
    if last.startswith("@"):
        return compiles(body + "\n" + lead + "def f(): pass")
    if last.endswith(":"):
        for suffix in ("pass", "case _: pass"):
            for after in tails(source, scan):
                if compiles(body + "\n" + lead + "    " + suffix + after):
                    return True
        return False
    return any(compiles(body + after) for after in tails(source, scan)[1:])


def tails(source, scan):
    """Endings that close one, two, … `try` blocks still waiting for their `except`; the empty one first."""
    found, whole = [""], ""
    for start, stop in reversed(scan.lines):
        if source[start:stop].startswith("try"):
            whole += "\n" + indent_at(source, start) + "finally: pass"
            found.append(whole)
            found.append("\n" + indent_at(source, start) + "finally: pass")
    return found


def indent(source, scan):
    """White space for the next line."""
    if scan.string:
        return ""
    if scan.open:
        at = scan.open[-1]
        lead = indent_at(source, at)
        return lead + "    " if not source[at + 1 :].strip() or source[at + 1 :].lstrip(" \t").startswith("\n") else lead
    start, stop = scan.lines[-1]
    lead = indent_at(source, start)
    text = source[start:stop]
    if text.endswith(":"):
        return lead + "    "
    if first_word(text) in ENDING:
        return lead[:-4]
    return lead

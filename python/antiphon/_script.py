"""Runs a script's code in the namespace, with `sys.argv`, `sys.path` and `__file__` as a script sees them.

An interrupt is never raised in here, so what was there before is always put back.
"""

import os
import sys

ANTIPHON_GUARDED = True


def run(code, names, path, argv):
    """Run the script; afterwards sys.argv, sys.path[0] and `__file__` are as before. Its names stay in the namespace."""
    argv = [str(word) for word in argv]
    if not argv or argv[0] != path:
        argv.insert(0, path)
    argv_before, file_before = sys.argv, names.get("__file__")
    folder = os.path.dirname(os.path.abspath(path))
    first = sys.path[0] if sys.path else None
    replaced = os.path.isdir(folder)
    try:
        sys.argv = argv
        names["__file__"] = path
        if replaced:
            sys.path[:1] = [folder]
        exec(code, names)
    finally:
        sys.argv = argv_before
        if replaced and sys.path and sys.path[0] == folder:
            sys.path[:1] = [] if first is None else [first]
        if file_before is None:
            names.pop("__file__", None)
        else:
            names["__file__"] = file_before

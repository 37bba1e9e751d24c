"""Antiphon: the Python side.

Inside an engine, `antiphon.engine_id` is the engine's number and `antiphon.n_engines` says how many engines the cluster
had when this one started. Elsewhere `engine_id` is None.

This package speaks the bridge (see ARCHITECTURE.md): it runs statements in one namespace, catches what they print, and
answers questions about the namespace while they run. It opens no network connection and writes no file.
"""

__version__ = "0.1.0"

engine_id = None
"""The id of the engine this interpreter is, or None when it is not an engine."""

n_engines = 0
"""How many engines the cluster had when this engine started."""

role = None
"""`"engine"`, `"local"` (the shell's own interpreter), or None in an ordinary Python program."""

__all__ = ["engine_id", "n_engines", "role", "__version__"]


def _configure(config):
    """Take over what the host says about this interpreter."""
    global engine_id, n_engines, role
    engine_id = config.get("engine_id")
    n_engines = config.get("n_engines") or 0
    role = config.get("role") or "engine"


def _boot_main(mode, fds, config):
    """Called once by the boot text: become an interpreter, or a server that forks interpreters. Does not return."""
    if mode == "fork-server":
        from antiphon import _forkserver

        _forkserver.serve(fds[0])
    else:
        from antiphon import _bridge

        _bridge.serve(fds[0], fds[1], config)

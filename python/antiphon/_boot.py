# The text an interpreter is started with: PYTHON -c BOOT MODE FD...
# It reads Antiphon's Python side from the first descriptor into memory and hands over. Standard library only; nothing
# is written to disk. The importer keeps the sources, so that linecache can show their lines.
import os
import sys


def boot():
    """Read the files and the configuration, install the importer, and call `antiphon._boot_main`."""
    argv = sys.argv
    at = next(i for i, word in enumerate(argv) if word in ("single", "fork-server"))
    fds = [int(word) for word in argv[at + 1 :]]

    def exactly(size):
        parts = []
        while size:
            part = os.read(fds[0], min(size, 1 << 20))
            if not part:
                os._exit(1)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    import json

    package = json.loads(exactly(int.from_bytes(exactly(8), "little")))
    files = package["files"]
    Spec = type(sys.__spec__)

    class Importer:
        """Finds and loads the modules of the package `antiphon` from memory."""

        def path_of(self, name):
            stem = name.replace(".", "/")
            for path in (stem + "/__init__.py", stem + ".py"):
                if path in files:
                    return path

        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] != "antiphon":
                return None
            path = self.path_of(name)
            if path is None:
                return None
            spec = Spec(name, self, origin="<antiphon>/" + path, is_package=path.endswith("/__init__.py"))
            spec.has_location = True
            return spec

        def create_module(self, spec):
            return None

        def exec_module(self, module):
            spec = module.__spec__
            source = files[self.path_of(spec.name)]
            exec(compile(source, spec.origin, "exec", 0, True), module.__dict__)

        def get_source(self, name):
            path = self.path_of(name)
            return None if path is None else files[path]

        def is_package(self, name):
            return (self.path_of(name) or "").endswith("/__init__.py")

    sys.meta_path.insert(0, Importer())
    import antiphon

    antiphon._boot_main(argv[at], fds, package["config"])


boot()

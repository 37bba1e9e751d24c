"""Statements: values, errors, and everything user code may do to its interpreter."""

import json
import os
import tempfile
import unittest

from . import driver
from .driver import BIND, EXECUTE, GET, PUT, RESET, Interpreter


class Statements(unittest.TestCase):
    """One interpreter; each test must leave it working."""

    @classmethod
    def setUpClass(cls):
        cls.it = Interpreter()

    @classmethod
    def tearDownClass(cls):
        cls.it.close()

    def tearDown(self):
        result = self.it.run("20 + 1")
        self.assertEqual((result.repr, result.stdout, result.stderr), ("21", "", ""))

    def run_ok(self, source, **named):
        result = self.it.run(source, **named)
        self.assertFalse(result.error, getattr(result, "trace", None))
        return result

    def run_bad(self, source, kind, **named):
        result = self.it.run(source, **named)
        self.assertTrue(result.error, source)
        self.assertEqual(result.type, kind, result.trace)
        self.assertNotIn("<antiphon>", result.trace)
        return result

    def test_ready_tells_who_it_is(self):
        ready = self.it.ready
        self.assertEqual(ready["pid"], self.it.process.pid)
        self.assertRegex(ready["version"], r"^3\.\d+\.\d+$")
        self.assertIn("packages", ready)

    def test_value_of_a_trailing_expression(self):
        for source, text in [
            ("1+1", "2"),
            ("a = 5\na * 2", "10"),
            ("'ä' + \\\n 'b'", "'äb'"),
            ("(1,\n 2)", "(1, 2)"),
            ("f'{1!r}'", "'1'"),
            ("x = 1", None),
            ("None", None),
            ("", None),
            ("# nothing", None),
            ("1;", None),
            ("1; 2", "2"),
            ("3;  # quiet", None),
            ("'a;b'", "'a;b'"),
            ("x == 1", "True"),
            ("import os; os.sep", "'/'"),
            ("if True: 5", None),
            ("(y := 7)", "7"),
        ]:
            self.assertEqual(self.run_ok(source).repr, text, source)

    def test_flags_say_what_is_wanted(self):
        self.assertIsNone(self.run_ok("5", flags=0).repr)
        result = self.run_ok("[1, 2]", flags=2)
        self.assertEqual((result.flags, result.value), (4, [1, 2]))
        result = self.run_ok("{'a': 1}", flags=3)
        self.assertEqual((result.repr, result.value), ("{'a': 1}", {"a": 1}))

    def test_none_as_a_wanted_value(self):
        result = self.run_ok("None", flags=2)
        self.assertEqual((result.flags & 4, result.value), (4, None))
        self.assertEqual(self.run_ok("x = 1", flags=2).flags, 0)
        result = self.run_ok("x;", flags=3)
        self.assertEqual((result.repr, result.value), (None, 1))

    def test_last_values(self):
        self.run_ok("41")
        self.run_ok("42")
        self.assertEqual(self.run_ok("(_, __)").repr, "(42, 41)")

    def test_traceback_has_the_source_and_none_of_our_frames(self):
        trace = self.run_bad("def f():\n    return 1/0\n\nf()", "ZeroDivisionError").trace
        self.assertIn("    return 1/0\n", trace)
        self.assertTrue(trace.startswith("Traceback (most recent call last):\n  File \"<all:"), trace)
        trace = self.run_bad("f()", "ZeroDivisionError").trace
        self.assertIn("    return 1/0\n", trace)

    def test_chained_exceptions(self):
        trace = self.run_bad("try:\n    1/0\nexcept Exception as e:\n    raise KeyError('k') from e", "KeyError").trace
        self.assertIn("direct cause", trace)
        self.assertIn("ZeroDivisionError", trace)

    def test_syntax_error_has_a_caret(self):
        result = self.run_bad("x = = 1", "SyntaxError")
        self.assertIn("^", result.trace)
        self.assertNotIn("Traceback", result.trace)

    def test_exceptions_that_cannot_be_shown(self):
        self.run_bad("class E(Exception):\n    def __str__(self): return 1/0\nraise E()", "E")
        self.run_bad("class R:\n    def __repr__(self): raise RuntimeError('no')\nR()", "RuntimeError")
        self.run_bad("class N:\n    def __repr__(self): return 5\nN()", "TypeError")

    def test_recursion(self):
        trace = self.run_bad("def r(): r()\nr()", "RecursionError").trace
        self.assertLess(trace.count("\n"), 1300)

    def test_exit_ends_the_statement_only(self):
        for source in ("exit()", "quit()", "exit(0)", "import sys; sys.exit()", "raise SystemExit"):
            self.assertIsNone(self.run_ok(source).repr)
        result = self.run_bad("exit(3)", "SystemExit")
        self.assertEqual(result.facts["exit"], 3)
        result = self.run_bad("import sys; sys.exit('bye')", "SystemExit")
        self.assertEqual((result.facts["exit"], result.message), (1, "bye"))

    def test_main_is_a_real_module(self):
        self.assertEqual(self.run_ok("__name__").repr, "'__main__'")
        self.assertEqual(self.run_ok("import sys; sys.modules['__main__'].__dict__ is globals()").repr, "True")
        source = "class P: pass\nimport pickle\ntype(pickle.loads(pickle.dumps(P()))) is P"
        self.assertEqual(self.run_ok(source).repr, "True")

    def test_antiphon_knows_its_engine(self):
        self.assertEqual(self.run_ok("import antiphon; (antiphon.engine_id, antiphon.n_engines)").repr, "(3, 4)")

    def test_abuse(self):
        for source in (
            "del __builtins__",
            "__builtins__ = None",
            "import sys; del sys.modules['__main__']",
            "import sys; sys.stdin.close()",
            "del __name__",
            "import sys; sys.stderr = None",
        ):
            self.it.run(source)
            self.assertEqual(self.run_ok("len('abc')").repr, "3")

    def test_repr_limit(self):
        result = self.run_ok("'x' * 1000 + 'end'", extra=100)
        self.assertEqual((result.flags, result.extra), (2 | 8, 1005))
        self.assertTrue(result.repr.startswith("'xxx") and result.repr.endswith("xend'"))
        self.assertLess(len(result.repr), 110)
        self.assertEqual(self.run_ok("'x' * 10", extra=100).flags, 2)

    def test_large_repr(self):
        self.assertEqual(len(self.run_ok("'y' * (8 << 20)").repr), (8 << 20) + 2)

    def test_surrogates(self):
        self.assertEqual(self.run_ok("print('\\ud800')").stdout, "\\ud800\n")
        self.run_ok("class S:\n    def __repr__(self): return '\\udc80'\nS()")

    def test_top_level_await(self):
        self.assertEqual(self.run_ok("import asyncio\nawait asyncio.sleep(0, 5)").repr, "5")
        self.assertEqual(self.run_ok("await asyncio.sleep(0, 6)").repr, "6")

    def test_future_imports_hold(self):
        self.run_ok("from __future__ import annotations")
        self.assertEqual(self.run_ok("def g(a: nonsense): pass\ng.__annotations__").repr, "{'a': 'nonsense'}")
        self.it.request(RESET)

    def test_warnings_show_their_line_each_time(self):
        for _ in range(2):
            self.assertIn("careful\n  import warnings", self.run_ok("import warnings; warnings.warn('careful')").stderr)

    def test_hooks_of_user_code(self):
        self.run_ok("import sys; sys.displayhook = lambda v: print('shown', v)")
        result = self.run_ok("5")
        self.assertEqual((result.repr, result.stdout), (None, "shown 5\n"))
        self.run_ok("sys.displayhook = sys.__displayhook__")
        self.run_ok("sys.excepthook = lambda t, v, tb: print('hooked', t.__name__, file=sys.stderr)")
        self.assertEqual(self.run_bad("1/0", "ZeroDivisionError").trace, "hooked ZeroDivisionError\n")
        self.run_ok("sys.excepthook = lambda: 0")
        self.assertIn("Traceback", self.run_bad("1/0", "ZeroDivisionError").trace)
        self.run_ok("sys.excepthook = sys.__excepthook__")

    def test_put_get_bind(self):
        dump = __import__("pickle").dumps
        self.it.request(PUT, ['["p"]', dump([1, 2])])
        self.assertEqual(self.it.request(GET, ['["p"]']).value, [1, 2])
        self.it.request(PUT, ['["q", "r"]', dump((3, 4))])
        self.assertEqual(self.it.request(GET, ['["r", "q"]']).value, [4, 3])
        result = self.it.request(PUT, ['["q", "r"]', dump((9,))])
        self.assertEqual(result.type, "ValueError")
        self.assertEqual(self.run_ok("(q, r)").repr, "(3, 4)")
        self.assertEqual(self.it.request(PUT, ['["a b"]', dump(1)]).type, "ValueError")
        self.assertEqual(self.it.request(GET, ['["nowhere"]']).type, "NameError")
        what = json.dumps({"name": "b", "runs": [1, 1]})
        self.assertFalse(self.it.request(BIND, [what, dump("x"), dump("y")]).error)
        self.assertEqual(self.run_ok("b").repr, "['x', 'y']")

    def test_call(self):
        dump = __import__("pickle").dumps
        result = self.it.request(driver.CALL, [dump((max, (1, 5), {}))], flags=3)
        self.assertEqual((result.repr, result.value), ("5", 5))
        self.assertTrue(self.it.request(driver.CALL, [dump((int, ("x",), {}))]).error)

    def test_reset(self):
        self.run_ok("kept = 1")
        self.it.request(RESET)
        self.run_bad("kept", "NameError")
        self.run_ok("import antiphon")

    def test_unknown_request(self):
        self.assertTrue(self.it.request(55).error)

    def test_script(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "beside.py"), "w") as file:
                file.write("word = 'found'\n")
            path = os.path.join(folder, "main.py")
            source = "import sys, beside\nif __name__ == '__main__':\n    print(sys.argv[1:], __file__, beside.word)\nleft = 1\n5"
            ident = self.it.send(EXECUTE, [source, path, json.dumps([path, "a", "b"])], 5)
            result = self.it.result()
            self.assertEqual((result.id, result.error, result.repr), (ident, False, None))
            self.assertEqual(result.stdout, "['a', 'b'] %s found\n" % path)
        self.assertEqual(self.run_ok("left").repr, "1")
        self.run_bad("__file__", "NameError")
        self.run_ok("import sys; del sys.modules['beside']")

    def test_many_requests_at_once(self):
        idents = [self.it.send(EXECUTE, ["%d" % n, "<a>"], 1) for n in range(60)]
        answers = [self.it.result() for _ in idents]
        self.assertEqual([a.id for a in answers], idents)
        self.assertEqual([a.repr for a in answers], [str(n) for n in range(60)])

    def test_random_bytes_end_it(self):
        other = Interpreter()
        other.main.sock.sendall(b"\xff" * 64)
        other.process.wait(driver.DEADLINE)
        other.close()


class End(unittest.TestCase):
    """An interpreter never outlives its host."""

    def test_end_of_either_socket(self):
        for which in ("main", "side"):
            it = Interpreter()
            it.send(EXECUTE, ["import time\nprint('on', flush=True)\nwhile True: time.sleep(0.01)", "<a>"])
            it.next_stream()
            if which == "side":
                it.side.sock.close()
            else:
                it.main.sock.close()
                it.side.sock.close()
            it.process.wait(driver.DEADLINE)
            it.close()

    def test_end_takes_the_group(self):
        it = Interpreter()
        pid = int(it.run("import subprocess; p = subprocess.Popen(['sleep', '1000']); p.pid").repr)
        it.close()
        driver.until(lambda: not alive(pid), "the child is gone")


def alive(pid):
    """True if the process runs (and is no zombie)."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()

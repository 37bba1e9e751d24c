"""What statements print: live, whole, in order, and never able to harm the bridge."""

import itertools
import time
import unittest

from .driver import EXECUTE, STREAM, Interpreter


class Streams(unittest.TestCase):
    """One interpreter whose plain stdout and stderr are pipes."""

    def setUp(self):
        import subprocess

        self.it = Interpreter(stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def tearDown(self):
        self.assertEqual(self.it.run("20 + 1").repr, "21")
        self.it.close()

    def test_order_and_tags(self):
        result = self.it.run("import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c', end='')")
        self.assertEqual((result.stdout, result.stderr), ("a\nc", "b\n"))
        self.assertEqual({f.id for f in self.it.streams}, {1})
        self.assertEqual([flags for flags, _ in itertools.groupby(f.flags for f in self.it.streams)], [1, 2, 1])

    def test_prints_come_while_the_statement_runs(self):
        ident = self.it.send(EXECUTE, ["import time\nfor n in range(3):\n    print(n)\n    time.sleep(1)", "<a>"])
        begin = time.monotonic()
        self.assertEqual(self.it.next_stream(), "0\n")
        self.assertLess(time.monotonic() - begin, 0.9)
        self.assertEqual(self.it.result().id, ident)

    def test_fifty_megabytes(self):
        result = self.it.run("print('é' * (25 << 20))")
        self.assertEqual(len(result.stdout), (25 << 20) + 1)
        self.assertEqual(set(result.stdout), {"é", "\n"})

    def test_many_small_prints_are_put_together(self):
        result = self.it.run("for n in range(20000): print(n)")
        self.assertEqual(result.stdout, "".join("%d\n" % n for n in range(20000)))
        self.assertLess(len(self.it.streams), 200)

    def test_closed_and_replaced_streams(self):
        self.it.run("import sys, os, io")
        result = self.it.run("sys.stdout.close()\nprint('x')")
        self.assertEqual(result.type, "ValueError")
        self.assertEqual(self.it.run("print('back')").stdout, "back\n")
        self.it.run("mine = io.StringIO(); sys.stdout = mine")
        self.assertEqual(self.it.run("print('there')").stdout, "")
        self.assertEqual(self.it.run("mine.getvalue()").repr, "'there\\n'")
        self.it.run("mine.close()")
        self.assertEqual(self.it.run("print('here')").stdout, "here\n")

    def test_descriptors(self):
        for source in ("os.close(1)", "os.close(2)", "os.close(0)", "os.dup2(os.open('/dev/null', 1), 1)"):
            self.assertFalse(self.it.run("import os\n" + source).error)
            self.assertEqual(self.it.run("print('on')").stdout, "on\n")

    def test_text_interface(self):
        source = "import sys\n(sys.stdout.fileno(), sys.stderr.fileno(), sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.writable())"
        self.assertEqual(self.it.run(source).repr, "(1, 2, False, 'utf-8', True)")
        result = self.it.run("sys.stdout.buffer.write('ü'.encode()[:1]); sys.stdout.buffer.write('ü'.encode()[1:]); sys.stdout.buffer.write(b'\\xff\\n');")
        self.assertEqual(result.stdout, "ü\\xff\n")
        self.assertEqual(self.it.run("sys.stdout.write(b'x')").type, "TypeError")
        self.assertEqual(self.it.run("sys.stdout.writelines(['a', 'b'])").stdout, "ab")

    def test_input_says_why_not(self):
        for source in ("input()", "import sys; sys.stdin.read()", "next(sys.stdin)"):
            result = self.it.run(source)
            self.assertEqual(result.type, "EOFError")
            self.assertIn("input()", result.message)

    def test_threads_are_captured(self):
        result = self.it.run("import threading\nt = threading.Thread(target=print, args=('thread',)); t.start(); t.join()")
        self.assertEqual(result.stdout, "thread\n")

    def test_a_thread_prints_after_its_statement(self):
        source = "e = threading.Event()\nt = threading.Thread(target=lambda: (e.wait(), print('late'))); t.start()\ne.set()"
        self.it.run("import threading")
        self.it.run("1")
        ident = self.it.send(EXECUTE, [source, "<a>"])
        text, results = b"", 0
        while results == 0 or not text.endswith(b"\n"):
            frame = self.it.main.receive()
            self.assertEqual(frame.id, ident)
            if frame.kind == STREAM:
                text += bytes(frame.segments[0])
            else:
                results += 1
        self.assertEqual((text, results), (b"late\n", 1))

    def test_subprocess_output_goes_to_the_pipe(self):
        self.it.run("import subprocess; subprocess.run(['echo', 'from outside']);")
        self.assertEqual(self.it.process.stdout.readline(), b"from outside\n")

    def test_forked_children_stay_off_the_bridge(self):
        source = "import os\npid = os.fork()\nif not pid: print('child')\nelse: os.waitpid(pid, 0)\n'end'"
        result = self.it.run(source)
        self.assertEqual((result.repr, result.stdout), ("'end'", ""))
        self.assertEqual(self.it.process.stdout.readline(), b"child\n")
        source = "pid = os.fork()\nif not pid: 1/0\nos.waitpid(pid, 0)[1]"
        self.assertEqual(self.it.run(source).repr, "256")
        while b"ZeroDivisionError" not in self.it.process.stderr.readline():
            pass
        source = "pid = os.fork()\nif not pid: exit(7)\nos.waitpid(pid, 0)[1] >> 8"
        self.assertEqual(self.it.run(source).repr, "7")

    def test_multiprocessing(self):
        import os

        if os.environ.get("ANTIPHON_TEST_PYTHON", "").endswith("engine"):
            self.skipTest("the built-in interpreter has no multiprocessing")
        source = "import multiprocessing as m\ndef sq(x): return x * x\nwith m.get_context('fork').Pool(2) as p: r = p.map(sq, range(4))\nr"
        self.assertEqual(self.it.run(source).repr, "[0, 1, 4, 9]")

"""Engines forked from one warm interpreter."""

import json
import os
import time
import unittest

from . import driver
from .driver import EXITED, FORKED, KILL, Forked, ForkServer
from .test_execute import alive


class Forks(unittest.TestCase):
    """One server."""

    def setUp(self):
        self.server = ForkServer()
        self.engines = []

    def tearDown(self):
        for engine in self.engines:
            engine.close()
        self.server.close()

    def start(self, ident, config=None):
        engine = Forked(self.server, ident, config)
        frame = self.server.wire.receive()
        self.assertEqual((frame.kind, frame.flags, frame.id), (FORKED, 0, ident), frame)
        engine.pid = json.loads(frame.segments[0])["pid"]
        self.engines.append(engine)
        return engine

    def test_an_engine(self):
        self.assertIn("implementation", self.server.ready)
        engine = self.start(2, {"engine_id": 2, "n_engines": 3, "cwd": "/"})
        self.assertEqual(engine.expect_ready()["pid"], engine.pid)
        source = "import os, antiphon\nos.getpid(), os.getpgrp(), os.getsid(0), antiphon.engine_id, antiphon.n_engines, os.getcwd()"
        self.assertEqual(engine.run(source).repr, repr((engine.pid,) * 3 + (2, 3, "/")))
        engine.run("os.write(1, b'raw')")
        self.assertEqual(os.read(engine.pipe, 3), b"raw")

    def test_no_descriptor_of_others_is_left(self):
        first, second = self.start(0), self.start(1)
        first.expect_ready()
        second.expect_ready()
        counts = [int(e.run("import os\nlen(os.listdir('/proc/self/fd'))").repr) for e in (first, second)]
        self.assertEqual(counts[0], counts[1])

    def test_exit_and_kill_are_reported(self):
        engine = self.start(5)
        engine.expect_ready()
        engine.send(driver.EXECUTE, ["import os\nos._exit(3)", "<a>"])
        frame = self.server.wire.receive()
        self.assertEqual((frame.kind, frame.id), (EXITED, 5))
        self.assertEqual(json.loads(frame.segments[0]), {"pid": engine.pid, "status": 3 << 8})
        engine = self.start(6)
        engine.expect_ready()
        self.server.wire.send(KILL, 0, 9, 6)
        frame = self.server.wire.receive()
        self.assertEqual(json.loads(frame.segments[0]), {"pid": engine.pid, "status": 9})

    def test_all_end_with_the_server(self):
        engines = [self.start(n) for n in range(4)]
        for engine in engines:
            engine.expect_ready()
        self.server.close()
        self.assertFalse(any(alive(engine.pid) for engine in engines))

    def test_engines_do_not_outlive_a_killed_server(self):
        engine = self.start(0)
        engine.expect_ready()
        self.server.process.kill()
        self.server.process.wait()
        driver.until(lambda: not alive(engine.pid), "the engine is gone")

    def test_interrupts_work_in_a_fork(self):
        engine = self.start(0)
        engine.expect_ready()
        ident = engine.send(driver.EXECUTE, ["print('on', flush=True)\nwhile True: pass", "<a>"])
        engine.next_stream()
        engine.interrupt(ident)
        self.assertTrue(engine.result().facts["interrupted"])

    def test_many(self):
        begin = time.monotonic()
        engines = [self.start(n) for n in range(32)]
        for engine in engines:
            engine.expect_ready()
        took = time.monotonic() - begin
        for n, engine in enumerate(engines):
            self.assertEqual(engine.run("import antiphon; antiphon.engine_id").repr, str(n))
        self.assertLess(took, 10)

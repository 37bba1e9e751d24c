"""Values between interpreters that share nothing."""

import json
import unittest

from .driver import CALL, GET, PUT, Interpreter


class Values(unittest.TestCase):
    """Two interpreters; what one defines travels to the other, and back."""

    @classmethod
    def setUpClass(cls):
        cls.one, cls.two = Interpreter(), Interpreter()

    @classmethod
    def tearDownClass(cls):
        cls.one.close()
        cls.two.close()

    def carry(self, name, source=None, back=False):
        """Define on one side, send to the other."""
        here, there = (self.two, self.one) if back else (self.one, self.two)
        if source is not None:
            result = here.run(source)
            self.assertFalse(result.error, getattr(result, "trace", ""))
        result = here.request(GET, [json.dumps([name])])
        self.assertFalse(result.error, getattr(result, "trace", ""))
        result = there.request(PUT, [json.dumps([name]), *result.segments[1:]])
        self.assertFalse(result.error, getattr(result, "trace", ""))

    def there(self, source):
        result = self.two.run(source)
        self.assertFalse(result.error, getattr(result, "trace", ""))
        return result.repr

    def test_plain_values(self):
        for text in (
            "None", "True", "12345678901234567890123", "-0.0", "float('inf')", "1e300", "'a\\ud800b'", "b'\\x00\\xff'",
            "{'a': [1, {2: (3, None)}]}", "{1}", "frozenset({2})", "(1,)", "bytearray(b'x')", "3+4j", "range(3)", "...", "int",
        ):
            self.carry("v", "v = " + text)
            self.assertEqual(self.there("v"), self.one.run("v").repr, text)
        self.carry("v", "v = float('nan')")
        self.assertEqual(self.there("v"), "nan")

    def test_functions(self):
        self.carry("f", "k = 10\ndef f(a, b=2, *, c=3):\n    'doc'\n    return a + b + c + k")
        self.assertEqual(self.there("(f(1), f.__doc__, f.__name__)"), "(16, 'doc', 'f')")
        self.carry("g", "g = lambda x: x * 2")
        self.assertEqual(self.there("g(4)"), "8")
        self.carry("c", "def outer():\n    n = 5\n    def inner(x): return inner(x - 1) + n if x else 0\n    return inner\nc = outer()")
        self.assertEqual(self.there("c(3)"), "15")
        self.carry("u", "import math\ndef u(x):\n    import os\n    return [math.sqrt(y) for y in x]")
        self.assertEqual(self.there("u([4])"), "[2.0]")
        self.carry("rec", "def rec(n): return n and rec(n - 1) + 1")
        self.assertEqual(self.there("rec(5)"), "5")

    def test_globals_that_are_here_stay(self):
        self.two.run("mine = 'theirs'")
        self.carry("m", "mine, new = 'ours', 'ours'\ndef m(): return mine, new")
        self.assertEqual(self.there("m(), mine, new"), "(('theirs', 'ours'), 'theirs', 'ours')")

    def test_classes(self):
        source = (
            "class Base:\n    x = 1\n    def who(self): return type(self).__name__\n"
            "class P(Base):\n    def __init__(self, v): self.v = v\n    def __eq__(self, o): return self.v == o.v\n"
            "    @property\n    def twice(self): return self.v * 2\n    @classmethod\n    def make(cls): return cls(0)\n"
            "    @staticmethod\n    def s(): return 9\n    def up(self): return super().who()\n"
            "p = [P(3), P(4)]"
        )
        self.carry("p", source)
        self.assertEqual(self.there("(p[0].v, p[1].twice, p[0].make().v, p[0].s(), p[0].up(), type(p[0]) is type(p[1]))"), "(3, 8, 0, 9, 'P', True)")
        self.carry("p", back=True)
        self.assertEqual(self.one.run("type(p[0]) is P, p == [P(3), P(4)]").repr, "(True, True)")

    def test_same_class_on_both_sides(self):
        source = "class Q:\n    def f(self): return [x for x in (1, 2)]\nq = Q()"
        self.two.run(source)
        self.carry("q", source)
        self.assertEqual(self.there("type(q) is Q"), "True")

    def test_dataclasses_enums_named_tuples_exceptions(self):
        self.carry("d", "import dataclasses\n@dataclasses.dataclass\nclass D:\n    a: int\n    b: list = dataclasses.field(default_factory=list)\nd = D(1, [2])")
        self.assertEqual(self.there("d"), "D(a=1, b=[2])")
        self.assertEqual(self.there("import dataclasses; dataclasses.asdict(d)"), "{'a': 1, 'b': [2]}")
        self.carry("e", "import enum\nclass Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\ne = [Colour.RED, Colour.RED]")
        self.assertEqual(self.there("e[0].name, e[0] is e[1]"), "('RED', True)")
        self.carry("n", "import collections\nN = collections.namedtuple('N', 'a b')\nn = N(1, 2)")
        self.assertEqual(self.there("n"), "N(a=1, b=2)")
        self.carry("x", "class X(ValueError): pass\nx = X('m')")
        self.assertEqual(self.there("repr(x), isinstance(x, ValueError)"), "(\"X('m')\", True)")
        self.carry("s", "class S:\n    __slots__ = ('a',)\ns = S(); s.a = 5")
        self.assertEqual(self.there("s.a"), "5")

    def test_call_with_a_function_of_main(self):
        self.one.run("def h(x): return x + 1")
        result = self.one.run("(h, (4,), {})", flags=2)
        result = self.two.request(CALL, result.segments[1:], flags=3)
        self.assertEqual((result.repr, result.value), ("5", 5))

    def test_what_cannot_be_sent(self):
        self.one.run("import threading\nx = {'a': [1, 2, threading.Lock()]}")
        result = self.one.request(GET, ['["x"]'])
        self.assertEqual(result.type, "TypeError")
        self.assertIn("cannot send 'x': x['a'][2] is a _thread.lock", result.message)
        self.one.run("class H: pass\nh = H(); h.inner = {'k': open('/dev/null')}")
        result = self.one.request(GET, ['["h"]'])
        self.assertIn("h.inner['k'] is a", result.message)
        result = self.one.run("(i for i in ())", flags=2)
        self.assertIn("generator", result.message)
        result = self.one.request(GET, ['["h", "x"]'])
        self.assertEqual(result.type, "TypeError")

    def test_large_buffers(self):
        self.carry("big", "import pickle\nbig = pickle.PickleBuffer(bytearray(b'z' * (20 << 20)))")
        self.assertEqual(self.there("len(big), type(big).__name__"), "(20971520, 'bytearray')")

    def test_numpy(self):
        if self.one.run("import numpy").error:
            self.skipTest("numpy is not installed")
        self.one.run("a = numpy.arange(100000.0).reshape(100, 1000)\nlayouts = [a, a.T, a[::2, ::3], numpy.array(5), a[:0]]")
        segments = self.one.request(GET, ['["a"]']).segments
        self.assertEqual([len(s) for s in segments[2:]], [800000])
        self.assertLess(len(segments[1]), 1000)
        self.carry("layouts")
        source = "import numpy\n[(v.shape, float(v.sum()), v.flags.writeable) for v in layouts]"
        self.assertEqual(self.there(source), self.one.run(source).repr)
        self.assertEqual(self.there("layouts[0][0, 0] = 7; float(layouts[0][0, 0])"), "7.0")

    def test_pandas(self):
        if self.one.run("import pandas").error:
            self.skipTest("pandas is not installed")
        source = "pandas.DataFrame({'a': [1, 2], 'b': ['x', None], 'c': pandas.to_datetime(['2020-01-01', '2021-01-01'])}, index=['p', 'q'])"
        self.carry("f", "f = " + source)
        self.assertEqual(self.there("import pandas\npandas.testing.assert_frame_equal(f, %s)\nf.loc['p', 'a'] = 9\nint(f['a'].sum())" % source), "11")

"""Questions on the side channel, answered while a statement runs."""

import unittest

from .driver import CHECK, COMPLETE, EXECUTE, INSPECT, WHO, Interpreter

CHECKS = [
    ("1+1", "complete"), ("", "complete"), ("# c", "complete"), ("x = 'a'", "complete"), ("if x:", "incomplete"),
    ("if x:\n    pass", "incomplete"), ("if x:\n    pass\n", "complete"), ("if x: pass", "incomplete"), ("if x: pass\n", "complete"),
    ("def f():", "incomplete"), ("def f():\n    return 1\n", "complete"), ("def f():\n    return 1", "incomplete"),
    ("@d", "incomplete"), ("@d\n", "incomplete"), ("@d\ndef f():\n    pass", "incomplete"), ("@d\ndef f(): pass\n", "complete"),
    ("f(1,", "incomplete"), ("[1,\n2", "incomplete"), ("f(1,\n2)", "complete"), ("'''abc", "incomplete"), ("'''abc\n@x %y\n'''", "complete"),
    ("x = \"\"\"a\n", "incomplete"), ("'abc", "invalid"), ("x = = 1", "invalid"), (")", "invalid"), ("1 + \\", "incomplete"), ("1 + \\\n2", "complete"),
    ("try:\n    x", "incomplete"), ("try:\n    x\nexcept E:", "incomplete"), ("try:\n    x\nexcept E:\n    y\n", "complete"),
    ("for i in x:\n    if i:\n        try:\n            a", "incomplete"), ("class A:\n    x = 1\n\n    def f(self):", "incomplete"),
    ("for i in x:\n    pass\nelse:", "incomplete"), ("for i in x:\n    pass\nelse:\n    pass\n", "complete"), ("x = 1 # (", "complete"),
    ("await f()", "complete"), ("async def f():", "incomplete"), ("f'{x}'", "complete"), ("return 5 5", "invalid"), ("lambda: (", "incomplete"),
    ("if x:\npass", "invalid"), ("d = {\n  'a': 1,", "incomplete"), ("with a as b:\n    '''\n", "incomplete"), ("ä = 'ö'", "complete"),
]


class Side(unittest.TestCase):
    """One interpreter."""

    @classmethod
    def setUpClass(cls):
        cls.it = Interpreter()

    @classmethod
    def tearDownClass(cls):
        cls.it.close()

    def ask(self, kind, **question):
        flags, answer = self.it.ask(kind, **question)
        self.assertEqual(flags, 0, answer)
        return answer

    def test_check(self):
        for source, status in CHECKS:
            self.assertEqual(self.ask(CHECK, source=source)["status"], status, source)

    def test_indent(self):
        for source, indent in [
            ("if x:", 4), ("if x:\n    y = 1", 4), ("def f():\n    return 1", 0), ("def f():\n    if x:", 8), ("f(", 4), ("'''", 0),
            ("class A:\n    def f(self):\n        pass", 4), ("if x:  # why", 4),
        ]:
            self.assertEqual(self.ask(CHECK, source=source), {"status": "incomplete", "indent": " " * indent}, source)

    def test_while_busy(self):
        self.it.send(EXECUTE, ["import time\nprint('on', flush=True)\nbusy = 1\ntime.sleep(0.5)", "<a>"])
        self.it.next_stream()
        begin = self.ask(WHO)
        self.assertTrue(begin is not None)
        self.it.result()
        self.assertIn("busy", [w["name"] for w in self.ask(WHO)])

    def matches(self, code):
        answer = self.ask(COMPLETE, code=code, cursor=len(code))
        return answer["start"], answer["matches"]

    def test_complete(self):
        self.it.run("import os\ntable = {'apple': 1, 'avocado': 2, 'pear': 3}\ndef tabulate(): pass")
        self.assertEqual(self.matches("x = tab"), (4, ["table", "tabulate"]))
        self.assertIn("isdir", self.matches("os.path.isd")[1])
        self.assertEqual(self.matches("os.path.isd")[0], 8)
        self.assertEqual(self.matches("''.splitl")[1], [])
        self.assertEqual(self.matches("table.ke")[1], ["keys"])
        self.assertEqual(self.matches("table['a"), (7, ["apple']", "avocado']"]))
        self.assertIn("json", self.matches("import js")[1])
        self.assertIn("isdir", self.matches("from os.path import isd")[1])
        self.assertIn("while", self.matches("whi")[1])
        self.assertEqual(self.matches("a = 1\nb = table.ke")[1], ["keys"])

    def test_properties_are_not_called(self):
        self.it.run("hits = []\nclass T:\n    @property\n    def p(self): hits.append(1); return 'x'\n    def __getattr__(self, n): hits.append(n); return 1\n    def __repr__(self): hits.append('r'); return 'T'\nt = T(); t.own = 'abc'")
        self.assertIn("p", self.matches("t.")[1])
        self.assertIn("own", self.matches("t.o")[1])
        self.assertEqual(self.matches("t.p.up")[1], [])
        self.assertEqual(self.matches("t.own.up")[1], ["upper"])
        self.ask(WHO)
        self.ask(INSPECT, expr="t", detail=0)
        self.ask(INSPECT, expr="t.p", detail=0)
        self.assertEqual(self.it.run("hits").repr, "[]")

    def test_inspect(self):
        self.it.run("def area(w, h=2):\n    'The area.'\n    return w * h")
        text = self.ask(INSPECT, expr="area", detail=0)["text"]
        self.assertIn("area(w, h=2)", text)
        self.assertIn("The area.", text)
        self.assertIn("return w * h", self.ask(INSPECT, expr="area", detail=1)["text"])
        self.assertFalse(self.ask(INSPECT, expr="nowhere.at_all", detail=0)["found"])
        self.assertIn("len(obj", self.ask(INSPECT, expr="len", detail=0)["text"])

    def test_who(self):
        self.it.run("import json\nnumber = 5\n_hidden = 1")
        found = {w["name"]: w for w in self.ask(WHO)}
        self.assertEqual(found["number"], {"name": "number", "type": "int", "summary": "5"})
        self.assertEqual(found["json"]["type"], "module")
        self.assertNotIn("_hidden", found)

    def test_a_bad_question(self):
        self.assertEqual(self.it.ask(CHECK)[0], 1)
        self.assertEqual(self.it.ask(79)[0], 1)

//! What people type: every statement does what a user would want, and the next one works.

use crate::common::*;

each_python! {
    fn blocks_of_all_kinds(home, python) {
        let text = r#"
def double(x):
    """Twice."""

    return x * 2

import functools
@functools.lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

class Point:
    def __init__(self, x):
        self.x = x

    def __repr__(self):
        return f"Point({self.x})"

text = """
@0 not a target
%target not a magic
"""
for i in range(3):
    last = i
else:
    last = 'done'

double(4)
fib(50)
Point(3)
len(text.splitlines())
last
ü = 'ß→€😀'
ü
if True:
    pass
elif False:
    pass
else:
    pass
(1 +
 2)
"#;
        let wanted = "[8, 8]\n[12586269025, 12586269025]\n[Point(3), Point(3)]\n[3, 3]\n['done', 'done']\n['ß→€😀', 'ß→€😀']\n[3, 3]\n";
        script(home, python, 2, text).expect(0, wanted);
    }

    fn a_large_result_arrives_whole(home, python) {
        let finished = script(home, python, 1, "'x' * 8_000_000\n1\n");
        assert_eq!(finished.status, Some(0), "{}", finished.stderr);
        assert_eq!(finished.stdout.len(), 8_000_000 + "['']\n[1]\n".len());
    }

    fn a_repr_that_raises_is_reported(home, python) {
        let text = "class Bad:\n    def __repr__(self):\n        raise ValueError('no repr today')\n\nBad()\n'alive'\n";
        let finished = home.run(["--python", python, "-n", "2", "--keep-going"], text);
        finished.expect_error(1, &["ValueError: no repr today"]);
        assert_eq!(finished.stdout, "['alive', 'alive']\n", "{finished:#?}");
    }

    fn endless_recursion_ends_in_an_error(home, python) {
        let text = "def f():\n    return f()\n\nf()\n'alive'\n";
        let finished = home.run(["--python", python, "-n", "2", "--keep-going"], text);
        finished.expect_error(1, &["RecursionError"]);
        assert_eq!(finished.stdout, "['alive', 'alive']\n", "{finished:#?}");
    }

    fn exit_ends_only_the_statement(home, python) {
        script(home, python, 2, "exit()\n5\n").expect(0, "[5, 5]\n");
    }

    fn closing_the_streams_does_no_harm(home, python) {
        let text = "import sys, os\nsys.stdout.close()\nprint('again')\nos.close(1)\nos.close(2)\nprint('and again')\n3\n";
        let finished = home.run(["--python", python, "-n", "1", "--keep-going"], text);
        assert!(finished.stdout.ends_with("[0] and again\n[3]\n"), "{finished:#?}");
    }

    fn much_output_arrives_whole(home, python) {
        let finished = script(home, python, 1, "for i in range(500_000):\n    print('x' * 99)\n\n'end'\n");
        assert_eq!(finished.status, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.ends_with("['end']\n"));
        assert_eq!(finished.stdout.matches('x').count(), 99 * 500_000);
        assert_eq!(finished.stdout.lines().count(), 500_001);
    }

    fn engines_know_who_they_are(home, python) {
        script(home, python, 3, "import antiphon\nantiphon.engine_id, antiphon.n_engines\n__name__\n")
            .expect(0, "[(0, 3), (1, 3), (2, 3)]\n['__main__', '__main__', '__main__']\n");
    }

    fn input_is_refused_in_words(home, python) {
        let finished = home.run(["--python", python, "-n", "1", "--keep-going"], "input('name? ')\n1\n");
        finished.expect_error(1, &["EOFError", "input"]);
        assert!(finished.stdout.ends_with("[1]\n"), "{finished:#?}");
    }

    fn a_syntax_error_shows_where(home, python) {
        let finished = home.run(["--python", python, "-n", "3", "--keep-going"], "x = = 1\n2\n");
        finished.expect_error(1, &["engine[0-2] (3): SyntaxError", "x = = 1"]);
        assert_eq!(finished.stdout, "[2, 2, 2]\n", "{finished:#?}");
    }

    fn the_last_value_has_a_name(home, python) {
        script(home, python, 2, "6 * 7\n_ + 1\n").expect(0, "[42, 42]\n[43, 43]\n");
    }
}

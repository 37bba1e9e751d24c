//! Scripts on standard input: answers, targets, errors, exit statuses.

use crate::common::*;

each_python! {
    fn a_script_prints_one_list(home, python) {
        script(home, python, 4, "x = 21\nx * 2\n").expect(0, "[42, 42, 42, 42]\n");
    }

    fn targets_choose_engines(home, python) {
        let text = "%target 0,2\nimport os; os.getpid()\n@3 os = 1\n@all engine = __import__('antiphon').engine_id\n@all engine\n@!1 engine\n@-1 engine\n@::2 engine\n";
        let finished = script(home, python, 4, text);
        let lines: Vec<&str> = finished.stdout.lines().collect();
        let pids: Vec<&str> = lines[0].trim_matches(['[', ']']).split(", ").collect();
        assert!(pids.len() == 2 && pids[0] != pids[1], "{finished:#?}");
        assert_eq!(lines[1..], ["[0, 1, 2, 3]", "[0, 2, 3]", "[3]", "[0, 2]"], "{finished:#?}");
        assert_eq!(finished.status, Some(0), "{finished:#?}");
    }

    fn an_error_is_shown_once_with_its_line_and_ends_the_script(home, python) {
        let finished = script(home, python, 4, "x = 1\n@3 1/0\nprint('not reached')\n");
        finished.expect_error(1, &["engine[3]", "ZeroDivisionError", "1/0"]);
        assert_eq!(finished.stderr.matches("ZeroDivisionError").count(), 1, "{finished:#?}");
        assert_eq!(finished.stdout, "", "{finished:#?}");
    }

    fn the_same_error_on_all_is_shown_once(home, python) {
        let finished = script(home, python, 4, "def f(x):\n    return x / 0\n\nf(5)\n");
        finished.expect_error(1, &["engine[0-3] (4): ZeroDivisionError", "return x / 0"]);
        assert_eq!(finished.stderr.matches("return x / 0").count(), 1, "{finished:#?}");
    }

    fn a_wrong_target_is_refused_with_a_hint(home, python) {
        let finished = script(home, python, 4, "@9 1\n");
        finished.expect_error(2, &["engine 9 is not in this cluster (0-3)", "hint:"]);
        let finished = home.run(["--python", python, "-n", "4", "--keep-going"], "x = 5\n@9 x = 6\nx\n");
        assert_eq!((finished.status, finished.stdout.as_str()), (Some(2), "[5, 5, 5, 5]\n"), "{finished:#?}");
    }

    fn keep_going_goes_on_and_keeps_the_status(home, python) {
        let finished = home.run(["--python", python, "-n", "2", "--keep-going"], "1/0\n7\n");
        assert_eq!((finished.status, finished.stdout.as_str()), (Some(1), "[7, 7]\n"), "{finished:#?}");
    }

    fn answers_are_bound_in_the_local_namespace(home, python) {
        let text = "y = @all __import__('antiphon').engine_id * 10\n@local sum(y)\n%target local\ny[3] + 1\n";
        script(home, python, 4, text).expect(0, "60\n31\n");
    }

    fn output_carries_its_engine(home, python) {
        let finished = script(home, python, 2, "@1 print('hello')\n");
        finished.expect(0, "[1] hello\n");
    }

    fn output_to_stderr_goes_to_stderr(home, python) {
        let finished = script(home, python, 2, "import sys\n@1 print('oops', file=sys.stderr)\n");
        finished.expect(0, "");
        assert_eq!(finished.stderr, "[1] oops\n", "{finished:#?}");
    }

    fn subprocesses_and_descriptors_are_captured(home, python) {
        let text = "import os\n@0 _ = os.system('echo from a child')\n@1 _ = os.write(1, b'raw\\n')\n";
        let finished = script(home, python, 2, text);
        assert_eq!(finished.stdout, "[0] from a child\n[1] raw\n", "{finished:#?}");
    }
}

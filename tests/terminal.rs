//! The shell on a terminal, as a person has it.

use crate::common::*;
use antiphon_testkit::terminal::{CTRL_C, CTRL_D, Terminal};

fn shell(home: &Home, python: &str) -> Terminal {
    Terminal::start(home, ["--python", python, "-n", "4"])
}

#[track_caller]
fn leave(mut terminal: Terminal, prompt: &str) {
    terminal.wait_for(prompt);
    terminal.keys(CTRL_D);
    assert_eq!(terminal.finish(), Some(0));
}

each_python! {
    fn a_statement_is_answered_and_ctrl_d_leaves(home, python) {
        let mut terminal = shell(home, python);
        terminal.line("[all] In [1]: ", "x = 21");
        terminal.line("[all] In [2]: ", "x * 2");
        terminal.wait_for("Out[2]: [42, 42, 42, 42]");
        leave(terminal, "[all] In [3]: ");
    }

    fn ctrl_c_interrupts_what_runs(home, python) {
        let mut terminal = shell(home, python);
        terminal.line("In [1]: ", "while True: pass");
        terminal.line("...: ", "");
        terminal.wait_for("running for 1 s on 4 of 4: engine[0-3]");
        terminal.keys(CTRL_C);
        terminal.wait_for("engine[0-3] (4): KeyboardInterrupt");
        terminal.line("In [2]: ", "import time; time.sleep(100)");
        terminal.wait_for("running for 1 s on 4 of 4: engine[0-3]");
        terminal.keys(CTRL_C);
        terminal.wait_for("engine[0-3] (4): KeyboardInterrupt");
        terminal.line("In [3]: ", "40 + 2");
        terminal.wait_for("Out[3]: [42, 42, 42, 42]");
        leave(terminal, "In [4]: ");
    }

    fn a_block_is_indented_and_ends_with_a_blank_line(home, python) {
        let mut terminal = shell(home, python);
        terminal.line("In [1]: ", "def f(x):");
        terminal.line("...:     ", "y = x * 2");
        terminal.line("...:     ", "return y");
        terminal.line("...: ", "");
        terminal.line("In [2]: ", "f(21)");
        terminal.wait_for("Out[2]: [42, 42, 42, 42]");
        leave(terminal, "In [3]: ");
    }
}

/// What does not depend on the interpreter is tried with one.
fn with_cpython(body: impl FnOnce(&Home, Terminal)) {
    let Some(python) = cpython() else { return };
    let home = home();
    let terminal = shell(&home, &python);
    body(&home, terminal);
    home.assert_nothing_left();
}

#[test]
fn a_death_is_told_above_the_prompt() {
    with_cpython(|_, mut terminal| {
        terminal.line("In [1]: ", "import os; os.getpid()");
        terminal.wait_for("Out[1]: [");
        terminal.wait_for("In [2]: ");
        let shown = terminal.text();
        let list = shown.rsplit("Out[1]: [").next().unwrap().split(']').next().unwrap();
        let pids: Vec<u32> = list.split(", ").map(|pid| pid.parse().unwrap()).collect();
        terminal.keys("'a' + ");
        kill(pids[2], Signal::KILL);
        terminal.wait_for("engine 2 is gone: killed by signal 9 (SIGKILL)");
        terminal.wait_for("engine 2 is up again");
        terminal.wait_for("In [2]: 'a' + ");
        terminal.keys("'b'\r");
        terminal.wait_for("Out[2]: ['ab', 'ab', 'ab', 'ab']");
        leave(terminal, "In [3]: ");
    });
}

#[test]
fn losses_that_an_answer_told_are_not_told_again() {
    with_cpython(|_, mut terminal| {
        terminal.line("In [1]: ", "import os; os.kill(os.getpid(), 9)");
        terminal.wait_for("engine[0-3] (4): lost while it ran this: killed by signal 9 (SIGKILL)");
        terminal.wait_for("up again, with an empty namespace");
        terminal.keys("1 + 1\r");
        terminal.wait_for("Out[2]: [2, 2, 2, 2]");
        assert!(!terminal.text().contains("gone"), "{}", terminal.text());
        leave(terminal, "In [3]: ");
    });
}

#[test]
fn ctrl_c_at_the_prompt_clears_the_line() {
    with_cpython(|_, mut terminal| {
        terminal.wait_for("In [1]: ");
        terminal.keys("1/0");
        terminal.wait_for("1/0");
        terminal.keys(CTRL_C);
        terminal.line("In [1]: ", "6 * 7");
        terminal.wait_for("Out[1]: [42, 42, 42, 42]");
        assert!(!terminal.text().contains("ZeroDivisionError"), "{}", terminal.text());
        leave(terminal, "In [2]: ");
    });
}

#[test]
fn a_stubborn_statement_is_left_in_the_background() {
    with_cpython(|_, mut terminal| {
        let stubborn =
            "exec('import time\\nwhile True:\\n try: time.sleep(1)\\n except KeyboardInterrupt: pass')";
        terminal.line("In [1]: ", &format!("@0 {stubborn}"));
        terminal.wait_for("running for 1 s");
        terminal.keys(CTRL_C);
        terminal.wait_for("engine[0] has not stopped yet");
        terminal.keys(CTRL_C);
        terminal.wait_for("statement 1 is left running in the background on engine[0]");
        terminal.line("In [2]: ", "@1-3 6 * 7");
        terminal.wait_for("Out[2]: [42, 42, 42]");
        leave(terminal, "In [3]: ");
    });
}

#[test]
fn a_closed_window_leaves_nothing() {
    with_cpython(|home, mut terminal| {
        terminal.line("In [1]: ", "import time; time.sleep(100)");
        terminal.wait_for("running for 1 s");
        terminal.hang_up();
        home.assert_nothing_left();
    });
}

#[test]
fn a_shell_is_left_by_the_words_people_use() {
    for word in ["exit", "quit()"] {
        with_cpython(|_, mut terminal| {
            terminal.line("In [1]: ", "@0 exit()");
            terminal.line("In [2]: ", word);
            assert_eq!(terminal.finish(), Some(0));
        });
    }
}

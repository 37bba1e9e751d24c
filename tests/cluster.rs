//! Clusters in the background, many engines, the small commands.

use crate::common::*;

each_python! {
    fn up_exec_status_down(home, python) {
        let up = home.run(["up", "-n", "3", "--python", python], "");
        assert_eq!(up.status, Some(0), "{up:#?}");
        home.run(["exec", "x = 5"], "").expect(0, "");
        home.run(["exec", "-t", "1-2", "x * 2"], "").expect(0, "[10, 10]\n");
        home.run(Vec::<&str>::new(), "x + 1\n").expect(0, "[6, 6, 6]\n");
        let status = home.run(["status", "--json"], "");
        let json: serde_json::Value = serde_json::from_str(&status.stdout).expect("status --json prints JSON");
        assert_eq!(json["clusters"][0]["engines"].as_array().map(Vec::len), Some(3), "{status:#?}");
        home.run(["exec", "1/0"], "").expect_error(1, &["engine[0-2] (3): ZeroDivisionError"]);
        home.run(["exec", "-t", "7", "1"], "").expect_error(2, &["engine 7 is not in this cluster (0-2)"]);
        let down = home.run(["down"], "");
        assert_eq!(down.status, Some(0), "{down:#?}");
        home.assert_nothing_left();
        home.run(["status"], "").expect_error(3, &["hint:"]);
    }

    fn a_script_with_arguments_runs_everywhere(home, python) {
        std::fs::write(home.work().join("job.py"), "import sys\nif __name__ == '__main__':\n    print(sys.argv[1:])\n").unwrap();
        let finished = home.run(["run", "-n", "2", "--python", python, "job.py", "a", "--b"], "");
        assert_eq!(finished.status, Some(0), "{finished:#?}");
        assert_eq!(sorted_lines(&finished.stdout), ["[0] ['a', '--b']", "[1] ['a', '--b']"], "{finished:#?}");
    }

    fn a_hundred_and_twenty_eight_engines_answer(home, python) {
        let text = "1 + 1\n%target 100-127\nlen([1])\n@all __import__('antiphon').engine_id // 127\n";
        let finished = script(home, python, 128, text);
        assert_eq!(finished.status, Some(0), "{finished:#?}");
        assert_eq!(finished.stdout, "[0-127] 2\n[100-127] 1\n[0-126] 0 · [127] 1\n", "{finished:#?}");
    }
}

#[test]
fn usage_errors_exit_2() {
    let home = home();
    home.run(["--nonsense"], "").expect_error(2, &["--nonsense"]);
    home.run(["-n", "0"], "").expect_error(2, &[]);
    home.run(["-n", "2", "--python", "/nowhere/python"], "1\n").expect_error(2, &["/nowhere/python"]);
    home.assert_nothing_left();
}

#[cfg(feature = "builtin-python")]
#[test]
fn without_any_python_the_built_in_one_is_used() {
    let home = home();
    let mut command = home.command(["exec", "-n", "4", "import sys; sys.implementation.name"]);
    command.env("PATH", home.work()).env_remove("VIRTUAL_ENV").env_remove("CONDA_PREFIX");
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout, "['rustpython', 'rustpython', 'rustpython', 'rustpython']\n", "{output:?}");
    home.assert_nothing_left();
}

#[test]
fn without_any_python_the_error_says_what_to_do() {
    if cfg!(feature = "builtin-python") {
        return;
    }
    let home = home();
    let mut command = home.command(["-n", "2"]);
    command.env("PATH", home.work()).env_remove("VIRTUAL_ENV").env_remove("CONDA_PREFIX");
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("error:") && stderr.contains("cargo antiphon"), "{stderr}");
    home.assert_nothing_left();
}

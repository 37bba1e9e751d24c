//! Engines, hosts and controllers that die.

use crate::common::*;
use std::time::Duration;

/// Starts a shell script that stays open, and gives it time to answer once.
fn open_shell(home: &Home, python: &str, engines: u32) -> Running {
    let mut shell = home.start_open(["--python", python, "-n", &engines.to_string(), "--keep-going"]);
    shell.write("print('up')\n");
    shell
}

each_python! {
    fn an_engine_that_exits_comes_back(home, python) {
        let text = "import os, antiphon\nx = 1\n@1 os._exit(3)\n@1 'x' in globals()\n@0 x\nantiphon.engine_id\n";
        let finished = home.run(["--python", python, "-n", "3", "--keep-going"], &text.replace("antiphon.engine_id", "__import__('antiphon').engine_id"));
        finished.expect_error(3, &["engine[1]", "exited with status 3"]);
        assert_eq!(finished.stdout, "[False]\n[1]\n[0, 1, 2]\n", "{finished:#?}");
    }

    fn an_engine_that_kills_itself_comes_back(home, python) {
        let text = "import os\n@0 os.kill(os.getpid(), 9)\n5\n";
        let finished = home.run(["--python", python, "-n", "2", "--keep-going"], text);
        finished.expect_error(3, &["engine[0]", "signal 9 (SIGKILL)"]);
        assert_eq!(finished.stdout, "[5, 5]\n", "{finished:#?}");
    }

    fn a_killed_engine_costs_its_answer_only(home, python) {
        let folder = home.work();
        let text = format!(
            "import os, time, antiphon\nopen(r'{}/pid' + str(antiphon.engine_id), 'w').write(str(os.getpid())) and None\ndef f():\n    open(r'{}/go' + str(antiphon.engine_id), 'w').close()\n    if antiphon.engine_id == 2:\n        time.sleep(100)\n    return antiphon.engine_id\n\nf()\n@2 1\n",
            folder.display(),
            folder.display()
        );
        let mut running = home.start(["--python", python, "-n", "4", "--keep-going"], &text);
        wait_for("engine 2 to work", || folder.join("go2").exists().then_some(()));
        let pid = std::fs::read_to_string(folder.join("pid2")).unwrap().parse().unwrap();
        let killed = std::time::Instant::now();
        kill(pid, Signal::KILL);
        running.wait_for_stderr("engine[2]");
        assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
        let finished = running.finish();
        finished.expect_error(3, &["engine[2]", "signal 9 (SIGKILL)"]);
        assert!(finished.stdout.contains("0") && finished.stdout.contains("1") && finished.stdout.contains("3"), "{finished:#?}");
        assert!(finished.stdout.ends_with("[1]\n"), "{finished:#?}");
    }

    fn a_killed_host_ends_the_shell_and_everything(home, python) {
        let shell = home.start(["--python", python, "-n", "2"], &busy(home));
        wait_until_busy(home);
        let (pid, _) = daemon(home, "engines");
        kill(pid, Signal::KILL);
        let finished = shell.finish();
        finished.expect_error(3, &["host"]);
        home.assert_nothing_left();
    }

    fn a_killed_controller_ends_the_shell_and_everything(home, python) {
        let shell = home.start(["--python", python, "-n", "2"], &busy(home));
        wait_until_busy(home);
        let (pid, _) = daemon(home, "controller");
        kill(pid, Signal::KILL);
        shell.finish().expect_error(3, &["controller"]);
        home.assert_nothing_left();
    }

    fn a_killed_shell_leaves_nothing(home, python) {
        let shell = home.start(["--python", python, "-n", "2"], &busy(home));
        wait_until_busy(home);
        shell.signal(Signal::KILL);
        assert_eq!(shell.finish().status, None);
        home.assert_nothing_left();
    }

    fn a_script_that_is_interrupted_exits_130(home, python) {
        let shell = home.start(["--python", python, "-n", "2"], &busy(home));
        wait_until_busy(home);
        shell.signal(Signal::INT);
        shell.finish().expect_error(130, &["KeyboardInterrupt"]);
    }
}

/// A script that keeps all engines busy, with a subprocess each, until it is interrupted.
fn busy(home: &Home) -> String {
    format!(
        "import subprocess, time, antiphon\nchild = subprocess.Popen(['sleep', '1000'])\nwhile True:\n    open(r'{}/busy' + str(antiphon.engine_id), 'w').close()\n    time.sleep(0.01)\n",
        home.work().display()
    )
}

fn wait_until_busy(home: &Home) {
    wait_for("both engines to be busy", || {
        (home.work().join("busy0").exists() && home.work().join("busy1").exists()).then_some(())
    });
}

fn daemon(home: &Home, name: &str) -> (u32, String) {
    wait_for(&format!("the daemon {name}"), || {
        home.processes().into_iter().find(|(_, line)| line.contains(&format!(" {name} ")))
    })
}

#[test]
fn the_shell_is_usable_while_it_stays_open() {
    let Some(python) = cpython() else { return };
    let home = home();
    let mut shell = open_shell(&home, &python, 2);
    shell.close_stdin();
    let finished = shell.finish();
    assert_eq!(
        (finished.status, sorted_lines(&finished.stdout)),
        (Some(0), vec!["[0] up", "[1] up"]),
        "{finished:#?}"
    );
    home.assert_nothing_left();
}

//! Real processes for end-to-end tests: a private home, a deadline for every wait, nothing left behind.
//!
//! A [`Home`] is a folder with everything the `antiphon` command keeps (state, runtime folder, history). Every process
//! started under it carries its path in the environment, so that [`Home::processes`] finds all of them, daemons and
//! engines included, and its drop kills what is left.

use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// How long a fact may take to become true before a test gives up: generous, because machines are shared.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How often a fact that cannot be waited for is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// The variable that marks a home's processes.
const MARK: &str = "ANTIPHON_TEST_HOME";

/// Waits until `fact` gives something; fails the test with `what` after [`DEADLINE`].
#[track_caller]
pub fn wait_for<T>(what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = fact() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "waited {} s in vain for: {what}", DEADLINE.as_secs());
        thread::sleep(LOOK_INTERVAL);
    }
}

/// A private home for the commands of one test.
#[derive(Debug)]
pub struct Home {
    folder: tempfile::TempDir,
    binary: PathBuf,
}

/// What a finished command left.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Home {
    /// A new home for a binary (`env!("CARGO_BIN_EXE_antiphon")`).
    pub fn new(binary: impl AsRef<Path>) -> Home {
        let folder = tempfile::Builder::new().prefix("antiphon-test-").tempdir().expect("a temporary folder");
        for name in ["state", "runtime", "work"] {
            fs::create_dir(folder.path().join(name)).expect("a folder in it");
        }
        Home { folder, binary: binary.as_ref().to_path_buf() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder commands run in.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A command of the binary with this home and an otherwise quiet environment.
    pub fn command<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(args)
            .current_dir(self.work())
            .env(MARK, self.path())
            .env("HOME", self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("XDG_RUNTIME_DIR", self.path().join("runtime"))
            .env("NO_COLOR", "1")
            .env("TERM", "dumb")
            .env_remove("ANTIPHON_CLUSTER")
            .env_remove("PYTHONPATH")
            .env_remove("PYTHONSTARTUP");
        command
    }

    /// Runs a command to its end, with this standard input.
    #[track_caller]
    pub fn run<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I, stdin: &str) -> Finished {
        self.start(args, stdin).finish()
    }

    /// Starts a command with this standard input, closed at its end.
    #[track_caller]
    pub fn start<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I, stdin: &str) -> Running {
        let mut running = self.start_open(args);
        running.write(stdin);
        running.close_stdin();
        running
    }

    /// Starts a command whose standard input stays open.
    #[track_caller]
    pub fn start_open<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Running {
        Running::start(self.command(args))
    }

    /// Ids of all processes of this home that live, with their command lines; zombies do not count.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let mark = [MARK.as_bytes(), b"=", self.path().as_os_str().as_encoded_bytes()].concat();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let Ok(environ) = fs::read(entry.path().join("environ")) else { continue };
            if environ.split(|&byte| byte == 0).any(|variable| variable == mark) && pid != std::process::id()
            {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
            }
        }
        found
    }

    /// Waits until no process of this home is left and nothing of a cluster is left in its folders.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let start = Instant::now();
        loop {
            let processes = self.processes();
            let sockets = self.sockets();
            if processes.is_empty() && sockets.is_empty() {
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(15),
                "left behind: {processes:?} {sockets:?}\n{}",
                self.logs()
            );
            thread::sleep(LOOK_INTERVAL);
        }
    }

    /// Sockets in the home's folders.
    pub fn sockets(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(self.path(), &mut |path| {
            use std::os::unix::fs::FileTypeExt;
            if fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket()) {
                found.push(path.to_path_buf());
            }
        });
        found
    }

    /// Every log in the home, for the message of a failed test.
    pub fn logs(&self) -> String {
        let mut logs = String::new();
        walk(self.path(), &mut |path| {
            if path.extension().is_some_and(|extension| extension == "log") {
                let text = fs::read(path).unwrap_or_default();
                logs += &format!("--- {}\n{}\n", path.display(), String::from_utf8_lossy(&text));
            }
        });
        logs
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "{}", self.logs());
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let processes = self.processes();
            if processes.is_empty() {
                return;
            }
            for (pid, _) in processes {
                kill(pid, rustix::process::Signal::KILL);
            }
            thread::sleep(LOOK_INTERVAL);
        }
    }
}

/// Sends a signal; a process that is gone is no error.
pub fn kill(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid as i32) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}

/// A command that runs. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
    started: Instant,
}

impl Running {
    #[track_caller]
    fn start(mut command: Command) -> Running {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let stdout = Collected::new(child.stdout.take());
        let stderr = Collected::new(child.stderr.take());
        Running { child, stdout, stderr, started }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input.
    pub fn write(&mut self, text: &str) {
        if let Some(stdin) = &mut self.child.stdin {
            // A command that ended early is seen by its status.
            let _ = stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush());
        }
    }

    /// Closes its standard input.
    pub fn close_stdin(&mut self) {
        self.child.stdin = None;
    }

    /// Waits until its standard output contains `text`, and returns all of it so far.
    #[track_caller]
    pub fn wait_for_stdout(&mut self, text: &str) -> String {
        wait_for(&format!("{text:?} on standard output"), || {
            let so_far = self.stdout.text();
            so_far.contains(text).then_some(so_far)
        })
    }

    /// Waits until its standard error contains `text`, and returns all of it so far.
    #[track_caller]
    pub fn wait_for_stderr(&mut self, text: &str) -> String {
        wait_for(&format!("{text:?} on standard error"), || {
            let so_far = self.stderr.text();
            so_far.contains(text).then_some(so_far)
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        kill(self.pid(), signal);
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let status: ExitStatus = wait_for("the command's end", || match self.child.try_wait() {
            Ok(status) => status,
            Err(error) => panic!("waiting for a command failed: {error}"),
        });
        let elapsed = self.started.elapsed();
        self.stdout.finish();
        self.stderr.finish();
        Finished { status: status.code(), stdout: self.stdout.text(), stderr: self.stderr.text(), elapsed }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a thread reads from a pipe.
#[derive(Debug)]
struct Collected {
    chunks: Receiver<Vec<u8>>,
    bytes: Vec<u8>,
}

impl Collected {
    fn new(pipe: Option<impl Read + Send + 'static>) -> Collected {
        let (sender, chunks) = mpsc::channel();
        if let Some(mut pipe) = pipe {
            thread::spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                    if sender.send(buffer[..read].to_vec()).is_err() {
                        return;
                    }
                }
            });
        }
        Collected { chunks, bytes: Vec::new() }
    }

    fn text(&mut self) -> String {
        self.bytes.extend(self.chunks.try_iter().flatten());
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Reads on until the pipe's end, which a left-over process may hold up: not for long.
    fn finish(&mut self) {
        while let Ok(chunk) = self.chunks.recv_timeout(Duration::from_secs(10)) {
            self.bytes.extend(chunk);
        }
    }
}

//! A command on a terminal of its own, as a person has it: keys go in, and what the screen was told comes out.

use crate::process::{Home, wait_for};
use rustix::{
    fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open},
    process::{ioctl_tiocsctty, setsid},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use std::{
    ffi::OsStr,
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{Child, Stdio},
    time::Duration,
};

/// The terminal's size.
const SIZE: Winsize = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };

/// Between two keys of a hand.
const HAND: Duration = Duration::from_millis(30);

/// The key Ctrl-C.
pub const CTRL_C: &str = "\x03";

/// The key Ctrl-D.
pub const CTRL_D: &str = "\x04";

/// A terminal and the command on it, which is killed when this is dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    /// Our side; none after it was hung up.
    ours: Option<OwnedFd>,
    seen: Vec<u8>,
    /// Bytes that were waited for already.
    mark: usize,
}

impl Terminal {
    /// Starts a command of the home on a new terminal.
    #[track_caller]
    pub fn start<I: IntoIterator<Item: AsRef<OsStr>>>(home: &Home, args: I) -> Terminal {
        let ours =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("the terminal's other side");
        let name = ptsname(&ours, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = open(name, flags, Mode::empty()).expect("the terminal's other side");
        tcsetwinsize(&theirs, SIZE).expect("its size");
        let flags = fcntl_getfl(&ours).expect("its flags");
        fcntl_setfl(&ours, flags | OFlags::NONBLOCK).expect("its flags");
        let side = || Stdio::from(theirs.try_clone().expect("another descriptor"));
        let mut command = home.command(args);
        command.env("TERM", "xterm").stdin(side()).stdout(side()).stderr(side());
        // SAFETY: between fork and exec only two system calls are made, on a descriptor that is open then.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                Ok(ioctl_tiocsctty(rustix::stdio::stdin())?)
            });
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        Terminal { child, ours: Some(ours), seen: Vec::new(), mark: 0 }
    }

    /// Types; `\r` is the Enter key.
    pub fn keys(&mut self, keys: &str) {
        if let Some(ours) = &self.ours {
            rustix::io::write(ours, keys.as_bytes()).expect("the terminal takes keys");
        }
    }

    /// Types a line once this prompt is there, and then Enter, as a hand does and no paste.
    #[track_caller]
    pub fn line(&mut self, prompt: &str, line: &str) {
        self.wait_for(prompt);
        self.keys(line);
        std::thread::sleep(HAND);
        self.keys("\r");
    }

    /// Waits until the screen was told `text` after what was waited for before. A failure prints everything.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let start = std::time::Instant::now();
        loop {
            self.read();
            let new = &self.seen[self.mark..];
            if let Some(at) = new.windows(text.len()).position(|window| window == text.as_bytes()) {
                self.mark += at + text.len();
                return;
            }
            if start.elapsed() >= crate::process::DEADLINE {
                panic!(
                    "no {text:?} on the screen; all of it:\n{}\n(escaped: {:?})",
                    self.text(),
                    self.text()
                );
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Everything the screen was told.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    fn read(&mut self) {
        let Some(ours) = &self.ours else { return };
        let mut buffer = [0; 16 << 10];
        // The other side is gone, or silent: both are no text.
        while let Ok(read @ 1..) = rustix::io::read(ours, &mut buffer) {
            self.seen.extend(&buffer[..read]);
        }
    }

    /// The window is closed.
    pub fn hang_up(&mut self) {
        self.ours = None;
    }

    /// Waits for the command's end; its exit status, none if a signal ended it.
    #[track_caller]
    pub fn finish(mut self) -> Option<i32> {
        let status = wait_for("the end of the command on the terminal", || {
            self.read();
            self.child.try_wait().expect("a child to wait for")
        });
        status.code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

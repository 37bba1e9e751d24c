//! A statement on four idle engines, beside plain socket I/O to the same kind of interpreters, in one run.
//!
//! `cargo bench --bench statement`. Both sides execute `1+1` on four interpreters of the same Python and read four
//! answers. *Direct* writes four frames to, and reads four frames from, the interpreters' own socket pairs, blocking,
//! from one thread: nothing can be faster. *Antiphon* is the whole path: Rust client, controller, host, engines and
//! back, as one list. The two alternate in rounds, because a shared machine's speed drifts; the ratio is of medians.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use antiphon_client::{Client, ExecuteOptions};
use antiphon_protocol::Target;
use antiphon_testkit::process::Home;
use antiphon_transport::Address;
use std::{
    fs,
    io::{Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const ENGINES: usize = 4;
const ROUNDS: usize = 20;
const STATEMENTS: usize = 200;
const SOURCE: &[u8] = b"1+1";

fn main() {
    let python = python();
    let mut direct: Vec<Direct> = (0..ENGINES).map(|_| Direct::start(&python)).collect();
    let home = Home::new(env!("CARGO_BIN_EXE_antiphon"));
    let up = home.run(["up", "-n", &ENGINES.to_string(), "--python", &python], "");
    assert_eq!(up.status, Some(0), "{up:#?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (address, token) = connection(home.path());
    let client = runtime.block_on(Client::connect(&address, &token, "bench")).expect("a connection");
    let (mut plain, mut whole) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let direct_times: Vec<Duration> =
            (0..STATEMENTS).map(|_| time(|| ask_directly(&mut direct))).collect();
        let whole_times: Vec<Duration> = runtime.block_on(async {
            let mut times = Vec::with_capacity(STATEMENTS);
            for _ in 0..STATEMENTS {
                let start = Instant::now();
                ask(&client).await;
                times.push(start.elapsed());
            }
            times
        });
        // The first round warms both sides up.
        if round > 0 {
            plain.push(quantiles(direct_times));
            whole.push(quantiles(whole_times));
        }
    }
    report(&plain, &whole);
    drop(client);
    home.run(["down"], "");
}

async fn ask(client: &Client) {
    let request = client.execute(&Target::all(), "1+1", ExecuteOptions::default()).await.expect("accepted");
    let answers = request.answers().await.expect("answers");
    assert_eq!(answers.len(), ENGINES);
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Median and 99th percentile, in microseconds.
fn quantiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    (at(0.5), at(0.99))
}

fn report(plain: &[(f64, f64)], whole: &[(f64, f64)]) {
    let spread = |figures: Vec<f64>| {
        let mut figures = figures;
        figures.sort_by(f64::total_cmp);
        (figures[0], figures[figures.len() / 2], figures[figures.len() - 1])
    };
    let line = |name: &str, figures: Vec<f64>, unit: &str| {
        let (least, median, most) = spread(figures);
        println!("{name:<34} median {median:8.2} {unit}   (rounds {least:.2} to {most:.2})");
        median
    };
    println!("a statement on {ENGINES} idle engines, {ROUNDS} rounds of {STATEMENTS}, alternating");
    line("direct: socket pairs, median", plain.iter().map(|q| q.0).collect(), "µs");
    line("direct: socket pairs, p99", plain.iter().map(|q| q.1).collect(), "µs");
    line("antiphon: whole path, median", whole.iter().map(|q| q.0).collect(), "µs");
    line("antiphon: whole path, p99", whole.iter().map(|q| q.1).collect(), "µs");
    let ratios = plain.iter().zip(whole).map(|(direct, whole)| whole.0 / direct.0).collect();
    let ratio = line("antiphon / direct, medians", ratios, "× ");
    println!("{}", if ratio <= 5.0 { "within the bound of 5×" } else { "OVER the bound of 5×" });
}

fn python() -> String {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    String::from_utf8_lossy(&output.expect("python3 on PATH").stdout).trim().to_owned()
}

/// Address and token of the one cluster of a home.
fn connection(home: &Path) -> (Address, String) {
    let folder = home.join("state/antiphon/clusters/default");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("client.json")).unwrap()).unwrap();
    let text = |key: &str| json[key].as_str().expect(key).to_owned();
    (text("address").parse().unwrap(), text("token"))
}

/// An interpreter at the other end of a socket pair.
struct Direct {
    main: UnixStream,
    _side: UnixStream,
    child: Child,
    id: u64,
}

impl Direct {
    fn start(python: &str) -> Direct {
        let (mut main, their_main) = UnixStream::pair().unwrap();
        let (side, their_side) = UnixStream::pair().unwrap();
        for end in [&their_main, &their_side] {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::empty()).unwrap();
        }
        let fds = [their_main.as_raw_fd().to_string(), their_side.as_raw_fd().to_string()];
        let child = Command::new(python)
            .args(["-c", antiphon_interpreter::boot(), "single"])
            .args(fds)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        drop((their_main, their_side));
        main.write_all(&antiphon_interpreter::payload(&Default::default()).unwrap()).unwrap();
        let mut direct = Direct { main, _side: side, child, id: 0 };
        direct.read_frame();
        direct
    }

    fn send(&mut self) {
        self.id += 1;
        let name = b"<bench>";
        let mut frame = vec![1, 1, 2, 0, 0, 0, 0, 0];
        frame.extend(self.id.to_le_bytes());
        frame.extend((SOURCE.len() as u64).to_le_bytes());
        frame.extend((name.len() as u64).to_le_bytes());
        frame.extend(SOURCE);
        frame.extend(name);
        self.main.write_all(&frame).unwrap();
    }

    fn read_frame(&mut self) -> Vec<u8> {
        let mut header = [0; 16];
        self.main.read_exact(&mut header).unwrap();
        let segments = u16::from_le_bytes([header[2], header[3]]) as usize;
        let mut table = vec![0; 8 * segments];
        self.main.read_exact(&mut table).unwrap();
        let length: usize = table.chunks(8).map(|n| u64::from_le_bytes(n.try_into().unwrap()) as usize).sum();
        let mut data = vec![0; length];
        self.main.read_exact(&mut data).unwrap();
        data
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask_directly(interpreters: &mut [Direct]) {
    for interpreter in interpreters.iter_mut() {
        interpreter.send();
    }
    for interpreter in interpreters {
        assert_eq!(interpreter.read_frame(), b"2");
    }
}

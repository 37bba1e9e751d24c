//! The `antiphon` command: one file per subcommand, and here what they share: arguments in, an exit status out.
//!
//! Whatever goes wrong arrives here as a [`Failure`] and is said in one form. Daemons, the shell and
//! every command run on one thread: user code runs in other processes, so there is nothing here to spread.

mod args;
mod attach;
mod controller;
mod doctor;
mod down;
mod engine;
mod engines;
mod error;
mod exec;
mod logging;
mod output;
mod own;
mod screen;
mod session;
mod shell;
mod status;
mod up;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use error::{Failure, Outcome};
use std::{future::Future, process::ExitCode};

fn main() -> ExitCode {
    logging::hide_panics();
    let outcome = match Cli::parse() {
        // The built-in interpreter ends as Python programs end, with a status of its own.
        Cli { command: Some(Command::Engine(args)), .. } => return engine::run(args),
        cli => dispatch(cli),
    };
    let status = match outcome {
        Ok(status) => status,
        Err(failure) => {
            failure.show();
            failure.status
        }
    };
    status.into()
}

fn dispatch(cli: Cli) -> Outcome {
    match cli.command {
        None => client(shell::run(cli.shell)),
        Some(Command::Shell(args)) => client(shell::run(args)),
        Some(Command::Up(args)) => client(up::run(args)),
        Some(Command::Down(args)) => client(down::run(args)),
        Some(Command::Status(args)) => client(status::run(args)),
        Some(Command::Exec(args)) => client(exec::run(args)),
        Some(Command::Run(args)) => client(exec::run_script(args)),
        Some(Command::Doctor(args)) => client(doctor::run(args)),
        Some(Command::Controller(args)) => controller::run(args),
        Some(Command::Engines(args)) => engines::run(args),
        Some(Command::Engine(_)) => Ok(error::Status::Well),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "antiphon", &mut script);
            output::write(&script)
        }
    }
}

/// Runs what a person started.
fn client(command: impl Future<Output = Outcome>) -> Outcome {
    logging::for_people();
    block_on(command)?
}

/// One thread for everything: see the module's head.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("could not start the runtime", &error))?;
    let result = runtime.block_on(future);
    // A thread that still waits for something (a lock, a terminal) must not keep the command from ending.
    runtime.shutdown_background();
    Ok(result)
}

//! The command line's grammar.

use antiphon_launch::ClusterName;
use antiphon_protocol::limits::MAX_ENGINES_PER_HOST;
use clap::{Args, Parser, Subcommand};
use std::{os::fd::RawFd, path::PathBuf};

/// An interactive parallel shell: a Python statement typed once runs on many engines.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(
    after_help = "Without a command: the shell. Standard input that is no terminal is read as a script.\n\
    Exit status: 0 well; 1 user code raised; 2 wrong usage; 3 cluster or engine lost; 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub shell: ShellArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The shell: on the cluster that is up, or on one of its own that ends with it
    Shell(ShellArgs),
    /// Start a cluster in the background
    Up(UpArgs),
    /// End a cluster
    Down(DownArgs),
    /// What is up
    Status(StatusArgs),
    /// Run a statement and print its answers
    Exec(ExecArgs),
    /// Run a script on the engines
    Run(RunArgs),
    /// What is wrong on this machine, and what to do
    Doctor(DoctorArgs),
    /// The controller daemon, in the foreground
    Controller(ControllerArgs),
    /// The host daemon: engines of this machine for a cluster, in the foreground
    Engines(EnginesArgs),
    /// The built-in interpreter, as hosts and shells start it
    #[command(hide = true)]
    Engine(EngineArgs),
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Where to find a cluster, or with what to start one.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterArgs {
    /// Engines, if a cluster has to be started [default: one per processor]
    #[arg(short, value_name = "N", value_parser = engines)]
    pub n: Option<u32>,
    /// The engines' Python: auto, builtin, or a path
    #[arg(long, value_name = "PYTHON", env = "ANTIPHON_PYTHON")]
    pub python: Option<String>,
    /// The cluster to use, by name [default: the one named default, if it is up]
    #[arg(long, value_name = "NAME", env = "ANTIPHON_CLUSTER")]
    pub cluster: Option<ClusterName>,
}

#[derive(Args, Debug, Default)]
pub struct ShellArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub script: ScriptArgs,
}

/// How answers are given where nobody sits at a terminal.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ScriptArgs {
    /// One JSON object per answer on standard output
    #[arg(long)]
    pub json: bool,
    /// Go on after a statement that failed; the exit status still says so
    #[arg(long)]
    pub keep_going: bool,
}

#[derive(Args, Debug)]
pub struct UpArgs {
    /// Engines [default: one per processor]
    #[arg(short, value_name = "N", value_parser = engines)]
    pub n: Option<u32>,
    /// The engines' Python: auto, builtin, or a path
    #[arg(long, value_name = "PYTHON", env = "ANTIPHON_PYTHON")]
    pub python: Option<String>,
    /// The cluster's name
    #[arg(long, value_name = "NAME", env = "ANTIPHON_CLUSTER", default_value = "default")]
    pub cluster: ClusterName,
    /// A label for the engines, usable as a target; may be repeated
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
}

#[derive(Args, Debug)]
pub struct DownArgs {
    /// The cluster's name
    #[arg(long, value_name = "NAME", env = "ANTIPHON_CLUSTER", default_value = "default")]
    pub cluster: ClusterName,
    /// Every cluster of this user on this machine, and what dead ones left
    // No conflict with the name, which may come from the environment.
    #[arg(long)]
    pub all: bool,
}

#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Only this cluster
    #[arg(long, value_name = "NAME", env = "ANTIPHON_CLUSTER")]
    pub cluster: Option<ClusterName>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct ExecArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Which engines: all, any, 0-3,7, ::2, -1, host:NAME, a label; !x excludes
    #[arg(short, long, value_name = "T", default_value = "all", allow_hyphen_values = true)]
    pub target: String,
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// The statement; `-` reads it from standard input
    #[arg(value_name = "CODE", allow_hyphen_values = true)]
    pub code: String,
}

#[derive(Args, Debug)]
#[command(override_usage = "antiphon run [OPTIONS] <SCRIPT> [ARG]...")]
pub struct RunArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Which engines: all, any, 0-3,7, ::2, -1, host:NAME, a label; !x excludes
    #[arg(short, long, value_name = "T", default_value = "all", allow_hyphen_values = true)]
    pub target: String,
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// The script (`-` reads it from standard input) and its `sys.argv[1:]`
    // One list: what follows the script is the script's, even where it looks like an option of ours.
    #[arg(value_names = ["SCRIPT", "ARG"], num_args = 1.., required = true)]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub script: Vec<String>,
}

#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// The Python to look at: auto, builtin, or a path
    #[arg(long, value_name = "PYTHON", env = "ANTIPHON_PYTHON")]
    pub python: Option<String>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct ControllerArgs {
    /// The cluster's name
    #[arg(long, value_name = "NAME", env = "ANTIPHON_CLUSTER", default_value = "default")]
    pub cluster: ClusterName,
    #[command(flatten)]
    pub daemon: DaemonArgs,
}

#[derive(Args, Debug)]
pub struct EnginesArgs {
    /// Engines [default: one per processor]
    #[arg(short, value_name = "N", value_parser = engines)]
    pub n: Option<u32>,
    /// The engines' Python: auto, builtin, or a path
    #[arg(long, value_name = "PYTHON", env = "ANTIPHON_PYTHON")]
    pub python: Option<String>,
    /// The cluster to join, by name
    #[arg(long, value_name = "NAME", env = "ANTIPHON_CLUSTER", default_value = "default")]
    pub cluster: ClusterName,
    /// The connection file (host.json) of the cluster to join, instead of its name
    #[arg(long, value_name = "FILE")]
    pub connect: Option<PathBuf>,
    /// This machine's name, for host:NAME [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A label for the engines, usable as a target; may be repeated
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    #[command(flatten)]
    pub daemon: DaemonArgs,
}

/// What the one who starts a daemon holds on to.
#[derive(Args, Debug)]
pub struct DaemonArgs {
    /// Descriptor to report readiness on
    #[arg(long, hide = true)]
    pub ready_fd: Option<RawFd>,
    /// Descriptor whose end is this daemon's end
    #[arg(long, hide = true)]
    pub lifeline_fd: Option<RawFd>,
}

#[derive(Args, Debug)]
pub struct EngineArgs {
    /// Mode and descriptors
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,
}

/// A number of engines.
fn engines(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => Err("a cluster has at least one engine".into()),
        Ok(n) if n > MAX_ENGINES_PER_HOST => {
            Err(format!("one machine runs at most {MAX_ENGINES_PER_HOST} engines"))
        }
        Ok(n) => Ok(n),
        Err(_) => Err("not a number of engines".into()),
    }
}

/// One engine per processor this process may use.
pub fn engines_or_default(n: Option<u32>) -> u32 {
    let processors = || std::thread::available_parallelism().map_or(1, |n| n.get());
    n.unwrap_or_else(|| u32::try_from(processors()).unwrap_or(1).min(MAX_ENGINES_PER_HOST))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_is_the_shell() {
        let cli = Cli::try_parse_from(["antiphon", "-n", "4", "--json"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.shell.cluster.n, Some(4));
        assert!(cli.shell.script.json);
    }

    #[test]
    fn a_scripts_arguments_are_its_own() {
        let cli = Cli::try_parse_from(["antiphon", "run", "-n", "2", "s.py", "-n", "7", "--json"]).unwrap();
        let Some(Command::Run(run)) = cli.command else { unreachable!() };
        assert_eq!((run.cluster.n, run.json), (Some(2), false));
        assert_eq!(run.script, ["s.py", "-n", "7", "--json"]);
        assert!(Cli::try_parse_from(["antiphon", "run", "-n", "2"]).is_err());
    }

    #[test]
    fn numbers_of_engines_are_checked() {
        for bad in ["0", "-1", "x", "5000"] {
            assert!(Cli::try_parse_from(["antiphon", "-n", bad]).is_err(), "{bad}");
        }
    }
}

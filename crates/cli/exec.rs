//! `antiphon exec` and `antiphon run`: one statement, or one Python script, and its answers.

use crate::{
    args::{ExecArgs, RunArgs},
    attach::{Attached, Need},
    error::{Failure, Outcome, Status},
    screen::Screen,
    session::{self, Script},
};
use antiphon_client::shell::{Evaluator, Options};
use std::io::Read;

/// `antiphon exec`
pub async fn run(args: ExecArgs) -> Outcome {
    let code =
        if args.code == "-" { String::from_utf8_lossy(&read_stdin()?).into_owned() } else { args.code };
    let (attached, local) = Attached::new(&args.cluster, "exec", Need::Engines).await?;
    let script = Script { text: &code, target: &args.target, keep_going: false };
    session::script(attached, local, Screen::script(args.json), script).await
}

/// `antiphon run`
pub async fn run_script(args: RunArgs) -> Outcome {
    let argv = args.script;
    let Some(path) = argv.first() else {
        return Err(Failure::new(Status::Usage, "run what?"));
    };
    let source = read(path)?;
    let (attached, local) = Attached::new(&args.cluster, "run", Need::Engines).await?;
    let mut shell = Evaluator::new(attached.client.clone(), local, Options::script());
    let mut screen = Screen::script(args.json);
    let (interrupter, closed) = (shell.interrupter(), screen.closed());
    let work = async {
        shell.set_target(&args.target)?;
        let ended = shell.run_python(source.into(), &argv, &mut screen).await;
        screen.settle();
        Ok(session::status(ended))
    };
    attached.during(session::guard(interrupter, closed, work)).await
}

fn read(path: &str) -> Result<Vec<u8>, Failure> {
    if path == "-" {
        return read_stdin();
    }
    std::fs::read(path).map_err(|error| Failure::system(format!("could not read the script {path}"), &error))
}

fn read_stdin() -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut text);
    read.map_err(|error| Failure::system("could not read standard input", &error))?;
    Ok(text)
}

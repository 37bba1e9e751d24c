//! `antiphon`: the shell, or the script on standard input.

use crate::{
    args::ShellArgs,
    attach::{Attached, Need},
    error::{Failure, Outcome, Status},
    output,
    screen::Screen,
    session::{self, Script, Shell},
};
use antiphon_client::{
    Client,
    shell::{
        Evaluator, LazyInterpreter, Options, Status as ShellStatus,
        editor::{Editor, EditorConfig, EditorEvent, Prompt},
    },
};
use antiphon_protocol::ClusterStatus;
use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Read},
};

pub async fn run(args: ShellArgs) -> Outcome {
    if io::stdin().is_terminal() {
        if args.script.json || args.script.keep_going {
            let words = "--json and --keep-going are for scripts on standard input";
            return Err(Failure::new(Status::Usage, words).with_hint("antiphon --json < script"));
        }
        let (attached, local) = Attached::new(&args.cluster, "shell", Need::Typing).await?;
        return interact(attached, local).await;
    }
    // The script is read while the cluster starts.
    let script = tokio::task::spawn_blocking(read_script);
    let (attached, local) = Attached::new(&args.cluster, "script", Need::Local).await?;
    let text = async { script.await.map_err(|error| Failure::system("could not read the script", &error))? };
    let (attached, text) = attached.while_up(text).await?;
    let screen = Screen::script(args.script.json);
    let script = Script { text: &text, target: "all", keep_going: args.script.keep_going };
    session::script(attached, local, screen, script).await
}

fn read_script() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Failure::system("could not read the script from standard input", &error))?;
    String::from_utf8(bytes).map_err(|error| Failure::system("the script is not UTF-8 text", &error))
}

/// Statement after statement, until the user leaves.
async fn interact(attached: Attached, local: LazyInterpreter) -> Outcome {
    output::line(&banner(&attached))?;
    if let Some(warning) = mixed(&attached.status) {
        output::complain(&format!("warning: {warning}\n"));
    }
    let history = antiphon_launch::state_root().ok().map(|root| root.join("history"));
    let opened = Editor::open(EditorConfig { history, colour: output::has_colour() });
    let mut editor = opened.map_err(|error| Failure::system("could not use the terminal", &error))?;
    let mut shell = Evaluator::new(attached.client.clone(), local, Options::interactive());
    let mut screen = Screen::interactive();
    let (interrupter, closed) = (shell.interrupter(), screen.closed());
    let client = attached.client.clone();
    let work = async {
        loop {
            let Some(input) = type_in(&client, &mut editor, &mut shell, &mut screen).await? else {
                return Ok(Status::Well);
            };
            screen.running();
            let ended = shell.evaluate(&input, &mut screen).await;
            screen.settle();
            match ended {
                ShellStatus::Leave => return Ok(Status::Well),
                ShellStatus::Lost if client.status().await.is_err() => return Ok(Status::Lost),
                _ => {}
            }
        }
    };
    let outcome = attached.during(session::guard(interrupter, closed, work)).await;
    // The terminal is given back before anything is said about the end.
    drop(editor);
    outcome
}

/// One statement, typed; `None` if the user leaves. What happens meanwhile is shown above it.
async fn type_in(
    client: &Client,
    editor: &mut Editor,
    shell: &mut Shell,
    screen: &mut Screen,
) -> Result<Option<String>, Failure> {
    screen.typing(editor.notes());
    editor.read(Prompt { target: shell.target().to_owned(), number: shell.next_number() });
    loop {
        let event = tokio::select! {
            event = editor.event() => event,
            error = client.lost() => return Err(error.into()),
            () = shell.idle(screen) => continue,
        };
        match event {
            EditorEvent::Input(input) => return Ok(Some(input)),
            EditorEvent::Cleared => return Ok(Some(String::new())),
            EditorEvent::Leave => return Ok(None),
            EditorEvent::Failed(reason) => {
                return Err(Failure::new(Status::Usage, format!("the terminal cannot be read: {reason}")));
            }
            EditorEvent::Check { source, reply } => {
                if let Some(answer) = shell.check(&source).await {
                    reply.send(answer);
                }
            }
            EditorEvent::Complete { source, cursor, reply } => {
                reply.send(shell.complete(&source, cursor).await)
            }
        }
    }
}

fn banner(attached: &Attached) -> String {
    let status = &attached.status;
    let n = status.engines.len();
    let mut parts = vec![format!("antiphon {}", env!("CARGO_PKG_VERSION"))];
    if attached.own.is_none() {
        parts.push(format!("cluster {}", status.cluster));
    }
    parts.push(if n == 1 { "1 engine".into() } else { format!("{n} engines") });
    let pythons = pythons(status);
    if !pythons.is_empty() {
        parts.push(pythons.join(", "));
    }
    parts.push("%help".into());
    parts.join(" · ")
}

/// Every Python there is, once.
fn pythons(status: &ClusterStatus) -> Vec<String> {
    let infos =
        status.engines.iter().map(|engine| &engine.info).filter(|info| !info.implementation.is_empty());
    let names: BTreeSet<String> =
        infos.map(|info| format!("{} {}", info.implementation, info.version)).collect();
    names.into_iter().collect()
}

fn mixed(status: &ClusterStatus) -> Option<String> {
    let pythons = pythons(status);
    (pythons.len() > 1).then(|| {
        let list = pythons.join(", ");
        format!("the engines differ ({list}): values may not travel between all of them")
    })
}

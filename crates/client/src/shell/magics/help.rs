//! What `%help` says.

/// Name, how it is written, what it does; and more for `%help NAME`.
struct Entry {
    name: &'static str,
    usage: &'static str,
    brief: &'static str,
    more: &'static str,
}

const fn entry(name: &'static str, usage: &'static str, brief: &'static str, more: &'static str) -> Entry {
    Entry { name, usage, brief, more }
}

const ENTRIES: &[Entry] = &[
    entry("target", "%target [T]", "make T the current target; show it", TARGETS),
    entry(
        "engines",
        "%engines [-l]",
        "list the engines",
        "From 17 engines on equal ones share a line; -l gives each its own, with its process.",
    ),
    entry(
        "push",
        "%push x [y …] [as z]",
        "give local values to the target",
        "The value travels by pickle. If it cannot be pickled, nothing is changed.",
    ),
    entry(
        "pull",
        "%pull x [y …] [as z]",
        "bind the list of the target's values locally",
        "One value per engine, in target order. If an engine has no such name, nothing is bound.",
    ),
    entry(
        "px",
        "%px [--targets T] stmt",
        "run a statement on the engines",
        "Also %%px, with the statements on the lines below (in a script: up to the next line that begins with %%). --local runs it in the local interpreter too.",
    ),
    entry(
        "autopx",
        "%autopx",
        "send plain lines to the local interpreter, and back",
        "Plain lines go to the target by themselves here; this switches between the target and the local interpreter.",
    ),
    entry(
        "run",
        "%run SCRIPT [ARG …]",
        "run a local file on the target",
        "The file is read here and runs there with its sys.argv and __file__; its names stay in the namespace.",
    ),
    entry(
        "result",
        "%result [N]",
        "show the answers of statement N again, or the last",
        "Also those of statements left running in the background. %pxresult is the same.",
    ),
    entry("tasks", "%tasks", "list what runs in the background", "A second Ctrl-C leaves a statement there."),
    entry("time", "%time stmt", "how long a statement takes", ""),
    entry(
        "timeit",
        "%timeit [-n N] [-r R] stmt",
        "how long a statement takes, over many runs",
        "Each engine times it by itself, seven runs of as many loops as take 0.2 s.",
    ),
    entry("who", "%who [T]", "the names in the target's namespaces", ""),
    entry("reset", "%reset [-f]", "empty the target's namespaces", ""),
    entry("interrupt", "%interrupt [T]", "interrupt what runs there, whoever asked for it", ""),
    entry(
        "restart",
        "%restart [T]",
        "kill engines and start them again",
        "They keep their ids and lose their namespaces.",
    ),
    entry("status", "%status", "the cluster in a few lines", ""),
    entry("history", "%history [-n]", "what was typed, with numbers", ""),
    entry("save", "%save FILE [N-M …]", "write what was typed to a file", ""),
    entry("help", "%help [NAME]", "this, or more about one of them", ""),
    entry(
        "exit",
        "%exit",
        "leave, as Ctrl-D does",
        "So does a line that is exactly exit, quit, exit() or quit(). In a script, inside code and after @T, exit() ends the statement only.",
    ),
];

const TARGETS: &str = "\
all            every engine
any            whichever engine is free
0-3,7          these ids
::2  -1        as Python's slices and indices of the sorted ids
host:NAME      the engines of a host
LABEL          the engines with a label
idle           those with nothing to do
failed         where the last statement failed
one-per-host   one engine of each host
local          the shell's own interpreter
a,b            both; !a takes a away";

/// Names that mean another.
const ALIASES: &[(&str, &str)] =
    &[("pxresult", "result"), ("quit", "exit"), ("hist", "history"), ("targets", "target")];

pub(super) fn overview() -> String {
    let mut lines = vec![
        "A statement runs on every engine of the current target; the answers come back as one list."
            .to_owned(),
        String::new(),
    ];
    let mut line = |usage: &str, brief: &str| lines.push(format!("  {usage:<28}{brief}"));
    line("@T stmt", "run a statement on T once (%help target: what T can be)");
    line("name = @T expr", "bind the list of answers in the local interpreter");
    line("@local stmt", "run a statement in the local interpreter");
    line("expr?  expr??", "what it is; more");
    line("!command", "run a command on the target");
    line("Ctrl-C", "interrupt; twice: leave it running in the background");
    line("Ctrl-D  exit", "leave; in a script and after @T, exit() ends the statement only");
    line("", "");
    for entry in ENTRIES {
        line(entry.usage, entry.brief);
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

pub(super) fn of(name: &str) -> Option<String> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    let entry = ENTRIES.iter().find(|entry| entry.name == name)?;
    let more = if entry.more.is_empty() { String::new() } else { format!("\n{}", entry.more) };
    Some(format!("{}\n{}{more}", entry.usage, entry.brief))
}

/// The names of all magics, for completion.
pub fn magic_names() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().map(|entry| entry.name)
}

/// The magic whose name is nearest to `name`, if any is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let aliases = ALIASES.iter().map(|(alias, _)| *alias);
    let near = magic_names().chain(aliases).map(|known| (distance(name, known), known));
    near.filter(|(distance, known)| *distance <= known.len().div_ceil(3)).min().map(|(_, known)| known)
}

/// How many letters have to be changed, added, left out or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j - 1] + change).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

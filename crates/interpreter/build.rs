//! Lists the files of `python/antiphon` so that the crate embeds them; adding a file needs no edit in Rust.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = fs::canonicalize(crate_dir.join("../../python"))?;
    let mut files = Vec::new();
    collect(&root.join("antiphon"), &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&root).unwrap_or(file);
        list.push_str(&format!("    ({:?}, include_str!({:?})),\n", name.display(), file.display()));
    }
    list.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("python_files.rs"), list)
}

/// Every `.py` file below `folder`; cargo is told to look again when a folder or a file changes.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    // Cargo's build output is read from standard output.
    io::Write::write_all(
        &mut io::stdout(),
        format!("cargo::rerun-if-changed={}\n", folder.display()).as_bytes(),
    )?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "__pycache__") {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
    Ok(())
}

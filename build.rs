//! Copies the shaders without what only people read: comments and indentation would cost every page its bytes.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=shaders");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    ["", "formats", "caches"].iter().try_for_each(|folder| copy(&Path::new("shaders").join(folder), Path::new(&out)))
}

/// Copies the files of one folder to the same place below `out`.
fn copy(folder: &Path, out: &Path) -> io::Result<()> {
    fs::create_dir_all(out.join(folder))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            let text = fs::read_to_string(&path)?;
            let code = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
            let lines: String = code.filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect();
            fs::write(out.join(&path), lines)?;
        }
    }
    Ok(())
}

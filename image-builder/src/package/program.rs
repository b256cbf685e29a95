use std::path::Path;
use std::process::Command;

/// Where older and newer packages of Debian have their libraries.
const LIBRARIES: [&str; 2] = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
const LOADER: &str = "ld-linux-x86-64.so.2";

/// Runs a program of packages that lie unpacked in `root` with all that they depend on, such as
/// `usr/bin/xorriso`: with its own libraries, whatever this machine has.
pub fn program(root: &Path, path: &str) -> Command {
    let libraries = LIBRARIES.map(|folder| root.join(folder));
    let mut loaders = libraries.iter().map(|folder| folder.join(LOADER));
    let loader = loaders.find(|path| path.is_file());
    let loader = loader.unwrap_or_else(|| Path::new("/lib64").join(LOADER));
    let libraries = libraries.map(|folder| folder.display().to_string());
    let mut command = Command::new(loader);
    command
        .arg("--library-path")
        .arg(libraries.join(":"))
        .arg(root.join(path))
        .env("LC_ALL", "C");
    command
}

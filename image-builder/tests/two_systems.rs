//! Programs of this machine beside tools from packages: two systems that lay out their libraries in two ways, in one
//! image.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Sample, Unpacked};
use image_builder::initramfs::Binary;
use tempfile::TempDir;

const LOADER: &str = "ld-linux-x86-64.so.2";
const OF_PACKAGES: &[u8] = b"from a package";

/// A system with a C library and another library, which programs are compiled against.
struct System {
    folder: TempDir,
    libraries: &'static str,
}

impl System {
    /// A running one, with merged /usr.
    fn running() -> Self {
        let system = Self::with_libraries_in("usr/lib/x86_64-linux-gnu");
        for name in ["lib", "lib64"] {
            symlink(format!("usr/{name}"), system.path(name)).unwrap();
        }
        system.link_loader("usr/lib64");
        system
    }

    /// Unpacked packages of Debian 12: nothing is merged.
    fn apart() -> Self {
        let system = Self::with_libraries_in("lib/x86_64-linux-gnu");
        system.link_loader("lib64");
        system.mark_libraries();
        system
    }

    /// Unpacked packages of Debian 13: everything is in /usr, without links to it.
    fn merged() -> Self {
        let system = Self::with_libraries_in("usr/lib/x86_64-linux-gnu");
        system.link_loader("usr/lib64");
        system.mark_libraries();
        system
    }

    fn with_libraries_in(libraries: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let system = Self { folder, libraries };
        for folder in [libraries, "usr/bin", "usr/sbin", "opt/x"] {
            fs::create_dir_all(system.path(folder)).unwrap();
        }
        for name in ["libc.so.6", LOADER] {
            let from = Path::new("/lib/x86_64-linux-gnu").join(name);
            fs::copy(from, system.library(name)).unwrap();
        }
        let source = "int both(void) { return 1; }";
        system.compile(&system.library("libboth.so.1"), source, &["libboth.so.1"]);
        system
    }

    fn link_loader(&self, folder: &str) {
        fs::create_dir_all(self.path(folder)).unwrap();
        let target = format!("/{}/{LOADER}", self.libraries);
        symlink(target, self.path(folder).join(LOADER)).unwrap();
    }

    /// Every library differs from this machine's.
    fn mark_libraries(&self) {
        for name in ["libc.so.6", LOADER, "libboth.so.1"] {
            let mut options = fs::OpenOptions::new();
            let mut file = options.append(true).open(self.library(name)).unwrap();
            file.write_all(OF_PACKAGES).unwrap();
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn library(&self, name: &str) -> PathBuf {
        self.path(self.libraries).join(name)
    }

    /// A program that needs `libraries`, or where it has no main, a library of that name.
    fn compile(&self, output: &Path, source: &str, libraries: &[&str]) {
        let file = self.path("source.c");
        fs::write(&file, source).unwrap();
        let mut command = Command::new("cc");
        command.arg("-o").arg(output).arg(&file);
        if source.contains("main") {
            command.args(libraries.iter().map(|name| self.library(name)));
            command.arg("-Wl,-rpath,$ORIGIN/../../opt/x");
        } else {
            let names = libraries.iter().map(|name| format!("-Wl,-soname,{name}"));
            command.args(["-shared", "-fPIC"]).args(names);
        }
        assert!(command.status().unwrap().success());
    }
}

/// The program of the running system together with a tool of the packages.
fn built(running: &System, packages: &System) -> Vec<(String, Unpacked)> {
    let sample = Sample::new();
    sample.add("fs/btrfs/btrfs.ko", &["depends="]);
    let source = "int both(void); int main(void) { return both(); }";
    packages.compile(&packages.path("usr/sbin/btrfs"), source, &["libboth.so.1"]);
    let mut recipe = sample.recipe("[disks]\nahci\n");
    recipe.system = running.folder.path().to_owned();
    recipe.tools_system = Some(packages.folder.path().to_owned());
    recipe.tools = vec!["btrfs".to_owned()];
    recipe.binaries = vec![Binary {
        path: "/usr/bin/prog".to_owned(),
        destination: None,
    }];
    common::built(&recipe).into_iter().collect()
}

fn files<'a>(entries: &'a [(String, Unpacked)], name: &str) -> Vec<&'a [u8]> {
    let named = |path: &str| path.rsplit('/').next() == Some(name);
    let is_file = |entry: &Unpacked| entry.header.mode() & 0o170000 == 0o100000;
    let found = entries
        .iter()
        .filter(|(path, entry)| named(path) && is_file(entry));
    found.map(|(_, entry)| entry.content.as_slice()).collect()
}

#[test]
fn programs_of_two_systems_have_one_loader_and_one_of_each_library() {
    for packages in [System::apart(), System::merged()] {
        let running = System::running();
        let alone = "int alone(void) { return 1; }";
        running.compile(&running.library("libalone.so.1"), alone, &["libalone.so.1"]);
        let source = "int both(void), alone(void); int main(void) { return both() + alone(); }";
        let program = running.path("usr/bin/prog");
        running.compile(&program, source, &["libboth.so.1", "libalone.so.1"]);
        let entries = built(&running, &packages);
        assert_eq!(files(&entries, "prog").len(), 1);
        assert_eq!(files(&entries, "libalone.so.1").len(), 1);
        for name in ["libc.so.6", LOADER, "libboth.so.1"] {
            let [one] = files(&entries, name)[..] else {
                panic!("one {name} in {}", packages.libraries);
            };
            assert!(one.ends_with(OF_PACKAGES), "{name}");
        }
        let (_, loader) = entries
            .iter()
            .find(|(path, _)| path == "lib64/ld-linux-x86-64.so.2")
            .unwrap();
        let target = std::str::from_utf8(&loader.content).unwrap();
        let leads = |path: &str| entries.iter().any(|(other, _)| format!("/{other}") == path);
        assert!(leads(target), "{target}");
    }
}

#[test]
fn a_library_where_its_program_alone_looks_stays_its_own() {
    let (running, packages) = (System::running(), System::merged());
    let source = "int both(void) { return 2; }";
    running.compile(
        &running.path("opt/x/libboth.so.1"),
        source,
        &["libboth.so.1"],
    );
    let source = "int both(void); int main(void) { return both(); }";
    running.compile(&running.path("usr/bin/prog"), source, &["libboth.so.1"]);
    let entries = built(&running, &packages);
    let copies = files(&entries, "libboth.so.1");
    let marked = copies.iter().filter(|copy| copy.ends_with(OF_PACKAGES));
    assert_eq!((copies.len(), marked.count()), (2, 1));
}

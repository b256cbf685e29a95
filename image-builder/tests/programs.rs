//! Real programs with libraries in unusual places, built with the C compiler that Rust links with.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use image_builder::elf::{Closure, ElfError, Item, SystemRoot};
use tempfile::TempDir;

const LIBRARY_FOLDER: &str = "usr/lib/x86_64-linux-gnu";

/// ELF dlopen metadata: "may open libplugin.so.1".
const DLOPEN_NOTE: &str = r#"
__attribute__((used, section(".note.dlopen"), aligned(4)))
static const struct { unsigned name, length, type; char owner[4]; char text[64]; } note =
  { 4, 64, 0x407c0c0a, "FDO", "[{\"soname\":[\"libabsent.so\",\"libplugin.so.1\"]}]" };
"#;

/// A system with merged /usr, a C library, and a program in /opt that finds its own library beside
/// itself.
struct System {
    folder: TempDir,
}

impl System {
    fn new() -> Self {
        let system = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in [
            LIBRARY_FOLDER,
            "usr/lib64",
            "opt/x/bin",
            "opt/x/lib",
            "etc",
            "opt/conf",
        ] {
            fs::create_dir_all(system.path(folder)).unwrap();
        }
        symlink("usr/lib", system.path("lib")).unwrap();
        symlink("usr/lib64", system.path("lib64")).unwrap();
        for name in ["libc.so.6", "ld-linux-x86-64.so.2"] {
            let place = Path::new("/lib/x86_64-linux-gnu").join(name);
            fs::copy(place, system.path(LIBRARY_FOLDER).join(name)).unwrap();
        }
        let loader = "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
        symlink(loader, system.path("usr/lib64/ld-linux-x86-64.so.2")).unwrap();

        system.compile(
            "opt/x/lib/libx.so.1.0",
            "int x(void) { return 1; }",
            &["-Wl,-soname,libx.so.1"],
        );
        symlink("libx.so.1.0", system.path("opt/x/lib/libx.so.1")).unwrap();
        system.compile(
            "opt/conf/libplugin.so.1",
            "int y;",
            &["-Wl,-soname,libplugin.so.1"],
        );
        fs::write(system.path("etc/ld.so.conf"), "/opt/conf\n").unwrap();
        let library = system.path("opt/x/lib/libx.so.1.0");
        let source = format!("int x(void); int main(void) {{ return x(); }}\n{DLOPEN_NOTE}");
        let run_path = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib";
        system.compile(
            "opt/x/bin/prog",
            &source,
            &[library.to_str().unwrap(), run_path],
        );
        system
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    /// Shared unless it has a main.
    fn compile(&self, output: &str, source: &str, arguments: &[&str]) {
        let file = self.path("source.c");
        fs::write(&file, source).unwrap();
        let mut command = Command::new("cc");
        command
            .arg("-o")
            .arg(self.path(output))
            .arg(&file)
            .args(arguments);
        if !source.contains("main") {
            command.args(["-shared", "-fPIC"]);
        }
        assert!(command.status().unwrap().success());
    }

    fn closure(
        &self,
        path: &str,
        destination: Option<&str>,
    ) -> Result<BTreeMap<String, Item>, ElfError> {
        let root = SystemRoot::new(self.folder.path());
        let mut closure = Closure::new(&root);
        closure.add(path, destination)?;
        Ok(closure.into_items())
    }
}

/// `-> target` for a link, `file` for a file.
fn shown(items: &BTreeMap<String, Item>) -> Vec<String> {
    let kind = |item: &Item| match item {
        Item::File { .. } => "file".to_owned(),
        Item::Link(target) => format!("-> {target}"),
    };
    items
        .iter()
        .map(|(path, item)| format!("{path} {}", kind(item)))
        .collect()
}

#[test]
fn libraries_are_found_by_origin_by_configuration_and_by_dlopen_notes() {
    let items = System::new().closure("/opt/x/bin/prog", None).unwrap();
    assert_eq!(
        shown(&items),
        [
            "/lib64/ld-linux-x86-64.so.2 -> /usr/lib64/ld-linux-x86-64.so.2",
            "/opt/conf/libplugin.so.1 file",
            "/opt/x/bin/prog file",
            "/opt/x/lib/libx.so.1 -> libx.so.1.0",
            "/opt/x/lib/libx.so.1.0 file",
            // No ld.so.cache in an image: what is not in a default folder is linked into one.
            "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 file",
            "/usr/lib/x86_64-linux-gnu/libc.so.6 file",
            "/usr/lib/x86_64-linux-gnu/libplugin.so.1 -> /opt/conf/libplugin.so.1",
            "/usr/lib/x86_64-linux-gnu/libx.so.1 -> /opt/x/lib/libx.so.1",
            "/usr/lib64/ld-linux-x86-64.so.2 -> /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        ]
    );
}

#[test]
fn packages_unpacked_without_the_links_of_merged_usr_give_the_same() {
    let whole = System::new();
    let unpacked = System::new();
    for link in ["lib", "lib64"] {
        fs::remove_file(unpacked.path(link)).unwrap();
    }
    let items = |system: &System| shown(&system.closure("/opt/x/bin/prog", None).unwrap());
    assert_eq!(items(&unpacked), items(&whole));
}

#[test]
fn what_ends_threads_brings_the_unwinder_that_glibc_opens_for_it() {
    const UNWINDER: &str = "usr/lib/x86_64-linux-gnu/libgcc_s.so.1";
    let system = System::new();
    system.compile(
        "opt/x/lib/libx.so.1.0",
        "void pthread_exit(void *); int x(void) { pthread_exit(0); return 1; }",
        &["-Wl,-soname,libx.so.1"],
    );
    // As cryptsetup does in the library of argon2: a program that needs it aborts without.
    let error = system.closure("/opt/x/bin/prog", None).unwrap_err();
    let words = "/opt/x/lib/libx.so.1.0 needs libgcc_s.so.1";
    assert!(error.to_string().contains(words), "{error}");
    fs::copy("/lib/x86_64-linux-gnu/libgcc_s.so.1", system.path(UNWINDER)).unwrap();
    let items = system.closure("/opt/x/bin/prog", None).unwrap();
    assert!(items.contains_key(&format!("/{UNWINDER}")));
}

#[test]
fn what_ends_no_threads_brings_no_unwinder() {
    let system = System::new();
    let unwinder = "usr/lib/x86_64-linux-gnu/libgcc_s.so.1";
    fs::copy("/lib/x86_64-linux-gnu/libgcc_s.so.1", system.path(unwinder)).unwrap();
    let items = system.closure("/opt/x/bin/prog", None).unwrap();
    assert!(!items.contains_key(&format!("/{unwinder}")));
}

#[test]
fn a_program_with_a_destination_keeps_its_libraries() {
    let items = System::new()
        .closure("/opt/x/bin/prog", Some("/bin/prog"))
        .unwrap();
    assert!(matches!(items.get("/bin/prog"), Some(Item::File { .. })));
    assert!(!items.contains_key("/opt/x/bin/prog"));
    assert!(items.contains_key("/usr/lib/x86_64-linux-gnu/libx.so.1"));
}

#[test]
fn a_library_for_another_machine_does_not_count() {
    let system = System::new();
    let library = system.path("opt/x/lib/libx.so.1.0");
    let mut bytes = fs::read(&library).unwrap();
    let machine = bytes.get_mut(18..20).unwrap();
    machine.copy_from_slice(&183u16.to_le_bytes()); // EM_AARCH64
    fs::write(&library, bytes).unwrap();
    let error = system.closure("/opt/x/bin/prog", None).unwrap_err();
    assert!(error.to_string().contains("needs libx.so.1"), "{error}");
}

#[test]
fn a_shared_library_by_itself_brings_the_libraries_that_it_needs() {
    let system = System::new();
    let library = system.path("opt/x/lib/libx.so.1.0");
    system.compile(
        "opt/x/lib/plugin.so",
        "int x(void); int plugin(void) { return x(); }",
        &[
            library.to_str().unwrap(),
            "-Wl,--enable-new-dtags,-rpath,$ORIGIN",
        ],
    );
    let items = system.closure("/opt/x/lib/plugin.so", None).unwrap();
    assert!(items.contains_key("/opt/x/lib/libx.so.1.0"));
}

#[test]
fn a_script_is_taken_alone() {
    let system = System::new();
    fs::write(system.path("opt/script"), "#!/bin/sh\n").unwrap();
    let items = system.closure("/opt/script", None).unwrap();
    assert_eq!(shown(&items), ["/opt/script file"]);
}

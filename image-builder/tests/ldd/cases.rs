//! Small libraries in the places that ld.so(8) knows, to be linked with the C compiler that Rust links with.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A library or program to be linked: its place, its code, the libraries that it is linked with, more words for the
/// linker.
pub type Linked = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// Programs with libraries in a folder of their own, each called `prog`.
pub struct Case {
    pub what: &'static str,
    /// In the order in which they are linked.
    pub files: &'static [Linked],
    /// Files that must be carried, besides what ldd says.
    pub carried: &'static [&'static str],
    /// Files that must not be.
    pub left_out: &'static [&'static str],
    /// A library that neither loader nor builder finds.
    pub nowhere: Option<&'static str>,
}

const RPATH: &str = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib";
const RUNPATH: &str = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/lib";
const NO_CHECK: &str = "-Wl,--unresolved-symbols=ignore-all";
/// ELF dlopen metadata: one that must be there, one that a person may wish for.
const NOTE: &str = r#"
__attribute__((used, section(".note.dlopen"), aligned(4)))
static const struct { unsigned name, length, type; char owner[4]; char text[128]; } note = { 4, 128, 0x407c0c0a, "FDO",
  "[{\"soname\":[\"libo.so\"],\"priority\":\"required\"},{\"soname\":[\"libs.so\"],\"priority\":\"suggested\"}]" };
int main(void) { return 0; }
"#;

#[rustfmt::skip]
pub const CASES: [Case; 7] = [
    Case { what: "DT_RPATH of the program counts for libraries of its libraries", files: &[
        ("lib/libb.so", "int b(void) { return 0; }", &[], &["-Wl,-soname,libb.so"]),
        ("lib/liba.so", "int b(void); int a(void) { return b(); }", &["lib/libb.so"], &["-Wl,-soname,liba.so"]),
        ("prog", "int a(void); int main(void) { return a(); }", &["lib/liba.so"], &[RPATH, NO_CHECK]),
    ], carried: &["lib/liba.so", "lib/libb.so"], left_out: &[], nowhere: None },
    Case { what: "DT_RUNPATH of the program does not", files: &[
        ("lib/libb.so", "int b(void) { return 0; }", &[], &["-Wl,-soname,libpreflight-b.so"]),
        ("lib/liba.so", "int b(void); int a(void) { return b(); }", &["lib/libb.so"], &["-Wl,-soname,liba.so"]),
        ("prog", "int a(void); int main(void) { return a(); }", &["lib/liba.so"], &[RUNPATH, NO_CHECK]),
    ], carried: &[], left_out: &[], nowhere: Some("libpreflight-b.so") },
    Case { what: "what is loaded already serves a library that would not find it", files: &[
        ("lib/libb.so", "int b(void) { return 0; }", &[], &["-Wl,-soname,libb.so"]),
        ("lib/liba.so", "int b(void); int a(void) { return b(); }", &["lib/libb.so"], &["-Wl,-soname,liba.so"]),
        ("prog", "int a(void); int b(void); int main(void) { return a() + b(); }",
            &["lib/liba.so", "lib/libb.so"], &[RUNPATH, NO_CHECK]),
    ], carried: &["lib/liba.so", "lib/libb.so"], left_out: &[], nowhere: None },
    Case { what: "DT_RPATH of a library counts for its own and for those behind them", files: &[
        ("lib/lib/libc1.so", "int c(void) { return 0; }", &[], &["-Wl,-soname,libc1.so"]),
        ("lib/lib/libb.so", "int c(void); int b(void) { return c(); }", &["lib/lib/libc1.so"], &["-Wl,-soname,libb.so"]),
        ("lib/liba.so", "int b(void); int a(void) { return b(); }", &["lib/lib/libb.so"],
            &["-Wl,-soname,liba.so", RPATH, NO_CHECK]),
        ("prog", "int a(void); int main(void) { return a(); }", &["lib/liba.so"], &[RUNPATH, NO_CHECK]),
    ], carried: &["lib/liba.so", "lib/lib/libb.so", "lib/lib/libc1.so"], left_out: &[], nowhere: None },
    Case { what: "a needed name may itself begin at the file that needs it", files: &[
        ("lib/liba.so", "int a(void) { return 0; }", &[], &["-Wl,-soname,$ORIGIN/lib/liba.so"]),
        ("prog", "int a(void); int main(void) { return a(); }", &["lib/liba.so"], &[]),
    ], carried: &["lib/liba.so"], left_out: &[], nowhere: None },
    Case { what: "of builds for several processors the one that runs on all is carried", files: &[
        ("lib/glibc-hwcaps/x86-64-v2/liba.so", "int a(void) { return 0; }", &[], &["-Wl,-soname,liba.so"]),
        ("lib/glibc-hwcaps/x86-64-v3/liba.so", "int a(void) { return 0; }", &[], &["-Wl,-soname,liba.so"]),
        ("lib/liba.so", "int a(void) { return 0; }", &[], &["-Wl,-soname,liba.so"]),
        ("prog", "int a(void); int main(void) { return a(); }", &["lib/liba.so"], &[RUNPATH]),
    ], carried: &["lib/liba.so"],
        left_out: &["lib/glibc-hwcaps/x86-64-v2/liba.so", "lib/glibc-hwcaps/x86-64-v3/liba.so"], nowhere: None },
    Case { what: "a note brings in what it needs and not what it suggests", files: &[
        ("lib/libn.so", "int n(void) { return 0; }", &[], &["-Wl,-soname,libn.so"]),
        ("lib/libo.so", "int n(void); int o(void) { return n(); }", &["lib/libn.so"],
            &["-Wl,-soname,libo.so", "-Wl,--enable-new-dtags,-rpath,$ORIGIN"]),
        ("lib/libs.so", "int s(void) { return 0; }", &[], &["-Wl,-soname,libs.so"]),
        ("prog", NOTE, &[], &[RUNPATH]),
    ], carried: &["lib/libo.so", "lib/libn.so"], left_out: &["lib/libs.so"], nowhere: None },
];

pub fn link(folder: &Path, (output, code, libraries, words): &Linked) {
    let output = folder.join(output);
    fs::create_dir_all(output.parent().unwrap()).unwrap();
    let source = folder.join("source.c");
    fs::write(&source, code).unwrap();
    let mut command = Command::new("cc");
    // A library that is named on the command line is needed, even by code that a compiler sees through.
    command
        .args(["-Wl,--no-as-needed", "-o"])
        .arg(&output)
        .arg(&source);
    command
        .args(libraries.iter().map(|library| folder.join(library)))
        .args(*words);
    if !code.contains("main") {
        command.args(["-shared", "-fPIC"]);
    }
    let said = command.output().unwrap();
    assert!(said.status.success(), "{said:?}");
}

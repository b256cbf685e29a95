#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use nix::errno::Errno;
use storage::{Kind, Root};

#[test]
fn a_file_is_made_inside_the_root_also_where_a_link_leads_out_of_it() {
    let outside = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("etc")).unwrap();
    symlink(outside.path(), folder.path().join("away")).unwrap();
    symlink("/etc", folder.path().join("near")).unwrap();
    symlink("../../../../..", folder.path().join("up")).unwrap();
    let root = Root::open(folder.path()).unwrap();

    root.create("/near/made", 0o640)
        .unwrap()
        .write_all(b"x")
        .unwrap();
    root.create("/up/top", 0o600).unwrap();
    root.create("/away/lost", 0o600).unwrap_err();

    assert_eq!(fs::read(folder.path().join("etc/made")).unwrap(), b"x");
    assert!(folder.path().join("top").exists());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    let status = root.status("/etc/made").unwrap();
    assert_eq!(
        (status.kind, status.size, status.mode),
        (Kind::File, 1, 0o640)
    );
}

#[test]
fn two_files_exchange_their_names_and_a_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("one"), "1").unwrap();
    fs::write(folder.path().join("other"), "2").unwrap();
    symlink("other", folder.path().join("link")).unwrap();
    let root = Root::open(folder.path()).unwrap();

    root.exchange("/one", "/other").unwrap();
    assert_eq!(fs::read(folder.path().join("one")).unwrap(), b"2");
    assert_eq!(fs::read(folder.path().join("other")).unwrap(), b"1");
    root.remove("/link").unwrap();
    assert!(folder.path().join("other").exists());
}

#[test]
fn a_new_name_never_takes_the_place_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("one"), "1").unwrap();
    fs::write(folder.path().join("other"), "2").unwrap();
    let root = Root::open(folder.path()).unwrap();
    let error = root.rename("/one", "/other").unwrap_err();
    assert_eq!(
        error.to_string(),
        "/other cannot be put in place: File exists"
    );
    let error = root.create("/one", 0o600).unwrap_err();
    assert_eq!(error.to_string(), "/one cannot be created: File exists");
    assert_eq!(fs::read(folder.path().join("other")).unwrap(), b"2");
}

/// Set where this program runs under a kernel that takes no flags, to the folder to work in.
const WITHOUT_FLAGS: &str = "PREFLIGHT_TEST_WITHOUT_FLAGS";

#[test]
fn a_file_system_that_takes_no_flags_of_a_rename_renames_all_the_same_and_over_nothing() {
    if let Some(folder) = std::env::var_os(WITHOUT_FLAGS) {
        let root = Root::open(folder.as_ref()).unwrap();
        assert_eq!(
            root.exchange("/one", "/two").unwrap_err().errno,
            Errno::EINVAL
        );
        root.rename("/one", "/three").unwrap();
        assert_eq!(
            root.rename("/two", "/three").unwrap_err().errno,
            Errno::EEXIST
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let mut strace = std::process::Command::new("strace");
    strace.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "inject=renameat2:error=EINVAL",
    ]);
    strace.arg(std::env::current_exe().unwrap());
    strace.args([
        "--exact",
        "a_file_system_that_takes_no_flags_of_a_rename_renames_all_the_same_and_over_nothing",
    ]);
    match strace.env(WITHOUT_FLAGS, folder.path()).output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => return skip(&format!("strace: {error}")),
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).ok();
    assert_eq!(
        ["one", "two", "three"].map(read),
        [None, Some("two".to_owned()), Some("one".to_owned())]
    );
}

fn skip(why: &str) {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
    let complete = is("CI", "true") || is("PREFLIGHT_LAB", "complete");
    assert!(!complete, "nothing may be skipped here: {why}");
    println!("skipped: {why}");
}

//! What an undo meets on a host that has run since: pmxcfs, a /var of its own, newer kernels.

use std::io::Read;
use std::process::Stdio;

use super::*;

/// A change of a Proxmox host with a guest, of which the database is a file with any bytes.
fn with_a_database() -> (TempDir, std::path::PathBuf) {
    let (folder, places, mut set, mut contents) = system();
    let database = folder.path().join("var/lib/pve-cluster/config.db");
    fs::create_dir(database.parent().unwrap()).unwrap();
    fs::write(&database, "old").unwrap();
    fs::write(database.with_file_name(".pmxcfs.lockfile"), "").unwrap();
    let path = "/var/lib/pve-cluster/config.db".to_owned();
    let root = Root::open(folder.path()).unwrap();
    let before = state_of(&root, &PlaceId::root(), &path).unwrap();
    let after = FileState {
        digest: contents.add(b"new".to_vec()),
        ..before.unwrap()
    };
    set.files.push(FileChange {
        place: PlaceId::root(),
        path,
        role: Role::Plain,
        before,
        after: Some(after),
        between: None,
    });
    apply(&places, set, &contents, &mut unwatched).unwrap();
    (folder, database)
}

#[test]
fn nothing_is_written_while_pmxcfs_holds_its_lock() {
    let (folder, database) = with_a_database();
    let lock = database.with_file_name(".pmxcfs.lockfile");
    // Another process, as pmxcfs is one.
    let mut holder = Command::new("flock")
        .arg("--exclusive")
        .arg(&lock)
        .args(["sh", "-c", "echo held; read end"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 5];
    holder
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut held)
        .unwrap();
    let shown = undo(folder.path(), &[]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(
        text(&shown.stdout).contains("As it is, it is refused: the guests' database is in use")
    );
    for more in [&["--yes"][..], &["--yes", "--overwrite"]] {
        let refused = undo(folder.path(), more);
        assert_eq!(refused.status.code(), Some(1));
        let why = text(&refused.stderr);
        assert!(why.contains("systemctl stop pve-cluster"), "{why}");
        assert!(why.contains("from the stick"), "{why}");
        assert_eq!(modules(&folder), "loop\nvfio\n");
        assert_eq!(fs::read(&database).unwrap(), b"new");
    }
    drop(holder.stdin.take());
    holder.wait().unwrap();
    let done = undo(folder.path(), &["--yes"]);
    assert!(done.status.success(), "{done:?}");
    assert!(text(&done.stdout).contains("config.db on /, as a whole"));
    assert_eq!(fs::read(&database).unwrap(), b"old");
}

/// Set inside a mount namespace, to the folder of a system whose /var is a file system of its own.
const INSIDE: &str = "PREFLIGHT_TEST_UNDO_MOUNTED";

#[test]
fn a_file_system_that_is_mounted_inside_is_a_place_of_the_change() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        return undo_on_a_separate_var(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("var")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-ec"]);
    command
        .arg("mount -t tmpfs none \"$1/var\" || exit 77; exec \"$2\" --exact \"$3\" --nocapture");
    command
        .arg("sh")
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap());
    command.arg("host::a_file_system_that_is_mounted_inside_is_a_place_of_the_change");
    let output = command.env(INSIDE, folder.path()).output().unwrap();
    let said = text(&output.stderr);
    if output.status.code() == Some(77) || said.starts_with("unshare: ") {
        let complete = std::env::var_os("CI").is_some();
        assert!(!complete, "nothing may be skipped here: {said}");
        return println!("skipped: {said}");
    }
    assert!(output.status.success(), "{output:?}");
}

fn undo_on_a_separate_var(folder: &Path) {
    let var = folder.join("var");
    fs::create_dir(var.join("lib")).unwrap();
    fs::write(var.join("lib/note"), "old").unwrap();
    let id = PlaceId::FileSystem("/var".to_owned());
    let durability = Durability::Synced;
    let place = |path: &Path| Place {
        root: Root::open(path).unwrap(),
        durability,
    };
    let places = Places::default()
        .with(PlaceId::root(), place(folder))
        .with(id.clone(), place(&var));
    let before = state_of(&place(&var).root, &id, "/lib/note").unwrap();
    let mut contents = Memory::default();
    let after = FileState {
        digest: contents.add(b"new".to_vec()),
        ..before.unwrap()
    };
    let set = ChangeSet {
        entries: Vec::new(),
        id: "first".parse().unwrap(),
        folders: Vec::new(),
        files: vec![FileChange {
            place: id,
            path: "/lib/note".to_owned(),
            role: Role::Plain,
            before,
            after: Some(after),
            between: None,
        }],
    };
    apply(&places, set, &contents, &mut unwatched).unwrap();
    let done = undo(folder, &["--yes"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(fs::read(var.join("lib/note")).unwrap(), b"old");
}

#[test]
fn a_kernel_that_came_after_the_change_is_named_before_and_after_the_undo() {
    for (is_new, later) in [(false, "6.8.4-2-pve"), (true, "6.8.12-9-pve")] {
        let (folder, places, mut set, mut contents) = system();
        let boot = folder.path().join("boot");
        fs::create_dir_all(boot.join("grub")).unwrap();
        let root = Root::open(folder.path()).unwrap();
        let files = [
            ("/boot/initrd.img-6.8.4-2-pve", Role::Payload, "new"),
            (
                "/boot/grub/grub.cfg",
                Role::Selector,
                "initrd /boot/initrd.img-6.8.4-2-pve\n# new\n",
            ),
        ];
        for (path, role, new) in files {
            let old = new.replace("new", "old");
            fs::write(folder.path().join(path.trim_start_matches('/')), old).unwrap();
            let before = state_of(&root, &PlaceId::root(), path).unwrap();
            let after = FileState {
                digest: contents.add(new.as_bytes().to_vec()),
                ..before.unwrap()
            };
            set.files.push(FileChange {
                place: PlaceId::root(),
                path: path.to_owned(),
                role,
                before,
                after: Some(after),
                between: None,
            });
        }
        apply(&places, set, &contents, &mut unwatched).unwrap();
        fs::write(boot.join("initrd.img-6.8.4-2-pve.bak"), "copy").unwrap();
        if is_new {
            fs::write(boot.join(format!("initrd.img-{later}")), "since").unwrap();
        }
        let shown = text(&undo(folder.path(), &[]).stdout);
        let done = text(&undo(folder.path(), &["--yes"]).stdout);
        let (_, ended) = done.split_once("first is undone: ").unwrap();
        let wanted = format!("update-initramfs -u -k {later}\n  update-grub\n");
        assert_eq!(shown.contains(&wanted), is_new, "{shown}");
        assert_eq!(ended.contains(&wanted), is_new, "{ended}");
        assert_eq!(
            ended == "every file was read again and is as before.\n",
            !is_new,
            "{ended}"
        );
        assert_eq!(
            fs::read(boot.join("initrd.img-6.8.4-2-pve")).unwrap(),
            b"old"
        );
    }
}

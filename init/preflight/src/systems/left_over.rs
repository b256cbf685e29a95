//! Files in memory that a process has for itself while it lives, and what is left of those that were killed.

use std::fs;
use std::path::{Path, PathBuf};

const FOLDER: &str = "/run/preflight";
const PREFIX: &str = "apply-";

/// The folder of this process, which may not be there yet.
pub fn own_folder() -> PathBuf {
    Path::new(FOLDER).join(format!("{PREFIX}{}", std::process::id()))
}

/// Removes the folders of processes that are no more.
pub fn clear() {
    clear_in(Path::new(FOLDER), Path::new("/proc"));
}

fn clear_in(folder: &Path, proc: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let process = process.filter(|process| process.parse::<u32>().is_ok());
        if process.is_some_and(|process| !proc.join(process).exists()) {
            // Only memory is lost where it stays.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_had_goes_and_what_a_living_one_has_stays() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::process::id();
        // Above the highest that the kernel gives (PID_MAX_LIMIT, include/linux/threads.h).
        for name in [
            format!("apply-{own}"),
            "apply-4194305".to_owned(),
            "apply-x".to_owned(),
            "look".to_owned(),
        ] {
            fs::create_dir(folder.path().join(&name)).unwrap();
            fs::write(folder.path().join(&name).join("kept"), "x").unwrap();
        }
        clear_in(folder.path(), Path::new("/proc"));
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                format!("apply-{own}"),
                "apply-x".to_owned(),
                "look".to_owned()
            ]
        );
    }
}

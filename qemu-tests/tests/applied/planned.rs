//! What a plan says that it will change, as it is printed.

/// A file that a plan changes, and the lines that it gets.
#[derive(Debug, PartialEq, Eq)]
pub struct Planned {
    /// As the installed system has it.
    pub path: String,
    /// Without their ends; none of a file that is no text.
    pub added: Vec<String>,
    /// Of a file that is copied from elsewhere.
    pub sha256: Option<String>,
}

/// What an apply prints behind the plan: how boot files came out, by their places.
const CAME_OUT: &str = "What came out on the overlays";

/// The files of the installed system in a plan.
pub fn planned(text: &str) -> Vec<Planned> {
    let mut files: Vec<Planned> = Vec::new();
    let mut inside = false;
    for line in text.lines().take_while(|line| !line.starts_with(CAME_OUT)) {
        if let Some(rest) = line.strip_prefix("+++ ") {
            let sha256 = rest
                .split_once(", SHA-256 ")
                .map(|(_, digest)| digest.to_owned());
            let end = rest.find(": a copy of ").or_else(|| rest.find(" (mode "));
            let path = &rest[..end.unwrap_or(rest.len())];
            inside = path.starts_with('/');
            if inside {
                files.push(Planned {
                    path: path.to_owned(),
                    added: Vec::new(),
                    sha256,
                });
            }
        } else if line.is_empty() {
            inside = false;
        } else if let (true, Some(file), Some(added)) =
            (inside, files.last_mut(), line.strip_prefix('+'))
        {
            file.added.push(added.to_owned());
        }
    }
    files
}

impl Planned {
    /// A command that prints the file in the running system. Its guests' files are in the database: nothing
    /// mounts that at /etc/pve here.
    pub fn shown_by(&self) -> String {
        match (&self.sha256, self.path.strip_prefix("/etc/pve/")) {
            (Some(_), _) => format!("sha256sum {}", self.path),
            (None, None) => format!("cat {}", self.path),
            (None, Some(inside)) => {
                let name = inside.rsplit('/').next().unwrap_or_default();
                format!(
                    "sqlite3 /var/lib/pve-cluster/config.db \
                     'select cast(data as text) from tree where name='\\''{name}'\\'"
                )
            }
        }
    }

    /// What of it is missing in what that command printed.
    pub fn missing(&self, shown: &str) -> Vec<&str> {
        let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
        let is_missing = |line: &&str| !lines.contains(&line.trim_end());
        let copied = self.sha256.as_deref();
        let copied = copied.filter(|digest| !shown.starts_with(digest));
        let added = self.added.iter().map(String::as_str);
        added.filter(is_missing).chain(copied).collect()
    }
}

#[test]
fn the_files_of_a_plan_are_those_of_the_system_with_their_new_lines() {
    let text = "Plan for x\n\n# why\n--- /etc/modules\n+++ /etc/modules (mode 644)\n@@ -1 +1,2 @@\n a\n-c\n+b\n\n\
                # why\n+++ /usr/share/kvm/card.rom: a copy of /run/card.rom, 7 bytes, SHA-256 abc\n\n# left\n\
                --- /dev/null\n+++ stick: list.txt\n@@ -0,0 +1 @@\n+[ ] do\n\nOptions:\n  iommu=on\n\n\
                What came out on the overlays, and would be written:\n+++ /boot/grub/grub.cfg on /\n+x\n";
    let files = planned(text);
    let expected = [
        ("/etc/modules", vec!["b"], None),
        ("/usr/share/kvm/card.rom", vec![], Some("abc")),
    ];
    let seen = files.iter().map(|file| {
        let added = file.added.iter().map(String::as_str).collect();
        (file.path.as_str(), added, file.sha256.as_deref())
    });
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert_eq!(files[0].missing("a\nb"), Vec::<&str>::new());
    assert_eq!(files[0].missing("a\nbc"), ["b"]);
    assert_eq!(files[1].missing("abd  /usr/share/kvm/card.rom"), ["abc"]);
}

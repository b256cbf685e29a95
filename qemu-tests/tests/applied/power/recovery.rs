//! What a kernel makes of crash states: file systems recovered by being mounted, and what is then in them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use qemu_tests::golden::Golden;
use qemu_tests::probe::Answer;
use qemu_tests::storage_guest::Request;
use qemu_tests::{Boot, Device, Machine, Milestone, Port, Slot};

use crate::lab::{Lab, guest_image};

/// Disks of one guest: as many as a bus of their own takes.
pub const DISKS: usize = 32;
/// For each state on the reference machine, some ten times what is seen there.
const TO_RECOVER: Duration = Duration::from_secs(40);
const RECOVERED: &str = "recovered: all";

/// How far a change has come, by what it keeps of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// It has nothing of its own on the disks.
    Nothing,
    /// A folder with neither a journal nor a receipt.
    Copied,
    /// A journal: it is not ended.
    Begun,
    /// A receipt.
    Done,
}

/// A state after its recovery.
pub struct Recovered {
    pub progress: Progress,
    /// Digests of configuration files, and of selectors with what they name.
    pub files: BTreeMap<String, String>,
}

const CONFIG: &str = "--config 'activation{udev_sync=0 udev_rules=0 monitoring=0} backup{backup=0 archive=0} \
    devices{use_devicesfile=0}'";

/// A selector whose paths have given way to digests of what they lead to, as in the view of a loader.
const RESOLVE: &str = "resolve() { cp \"$1\" /menu; \
    for path in $(sed -n 's/^[[:space:]]*\\(linux\\|initrd\\)[[:space:]]*\\(\\/[^ ]*\\).*/\\2/p' /menu | sort -u); do \
    sum=$(md5sum <.$path | cut -c1-32); sed -i \"s#$path\\( \\|\\$\\)#$sum\\1#\" /menu; done; \
    echo \"file $1 $(md5sum </menu | cut -c1-32)\"; }";

/// What is listed of a root, and that it can be written to.
const LIST: &str = "echo x >preflight-probe; sync; rm preflight-probe; \
    find var/lib/preflight -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sed 's#.*#progress folder#'; \
    find var/lib/preflight -maxdepth 2 -name '*.json' 2>/dev/null | sed 's#.*/#progress #'; \
    find etc usr/share/kvm var/lib/pve-cluster -type f ! -name '*.dpkg-tmp' 2>/dev/null | xargs md5sum \
    | sed 's/^\\([0-9a-f]*\\) *\\(.*\\)/file \\2 \\1/'";

/// What a kernel that is not content says.
const COMPLAINTS: &str = "dmesg | grep -i -e 'ext4-fs.*\\(error\\|warn\\)' -e 'btrfs.*\\(error\\|critical\\|corrupt\\)' -e 'fat-fs.*error' \
     -e 'i/o error' | sed 's/^/complaint /'; dmesg -c >/dev/null";

/// Leaves a system where its recovery stops: the next state has the same names and UUIDs.
fn leave(golden: Golden, root: &str) -> String {
    let named = match golden {
        Golden::BtrfsMirror => "btrfs device scan --forget".to_owned(),
        Golden::ZfsSystemdBoot => "zpool export -f rpool".to_owned(),
        _ => format!("lvm lvchange -qq -an {CONFIG} --devices {root} pve/root"),
    };
    format!("leave() {{ set +e; cd /; umount /esp; umount /m; {named}; }}")
}

/// Mounts the root on these disks at /m, and lists it; then the ESPs. All of a file system is checked where it is
/// `thorough`.
fn script(golden: Golden, disks: &[String], thorough: bool) -> String {
    let check = |tool: &str| match thorough {
        true => format!("{tool} >&2; "),
        false => String::new(),
    };
    let roots: Vec<String> = disks.iter().map(|disk| format!("{disk}3")).collect();
    let first = &roots[0];
    let root = format!("cd /m; {LIST}; ");
    let system = match golden {
        Golden::BtrfsMirror => {
            let all = roots.join(" ");
            let devices = roots.iter().map(|root| format!("device={root}"));
            let devices = devices.collect::<Vec<_>>().join(",");
            format!(
                "btrfs device scan {all} >&2; mount -t btrfs -o {devices} {first} /m; {root} resolve boot/grub/grub.cfg; \
                 cd /; umount /m; {}btrfs device scan --forget",
                check(&format!("btrfs check --readonly {first}"))
            )
        }
        Golden::ZfsSystemdBoot => {
            let from = roots.iter().map(|root| format!("-d {root}"));
            let from = from.collect::<Vec<_>>().join(" ");
            let esps = disks.iter().enumerate().map(|(number, disk)| {
                format!(
                    "; mount -t vfat {disk}2 /esp; cd /esp; for entry in loader/loader.conf \
                     loader/entries/*.conf; do [ ! -s $entry ] || resolve $entry; done | sed 's/^file /file esp{number}:/'; \
                     cd /; umount /esp"
                )
            });
            let esps: String = esps.collect();
            format!(
                "zpool import -f -N -R /m -o cachefile=none {from} rpool; zfs mount rpool/ROOT/pve-1; {root} cd /{esps}; \
                 zpool status -x rpool | grep -q healthy || zpool status rpool | sed 's/^/complaint /'; zpool export rpool"
            )
        }
        _ => format!(
            "lvm lvchange -qq -ay {CONFIG} --devices {first} pve/root; mount -t ext4 /dev/mapper/pve-root /m; {root} \
             resolve boot/grub/grub.cfg; cd /; umount /m; {}\
             lvm lvchange -qq -an {CONFIG} --devices {first} pve/root",
            check("e2fsck -fn /dev/mapper/pve-root")
        ),
    };
    let leave = leave(golden, first);
    format!(
        "{RESOLVE}; {leave}; mkdir -p /m /esp; trap leave EXIT; {system}; trap - EXIT; {COMPLAINTS}"
    )
}

impl Lab {
    /// Recovers states, each on disks of its own, which are written to; for each what came of it, or what is wrong.
    pub fn recover(
        &self,
        phase: &str,
        states: &[Vec<PathBuf>],
        thorough: bool,
    ) -> Vec<Result<Recovered, String>> {
        let mut number = 0;
        let mut requests = Vec::new();
        for state in states {
            let disks = state.iter().map(|_| {
                number += 1;
                node(number - 1)
            });
            let disks: Vec<String> = disks.collect();
            let script = script(self.installed.golden(), &disks, thorough);
            requests.push(Request::shell(&format!(
                "echo recovering >/dev/console; {script}"
            )));
        }
        requests.push(Request::shell(&format!("echo '{RECOVERED}' >/dev/console")));
        let images = guest_image(&requests, self.folder()).unwrap();
        let slots = states.iter().flatten().map(|image| {
            let image = image.clone();
            Slot::port(Port::RootPort, Device::VirtioBlock { image })
        });
        let machine = Machine::q35()
            .processor("max")
            .memory(1024)
            .root_bus(slots.collect());
        let boot = Boot::new(&self.name(phase), &images, machine).deadlines(self.patient());
        let mut run = boot.start(&self.qemu).unwrap();
        run.wait_milestone(Milestone::Init).unwrap();
        let count = u32::try_from(states.len()).unwrap();
        run.wait_text(RECOVERED, TO_RECOVER * count).unwrap();
        let mut answers = run.answers().unwrap();
        answers.pop();
        let parsed = answers.into_iter().map(|answer| match answer {
            Ok(Answer::Text(text)) => parsed(&text),
            Ok(other) => Err(format!("{other:?}")),
            Err(refusal) => Err(refusal.why),
        });
        parsed.collect()
    }
}

/// The disk with this number, as the kernel counts letters.
fn node(number: usize) -> String {
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap_or(0));
    match number / 26 {
        0 => format!("/dev/vd{}", letter(number)),
        more => format!("/dev/vd{}{}", letter(more - 1), letter(number)),
    }
}

fn parsed(text: &str) -> Result<Recovered, String> {
    let complaints: Vec<&str> = text
        .lines()
        .filter(|it| it.starts_with("complaint "))
        .collect();
    if !complaints.is_empty() {
        return Err(complaints.join("\n"));
    }
    let has = |name: &str| text.lines().any(|line| line == format!("progress {name}"));
    let progress = match ["folder", "journal.json", "receipt.json"].map(has) {
        [_, true, _] => Progress::Begun,
        [_, false, true] => Progress::Done,
        [true, false, false] => Progress::Copied,
        [false, false, false] => Progress::Nothing,
    };
    let files = text.lines().filter_map(|line| {
        let (name, digest) = line.strip_prefix("file ")?.rsplit_once(' ')?;
        Some((name.to_owned(), digest.to_owned()))
    });
    let files: BTreeMap<_, _> = files.collect();
    match files.len() {
        0..100 => Err(format!("only {} files: {text}", files.len())),
        _ => Ok(Recovered { progress, files }),
    }
}

#[test]
fn disks_behind_the_26th_have_two_letters() {
    assert_eq!(
        [0, 25, 26, 31].map(node),
        ["/dev/vda", "/dev/vdz", "/dev/vdaa", "/dev/vdaf"]
    );
}

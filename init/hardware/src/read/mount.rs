use crate::tree::Tree;
use crate::{Mount, Reading, Source};

const MOUNTINFO_LIMIT: usize = 1 << 20;
/// A host of thousands of containers has as many mounts.
const MAX_MOUNTS: usize = 1 << 14;
/// File system, logical volume, encryption, RAID, partition: deeper than this nobody stacks.
const MAX_DEPTH: usize = 8;
/// File systems that span disks without showing them in /sys.
const POOLED: &[&str] = &["zfs"];

/// What the running system has mounted from disks, from /proc/self/mountinfo. What is in memory or comes
/// over the network is left out.
pub(super) fn mounts(source: &Source, sys: &Tree) -> Reading<Vec<Mount>> {
    let text = source.proc_text("self/mountinfo", MOUNTINFO_LIMIT);
    text.map(|text| {
        let lines = text.lines().take(MAX_MOUNTS).filter_map(Line::parse);
        let mut mounts: Vec<Mount> = Vec::new();
        for mount in lines.filter_map(|line| line.mount(sys)) {
            // Of two mounts at one place the later one hides the earlier.
            mounts.retain(|earlier| earlier.point != mount.point);
            mounts.push(mount);
        }
        mounts
    })
}

/// A line of mountinfo (Documentation/filesystems/proc.rst, 3.5).
struct Line<'a> {
    device: &'a str,
    point: String,
    kind: &'a str,
    source: String,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (place, what) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(2);
        let (device, point) = (place.next()?, place.nth(1)?);
        let mut what = what.split(' ');
        Some(Self {
            device,
            point: unescape(point),
            kind: what.next()?,
            source: unescape(what.next()?),
        })
    }

    fn mount(self, sys: &Tree) -> Option<Mount> {
        let is_anonymous = self.device.starts_with("0:");
        let disks = if POOLED.contains(&self.kind) {
            Reading::unknown(format!(
                "{} does not show in /sys which disks {} is on",
                self.kind, self.source
            ))
        } else if !is_anonymous {
            let link = sys.link(&format!("dev/block/{}", self.device));
            let name = link.map(|link| super::last(&link).to_owned());
            sys.expected(&format!("dev/block/{}", self.device), name)
                .map(|name| below(sys, &name, 0))
        } else {
            // btrfs and bcachefs have device numbers of their own and name a device, or several.
            let names: Vec<&str> = self
                .source
                .split(':')
                .map(device_name)
                .collect::<Option<_>>()?;
            let names = names.iter().flat_map(|name| pool(sys, &resolve(sys, name)));
            Reading::Known(names.flat_map(|name| below(sys, &name, 0)).collect())
        };
        let disks = disks.and_then(|mut disks| {
            disks.sort_unstable();
            disks.dedup();
            if disks.is_empty() {
                return Err(format!("no disk was found below {}", self.source));
            }
            Ok(disks)
        });
        Some(Mount {
            point: self.point,
            source: self.source,
            disks,
        })
    }
}

fn device_name(source: &str) -> Option<&str> {
    source.strip_prefix("/dev/")
}

/// The kernel's name of a device under /dev: `mapper/pve-root` is called `dm-1`.
fn resolve(sys: &Tree, name: &str) -> String {
    let Some(mapped) = name.strip_prefix("mapper/") else {
        return super::last(name).to_owned();
    };
    let devices = sys.list("block").unwrap_or_default();
    let found = devices.into_iter().find(|device| {
        sys.text(&format!("block/{device}/dm/name"))
            .is_ok_and(|name| name.trim() == mapped)
    });
    found.unwrap_or_else(|| mapped.to_owned())
}

/// All devices of the btrfs file system that has this one.
fn pool(sys: &Tree, name: &str) -> Vec<String> {
    const BTRFS: &str = "fs/btrfs";
    let systems = sys.list(BTRFS).unwrap_or_default();
    let devices = systems
        .iter()
        .filter_map(|id| sys.list(&format!("{BTRFS}/{id}/devices")).ok())
        .find(|devices| devices.iter().any(|device| device == name));
    devices.unwrap_or_else(|| vec![name.to_owned()])
}

/// The disks that a block device lies on.
fn below(sys: &Tree, name: &str, depth: usize) -> Vec<String> {
    let slaves = sys
        .list(&format!("class/block/{name}/slaves"))
        .unwrap_or_default();
    if !slaves.is_empty() && depth < MAX_DEPTH {
        return slaves
            .iter()
            .flat_map(|slave| below(sys, slave, depth + 1))
            .collect();
    }
    let path = format!("class/block/{name}");
    if !sys.has(&format!("{path}/partition")) {
        return vec![name.to_owned()];
    }
    let link = sys.link(&path).unwrap_or_default();
    let disk = link.rsplit('/').nth(1).filter(|disk| !disk.is_empty());
    // A RAID or a mapped device can have partitions, too.
    match disk {
        Some(disk) if depth < MAX_DEPTH => below(sys, disk, depth + 1),
        _ => vec![name.to_owned()],
    }
}

/// Spaces and the like are written as `\040`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = (*first == b'\\')
            .then(|| behind.split_at_checked(3))
            .flatten()
            .and_then(|(digits, behind)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((u8::from_str_radix(digits, 8).ok()?, behind))
            });
        let (byte, behind) = escaped.unwrap_or((*first, behind));
        bytes.push(byte);
        rest = behind;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_device_place_kind_and_source_whatever_stands_between() {
        let line = "36 35 98:0 /sub /mnt/my\\040data rw master:1 shared:2 - ext4 /dev/sda1 rw,x=1";
        let line = Line::parse(line).unwrap();
        assert_eq!(
            (
                line.device,
                line.point.as_str(),
                line.kind,
                line.source.as_str()
            ),
            ("98:0", "/mnt/my data", "ext4", "/dev/sda1")
        );
        assert!(Line::parse("36 35 98:0").is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_without_panic(line: String) {
            let _ = Line::parse(&line);
            let _ = unescape(&line);
        }
    }
}

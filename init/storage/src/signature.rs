use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use libblkid_rs::{BlkidErr, BlkidProbe, BlkidSafeprobeRet, BlkidSublks, BlkidSublksFlags};

use crate::model::{Content, Signature};

/// Longest value that is taken over; an honest one is far shorter.
const LONGEST: usize = 512;

/// What a block device or image file holds by its signatures, read through a read-only descriptor.
pub(crate) fn content(path: &Path) -> Content {
    probe(path).unwrap_or_else(|why| Content::Unknown(format!("{}: {why}", path.display())))
}

fn probe(path: &Path) -> Result<Content, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let words = |error: BlkidErr| error.to_string();
    let mut probe = BlkidProbe::new().map_err(words)?;
    probe.set_device(file.as_raw_fd(), 0, 0).map_err(words)?;
    probe.enable_partitions(false).map_err(words)?;
    probe.enable_superblocks(true).map_err(words)?;
    probe
        .set_superblock_flags(BlkidSublksFlags::new(vec![
            BlkidSublks::Label,
            BlkidSublks::Uuid,
            BlkidSublks::Type,
        ]))
        .map_err(words)?;
    match probe.do_safeprobe().map_err(words)? {
        BlkidSafeprobeRet::Success => {}
        BlkidSafeprobeRet::None => return Ok(Content::Nothing),
        BlkidSafeprobeRet::Ambiguous => return Ok(Content::Ambiguous),
    }
    let value = |name: &str| {
        let has = probe.has_value(name).unwrap_or(false);
        let text = has.then(|| probe.lookup_value(name).ok()).flatten()?;
        Some(text.chars().take(LONGEST).collect::<String>())
    };
    Ok(value("TYPE").map_or(Content::Nothing, |kind| {
        Content::Known(Signature {
            kind,
            uuid: value("UUID"),
            member: value("UUID_SUB"),
            label: value("LABEL"),
        })
    }))
}

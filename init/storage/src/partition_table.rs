use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use libblkid_rs::{BlkidErr, BlkidProbe, BlkidSafeprobeRet, BlkidSublks, BlkidSublksFlags};

use crate::Error;

/// One entry of a partition table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionEntry {
    /// Number, from 1.
    pub number: u32,
    /// GPT type GUID or MBR type, lower case.
    pub kind: String,
    /// PARTUUID, lower case; none on tables that have none.
    pub uuid: Option<String>,
    /// PARTLABEL: its name in a GPT.
    pub name: Option<String>,
    /// First sector, in units of 512 bytes whatever the disk's sectors are.
    pub start: u64,
}

fn probe_error(path: &Path) -> impl FnOnce(BlkidErr) -> Error {
    let path = path.to_owned();
    move |error| Error::Probe {
        path,
        detail: error.to_string(),
    }
}

/// The partition table of a disk or of an image file, read through a read-only descriptor. Empty when
/// there is none.
pub fn partition_table(path: &Path) -> Result<Vec<PartitionEntry>, Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut probe = BlkidProbe::new().map_err(probe_error(path))?;
    probe
        .set_device(file.as_raw_fd(), 0, 0)
        .map_err(probe_error(path))?;
    probe.enable_superblocks(false).map_err(probe_error(path))?;
    probe.enable_partitions(true).map_err(probe_error(path))?;
    // A device without a table has no list, and that is an answer, not an error.
    let Ok(mut list) = probe.get_partitions() else {
        return Ok(Vec::new());
    };
    let mut entries = Vec::new();
    for index in 0..list.number_of_partitions().map_err(probe_error(path))? {
        let Ok(partition) = list.get_partition(index) else {
            continue;
        };
        let (Ok(number), Ok(kind)) = (partition.get_partno(), partition.get_type_string()) else {
            continue;
        };
        let Ok(start) = u64::try_from(*partition.get_start().as_ref()) else {
            continue;
        };
        let uuid = partition
            .get_uuid()
            .ok()
            .flatten()
            .map(|uuid| uuid.to_string().to_lowercase());
        entries.push(PartitionEntry {
            number,
            kind: kind.to_lowercase(),
            uuid,
            name: partition.get_name().ok().flatten(),
            start,
        });
    }
    Ok(entries)
}

/// Label of the FAT file system on a partition or in an image file; `None` when it is not FAT or has no
/// label.
pub fn file_system_label(path: &Path) -> Result<Option<String>, Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut probe = BlkidProbe::new().map_err(probe_error(path))?;
    probe
        .set_device(file.as_raw_fd(), 0, 0)
        .map_err(probe_error(path))?;
    probe.enable_superblocks(true).map_err(probe_error(path))?;
    probe
        .set_superblock_flags(BlkidSublksFlags::new(vec![
            BlkidSublks::Label,
            BlkidSublks::Type,
        ]))
        .map_err(probe_error(path))?;
    match probe.do_safeprobe().map_err(probe_error(path))? {
        BlkidSafeprobeRet::Success => {}
        BlkidSafeprobeRet::None | BlkidSafeprobeRet::Ambiguous => return Ok(None),
    }
    let has = |name| probe.has_value(name).unwrap_or(false);
    if !has("TYPE") || !has("LABEL") {
        return Ok(None);
    }
    let kind = probe.lookup_value("TYPE").map_err(probe_error(path))?;
    let label = probe.lookup_value("LABEL").map_err(probe_error(path))?;
    Ok((kind == "vfat").then_some(label))
}

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Trouble;

/// More volumes than this of one group are not taken in.
const MOST: usize = 4096;

/// A volume group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeGroup {
    /// Its UUID.
    pub uuid: String,
    /// Its name; another group may have the same.
    pub name: String,
    /// The host that it belongs to by its system ID, when it has one.
    pub system_id: Option<String>,
    /// It was exported with `vgexport`.
    pub exported: bool,
    /// Physical volumes that are not there.
    pub missing: u64,
    /// UUIDs of its physical volumes, those that are not there included.
    pub physical_volumes: Vec<String>,
    /// Its logical volumes that a person sees.
    pub logical_volumes: Vec<LogicalVolume>,
}

/// A logical volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogicalVolume {
    /// Its UUID.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// How it is laid out, in LVM's words: `linear`, `thin,pool`, `raid,raid1`.
    pub layout: String,
    /// What it is for, in LVM's words: `public`, `private,thin,pool,data`.
    pub role: String,
    /// A physical volume that it needs is not there.
    pub partial: bool,
}

/// In which way a logical volume may be opened during a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Over the overlays of its physical volumes, as it is.
    Plain,
    /// For reading alone, with an overlay of its own on top: the kernel would repair a mirror, and fill the
    /// overlays below with it.
    ReadOnly,
    /// Not at all; why.
    Never(&'static str),
}

impl LogicalVolume {
    /// In which way it may be opened.
    pub fn access(&self) -> Access {
        let has = |word: &str| self.layout.split(',').any(|one| one == word);
        let role = |word: &str| self.role.split(',').any(|one| one == word);
        if has("thin") {
            Access::Never("thin pools are never activated, since their check can write")
        } else if !role("public") {
            Access::Never("it is a part of another volume")
        } else if has("cache") || has("writecache") || has("vdo") || has("integrity") {
            Access::Never("its kind writes to its own metadata when it is activated")
        } else if role("snapshot") {
            Access::Never("it is a snapshot")
        } else if self.partial && !has("raid") {
            Access::Never("a physical volume that it needs is not there")
        } else if has("raid") || has("mirror") {
            Access::ReadOnly
        } else if has("linear") || has("striped") {
            Access::Plain
        } else {
            Access::Never("its layout is not known")
        }
    }

    /// Whether it is the disk of a guest by Proxmox VE's naming (`vm-100-disk-0`, `base-100-disk-0`).
    pub fn is_guest_disk(&self) -> bool {
        let mut words = self.name.split('-');
        let kind = words.next().unwrap_or_default();
        let number = words.next().unwrap_or_default();
        matches!(kind, "vm" | "base")
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    }
}

#[derive(Deserialize)]
struct Document {
    report: Vec<Section>,
}

#[derive(Deserialize)]
struct Section {
    #[serde(default)]
    vg: Vec<Row>,
    #[serde(default)]
    pv: Vec<Row>,
    #[serde(default)]
    lv: Vec<Row>,
}

/// A row of a report: every value is a text.
type Row = BTreeMap<String, String>;

/// The volume groups in what `lvm fullreport --reportformat json` prints, with sizes in bytes without unit, and
/// what of them was too much.
pub(crate) fn parse(json: &str) -> Result<(Vec<VolumeGroup>, Vec<Trouble>), serde_json::Error> {
    let document: Document = serde_json::from_str(json)?;
    let groups = document.report.iter().filter_map(group).collect();
    let left_out = document.report.iter().flat_map(left_out).collect();
    Ok((groups, left_out))
}

fn left_out(section: &Section) -> Vec<Trouble> {
    let name = section.vg.first().map(|vg| text(vg, "vg_name"));
    let name = name.unwrap_or_default();
    let kinds = [
        ("physical", section.pv.len()),
        ("logical", section.lv.len()),
    ];
    let too_many = kinds.into_iter().filter(|(_, count)| *count > MOST);
    too_many
        .map(|(kind, count)| Trouble::LeftOut {
            what: format!("{count} {kind} volumes of volume group {name}"),
            most: MOST,
        })
        .collect()
}

fn group(section: &Section) -> Option<VolumeGroup> {
    let vg = section.vg.first()?;
    // Physical volumes in no group are reported under a group without a name.
    let uuid = value(vg, "vg_uuid")?;
    let attributes = text(vg, "vg_attr");
    Some(VolumeGroup {
        uuid,
        name: text(vg, "vg_name"),
        system_id: value(vg, "vg_systemid"),
        exported: attributes.as_bytes().get(2) == Some(&b'x'),
        missing: text(vg, "vg_missing_pv_count").parse().unwrap_or(0),
        physical_volumes: section
            .pv
            .iter()
            .take(MOST)
            .filter_map(|row| value(row, "pv_uuid"))
            .collect(),
        logical_volumes: section.lv.iter().take(MOST).filter_map(volume).collect(),
    })
}

fn volume(row: &Row) -> Option<LogicalVolume> {
    let attributes = text(row, "lv_attr");
    Some(LogicalVolume {
        uuid: value(row, "lv_uuid")?,
        name: text(row, "lv_name"),
        size: text(row, "lv_size").parse().ok()?,
        layout: text(row, "lv_layout"),
        role: text(row, "lv_role"),
        // lvs(8), bit 9: health.
        partial: attributes.as_bytes().get(8) == Some(&b'p'),
    })
}

fn text(row: &Row, name: &str) -> String {
    row.get(name).cloned().unwrap_or_default()
}

fn value(row: &Row, name: &str) -> Option<String> {
    row.get(name).filter(|text| !text.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REPORT: &str = r#"{"report": [{
        "vg": [{"vg_uuid":"GzBQUz-x", "vg_name":"pve", "vg_systemid":"", "vg_attr":"wz-pn-", "vg_missing_pv_count":"1"}],
        "pv": [{"pv_uuid":"aaa"}, {"pv_uuid":"bbb"}],
        "lv": [
          {"lv_uuid":"1", "lv_name":"root", "lv_size":"1073741824", "lv_attr":"-wi-------", "lv_layout":"linear", "lv_role":"public"},
          {"lv_uuid":"2", "lv_name":"data", "lv_size":"4194304", "lv_attr":"twi---tz--", "lv_layout":"thin,pool", "lv_role":"private"},
          {"lv_uuid":"3", "lv_name":"vm-100-disk-0", "lv_size":"4194304", "lv_attr":"Vwi---tz--", "lv_layout":"thin,sparse", "lv_role":"public"},
          {"lv_uuid":"4", "lv_name":"mirror", "lv_size":"4194304", "lv_attr":"rwi-----p-", "lv_layout":"raid,raid1", "lv_role":"public"},
          {"lv_uuid":"5", "lv_name":"far", "lv_size":"4194304", "lv_attr":"-wi-----p-", "lv_layout":"linear", "lv_role":"public"}
        ]}, {"vg": [], "pv": [{"pv_uuid":"ccc"}]}]}"#;

    #[test]
    fn a_group_is_read_with_its_volumes_and_what_it_lacks() {
        let (groups, left_out) = parse(REPORT).unwrap();
        assert_eq!((groups.len(), left_out), (1, Vec::new()));
        let group = &groups[0];
        assert_eq!((group.name.as_str(), group.missing), ("pve", 1));
        assert_eq!(group.physical_volumes, ["aaa", "bbb"]);
        assert_eq!(group.system_id, None);
        assert_eq!(group.logical_volumes[0].size, 1 << 30);
    }

    #[test]
    fn thin_volumes_and_those_that_lack_a_disk_are_never_opened_and_mirrors_for_reading_alone() {
        let volumes = &parse(REPORT).unwrap().0[0].logical_volumes;
        let access: Vec<Access> = volumes.iter().map(LogicalVolume::access).collect();
        assert_eq!(access[0], Access::Plain);
        assert!(matches!(access[1], Access::Never(why) if why.contains("thin")));
        assert!(matches!(access[2], Access::Never(why) if why.contains("thin")));
        assert_eq!(access[3], Access::ReadOnly);
        assert!(matches!(access[4], Access::Never(why) if why.contains("not there")));
        assert!(volumes[2].is_guest_disk() && !volumes[0].is_guest_disk());
    }

    #[test]
    fn more_volumes_than_are_taken_in_are_counted() {
        let row = r#"{"lv_uuid":"1", "lv_size":"1"}"#;
        let rows = vec![row; MOST + 1].join(",");
        let json = format!(
            r#"{{"report": [{{"vg": [{{"vg_uuid":"u", "vg_name":"pve"}}], "lv": [{rows}]}}]}}"#
        );
        let (groups, left_out) = parse(&json).unwrap();
        assert_eq!(groups[0].logical_volumes.len(), MOST);
        let words = left_out[0].to_string();
        assert!(words.starts_with("4097 logical volumes of volume group pve: only the first 4096"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*", at in 0..REPORT.len()) {
            let _ = parse(&text);
            if let (Some(before), Some(after)) = (REPORT.get(..at), REPORT.get(at..)) {
                let _ = parse(&format!("{before}{text}{after}"));
                let _ = parse(before);
            }
        }
    }
}

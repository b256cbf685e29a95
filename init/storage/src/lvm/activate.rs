use std::path::Path;

use super::{VolumeGroup, parse};
use crate::model::Trouble;
use crate::program::Program;

/// What holds for every call, beside the devices that it may see: no udev, no daemons, no copies of the
/// metadata, no programs that check thin pools, nothing remembered.
const CONFIG: &str = "\
    devices{ use_devicesfile=0 obtain_device_list_from_udev=0 external_device_info_source=\"none\" \
      multipath_component_detection=0 md_component_detection=0 hints=\"none\" scan_lvs=0 } \
    activation{ udev_sync=0 udev_rules=0 monitoring=0 } \
    global{ use_lvmpolld=0 use_lvmlockd=0 event_activation=0 \
      thin_check_executable=\"\" cache_check_executable=\"\" notify_dbus=0 } \
    backup{ backup=0 archive=0 } \
    log{ level=0 }";

/// The fields of a report that are read.
const REPORT: &[&str] = &[
    "fullreport",
    "--reportformat",
    "json",
    "--units",
    "b",
    "--nosuffix",
    "--foreign",
    "--configreport",
    "vg",
    "-o",
    "vg_uuid,vg_name,vg_systemid,vg_attr,vg_missing_pv_count",
    "--configreport",
    "pv",
    "-o",
    "pv_uuid",
    "--configreport",
    "lv",
    "-o",
    "lv_uuid,lv_name,lv_size,lv_attr,lv_layout,lv_role",
    "--configreport",
    "pvseg",
    "-o",
    "pvseg_start",
    "--configreport",
    "seg",
    "-o",
    "segtype",
];

/// The program `lvm`, and the folder for its locks.
#[derive(Clone, Debug)]
pub(crate) struct Lvm {
    program: Program,
    config: String,
}

impl Lvm {
    /// The program, when the image carries it. `folder` takes its locks.
    pub fn find(folder: &Path) -> Option<Self> {
        let locks = folder.join("lvm");
        Some(Self {
            program: Program::find("lvm")?,
            config: format!("{CONFIG} global{{ locking_dir=\"{}\" }}", locks.display()),
        })
    }

    /// The volume groups on these devices, and what of them was too much.
    pub fn groups(&self, devices: &[&Path]) -> Result<(Vec<VolumeGroup>, Vec<Trouble>), String> {
        let json = self.call(REPORT, "", devices)?;
        parse(&json).map_err(|error| format!("lvm fullreport: {error}"))
    }

    /// Gives a group on these overlays another name, so that its volumes do not clash with those of
    /// another group.
    pub fn rename(&self, group: &VolumeGroup, name: &str, devices: &[&Path]) -> Result<(), String> {
        let extra = foreign(group);
        self.call(&["vgrename", &group.uuid, name], &extra, devices)
            .map(drop)
    }

    /// Activates volumes of the only group on these devices, which now has this name.
    pub fn activate(
        &self,
        group: &VolumeGroup,
        name: &str,
        volumes: &[&str],
        read_only: bool,
        devices: &[&Path],
    ) -> Result<(), String> {
        let mut extra = foreign(group);
        if read_only {
            extra.push_str(&format!(
                " activation{{ read_only_volume_list=[\"{name}\"] }}"
            ));
        }
        let paths: Vec<String> = volumes
            .iter()
            .map(|volume| format!("{name}/{volume}"))
            .collect();
        // The flag that keeps a volume from being activated is the owner's choice for the owner's boots.
        let mut words = vec!["lvchange", "-ay", "--ignoreactivationskip"];
        words.extend(paths.iter().map(String::as_str));
        self.call(&words, &extra, devices).map(drop)
    }

    fn call(&self, words: &[&str], extra: &str, devices: &[&Path]) -> Result<String, String> {
        let config = format!("{}{extra}", self.config);
        let devices: Vec<String> = devices
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let mut arguments = words.to_vec();
        arguments.extend(["--config", &config]);
        for device in &devices {
            arguments.extend(["--devices", device]);
        }
        let environment = [
            ("LVM_SYSTEM_DIR", "/run/preflight/lvm"),
            ("LVM_SUPPRESS_FD_WARNINGS", "1"),
            ("DM_DISABLE_UDEV", "1"),
        ];
        self.program.text(&arguments, &environment)
    }
}

/// Lets a group of another host be used: its system ID counts as one of ours.
fn foreign(group: &VolumeGroup) -> String {
    match &group.system_id {
        // LVM itself takes no other characters in a system ID (lvmsystemid(7)).
        Some(id)
            if id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte)) =>
        {
            format!(" local{{ extra_system_ids=[\"{id}\"] }}")
        }
        _ => String::new(),
    }
}

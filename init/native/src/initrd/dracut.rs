use std::collections::BTreeSet;

use proxmox::files::Files;

use super::contents::Contents;
use super::{CONFIGURATION, InitrdError, InitrdFile, modprobe_files, read};

/// Where dracut itself writes what `force_drivers` names (dracut.sh).
const FORCED: &str = "etc/cmdline.d/20-force_drivers.conf";

/// The files that dracut would make otherwise now, and the modules that it would add.
pub(super) fn files(
    contents: &Contents,
    root: &dyn Files,
) -> Result<(Vec<InitrdFile>, BTreeSet<String>), InitrdError> {
    let mut files: Vec<InitrdFile> = modprobe_files(root)?
        .into_iter()
        .filter(|(path, bytes)| {
            // What does not speak of VFIO is left out of an initrd that was made for any host.
            let wanted =
                contents.files.contains_key(path) || bytes.windows(4).any(|word| word == b"vfio");
            wanted && !contents.has(path, bytes)
        })
        .map(|(path, bytes)| InitrdFile {
            path,
            mode: 0o644,
            bytes,
        })
        .collect();
    let configuration = read(
        root,
        "/etc/dracut.conf.d/preflight-vfio.conf",
        CONFIGURATION,
    )?;
    let text = String::from_utf8(configuration.unwrap_or_default()).unwrap_or_default();
    let forced = forced(&text);
    let mut parameters = contents.text(FORCED);
    for module in &forced {
        let parameter = format!("rd.driver.pre={module}");
        if !parameters
            .split_ascii_whitespace()
            .any(|word| word == parameter)
        {
            parameters = format!("{}\n{parameter}\n", parameters.trim_end())
                .trim_start()
                .to_owned();
        }
    }
    if parameters != contents.text(FORCED) {
        files.push(InitrdFile {
            path: FORCED.to_owned(),
            mode: 0o644,
            bytes: parameters.into_bytes(),
        });
    }
    Ok((files, forced.into_iter().collect()))
}

/// The modules of `force_drivers+=" ... "`, in order.
fn forced(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("force_drivers+="));
    lines
        .flat_map(|value| value.trim_matches(['"', '\'']).split_ascii_whitespace())
        .map(|module| module.replace('-', "_"))
        .collect()
}

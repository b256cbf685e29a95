use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// What zstd files begin with (RFC 8878, 3.1.1).
pub const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Between the files of an input, and between a file's path and its content.
const FILE_END: u8 = 0xff;
const PATH_END: u8 = 0;

/// Quickest.
const LEVEL: i32 = 1;

pub fn compressed(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, LEVEL).unwrap_or_default()
}

/// A capture of the files in an input: path, 0x00, content, 0xff. It has a manifest that agrees with them,
/// with the fields of the file `manifest.json` in place of its own where there is one.
pub fn capture(input: &[u8]) -> Vec<u8> {
    let files: Vec<(&[u8], &[u8])> = input
        .split(|byte| *byte == FILE_END)
        .filter_map(|file| {
            let end = file.iter().position(|byte| *byte == PATH_END)?;
            Some((&file[..end], &file[end + 1..]))
        })
        .collect();
    let mut manifest = json!({
        "schema": "preflight.capture/1",
        "preflight": "0",
        "taken": "2026-01-01T00:00:00Z",
        "kernel": null,
        "identifiers": false,
        "complete": true,
        "boot_stick": null,
        "left_out": [],
        "read_from": { "sys": "/sys", "proc": "/proc", "log": "/dev/kmsg" },
        "roms": null,
        "listed": [],
        "absent": {},
        "unreadable": [],
        "unread": [],
        "special": [],
        "files": [],
    });
    let mut entries = Vec::new();
    let mut folders = BTreeSet::new();
    for (path, content) in &files {
        let path = String::from_utf8_lossy(path);
        if path == "manifest.json"
            && let (Ok(Value::Object(fields)), Some(manifest)) =
                (serde_json::from_slice(content), manifest.as_object_mut())
        {
            manifest.extend(fields);
            continue;
        }
        let sum: String = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let entry = json!({ "path": path, "length": content.len(), "sha256": sum, "cut": false });
        entries.push(entry);
        folders.extend(
            path.match_indices('/')
                .map(|(end, _)| path[..end].to_owned()),
        );
    }
    extend(&mut manifest, "files", entries);
    extend(
        &mut manifest,
        "listed",
        folders.into_iter().map(Value::from),
    );
    let mut archive = Builder::new(Vec::new());
    append(
        &mut archive,
        b"manifest.json",
        manifest.to_string().as_bytes(),
    );
    for (path, content) in files.iter().filter(|(path, _)| *path != b"manifest.json") {
        append(&mut archive, path, content);
    }
    compressed(&archive.into_inner().unwrap_or_default())
}

fn extend(manifest: &mut Value, field: &str, values: impl IntoIterator<Item = Value>) {
    if let Some(list) = manifest.get_mut(field).and_then(Value::as_array_mut) {
        list.extend(values);
    }
}

/// Writes the path as it is: the crate itself would refuse an odd one.
fn append(archive: &mut Builder<Vec<u8>>, path: &[u8], content: &[u8]) {
    let mut header = Header::new_gnu();
    let length = path.len().min(100);
    header.as_old_mut().name[..length].copy_from_slice(&path[..length]);
    header.set_entry_type(EntryType::Regular);
    header.set_size(content.len() as u64);
    header.set_cksum();
    // A vector takes everything.
    let _ = archive.append(&header, content);
}

#[cfg(test)]
mod tests {
    use hardware::capture::Capture;

    use super::*;

    #[test]
    fn files_become_a_capture_that_is_read() {
        let config = [0x86, 0x80, 0x00, 0x20, 6, 0, 0, 0];
        let mut input = b"sys/bus/pci/devices/0000:00:00.0/config\0".to_vec();
        input.extend(config);
        let capture = Capture::read(capture(&input).as_slice()).unwrap();
        let machine = hardware::read(&capture.source).unwrap();
        assert_eq!(machine.functions.len(), 1);
        assert_eq!(machine.functions[0].id.to_string(), "8086:2000");
    }

    #[test]
    fn a_manifest_among_the_files_replaces_fields_of_the_one_that_agrees() {
        let input = b"manifest.json\0{\"kernel\":\"6.12\"}\xffproc/cmdline\0quiet";
        let capture = Capture::read(capture(input).as_slice()).unwrap();
        assert_eq!(capture.manifest.kernel.as_deref(), Some("6.12"));
        assert_eq!(capture.manifest.files.len(), 1);
    }
}

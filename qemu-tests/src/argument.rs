use std::path::Path;

use serde_json::{Value, json};

/// One `-device`, `-blockdev`, `-object` or `-netdev`, with its properties. JSON spares the quoting of paths with commas.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Argument {
    option: &'static str,
    pub(crate) value: Value,
}

impl Argument {
    pub(crate) fn device(value: Value) -> Self {
        Self {
            option: "-device",
            value,
        }
    }

    pub(crate) fn block(value: Value) -> Self {
        Self {
            option: "-blockdev",
            value,
        }
    }

    pub(crate) fn object(value: Value) -> Self {
        Self {
            option: "-object",
            value,
        }
    }

    pub(crate) fn network(id: &str) -> Self {
        Self {
            option: "-netdev",
            value: json!({"type": "user", "id": id, "restrict": true}),
        }
    }

    pub(crate) fn boot_server(id: &str, folder: &Path, file: &str) -> Self {
        Self {
            option: "-netdev",
            value: json!({
                "type": "user", "id": id, "restrict": true, "tftp": folder, "bootfile": file,
            }),
        }
    }

    pub(crate) fn words(&self) -> [String; 2] {
        [self.option.to_owned(), self.value.to_string()]
    }
}

/// The image at `path` as a block node `id`: qcow2 when its name ends so, else raw.
pub(crate) fn block_node(id: &str, path: &Path, read_only: bool) -> Argument {
    let is_qcow2 = path.extension().is_some_and(|end| end == "qcow2");
    let format = if is_qcow2 { "qcow2" } else { "raw" };
    let mut file = file_node(path);
    file["read-only"] = json!(read_only);
    Argument::block(json!({
        "driver": format, "node-name": id, "read-only": read_only, "cache": file["cache"], "file": file,
    }))
}

/// The file at `path` below a block node. What a guest flushes is not flushed on the machine below: no test looks at
/// its files after a crash of that one. A recording hears of the guest's flushes all the same.
pub(crate) fn file_node(path: &Path) -> Value {
    json!({"driver": "file", "filename": path, "cache": {"no-flush": true}})
}

/// A block node that reads a byte a second, and so many at once: firmware looks for a boot sector of 512.
pub(crate) fn hanging_node(node: &str, image: &Path) -> Vec<Argument> {
    let group = format!("{node}-throttle");
    let limits = json!({"bps-read": 1, "bps-read-max": 2048});
    vec![
        Argument::object(json!({"qom-type": "throttle-group", "id": group, "limits": limits})),
        Argument::block(json!({
            "driver": "throttle", "node-name": node, "throttle-group": group,
            "file": file_node(image),
        })),
    ]
}

use serde_json::json;

use crate::argument::Argument;

/// How a stick is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsbTransport {
    /// Bulk-only (USB Mass Storage Class, Bulk-Only Transport), one command at a time. The kernel takes such a stick
    /// for one without a write cache, and this one has none: each write is durable when the next one starts.
    BulkOnly,
    /// USB Attached SCSI, with a write cache that the kernel flushes. SeaBIOS and OVMF do not start from it.
    AttachedScsi,
}

impl UsbTransport {
    /// The machine's stick, with what is behind the block node `node`.
    pub(crate) fn stick(self, node: &str) -> Vec<Argument> {
        let mut disk = json!({
            "drive": node, "removable": true, "serial": "preflight-stick",
            // Behind a kernel that QEMU is given, which has 0.
            "bootindex": 1,
        });
        let mut usb = json!({"id": "stick", "bus": "xhci.0", "port": "2"});
        match self {
            Self::BulkOnly => {
                for property in ["id", "bus", "port"] {
                    disk[property] = usb[property].take();
                }
                disk["driver"] = json!("usb-storage");
                disk["write-cache"] = json!("off");
                vec![Argument::device(disk)]
            }
            Self::AttachedScsi => {
                usb["driver"] = json!("usb-uas");
                disk["driver"] = json!("scsi-hd");
                disk["bus"] = json!("stick.0");
                vec![Argument::device(usb), Argument::device(disk)]
            }
        }
    }
}

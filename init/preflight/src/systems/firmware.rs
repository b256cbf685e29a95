use std::path::Path;

use hardware::{FirmwareKind, Reading};
use proxmox::boot::firmware::{BootEntries, read_boot_entries};
use storage::Root;
use sys_mount::{Mount, MountFlags};

const EFI: &str = "/sys/firmware/efi";
const VARIABLES: &str = "/sys/firmware/efi/efivars";

/// How this machine was started.
pub fn firmware_kind() -> Reading<FirmwareKind> {
    Reading::Known(if Path::new(EFI).exists() {
        FirmwareKind::Uefi
    } else {
        FirmwareKind::Bios
    })
}

/// The boot entries of this machine's firmware.
pub fn boot_entries() -> Reading<BootEntries> {
    if !Path::new(EFI).exists() {
        return Reading::Absent;
    }
    match Root::open(Path::new(VARIABLES)) {
        Ok(files) => read_boot_entries(&files),
        Err(error) => Reading::unknown(error.to_string()),
    }
}

/// Mounts the firmware's variables for reading alone where nothing has: their driver may be a module, which
/// PID 1 does not have yet when it mounts.
pub(super) fn mount_variables() {
    let folder = Path::new(VARIABLES);
    let is_empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if is_empty {
        let strict = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let mounted = Mount::builder()
            .fstype("efivarfs")
            .flags(strict | MountFlags::RDONLY)
            .mount("efivarfs", folder);
        if let Err(error) = mounted {
            tracing::warn!("the firmware's variables cannot be mounted: {error}");
        }
    }
}

use hardware::{InstalledUse, Reading};
use proxmox::Found;
use proxmox::disks::{DiskUse, Purpose};

/// What was found on the disks, as the judgement of cards takes it.
pub fn installed_uses(found: &Found) -> Reading<Vec<InstalledUse>> {
    let Some(look) = &found.look else {
        return Reading::Absent;
    };
    let mut uses = Vec::new();
    for used in look.uses.iter().filter(|used| is_told(used)) {
        let Some(disk) = look.kernel_names.get(&used.disk) else {
            continue;
        };
        let what = match &used.within {
            Some(within) => format!("{} ({within})", used.purpose),
            None => used.purpose.to_string(),
        };
        let one = |system: Option<String>| InstalledUse {
            disk: disk.clone(),
            system,
            what: what.clone(),
            is_root: used.purpose == Purpose::Root,
        };
        if used.systems.is_empty() {
            uses.push(one(None));
        }
        uses.extend(used.systems.iter().map(|number| {
            let system = found.systems.get(number.saturating_sub(1));
            let release = system.map(|(_, installation)| installation.release.name());
            one(Some(format!("{number}, {}", release.unwrap_or_default())))
        }));
    }
    Reading::Known(uses)
}

/// What somebody misses when the disk goes to a guest.
fn is_told(used: &DiskUse) -> bool {
    match &used.purpose {
        Purpose::Root
        | Purpose::Mounted(_)
        | Purpose::Swap
        | Purpose::PhysicalVolume(_)
        | Purpose::PoolMember(_)
        | Purpose::ArrayMember(_)
        | Purpose::Encrypted
        | Purpose::FileSystem(_) => true,
        Purpose::Esp => !used.systems.is_empty(),
        Purpose::BiosBoot | Purpose::InUse | Purpose::Nothing | Purpose::Unknown(_) => false,
    }
}

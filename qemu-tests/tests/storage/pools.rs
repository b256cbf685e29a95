use qemu_tests::storage_guest::{LookRequest, Request};
use storage::{CanMount, FileSystemId, Trouble};

use crate::lab::{Disks, Lab, ROOT};

/// Makes the pool rpool in Proxmox's layout, by a host of its own id, and leaves it imported.
fn pool(host: &str, id: &str, members: &str) -> String {
    format!(
        "printf '{id}' > /etc/hostid; \
         zpool create -f -o cachefile=none -R /mnt/a -m none rpool {members}; zfs create rpool/ROOT; \
         zfs create -o mountpoint=/ rpool/ROOT/pve-1; zfs create -o mountpoint=/data rpool/data; \
         zfs create -o canmount=off -o mountpoint=/var rpool/var; \
         zfs create -V 32M rpool/data/vm-100-disk-0; zpool set bootfs=rpool/ROOT/pve-1 rpool; \
         cd /mnt/a; {ROOT} echo {host} > etc/hostname; zpool sync rpool; echo more > etc/motd; sync;"
    )
}

const ONE: &str = r"\021\042\063\104";
const TWO: &str = r"\125\146\167\210";

#[test]
#[ignore = "takes long: make soak"]
fn two_pools_of_one_name_and_of_hosts_that_never_exported_them_are_read_by_their_guids() {
    let Some(lab) = Lab::with_zfs() else { return };
    let disks = ["first.img", "second.img"].map(|name| lab.partitioned(name, &[8, 192]));
    for (disk, (host, id)) in disks.iter().zip([("one", ONE), ("two", TWO)]) {
        let script = pool(host, id, "/dev/vda2");
        lab.ask(
            &format!("storage-zfs-{host}"),
            &Disks(vec![disk.clone()]),
            &[Request::Shell(script)],
        );
    }
    let both = Disks(disks.to_vec());
    let found = lab.look("storage-zfs-look", &both, LookRequest::default());
    assert_eq!(found.texts("/etc/hostname"), ["one\n", "two\n"]);
    assert_eq!(found.storage.troubles, []);
    assert_eq!(found.ended.troubles, []);
    let pools = &found.storage.pools;
    assert_eq!(pools.len(), 2);
    assert!(pools.iter().all(|pool| pool.name == "rpool"), "{pools:?}");
    assert_ne!(pools[0].guid, pools[1].guid);
    for root in &found.storage.roots {
        let FileSystemId::DataSet { pool, name } = &root.file_system else {
            panic!("{root:?}");
        };
        assert_eq!(name, "rpool/ROOT/pve-1");
        let sets = pools.iter().flat_map(|one| &one.data_sets);
        let never: Vec<&str> = sets
            .filter(|set| set.canmount == CanMount::Off)
            .map(|set| set.name.as_str())
            .collect();
        assert_eq!(never, ["rpool/var", "rpool/var"]);
        assert!(pools.iter().any(|one| one.guid == *pool));
    }
}

/// A plan is compared with what a rehearsal finds, where the intent log was played back: so it has to be for the plan.
#[test]
fn a_pool_is_opened_for_writing_where_a_plan_is_made_and_only_on_overlays() {
    let Some(lab) = Lab::with_zfs() else { return };
    let disks = Disks(vec![lab.partitioned("log.img", &[8, 192])]);
    let script = pool("planned", ONE, "/dev/vda2");
    lab.ask("storage-zfs-plan", &disks, &[Request::Shell(script)]);
    let read = |to_plan| {
        let request = LookRequest {
            to_plan,
            ..LookRequest::default()
        };
        let name = format!("storage-zfs-plan-{to_plan}");
        lab.look_for(&name, &disks, &["/etc/motd"], request)
    };
    let found = read(true);
    assert_eq!(found.texts("/etc/motd"), ["more\n"]);
    assert_eq!(found.ended.troubles, []);
    assert!(found.written_over > read(false).written_over);
}

#[test]
fn a_mirror_that_lacks_a_half_is_read_degraded_and_its_disk_stays_as_it_is() {
    let Some(lab) = Lab::with_zfs() else { return };
    let disks = ["left.img", "right.img"].map(|name| lab.partitioned(name, &[192]));
    let script = pool("mirror", ONE, "mirror /dev/vda1 /dev/vdb1");
    lab.ask(
        "storage-zfs-mirror",
        &Disks(disks.to_vec()),
        &[Request::Shell(script)],
    );
    let half = Disks(vec![disks[1].clone()]);
    let found = lab.look("storage-zfs-half", &half, LookRequest::default());
    assert_eq!(found.texts("/etc/hostname"), ["mirror\n"]);
    let pool = &found.storage.pools[0];
    assert_eq!((pool.state.as_str(), pool.missing), ("DEGRADED", 1));
    let lacks = |trouble: &Trouble| matches!(trouble, Trouble::Incomplete { missing: 1, .. });
    assert!(found.storage.troubles.iter().any(lacks));
}

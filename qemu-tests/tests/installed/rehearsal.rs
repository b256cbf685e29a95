//! The programs of an installed system, run in its root on overlays.

use proxmox::initrd::InitrdContent;
use qemu_tests::golden::Golden;
use qemu_tests::storage_guest::{RehearseAnswer, RehearseRequest, Request, Step};
use rehearse::{Ended, Tool, same_change};

use crate::lab::Lab;
use crate::untouched::Harm;

const OPTIONS: &str = "/etc/modprobe.d/vfio.conf";
const IDS: &str = "options vfio-pci ids=10de:1b80,10de:10f0\n";

fn words(script: &str) -> Step {
    Step::Words(["sh", "-c", script].map(str::to_owned).to_vec())
}

fn rehearse(
    lab: &Lab,
    name: &str,
    disks: &[std::path::PathBuf],
    request: RehearseRequest,
) -> RehearseAnswer {
    let processes = Request::shell("cat /proc/[0-9]*/comm 2>/dev/null || true");
    let told = lab.ask(name, disks, &[Request::Rehearse(request), processes]);
    assert_eq!(told.harm, Harm::default());
    let answer: RehearseAnswer = serde_json::from_str(&told.answers[0]).unwrap();
    assert_eq!(answer.ended.troubles, []);
    // Seen from outside of all namespaces.
    assert!(!told.answers[1].contains("sleep"), "{}", told.answers[1]);
    assert!(answer.ended.writes.iter().all(|disk| disk.writes.is_none()));
    answer
}

fn makes_an_initrd_with_what_is_configured(golden: Golden) {
    let Some((lab, [installed])) = Lab::with([golden]) else {
        return;
    };
    let tool = Tool::UpdateInitramfs(installed.manifest.next_kernel.clone());
    let initrd = tool.makes();
    let request = RehearseRequest {
        steps: vec![
            Step::Write(OPTIONS.to_owned(), IDS.to_owned()),
            Step::Tool(tool),
            Step::Read(initrd),
        ],
        seconds: 1200,
    };
    let name = format!("installed-rehearsal-{}", golden.name());
    let answer = rehearse(&lab, &name, &installed.disks, request);
    assert!(answer.told[0].as_ref().unwrap().is_success());
    let initrd: InitrdContent =
        serde_json::from_str(answer.files[0].text.as_ref().unwrap()).unwrap();
    assert_eq!(initrd.broken, None);
    assert_eq!(initrd.files["etc/modprobe.d/vfio.conf"], IDS);
    assert!(answer.written_over > 1 << 20);
}

#[test]
#[ignore = "takes long: make soak"]
fn an_initrd_on_lvm_and_ext4_and_no_disk_is_written() {
    makes_an_initrd_with_what_is_configured(Golden::LvmExt4Bios);
}

#[test]
#[ignore = "takes long: make soak"]
fn an_initrd_on_a_zfs_mirror_and_no_disk_is_written() {
    makes_an_initrd_with_what_is_configured(Golden::ZfsSystemdBoot);
}

#[test]
fn a_program_reaches_nothing_but_its_root_and_nothing_of_it_stays() {
    let Some((lab, [installed])) = Lab::with([Golden::LvmExt4Bios]) else {
        return;
    };
    let request = RehearseRequest {
        steps: vec![
            words("echo $$; ls /proc | grep -c '^[0-9]'; hostname; wc -l < /proc/net/dev"),
            words(
                "cd /dev; find . -type b | sort; readlink mapper/pve-root; readlink disk/by-uuid/* | sort",
            ),
            words("ls -A /run /tmp /etc/kernel/postinst.d; touch /sys/new"),
            words("sleep 1000 & setsid sleep 1000 & echo both; wait"),
            Step::Words(vec!["/no/such/program".to_owned()]),
            words("echo 1 > /proc/sys/kernel/panic; echo b > /proc/sysrq-trigger"),
        ],
        seconds: 15,
    };
    let answer = rehearse(
        &lab,
        "installed-rehearsal-inside",
        &installed.disks,
        request,
    );
    let told: Vec<_> = answer.told.into_iter().map(Result::unwrap).collect();
    let lines = |number: usize| told[number].lines.join("\n");
    // Process 1 of its own namespace, with `ls` and `grep`, no name or network of the machine but lo.
    assert_eq!(lines(0), "1\n3\npreflight\n3");
    insta::assert_snapshot!(lines(1));
    assert_eq!(told[2].ended, Ended::Status(1), "{}", lines(2));
    // Hooks that lie there in every Debian.
    assert!(!lines(2).contains("initramfs-tools"), "{}", lines(2));
    assert!(lines(2).contains("Read-only file system"), "{}", lines(2));
    assert_eq!(
        (told[3].ended, lines(3)),
        (Ended::TooLong, "both".to_owned())
    );
    assert_eq!(told[4].ended, Ended::Status(127));
    assert!(
        lines(4).contains("cannot start /no/such/program"),
        "{}",
        lines(4)
    );
    assert_eq!(
        lines(5).matches("Read-only file system").count(),
        2,
        "{}",
        lines(5)
    );
}

#[test]
fn a_menu_of_grub_changes_in_the_command_line_alone() {
    let Some((lab, [installed])) = Lab::with([Golden::LvmExt4Bios]) else {
        return;
    };
    let menu = Tool::UpdateGrub.makes();
    let settings = "/etc/default/grub";
    let before = lab.look(
        "installed-rehearsal-menu",
        &installed.disks,
        &[&menu, settings],
    );
    let (real, text) = (
        before.file(0, &menu).unwrap(),
        before.file(0, settings).unwrap(),
    );
    let changed = text.replace("quiet", "quiet iommu=pt");
    assert_ne!(changed, text);
    let make = [Step::Tool(Tool::UpdateGrub), Step::Read(menu.clone())];
    let request = RehearseRequest {
        steps: [
            make.as_slice(),
            &[Step::Write(settings.to_owned(), changed)],
            &make,
        ]
        .concat(),
        seconds: 300,
    };
    let answer = rehearse(&lab, "installed-rehearsal-grub", &installed.disks, request);
    assert!(
        answer
            .told
            .iter()
            .all(|told| told.as_ref().unwrap().is_success())
    );
    let [first, second] = [0, 1].map(|number| answer.files[number].text.as_deref().unwrap());
    // The tool cannot see the partition table below an overlay. The disk's own menu names it.
    assert!(real.contains("insmod part_gpt") && !first.contains("part_gpt"));
    let wanted = real.replace(" quiet", " quiet iommu=pt");
    assert_eq!(same_change(first, second, real), Some(wanted));
}

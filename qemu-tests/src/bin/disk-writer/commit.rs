//! Changing the little system, and ending what power cuts have left of that.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use apply::{Applied, ApplyError, Event, Recovered, Since};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use qemu_tests::little_system::{self, Time, Volume};

const ROOT: &str = "/mnt/root";
const ESP: &str = "/mnt/esp";

/// Applies the change to the disks `commit-0` and `commit-1` and takes it back, with a mark at each step.
pub fn there_and_back() -> Result<()> {
    mount_both(&super::disk("commit-0")?, &super::disk("commit-1")?)?;
    let (set, contents) = little_system::change("one").context("the change")?;
    let places = little_system::places(Path::new(ROOT), Path::new(ESP))?;
    let mut acts = 0;
    let mut watch = |event: Event<'_>| {
        if let Event::Doing { act, .. } = event {
            println!("writer: {act}");
            acts += 1;
        }
        ControlFlow::Continue(())
    };
    apply::apply(&places, set.clone(), &contents, &mut watch)?;
    complain("after the apply", Time::New)?;
    super::mark("commit-marks", "applied")?;
    super::mark("commit-marks", "undoing")?;
    apply::undo(&places, &set.id, Since::Refuse, &mut watch)?;
    complain("after the undo", Time::Old)?;
    super::mark("commit-marks", "undone")?;
    println!("writer: {acts} acts");
    Ok(())
}

/// Recovers each of the states on the disks `state-0`, `state-1` and so on, two disks a state; then an undo works on
/// it, and where `again` has an `a` in the state's place also a second apply. It has as many letters as there are
/// states.
pub fn recover() -> Result<()> {
    let again = std::env::var("again")?;
    for (state, letter) in again.bytes().enumerate() {
        let disk = |side| super::disk(&format!("state-{}", state * 2 + side));
        mount_both(&disk(0)?, &disk(1)?)?;
        match recovered(letter == b'a') {
            Ok(how) => println!("writer: state {state}: {how}"),
            Err(error) => println!("writer: state {state}: WRONG: {error:#}"),
        }
        for place in [ROOT, ESP] {
            umount2(place, MntFlags::empty()).context(place)?;
        }
    }
    Ok(())
}

fn recovered(again: bool) -> Result<&'static str> {
    let places = little_system::places(Path::new(ROOT), Path::new(ESP))?;
    let (set, contents) = little_system::change("one").context("the change")?;
    let ended = apply::recover(&places, &mut apply::unwatched).context("recover")?;
    ensure!(ended.len() <= 1, "{ended:?}");
    let how = match ended.first().map(|(_, how)| how) {
        None => "nothing to recover",
        Some(Recovered::Applied(_)) => "applied",
        Some(Recovered::NotApplied) => "not applied",
        Some(Recovered::Undone) => "undone",
        Some(Recovered::NotUndone) => "not undone",
    };
    let receipts = apply::receipts(&places)?;
    if receipts.is_empty() {
        complain(how, Time::Old)?;
    } else {
        complain(how, Time::New)?;
        apply::undo(&places, &set.id, Since::Refuse, &mut apply::unwatched).context("undo")?;
        complain("after the undo", Time::Old)?;
    }
    if !again {
        return Ok(how);
    }
    let again = apply::apply(&places, set.clone(), &contents, &mut apply::unwatched);
    ensure!(matches!(again.context("apply again")?, Applied::Done(_)));
    complain("after the second apply", Time::New)?;
    apply::undo(&places, &set.id, Since::Refuse, &mut apply::unwatched).context("undo again")?;
    complain("after the second undo", Time::Old)?;
    Ok(how)
}

/// Tries to apply to an ESP without room, to a root that is read-only, and to an ESP that is.
pub fn refused() -> Result<()> {
    mount_both(&super::disk("commit-0")?, &super::disk("commit-1")?)?;
    let (set, contents) = little_system::change("one").context("the change")?;
    let places = little_system::places(Path::new(ROOT), Path::new(ESP))?;
    let filling = Path::new(ESP).join("filling");
    let free = nix::sys::statvfs::statvfs(ESP)?;
    let bytes = free.blocks_available() * free.fragment_size() - (80 << 10);
    fs::write(&filling, vec![1; usize::try_from(bytes)?])?;
    let attempt = |name: &str| -> Result<ApplyError> {
        let tried = apply::apply(&places, set.clone(), &contents, &mut apply::unwatched);
        let error = tried
            .err()
            .with_context(|| format!("{name} was no error"))?;
        println!("writer: {name}: {error}");
        Ok(error)
    };
    ensure!(matches!(attempt("full ESP")?, ApplyError::NoRoom { .. }));
    fs::remove_file(&filling)?;
    for place in [ROOT, ESP] {
        remount(place, MsFlags::MS_RDONLY)?;
        ensure!(matches!(attempt("read-only")?, ApplyError::ReadOnly { .. }));
        remount(place, MsFlags::empty())?;
    }
    complain("after the refusals", Time::Old)
}

/// Applies where the ESP's disk, `/dev/sda`, does not take some of the new bytes.
pub fn bad_esp() -> Result<()> {
    let esp = super::appearing(Path::new("/dev/sda"))?;
    mount_both(&super::disk("commit-0")?, &esp)?;
    let (set, contents) = little_system::change("one").context("the change")?;
    let places = little_system::places(Path::new(ROOT), Path::new(ESP))?;
    let tried = apply::apply(&places, set, &contents, &mut apply::unwatched);
    let error = tried.err().context("it was no error")?;
    println!("writer: {error}");
    ensure!(matches!(error, ApplyError::GivenUp(_)), "{error:?}");
    complain("after the error", Time::Old)
}

fn remount(place: &str, flags: MsFlags) -> Result<()> {
    let nothing = None::<&str>;
    Ok(mount(
        nothing,
        place,
        nothing,
        MsFlags::MS_REMOUNT | flags,
        nothing,
    )?)
}

fn mount_both(root: &Path, esp: &Path) -> Result<()> {
    // A power cut can leave a name whose clusters are free already; removing it shall not make all read-only.
    let both = [
        (root, ROOT, "ext4", "errors=remount-ro"),
        (esp, ESP, "vfat", "errors=continue,umask=0077"),
    ];
    for (disk, place, kind, options) in both {
        fs::create_dir_all(place)?;
        mount(
            Some(disk),
            place,
            Some(kind),
            MsFlags::empty(),
            Some(options),
        )
        .context(place)?;
    }
    Ok(())
}

/// Fails where the files are not as they should be at this time, but for the folder with the receipt.
fn complain(when: &str, time: Time) -> Result<()> {
    for (volume, place) in Volume::ALL.into_iter().zip([ROOT, ESP]) {
        let mut complaints = volume.complaints(Path::new(place), time)?;
        complaints
            .retain(|complaint| time == Time::Old || !complaint.starts_with("var/lib/preflight/"));
        if !complaints.is_empty() {
            return Err(anyhow!("{when}, on {place}: {}", complaints.join("; ")));
        }
    }
    Ok(())
}

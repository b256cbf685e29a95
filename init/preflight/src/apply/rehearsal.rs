use std::time::Duration;

use anyhow::{Context, Result, bail};
use apply::{ChangeSet, FileChange, FileState, Kept, Menu, ReceiptId, Snapshot, Unended, collect};
use plan::{Plan, SystemFiles, Tree};
use proxmox::Installation;
use rehearse::{InRoot, Told};
use storage::{DataPlace, Look, LookOptions, Purpose, RootCandidate, look_loading};

use super::boot_files::Tools;
use super::database::is_database;
use super::targets::{Subject, Targets};
use super::writing::taken_away;
use super::{edits, esps, native};
use crate::cli::ENTER_ROOT;
use crate::systems::{
    Interrupts, boot_entries, firmware_kind, look_options, module_loader, own_folder,
};

/// What is to be rehearsed.
pub struct Order<'a> {
    /// The system.
    pub root: &'a RootCandidate,
    /// It, as it was read for the plan.
    pub installation: &'a Installation,
    /// What is to be changed.
    pub plan: &'a Plan,
    /// Where results go, which is left alone.
    pub data: &'a DataPlace,
    /// Boot files are changed directly; else the system's own tools make them.
    pub native: bool,
    /// What each tool may take.
    pub limit: Duration,
    /// What the change will be called.
    pub id: ReceiptId,
}

/// What a rehearsal brought.
pub struct Rehearsed {
    /// What is to be written.
    pub set: ChangeSet,
    /// The new contents.
    pub kept: Kept,
    /// Where.
    pub targets: Targets,
    /// What the tools did.
    pub told: Vec<Told>,
    /// Where the result is not what was planned.
    pub wrong: Vec<plan::Mismatch>,
    /// Boot menus and entries before and after.
    pub menus: Vec<Menu>,
    /// What changed beside and is not written: links, devices.
    pub other: Vec<String>,
}

/// How a rehearsal ended.
pub enum Outcome {
    /// It did not fail; whether it came out as planned stands in it.
    Done(Box<Rehearsed>),
    /// Earlier changes were begun on the disks and not ended, there: that comes first.
    Begun(Vec<Unended>, Box<Targets>),
}

/// Does everything on overlays. Nothing is written to any disk; an error says why it would not work.
pub fn rehearse(order: &Order, say: &mut dyn FnMut(&str)) -> Result<Outcome> {
    let options = LookOptions {
        purpose: Purpose::Rehearse,
        ..look_options(order.data)?
    };
    // What somebody interrupts is taken away all the same.
    let held = Interrupts::hold_back().context("signals cannot be held back")?;
    let mut look = look_loading(options, module_loader())?;
    let rehearsed = on_overlays(&mut look, order, &held, say);
    let overflown = look.overflown();
    let ended = look.end();
    if held.was_told() {
        taken_away(&ended)?;
        bail!("it was interrupted; nothing was written");
    }
    // Whatever failed: that may be the cause.
    if let Some(trouble) = overflown.first() {
        bail!("nothing was written: the rehearsal does not count: {trouble}");
    }
    let mut written = ended.writes.iter().filter(|disk| !disk.writes.is_none());
    if let Some(disk) = written.next() {
        bail!(
            "the rehearsal wrote to {}, which it must not; nothing more is done",
            disk.disk
        );
    }
    rehearsed
        .and_then(|outcome| taken_away(&ended).map(|()| outcome))
        .context("nothing was written")
}

fn on_overlays(
    look: &mut Look,
    order: &Order,
    held: &Interrupts,
    say: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let subject = Subject::open(look, order.root, order.installation)?;
    let (opened, targets) = (&subject.opened, &subject.targets);
    targets.are_whole(look.storage())?;
    let places = targets.mounted(look)?;
    let begun = apply::unended(&places)?;
    if !begun.is_empty() {
        return Ok(Outcome::Begun(begun, Box::new(targets.clone())));
    }
    say("Reading the files as they are");
    let before = Snapshot::take(&places, &targets.folders)?;
    let devices = rehearse::devices(look);
    let mut tools = Tools {
        in_root: InRoot {
            root: &opened.files,
            devices: &devices,
            stop: Some(held.as_fd()),
            entrance: &[ENTER_ROOT],
        },
        limit: order.limit,
        told: Vec::new(),
    };
    let menu = match order.native {
        true => None,
        false => tools.menu(order.plan, say)?,
    };
    let guests = edits::write_all(order.plan, &opened.files)?;
    if order.native {
        native::make(order.plan, &opened.files, say)?;
    } else {
        tools.make(order.plan, order.installation, menu.as_ref(), say)?;
    }
    let is_needed =
        !order.plan.needs.initramfs.is_empty() || !order.plan.needs.boot_files.is_empty();
    let own = subject
        .changing()
        .filter(|esp| esps::is_of(order.installation, esp));
    for esp in own.filter(|_| is_needed) {
        esps::refresh(esp, order.plan, order.installation, &opened.files, say)?;
    }
    say("Reading what came out");
    let installation = opened.installation(&subject.esps, &firmware_kind(), &boot_entries());
    let files = SystemFiles::read(&opened.files, &installation);
    let wrong = plan::verify(order.plan, &installation, &files);
    let after = Snapshot::take(&places, &targets.folders)?;
    let mut collected = collect(order.id.clone(), &before, &after);
    all_is_there(order.plan, &collected.set)?;
    let kept = Kept::copy(&collected.set, &places, &own_folder())?;
    collected.set.entries = guests.entries;
    if let Some(merged) = guests.merged {
        lead_over(&mut collected.set, &merged, &kept)?;
    }
    Ok(Outcome::Done(Box::new(Rehearsed {
        set: collected.set,
        kept,
        targets: targets.clone(),
        told: tools.told,
        wrong,
        menus: collected.menus,
        other: collected.other,
    })))
}

/// A folder can be a link, and what was written through it lies where nothing is taken over from.
fn all_is_there(plan: &Plan, set: &ChangeSet) -> Result<()> {
    for change in &plan.changes {
        let is_it = |file: &FileChange| match change.tree {
            Tree::Root => {
                let digest = file.after.map(|after| after.digest.to_string());
                change.path.ends_with(&file.path) && digest.as_ref() == Some(&change.after.sha256)
            }
            Tree::Pve => is_database(file),
            Tree::Stick => true,
        };
        if change.tree != Tree::Stick && !set.files.iter().any(is_it) {
            bail!(
                "{} would not lie where it is named: one of the folders above it is a link; put it \
                 there by hand, or a folder in place of the link",
                change.path
            );
        }
    }
    Ok(())
}

/// The database never stands beside a log of another time: it gets what is in the log first.
fn lead_over(set: &mut ChangeSet, merged: &[u8], kept: &Kept) -> Result<()> {
    let mut files = set.files.iter_mut();
    let Some(database) = files.find(|file| is_database(file)) else {
        return Ok(());
    };
    let Some(before) = database.before else {
        return Ok(());
    };
    database.between = Some(FileState {
        digest: kept.add(merged)?,
        size: merged.len() as u64,
        ..before
    });
    Ok(())
}

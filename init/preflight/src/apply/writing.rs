use anyhow::{Context, Result, anyhow, bail};
use apply::Places;
use proxmox::Installation;
use storage::{DataPlace, Ended, Look, LookOptions, RootCandidate, Trouble, look_loading};

use super::targets::{Subject, Targets};
use crate::systems::{Interrupts, OneSystem, look_options, module_loader};

/// What is done with the places while they can be written to.
pub type Writer<'a, T> = &'a mut dyn FnMut(&Places) -> Result<T>;

/// Opens the real file systems of a system, and nothing else, has them changed, and closes them again. What cannot be
/// closed is an error, also when all was written: it is said which of the two it is.
pub fn opened_for_writing<T>(
    targets: &Targets,
    data: &DataPlace,
    write: Writer<'_, T>,
) -> Result<T> {
    let options = LookOptions {
        purpose: targets.purpose(),
        ..look_options(data)?
    };
    // A person who gives up waits until it is closed.
    let _held = Interrupts::hold_back().context("signals cannot be held back")?;
    let mut look = look_loading(options, module_loader())?;
    let troubles = look.storage().troubles.iter();
    let trouble = troubles
        .filter(|trouble| concerns(trouble))
        .map(ToString::to_string)
        .next();
    let missing = look
        .not_there()
        .first()
        .map(|id| format!("{id} could not be opened"));
    let written = match trouble.or(missing) {
        // What is written while a member is away would not be on it.
        Some(why) => Err(anyhow!(
            "the disks cannot be written to as they are: {why}. Nothing was changed"
        )),
        None => targets
            .join(&mut look)
            .and_then(|()| in_places(targets, &mut look, write)),
    };
    let stays: Vec<String> = look
        .end()
        .troubles
        .iter()
        .map(ToString::to_string)
        .collect();
    if stays.is_empty() {
        return written;
    }
    let stays = format!(
        "the disks could not be closed: {}. Power off by the menu, start the stick again, and look with 'preflight undo \
         --root auto' what of it is there",
        stays.join("; ")
    );
    match written {
        Ok(_) => bail!("{stays}"),
        Err(error) => Err(error.context(stays)),
    }
}

/// What speaks of the file systems that are to be written to, and not of other disks.
fn concerns(trouble: &Trouble) -> bool {
    matches!(
        trouble,
        Trouble::NotWritable { .. }
            | Trouble::NotAssembled { .. }
            | Trouble::NotMounted { .. }
            | Trouble::Incomplete { .. }
            | Trouble::Closed { .. }
    )
}

fn in_places<T>(targets: &Targets, look: &mut Look, write: Writer<'_, T>) -> Result<T> {
    let places = targets.mounted(look)?;
    write(&places)
}

/// Fails where what the root stands on lacks members, so that nothing could be written: before anybody waits for
/// another look. [`Targets::are_whole`] knows of the rest.
pub fn must_be_whole(system: &OneSystem, root: &RootCandidate) -> Result<()> {
    match &system.found.look {
        Some(look) => Ok(look.storage.is_whole(&root.file_system)?),
        None => Ok(()),
    }
}

/// Where the files of a system lie, and what is done with them while they can be read.
pub fn targets_of<T>(
    root: &RootCandidate,
    installation: &Installation,
    data: &DataPlace,
    read: Writer<'_, T>,
) -> Result<(Targets, T)> {
    // What somebody interrupts is taken away all the same.
    let held = Interrupts::hold_back().context("signals cannot be held back")?;
    let mut look = look_loading(look_options(data)?, module_loader())?;
    let found = in_look(&mut look, root, installation, read);
    let ended = look.end();
    if held.was_told() {
        taken_away(&ended)?;
        bail!("it was interrupted; nothing was written");
    }
    found.and_then(|found| taken_away(&ended).map(|()| found))
}

/// Fails where something of a look that has ended stays.
pub fn taken_away(ended: &Ended) -> Result<()> {
    let stays: Vec<String> = ended.troubles.iter().map(ToString::to_string).collect();
    if !stays.is_empty() {
        bail!(
            "what was put over the disks could not be taken away: {}",
            stays.join("; ")
        );
    }
    Ok(())
}

fn in_look<T>(
    look: &mut Look,
    root: &RootCandidate,
    installation: &Installation,
    read: Writer<'_, T>,
) -> Result<(Targets, T)> {
    let targets = Subject::open(look, root, installation)?.targets;
    let told = in_places(&targets, look, read)?;
    Ok((targets, told))
}

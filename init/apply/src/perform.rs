//! One act on one place.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use storage::{RootError, WriteError};

use crate::act::{Act, Source};
use crate::change::{Attributes, PlaceId};
use crate::contents::Contents;
use crate::digest::{Digest, Hasher};
use crate::durable::sync;
use crate::error::ApplyError;
use crate::fat;
use crate::place::{Place, Places};

/// What a file system says that cannot exchange.
const NO_EXCHANGE: [Errno; 3] = [Errno::EINVAL, Errno::ENOSYS, Errno::EOPNOTSUPP];

/// Does it, and says how many bytes were written on the way.
pub(crate) fn perform(
    places: &Places,
    act: &Act,
    contents: &dyn Contents,
    wrote: &mut dyn FnMut(u64),
) -> Result<(), ApplyError> {
    let id = act.place();
    let place = &places.own(id)?;
    match act {
        Act::MakeFolder {
            path, attributes, ..
        } => make_folder(place, path, attributes.as_ref()),
        Act::Write {
            path,
            source,
            attributes,
            ..
        } => {
            let mut input: Box<dyn Read + '_> = match source {
                Source::Content(digest) => contents.open(digest)?,
                Source::Text(text) => Box::new(text.as_slice()),
            };
            let wanted = match source {
                Source::Content(digest) => *digest,
                Source::Text(text) => Digest::of(text),
            };
            write(
                id,
                place,
                path,
                &mut input,
                &wanted,
                attributes.as_ref(),
                wrote,
            )
        }
        Act::Select { staged, target, .. } => select(id, place, staged, target),
        Act::Retire { target, staged, .. } if id.is_fat() => {
            place
                .root
                .create(staged, 0o600)?
                .sync_all()
                .map_err(io(staged))?;
            sync(id, place)?;
            exchange(id, place, staged, target)
        }
        Act::Retire { target, staged, .. } => Ok(place.root.rename(target, staged)?),
        Act::Remove { path, twin, .. } if id.is_fat() => {
            fat::remove(id, place, path, twin.as_deref())
        }
        Act::Remove { path, .. } => absent_is_fine(place.root.remove(path)),
        Act::RemoveFolder { path, .. } => match place.root.remove_folder(path) {
            // Somebody has put something there since.
            Err(error) if matches!(error.errno, Errno::ENOTEMPTY | Errno::EEXIST) => Ok(()),
            other => absent_is_fine(other),
        },
        Act::Sync { .. } => sync(id, place),
    }
}

pub(crate) fn absent_is_fine(result: Result<(), WriteError>) -> Result<(), ApplyError> {
    match result {
        Err(error) if error.errno == Errno::ENOENT => Ok(()),
        other => Ok(other?),
    }
}

fn make_folder(
    place: &Place,
    path: &str,
    attributes: Option<&Attributes>,
) -> Result<(), ApplyError> {
    let mode = attributes.map_or(0o755, |attributes| attributes.mode);
    match place.root.make_folder(path, mode) {
        Err(error) if error.errno == Errno::EEXIST => {}
        other => other?,
    }
    if let Some(attributes) = attributes {
        let folder = place.root.handle(path)?;
        own(&folder, path, attributes)?;
    }
    Ok(())
}

/// Writes a new file, whole and synced, in place of one that nobody reads.
pub(crate) fn write(
    id: &PlaceId,
    place: &Place,
    path: &str,
    input: &mut dyn Read,
    wanted: &Digest,
    attributes: Option<&Attributes>,
    wrote: &mut dyn FnMut(u64),
) -> Result<(), ApplyError> {
    if place.root.status(path).is_ok() {
        if id.is_fat() {
            fat::remove(id, place, path, None)?;
        } else {
            absent_is_fine(place.root.remove(path))?;
        }
    }
    let mut file = place.root.create(path, 0o600)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = input.read(&mut buffer).map_err(|error| RootError::Io {
            path: path.into(),
            reason: format!("its new contents: {error}"),
        })?;
        if length == 0 {
            break;
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        hasher.take(bytes);
        file.write_all(bytes).map_err(io(path))?;
        wrote(length as u64);
    }
    let (found, _) = hasher.end();
    if found != *wanted {
        return Err(ApplyError::OtherContent {
            path: path.to_owned(),
            wanted: *wanted,
            found,
        });
    }
    if let Some(attributes) = attributes.filter(|_| !id.is_fat()) {
        own(&file, path, attributes)?;
    }
    file.sync_all().map_err(io(path))?;
    Ok(())
}

fn own(file: &File, path: &str, attributes: &Attributes) -> Result<(), ApplyError> {
    // The owner first: changing it takes set-user-id away.
    std::os::unix::fs::fchown(file, Some(attributes.uid), Some(attributes.gid))
        .map_err(io(path))?;
    let mode = std::fs::Permissions::from_mode(attributes.mode);
    file.set_permissions(mode).map_err(io(path))?;
    let time = attributes.modified.and_then(|(seconds, nanoseconds)| {
        let (seconds, nanoseconds) = (seconds.try_into().ok()?, nanoseconds.try_into().ok()?);
        SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
    });
    time.map_or(Ok(()), |time| file.set_modified(time).map_err(io(path)))
}

fn select(id: &PlaceId, place: &Place, staged: &str, target: &str) -> Result<(), ApplyError> {
    if place.root.status(target).is_ok() {
        return exchange(id, place, staged, target);
    }
    if !id.is_fat() {
        return Ok(place.root.rename(staged, target)?);
    }
    // A rename on FAT writes a new directory entry and erases the old one: two places on the disk. An empty
    // file is none to a boot loader, and an exchange changes one entry in one sector.
    place
        .root
        .create(target, 0o600)?
        .sync_all()
        .map_err(io(target))?;
    sync(id, place)?;
    exchange(id, place, staged, target)
}

pub(crate) fn exchange(
    id: &PlaceId,
    place: &Place,
    staged: &str,
    target: &str,
) -> Result<(), ApplyError> {
    match place.root.exchange(staged, target) {
        Err(error) if NO_EXCHANGE.contains(&error.errno) && id.is_fat() => {
            Err(ApplyError::NoExchange {
                place: id.clone(),
                path: target.to_owned(),
            })
        }
        Err(error) if NO_EXCHANGE.contains(&error.errno) => {
            Ok(place.root.replace(staged, target)?)
        }
        other => Ok(other?),
    }
}

pub(crate) fn io(path: &str) -> impl Fn(std::io::Error) -> ApplyError {
    move |error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
        WriteError::at("written", path.as_ref())(errno).into()
    }
}

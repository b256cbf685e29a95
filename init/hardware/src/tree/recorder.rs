use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Kind;
use super::folder::Folder;
use super::image::{Content, Failure, Image, Last, Listed, Node, Step, resolve};

/// Writes down all that is read of folders of the running system. Every answer is given from the record,
/// so that whoever reads the record later gets the same ones.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Image>>);

impl Recorder {
    /// Ends the recording.
    pub fn into_image(self) -> Image {
        std::mem::take(&mut *self.image())
    }

    /// Writes down a file that is in no folder of the system.
    pub fn file(&self, path: &str, result: &io::Result<Vec<u8>>) {
        let node = match result {
            Ok(bytes) => Node::File(Content::Bytes {
                bytes: bytes.clone(),
                whole: true,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Node::Missing,
            Err(error) => Node::File(Content::Unreadable(Failure::of(error))),
        };
        // A path of our own has only folders on the way.
        let _ = self.image().insert(path, node);
    }

    pub(super) fn bytes(
        &self,
        folder: &Folder,
        at: &str,
        path: &str,
        limit: usize,
    ) -> io::Result<Vec<u8>> {
        let mut image = self.image();
        let place = walk(&mut image, folder, at, path, Last::Followed)?;
        let known = match image.node(&place) {
            Some(Node::File(Content::Unread)) => false,
            Some(Node::File(Content::Bytes { bytes, whole })) => *whole || bytes.len() >= limit,
            _ => true,
        };
        if !known {
            let content = match folder.bytes(inside(at, &place), limit.saturating_add(1)) {
                Ok(mut bytes) => {
                    let whole = bytes.len() <= limit;
                    bytes.truncate(limit);
                    Content::Bytes { bytes, whole }
                }
                Err(error) => Content::Unreadable(Failure::of(&error)),
            };
            image.set_content(&place, content);
        }
        image.bytes(at, path, limit)
    }

    pub(super) fn list(&self, folder: &Folder, at: &str, path: &str) -> io::Result<Vec<String>> {
        let mut image = self.image();
        let place = walk(&mut image, folder, at, path, Last::Followed)?;
        if let Some(Node::Folder {
            listed: Listed::No, ..
        }) = image.node(&place)
        {
            let listed = match folder.list(inside(at, &place)) {
                Ok(names) => {
                    for name in names {
                        look(&mut image, folder, at, &format!("{place}/{name}"));
                    }
                    Listed::Yes
                }
                Err(error) => Listed::Unreadable(Failure::of(&error)),
            };
            image.set_listed(&place, listed);
        }
        image.list(at, path)
    }

    pub(super) fn folder(&self, folder: &Folder, at: &str, path: &str) -> io::Result<String> {
        let mut image = self.image();
        walk(&mut image, folder, at, path, Last::Followed)?;
        image.folder(at, path)
    }

    pub(super) fn link(&self, folder: &Folder, at: &str, path: &str) -> io::Result<String> {
        let mut image = self.image();
        walk(&mut image, folder, at, path, Last::Itself)?;
        image.link(at, path)
    }

    pub(super) fn kind(&self, folder: &Folder, at: &str, path: &str) -> io::Result<Kind> {
        let mut image = self.image();
        walk(&mut image, folder, at, path, Last::Itself)?;
        image.kind(at, path)
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        // A reader that panicked has left whole nodes behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows a path and writes down what is on the way.
fn walk(
    image: &mut Image,
    folder: &Folder,
    at: &str,
    path: &str,
    last: Last,
) -> io::Result<String> {
    if image.node(at).is_none() {
        let _ = image.insert(at, Node::folder());
    }
    resolve(at, path, last, |place| {
        look(image, folder, at, place);
        Ok(match image.node(place) {
            Some(Node::Link(text)) => Step::Link(text.clone()),
            Some(Node::Folder { .. }) => Step::Folder,
            Some(Node::Hidden(failure)) => return Err(failure.error()),
            Some(Node::File(_) | Node::Other) => Step::End,
            Some(Node::Missing) | None => return Err(io::ErrorKind::NotFound.into()),
        })
    })
}

/// Writes down what stands at a path without links, unless that is known.
fn look(image: &mut Image, folder: &Folder, at: &str, place: &str) {
    if image.node(place).is_some() {
        return;
    }
    let path = inside(at, place);
    let seen = folder.kind(path).and_then(|kind| {
        Ok(match kind {
            Kind::File => Node::File(Content::Unread),
            Kind::Folder => Node::folder(),
            Kind::Link => Node::Link(folder.link(path)?),
            Kind::Other => Node::Other,
        })
    });
    let node = seen.unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Node::Missing,
        _ => Node::Hidden(Failure::of(&error)),
    });
    // Only folders are on the way: they were looked at before.
    let _ = image.insert(place, node);
}

/// A path from the folder that is the root of a tree.
fn inside<'a>(at: &str, place: &'a str) -> &'a str {
    let path = place
        .strip_prefix(at)
        .unwrap_or(place)
        .trim_start_matches('/');
    if path.is_empty() { "." } else { path }
}

//! Back from files that are staged and not switched.

use crate::act::Act;
use crate::change::{PlaceId, Role};
use crate::digest::Digest;
use crate::observed::{Observed, Seen};
use crate::sequence::Sequence;

impl Sequence {
    /// Whether anything that is read has been switched: then there is only the way forward.
    pub fn is_begun(&self, seen: &Observed) -> bool {
        let mut files = self.set.files.iter().enumerate();
        let switched = files.any(|(number, file)| {
            let now = seen.file(number);
            let fresh_payload = file.role == Role::Payload && file.before.is_none();
            let still_empty = file.place.is_fat() && file.before.is_none() && now.is_empty_file();
            !fresh_payload && !still_empty && !file.is_same() && !now.is(file.before.as_ref())
        });
        let mut selectors = self.units.iter().flat_map(|unit| &unit.selectors);
        let through = selectors.any(|switch| {
            let text = switch.through.as_ref().map(|text| Digest::of(text));
            text.is_some_and(|digest| seen.file(switch.file).has(digest))
        });
        switched || through
    }

    /// The acts that take everything away again. Only where [`Sequence::is_begun`] says no.
    pub fn give_up(&self, seen: &Observed) -> Vec<Act> {
        let mut acts: Vec<Act> = Vec::new();
        let remove = |place: &PlaceId, path: &str, twin: Option<&str>| Act::Remove {
            place: place.clone(),
            path: path.to_owned(),
            twin: twin.map(str::to_owned),
        };
        for (number, file) in self.set.files.iter().enumerate() {
            let now = seen.file(number);
            let ours = file.before.is_none()
                && *now != Seen::Absent
                && (file.role == Role::Payload || file.place.is_fat() && now.is_empty_file());
            if ours {
                acts.push(remove(&file.place, &file.path, None));
            }
            for letter in crate::observe::LETTERS {
                let path = self.staged(number, letter);
                if seen.staged(&file.place, &path).is_some() {
                    acts.push(remove(&file.place, &path, Some(&file.path)));
                }
            }
        }
        let folders = self.set.folders.iter().zip(&seen.folders).rev();
        let made = folders.filter(|(folder, there)| folder.appears && **there);
        acts.extend(made.map(|(folder, _)| Act::RemoveFolder {
            place: folder.place.clone(),
            path: folder.path.clone(),
        }));
        let places: Vec<PlaceId> = self.set.places();
        let touched = places
            .into_iter()
            .filter(|place| acts.iter().any(|act| act.place() == place));
        let syncs: Vec<Act> = touched.map(|place| Act::Sync { place }).collect();
        acts.extend(syncs);
        acts
    }
}

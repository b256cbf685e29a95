use anyhow::{Result, bail};
use apply::{Durability, Place, PlaceId, Places, named_places};
use storage::Root;

use super::Arguments;
use crate::apply::by_entries;

/// Where a mounted system's files lie: its root, what changes were made on of the file systems that are mounted inside,
/// and the ESPs that were named.
pub(super) fn places(arguments: &Arguments) -> Result<Places> {
    let root = Root::open(&arguments.root)?;
    let mut places = with(
        Places::default().knowing(by_entries),
        PlaceId::root(),
        root.clone(),
    )?;
    let boot = PlaceId::FileSystem("/boot".to_owned());
    let mut inside = named_places(&places)?;
    inside.insert(boot);
    inside.remove(&PlaceId::root());
    // Where it is a file system of its own, a change has its files by the names that they have there.
    for id in inside {
        if let PlaceId::FileSystem(point) = &id
            && let Ok(folder) = root.folder(point)
        {
            let place = Place::at(&id, folder)?;
            if place.durability == Durability::Checkpointed {
                places = places.with(id, place);
            }
        }
    }
    for (partition, folder) in &arguments.esp {
        let id = PlaceId::Esp(partition.clone());
        if places.get(&id).is_ok() {
            bail!("{id} is given twice with --esp");
        }
        places = with(places, id, Root::open(folder)?)?;
    }
    places.are_apart()?;
    Ok(places)
}

fn with(places: Places, id: PlaceId, root: Root) -> Result<Places> {
    let place = Place::at(&id, root)?;
    Ok(places.with(id, place))
}

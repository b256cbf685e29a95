use anyhow::{Result, bail};
use apply::{Durability, Place, PlaceId, Places};
use storage::Root;

use super::Arguments;
use crate::apply::by_entries;

/// Where a mounted system's files lie.
pub(super) fn places(arguments: &Arguments) -> Result<Places> {
    let root = Root::open(&arguments.root)?;
    let mut places = with(
        Places::default().knowing(by_entries),
        PlaceId::root(),
        root.clone(),
    )?;
    // Where it is a file system of its own, a change has its files by the names that they have there.
    if let Ok(boot) = root.folder("/boot") {
        let id = PlaceId::FileSystem("/boot".to_owned());
        let place = Place::at(&id, boot)?;
        if place.durability == Durability::Checkpointed {
            places = places.with(id, place);
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

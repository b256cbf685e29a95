use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use apply::{
    ChangeSet, Durability, Event, Place, PlaceId, Places, Receipt, ReceiptId, Recovered, Since,
};
use storage::Root;

/// Arguments of `preflight undo`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The receipt's name; needed where there are several
    receipt: Option<ReceiptId>,
    /// The root of the installed system
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// An EFI system partition that was changed, by its PARTUUID and where it is mounted (best with the option
    /// errors=continue); once for each
    #[arg(long, value_name = "PARTUUID=DIR", value_parser = esp)]
    esp: Vec<(String, PathBuf)>,
    /// Put the old files back also where somebody changed them since
    #[arg(long)]
    overwrite: bool,
    /// Do it; else it is only shown
    #[arg(long)]
    yes: bool,
}

fn esp(text: &str) -> Result<(String, PathBuf), String> {
    let (id, folder) = text
        .split_once('=')
        .ok_or("a PARTUUID, `=` and a folder are wanted")?;
    Ok((id.to_owned(), folder.into()))
}

/// Ends what was begun and not ended, and takes a change back.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let root = Root::open(&arguments.root)?;
    let mut places = with(Places::default(), PlaceId::root(), root.clone());
    for (id, folder) in &arguments.esp {
        places = with(places, PlaceId::Esp(id.clone()), Root::open(folder)?);
    }
    let begun = apply::unfinished(&places)?;
    if !begun.is_empty() && !arguments.yes {
        let names: Vec<&str> = begun.iter().map(ReceiptId::as_str).collect();
        println!(
            "Begun and not ended: {}. With --yes this is ended first.",
            names.join(", ")
        );
        return Ok(ExitCode::SUCCESS);
    }
    // A change can be on /boot as a file system of its own.
    places = with(
        places,
        PlaceId::FileSystem("/boot".to_owned()),
        root.folder("/boot").unwrap_or(root),
    );
    for (id, how) in apply::recover(&places, &mut shown)? {
        println!("{id}: {}", said(&how));
    }
    let receipt = match chosen(&places, arguments.receipt.as_ref())? {
        Some(receipt) => receipt,
        None => {
            println!("There is nothing to undo on {}.", arguments.root.display());
            return Ok(ExitCode::SUCCESS);
        }
    };
    if !arguments.yes {
        println!("To be put back from the receipt {}:", receipt.set.id);
        list(&receipt.set);
        println!("With --yes it is done.");
        return Ok(ExitCode::SUCCESS);
    }
    let since = if arguments.overwrite {
        Since::Overwrite
    } else {
        Since::Refuse
    };
    apply::undo(&places, &receipt.set.id, since, &mut shown)?;
    println!(
        "{} is undone: every file was read again and is as before.",
        receipt.set.id
    );
    Ok(ExitCode::SUCCESS)
}

fn with(places: Places, id: PlaceId, root: Root) -> Places {
    // A folder somewhere in a file system is no root that a boot loader reads, and freezing what others use would
    // stop them.
    let durability = if is_mount_point(root.path()) {
        Durability::Checkpointed
    } else {
        Durability::Synced
    };
    places.with(id, Place { root, durability })
}

fn is_mount_point(path: &Path) -> bool {
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    path == Path::new("/") || device(path) != device(&path.join(".."))
}

fn chosen(places: &Places, wanted: Option<&ReceiptId>) -> Result<Option<Receipt>> {
    let receipts: Vec<Receipt> = apply::receipts(places)?
        .into_iter()
        .collect::<Result<_, _>>()
        .context("a receipt cannot be read")?;
    match wanted {
        Some(id) => {
            let found = receipts.into_iter().find(|receipt| receipt.set.id == *id);
            found
                .map(Some)
                .with_context(|| format!("there is no receipt {id}"))
        }
        None if receipts.len() > 1 => {
            let names: Vec<&str> = receipts
                .iter()
                .map(|receipt| receipt.set.id.as_str())
                .collect();
            bail!("there are several receipts, name one: {}", names.join(", "))
        }
        None => Ok(receipts.into_iter().next()),
    }
}

fn list(set: &ChangeSet) {
    for file in set.files.iter().filter(|file| !file.is_same()) {
        let what = if file.before.is_some() {
            "put back"
        } else {
            "remove"
        };
        println!("  {what} {} on {}", file.path, file.place);
    }
}

fn said(how: &Recovered) -> &'static str {
    match how {
        Recovered::Applied(_) => "it had been begun, and is applied now",
        Recovered::NotApplied => "nothing of it had been switched, and what was staged is removed",
        Recovered::Undone => "its undo had been begun, and is done now",
        Recovered::NotUndone => "nothing of its undo had been switched; the change is still there",
    }
}

/// Prints each act before it is done.
fn shown(event: Event<'_>) -> ControlFlow<()> {
    match event {
        Event::Doing { act, number, of } => println!("{}/{of}: {act}", number + 1),
        Event::Verifying => println!("Reading everything again"),
        Event::Saving { .. } | Event::Written { .. } => {}
    }
    ControlFlow::Continue(())
}

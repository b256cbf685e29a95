use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use apply::{
    ApplyError, Difference, Event, Place, PlaceId, Places, Receipt, ReceiptId, Recovered, Since,
    Unended,
};
use storage::Root;

use super::plan::on_the_disks;
use crate::apply::{must_be_whole, opened_for_writing, targets_of};
use crate::options;
use crate::systems::Which;

/// Arguments of `preflight undo`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The root of the installed system; auto is the one on the disks, and auto:N the one with that number in
    /// 'preflight systems'
    #[arg(long, value_name = "DIR|auto", default_value = "/")]
    root: PathBuf,
    /// An EFI system partition that was changed, by its PARTUUID and where it is mounted (best with the option
    /// errors=continue); once for each
    #[arg(long, value_name = "PARTUUID=DIR", value_parser = esp)]
    esp: Vec<(String, PathBuf)>,
    /// The receipt's name; needed where there are several
    #[arg(long, value_name = "ID")]
    receipt: Option<ReceiptId>,
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

/// Ends what was begun and not ended, and takes a change back, in a mounted system or in one on the disks.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match arguments.root.to_str().and_then(Which::parse) {
        Some(which) => on_disks(which, arguments),
        None => undo_on(&places(arguments)?, arguments).map_err(with_the_way),
    }
}

/// An ESP that nobody has named can be.
fn with_the_way(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(ApplyError::NoPlace(PlaceId::Esp(partition))) => anyhow!(
            "{error}: mount /dev/disk/by-partuuid/{partition} somewhere with the option errors=continue, and say where \
             with --esp {partition}=DIR"
        ),
        _ => error,
    }
}

/// It is listed as it is on overlays, and done on the disks.
fn on_disks(which: Which, arguments: &Arguments) -> Result<ExitCode> {
    if !arguments.esp.is_empty() {
        bail!("--root auto finds the EFI system partitions itself; leave --esp out");
    }
    let command_line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let data = options::parse(&command_line).0.data;
    println!("Looking at the disks");
    let system = on_the_disks(which)?;
    let root = system.root().context("the system is not on the disks")?;
    let (targets, survey) = targets_of(root, system.installation()?, &data, &mut |places| {
        refused(survey(places, arguments))
    })?;
    let survey = match survey {
        Ok(survey) => survey,
        Err(code) => return Ok(code),
    };
    // Where nothing can or is to be done, no disk is opened for writing.
    if !arguments.yes || survey.is_nothing() || survey.is_refused(arguments) {
        return Ok(told(&survey, arguments));
    }
    must_be_whole(&system, root)?;
    opened_for_writing(&targets, &data, &mut |places| undo_on(places, arguments))
}

fn places(arguments: &Arguments) -> Result<Places> {
    let root = Root::open(&arguments.root)?;
    let mut places = with(Places::default(), PlaceId::root(), root.clone())?;
    // Where it is a file system of its own, a change has its files by the names that they have there.
    if let Ok(boot) = root.folder("/boot") {
        let id = PlaceId::FileSystem("/boot".to_owned());
        let place = Place::at(&id, boot)?;
        if place.durability == apply::Durability::Checkpointed {
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

/// Ends what was begun and not ended, and takes a change back, on these places. What will be done is listed first;
/// without `--yes` that is all.
pub fn undo_on(places: &Places, arguments: &Arguments) -> Result<ExitCode> {
    let done = refused(survey(places, arguments).and_then(|survey| {
        let code = told(&survey, arguments);
        if !arguments.yes || survey.is_nothing() || survey.is_refused(arguments) {
            return Ok(code);
        }
        perform(places, &survey, arguments).map(|()| ExitCode::SUCCESS)
    }))?;
    Ok(done.unwrap_or_else(|code| code))
}

/// A check that failed is told, and is an exit status; any other error stays one.
fn refused<T>(done: Result<T>) -> Result<Result<T, ExitCode>> {
    match done {
        Err(error) if error.downcast_ref().is_some_and(is_refusal) => {
            eprintln!("preflight: {error:#}");
            Ok(Err(ExitCode::from(1)))
        }
        Err(error) => Err(error),
        Ok(done) => Ok(Ok(done)),
    }
}

/// Whether a check failed; else something could not be read, or was not there.
fn is_refusal(error: &ApplyError) -> bool {
    !matches!(
        error,
        ApplyError::Read(_)
            | ApplyError::System { .. }
            | ApplyError::NoPlace(_)
            | ApplyError::NoReceipt(_)
            | ApplyError::Document { .. }
            | ApplyError::OneFileSystem { .. }
    )
}

/// What there is to do, as it was found.
struct Survey {
    unended: Vec<Unended>,
    receipt: Option<Receipt>,
    changed: Vec<Difference>,
}

impl Survey {
    fn is_nothing(&self) -> bool {
        self.receipt.is_none() && self.unended.is_empty()
    }

    fn is_refused(&self, arguments: &Arguments) -> bool {
        !self.changed.is_empty() && !arguments.overwrite
    }
}

fn survey(places: &Places, arguments: &Arguments) -> Result<Survey> {
    let unended = apply::unended(places)?;
    let receipt = chosen(places, arguments.receipt.as_ref(), &unended)?;
    let mut changed: Vec<Difference> = Vec::new();
    for one in &unended {
        changed.extend(one.changed.iter().cloned());
    }
    if let (Some(receipt), true) = (&receipt, unended.is_empty()) {
        changed.extend(apply::changed_since(places, &receipt.set.id)?);
    }
    Ok(Survey {
        unended,
        receipt,
        changed,
    })
}

/// Lists it. The exit status is that of a run that does no more.
fn told(survey: &Survey, arguments: &Arguments) -> ExitCode {
    for one in &survey.unended {
        print!("{}", words_of_unended(one));
    }
    if let Some(receipt) = &survey.receipt {
        println!("To be put back from the receipt {}:", receipt.set.id);
        print!("{}", list(&receipt.set, Direction::Back));
    }
    if survey.is_nothing() {
        println!("There is nothing to undo on {}.", arguments.root.display());
        return ExitCode::SUCCESS;
    }
    if !survey.changed.is_empty() {
        println!("Somebody changed these since:");
        survey.changed.iter().for_each(|one| println!("  {one}"));
        println!("With --overwrite they are overwritten; without, nothing is done.");
    }
    if !arguments.yes {
        println!("With --yes it is done.");
    } else if survey.is_refused(arguments) {
        let why = ApplyError::Changed(survey.changed.clone());
        eprintln!("preflight: {why}");
    }
    ExitCode::from(u8::from(survey.is_refused(arguments)))
}

fn perform(places: &Places, survey: &Survey, arguments: &Arguments) -> Result<()> {
    let since = if arguments.overwrite {
        Since::Overwrite
    } else {
        Since::Refuse
    };
    let recovered = apply::recover_over(places, since, &mut shown)?;
    for (id, how) in &recovered {
        println!("{id}: {}", said(how));
    }
    let as_shown = survey.unended.iter().map(|one| (&one.id, &one.ends));
    if !recovered.iter().map(|(id, how)| (id, how)).eq(as_shown) {
        bail!("this did not end as it was listed, so nothing is undone; look again without --yes");
    }
    if let Some(receipt) = &survey.receipt {
        apply::undo(places, &receipt.set.id, since, &mut shown)?;
        println!(
            "{} is undone: every file was read again and is as before.",
            receipt.set.id
        );
    }
    Ok(())
}

/// What is undone when all that was begun has ended. Where that takes something back itself, nothing else is unless
/// it was named: who calls again after a power cut means the same change.
fn chosen(
    places: &Places,
    wanted: Option<&ReceiptId>,
    unended: &[Unended],
) -> Result<Option<Receipt>> {
    let receipts = apply::receipts(places)?;
    let mut receipts: Vec<Receipt> = receipts
        .into_iter()
        .collect::<Result<_, _>>()
        .context("a receipt cannot be read")?;
    receipts.retain(|receipt| unended.iter().all(|one| one.id != receipt.set.id));
    let mut taken_back = Vec::new();
    for one in unended {
        let receipt_of = |set: &apply::ChangeSet| Receipt {
            schema: apply::SCHEMA.to_owned(),
            set: set.clone(),
            made: Vec::new(),
        };
        match &one.ends {
            Recovered::Applied(receipt) => receipts.push(receipt.clone()),
            Recovered::NotUndone => receipts.extend(one.set.as_ref().map(receipt_of)),
            Recovered::Undone | Recovered::NotApplied => taken_back.push(&one.id),
        }
    }
    match wanted {
        Some(id) if taken_back.contains(&id) => Ok(None),
        Some(id) => {
            let found = receipts.into_iter().find(|receipt| receipt.set.id == *id);
            found
                .map(Some)
                .with_context(|| format!("there is no receipt {id}"))
        }
        None if !taken_back.is_empty() => Ok(None),
        None if receipts.len() > 1 => {
            let names: Vec<&str> = receipts
                .iter()
                .map(|receipt| receipt.set.id.as_str())
                .collect();
            bail!(
                "there are several receipts, name one with --receipt: {}",
                names.join(", ")
            )
        }
        None => Ok(receipts.into_iter().next()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    There,
    Back,
}

/// What became of a change that was begun and not ended, and what ending it does.
pub fn words_of_unended(one: &Unended) -> String {
    let (ahead, direction) = match one.ends {
        Recovered::Applied(_) => (
            "was begun, and will first be applied to the end",
            Direction::There,
        ),
        Recovered::NotApplied => (
            "was begun, nothing of it is in use, and it will be removed",
            Direction::There,
        ),
        Recovered::Undone => (
            "is half undone, and will be undone to the end",
            Direction::Back,
        ),
        Recovered::NotUndone => (
            "has an undo that was begun, and of which nothing is in use: it is removed",
            Direction::Back,
        ),
    };
    let mut text = format!("The change {} {ahead}:\n", one.id);
    let writes = matches!(one.ends, Recovered::Applied(_) | Recovered::Undone);
    match one.set.as_ref().filter(|_| writes) {
        Some(set) => text.push_str(&list(set, direction)),
        None => text.push_str("  only what was staged goes\n"),
    }
    text
}

fn list(set: &apply::ChangeSet, direction: Direction) -> String {
    let mut text = String::new();
    for file in set.files.iter().filter(|file| !file.is_same()) {
        let (gets, what) = match direction {
            Direction::There => (file.after, "change"),
            Direction::Back => (file.before, "put back"),
        };
        let what = if gets.is_some() { what } else { "remove" };
        text.push_str(&format!("  {what} {} on {}\n", file.path, file.place));
    }
    text
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

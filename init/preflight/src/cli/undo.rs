use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use apply::{
    ApplyError, ChangeSet, Difference, Instead, PlaceId, Places, Receipt, ReceiptId, Recovered,
    Since, Unended,
};

mod places;
mod words;

use super::plan::on_the_disks;
use crate::apply::{
    DatabaseLock, Kernels, PmxcfsRuns, is_database, left_out, must_be_whole, opened_for_writing,
    targets_of,
};
use crate::options;
use crate::systems::Which;
use places::places;
pub use words::words_of_unended;
use words::{Direction, list, said, shown};

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
        Err(error) if error.downcast_ref().is_some_and(is_refusal) || error.is::<PmxcfsRuns>() => {
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
    /// What becomes, at the undo, of files that others have written to.
    instead: Option<Instead>,
    /// What in them others have changed too, here and in what was begun.
    conflicts: Vec<String>,
    /// Something of it is in use.
    in_use: bool,
    /// Kernels that came since.
    kernels: Option<Kernels>,
}

impl Survey {
    fn is_nothing(&self) -> bool {
        self.receipt.is_none() && self.unended.is_empty()
    }

    fn is_refused(&self, arguments: &Arguments) -> bool {
        let is_changed = !self.changed.is_empty() || !self.conflicts.is_empty();
        self.in_use || is_changed && !arguments.overwrite
    }

    /// All that is to be ended or taken back.
    fn sets(&self) -> impl Iterator<Item = &ChangeSet> {
        let begun = self.unended.iter().filter_map(|one| one.set.as_ref());
        begun.chain(self.receipt.iter().map(|receipt| &receipt.set))
    }
}

fn survey(places: &Places, arguments: &Arguments) -> Result<Survey> {
    let unended = apply::unended(places)?;
    let receipt = chosen(places, arguments.receipt.as_ref(), &unended)?;
    let mut changed: Vec<Difference> = Vec::new();
    let mut conflicts: Vec<String> = Vec::new();
    let mut instead = None;
    for one in &unended {
        changed.extend(one.changed.iter().cloned());
        conflicts.extend(one.instead.iter().flat_map(|own| own.conflicts.clone()));
        if receipt
            .as_ref()
            .is_some_and(|receipt| receipt.set.id == one.id)
            && one.ends == Recovered::NotUndone
        {
            instead = one.instead.clone();
        }
    }
    if let (Some(receipt), true) = (&receipt, unended.is_empty()) {
        let ahead = apply::ahead(places, &receipt.set.id)?;
        changed.extend(ahead.changed);
        conflicts.extend(ahead.instead.iter().flat_map(|own| own.conflicts.clone()));
        instead = ahead.instead;
    }
    let mut survey = Survey {
        unended,
        receipt,
        changed,
        instead,
        conflicts,
        in_use: false,
        kernels: None,
    };
    let receipt = survey.receipt.as_ref();
    survey.kernels = receipt.and_then(|receipt| left_out(places, &receipt.set));
    survey.in_use = match DatabaseLock::take(places, survey.sets()) {
        Ok(_) => false,
        Err(error) if error.is::<PmxcfsRuns>() => true,
        Err(error) => return Err(error),
    };
    Ok(survey)
}

/// Lists it. The exit status is that of a run that does no more.
fn told(survey: &Survey, arguments: &Arguments) -> ExitCode {
    for one in &survey.unended {
        print!("{}", words_of_unended(one));
    }
    if let Some(receipt) = &survey.receipt {
        println!("To be put back from the receipt {}:", receipt.set.id);
        let instead = survey.instead.as_ref();
        print!("{}", list(&receipt.set, instead, Direction::Back));
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
    if !survey.conflicts.is_empty() {
        println!("Somebody changed these since, in the guests' database:");
        survey.conflicts.iter().for_each(|one| println!("  {one}"));
        println!(
            "With --overwrite they are overwritten, or stay where that is said, and the rest of the database is kept; \
             without, nothing is done."
        );
    }
    if let Some(kernels) = &survey.kernels {
        print!("{}", kernels.words());
    }
    if survey.in_use {
        if arguments.yes {
            eprintln!("preflight: {PmxcfsRuns}");
        } else {
            println!("As it is, it is refused: {PmxcfsRuns}.");
        }
        return ExitCode::from(1);
    }
    if !arguments.yes {
        println!("With --yes it is done.");
    } else if survey.is_refused(arguments) && survey.changed.is_empty() {
        eprintln!(
            "preflight: {}",
            ApplyError::Entries(survey.conflicts.clone())
        );
    } else if survey.is_refused(arguments) {
        let why = ApplyError::Changed(survey.changed.clone());
        eprintln!("preflight: {why}");
    }
    ExitCode::from(u8::from(survey.is_refused(arguments)))
}

fn perform(places: &Places, survey: &Survey, arguments: &Arguments) -> Result<()> {
    // From here to the end: what the undo is worked out from is what it writes over.
    let _held = DatabaseLock::take(places, survey.sets())?;
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
        println!("{}", ended(survey, receipt));
    }
    let has_database = survey.sets().flat_map(|set| &set.files).any(is_database);
    if has_database && arguments.root == Path::new("/") {
        println!("Now start /etc/pve again: 'systemctl start pve-cluster'.");
    }
    Ok(())
}

/// What is true of the system after an undo.
fn ended(survey: &Survey, receipt: &Receipt) -> String {
    let mut text = format!("{} is undone: every file", receipt.set.id);
    let database = survey.instead.iter().flat_map(|instead| &instead.told);
    let database: Vec<&str> = database.map(String::as_str).collect();
    match (database.is_empty(), &survey.kernels) {
        (true, None) => text.push_str(" was read again and is as before."),
        (false, None) => text.push_str(&format!(
            " was read again. {}. All else is as before.",
            database.join("; ")
        )),
        (_, Some(kernels)) => {
            text.push_str(" of the change was read again, but not all is as before. ");
            if !database.is_empty() {
                text.push_str(&format!("{}. ", database.join("; ")));
            }
            text.push_str(kernels.words().trim_end());
        }
    }
    text
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
        let receipt_of = |set: &ChangeSet| Receipt {
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

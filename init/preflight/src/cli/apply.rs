use std::fs;
use std::io::{BufRead, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use apply::{Applied, ApplyError, ChangeSet, Event, FileChange, PlaceId, Receipt, ReceiptId};
use clap::ValueEnum;
use plan::{Mismatch, Plan, Tree, diff};
use rehearse::Told;
use serde::Serialize;
use storage::DataPlace;

use super::dialogue::choose;
use super::plan::on_the_disks;
use super::wish::Wish;
use crate::apply::{
    Order, Outcome, Rehearsed, Targets, bytes, new_id, opened_for_writing, rehearse,
};
use crate::options;
use crate::session::look::Look;
use crate::session::save;
use crate::systems::{OneSystem, Which};

/// Arguments of `preflight apply`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The system on the disks: auto, or auto:N for the one with that number in 'preflight systems'
    #[arg(long, value_name = "auto", value_parser = which)]
    root: Which,
    #[command(flatten)]
    wish: Wish,
    /// A plan that 'preflight plan --format json' made of this system, instead of a device
    #[arg(long, value_name = "FILE", conflicts_with_all = ["device", "from", "vm", "rom", "set", "accept"])]
    plan: Option<PathBuf>,
    /// Change initrds and boot entries directly, without running anything of the installed system
    #[arg(long)]
    native: bool,
    /// Write it without being asked
    #[arg(long)]
    yes: bool,
    /// What each tool of the installed system may take
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    tool_limit: u64,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn which(text: &str) -> Result<Which, String> {
    Which::parse(text).ok_or_else(|| {
        "auto, or auto:N, is wanted: a change is rehearsed on overlays and then written so that power may fail, which \
         needs the disks of a system that does not run. Boot the stick for it"
            .to_owned()
    })
}

/// What an apply did, as `--format json` prints it and as it is saved on the stick.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    plan: &'a Plan,
    told: &'a [Told],
    changes: &'a ChangeSet,
    receipt: Option<&'a Receipt>,
    /// What is not as planned, of the rehearsal or, once written, of what was read again.
    wrong: &'a [Mismatch],
}

const SCHEMA: &str = "preflight.apply/1";

/// How often a change is worked out anew because the disks changed in between.
const TRIES: usize = 3;

/// Rehearses, shows, asks, writes, and reads again. 0 done, 1 refused or not as planned, 2 an error.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let run = Run {
        arguments,
        data: options::parse(&command_line).0.data,
        given: arguments.plan.as_ref().map(given).transpose()?,
    };
    for _ in 0..TRIES {
        match run.once()? {
            Done::Ended(code) => return Ok(code),
            Done::Again(why) => run.say(&format!("{why}. It is worked out again.")),
        }
    }
    bail!("the disks change all the time; does something else write to them?")
}

enum Done {
    Ended(ExitCode),
    Again(String),
}

struct Run<'a> {
    arguments: &'a Arguments,
    data: DataPlace,
    given: Option<Plan>,
}

fn given(path: &PathBuf) -> Result<Plan> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    let plan: Plan = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no plan of this version", path.display()))?;
    if plan.schema != plan::SCHEMA {
        bail!(
            "{} is {}, and {} is wanted",
            path.display(),
            plan.schema,
            plan::SCHEMA
        );
    }
    Ok(plan)
}

impl Run<'_> {
    fn once(&self) -> Result<Done> {
        let ended = |code: u8| Ok(Done::Ended(ExitCode::from(code)));
        let judged = match self.given {
            Some(_) => None,
            None => Some(self.arguments.wish.judged()?),
        };
        self.say("Looking at the disks");
        let system = on_the_disks(self.arguments.root)?;
        let plan = match (&self.given, &judged) {
            (Some(plan), _) => plan.clone(),
            (None, Some(judged)) => match self.wish(judged, &system)? {
                Some(wish) => wish.plan(judged, &system)?,
                None => return ended(1),
            },
            (None, None) => bail!("there is nothing to plan"),
        };
        self.print(&diff(&plan));
        if plan.is_refused() {
            self.say("Nothing was changed: see what stands against it, above.");
            return ended(1);
        }
        let is_empty = plan.changes.is_empty()
            && plan.needs.initramfs.is_empty()
            && plan.needs.boot_files.is_empty();
        if is_empty {
            self.say("Nothing has to be changed.");
            return ended(0);
        }
        let root = system.root().context("the system is not on the disks")?;
        let order = Order {
            root,
            installation: system.installation()?,
            plan: &plan,
            data: &self.data,
            native: self.arguments.native,
            limit: Duration::from_secs(self.arguments.tool_limit),
            id: new_id()?,
        };
        let rehearsed = match rehearse(&order, &mut |text| self.say(text))? {
            Outcome::Done(rehearsed) => *rehearsed,
            Outcome::Begun(ids, targets) => return self.end_what_was_begun(&ids, &targets),
        };
        self.show(&rehearsed);
        if !rehearsed.wrong.is_empty() {
            self.finish(&plan, &rehearsed, None, &rehearsed.wrong)?;
            self.say(
                "Nothing was written: on the overlays it did not come out as planned, see above.",
            );
            return ended(1);
        }
        if !self.may_write("Write this to the disks?")? {
            self.say("Nothing was written.");
            return ended(1);
        }
        let receipt = match self.write(&rehearsed)? {
            Written::Done(receipt) => receipt,
            Written::Again(why) => return Ok(Done::Again(why)),
        };
        self.say("Reading everything again from the disks");
        let again = on_the_disks(self.arguments.root)?;
        let wrong = plan::verify(&plan, again.installation()?, &again.files);
        self.finish(&plan, &rehearsed, receipt.as_ref(), &wrong)?;
        self.conclude(&again, &wrong, receipt.as_ref())
    }

    /// As it was given, or what somebody chooses now who named no card.
    fn wish(&self, judged: &Look, system: &OneSystem) -> Result<Option<Wish>> {
        let wish = &self.arguments.wish;
        if wish.names_a_card() || self.arguments.yes || !std::io::stdin().is_terminal() {
            return Ok(Some(wish.clone()));
        }
        let chosen = choose(&judged.assessment, system.installation()?, &mut asked)?;
        if chosen.is_none() {
            self.say("Nothing was chosen, and nothing changed.");
        }
        Ok(chosen.map(|chosen| wish.with(chosen)))
    }

    fn conclude(
        &self,
        system: &OneSystem,
        wrong: &[Mismatch],
        receipt: Option<&Receipt>,
    ) -> Result<Done> {
        for mismatch in wrong {
            self.say(&format!("Not as planned: {mismatch}"));
        }
        let name = receipt.map_or("", |receipt| receipt.set.id.as_str());
        if !wrong.is_empty() {
            self.say(&format!(
                "'preflight undo --root auto --receipt {name} --yes' takes it back."
            ));
            return Ok(Done::Ended(ExitCode::from(1)));
        }
        for (method, next) in system.installation()?.next_boots() {
            self.say(&format!(
                "The next start ({method}): {}",
                next.titles.join(" > ")
            ));
            self.say(&format!("  {}", next.command_line));
        }
        self.say(&format!(
            "Done, and read again: it is as planned. To take it back: preflight undo --root auto --receipt {name} --yes"
        ));
        Ok(Done::Ended(ExitCode::SUCCESS))
    }

    fn show(&self, rehearsed: &Rehearsed) {
        let mut text = String::from("What came out on the overlays, and would be written:\n");
        for file in rehearsed.set.files.iter().filter(|file| !file.is_same()) {
            text.push_str(&format!("  {}\n", described(file)));
        }
        for other in &rehearsed.other {
            text.push_str(&format!(
                "  {other} changed too, and is not written: it is no plain file\n"
            ));
        }
        for mismatch in &rehearsed.wrong {
            text.push_str(&format!("Not as planned: {mismatch}\n"));
        }
        self.print(&text);
    }

    fn end_what_was_begun(&self, ids: &[ReceiptId], targets: &Targets) -> Result<Done> {
        let names: Vec<&str> = ids.iter().map(ReceiptId::as_str).collect();
        let names = names.join(", ");
        self.say(&format!(
            "An earlier change was begun and not ended: {names}."
        ));
        if !self.may_write("End it now?")? {
            self.say("Nothing was written.");
            return Ok(Done::Ended(ExitCode::from(1)));
        }
        opened_for_writing(targets, &self.data, &mut |places| {
            apply::recover(places, &mut |event| self.shown(event)).map_err(Into::into)
        })?;
        Ok(Done::Again(format!("{names} is ended")))
    }

    fn write(&self, rehearsed: &Rehearsed) -> Result<Written> {
        opened_for_writing(&rehearsed.targets, &self.data, &mut |places| {
            let applied = apply::apply(
                places,
                rehearsed.set.clone(),
                &rehearsed.kept,
                &mut |event| self.shown(event),
            );
            Ok(match applied {
                Ok(Applied::Done(receipt)) => Written::Done(Some(receipt)),
                Ok(Applied::Nothing) => Written::Done(None),
                Err(error @ ApplyError::Changed(_)) => Written::Again(error.to_string()),
                Err(error) => return Err(error.into()),
            })
        })
    }

    fn may_write(&self, question: &str) -> Result<bool> {
        if self.arguments.yes {
            return Ok(true);
        }
        let answer = asked(&format!("{question} Type yes: "))?;
        Ok(answer.is_some_and(|answer| answer.trim() == "yes"))
    }

    /// Prints the document, where it is wanted, and saves it on the stick with what the plan has for there.
    fn finish(
        &self,
        plan: &Plan,
        rehearsed: &Rehearsed,
        receipt: Option<&Receipt>,
        wrong: &[Mismatch],
    ) -> Result<()> {
        let document = Document {
            schema: SCHEMA,
            plan,
            told: &rehearsed.told,
            changes: &rehearsed.set,
            receipt,
            wrong,
        };
        let json = serde_json::to_string_pretty(&document)?;
        if self.arguments.format == Format::Json {
            super::assess::write_out(&json)?;
        }
        let mut files = vec![("apply.json".to_owned(), json.into_bytes())];
        for change in plan
            .changes
            .iter()
            .filter(|change| change.tree == Tree::Stick)
        {
            files.push((change.path.clone(), bytes(&change.after)?));
        }
        let name = format!("apply-{}", rehearsed.set.id);
        match save::save_as(&self.data, &name, &files) {
            Ok(saved) => self.say(&format!("Saved on the stick in {}", saved.folder)),
            Err(error) => self.say(&format!("Not saved on the stick: {error:#}")),
        }
        Ok(())
    }

    fn shown(&self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Doing { act, number, of } => self.say(&format!("{}/{of}: {act}", number + 1)),
            Event::Verifying => self.say("Reading the changed files again"),
            Event::Saving { .. } | Event::Written { .. } => {}
        }
        ControlFlow::Continue(())
    }

    fn print(&self, text: &str) {
        if self.arguments.format == Format::Text {
            println!("{text}");
        }
    }

    /// Progress, which is no part of a document.
    fn say(&self, text: &str) {
        match self.arguments.format {
            Format::Text => println!("{text}"),
            Format::Json => eprintln!("{text}"),
        }
    }
}

/// A line that a person types; none at the end of the input.
fn asked(question: &str) -> Result<Option<String>> {
    eprint!("{question}");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    let length = std::io::stdin().lock().read_line(&mut answer)?;
    Ok((length > 0).then_some(answer))
}

enum Written {
    Done(Option<Receipt>),
    Again(String),
}

fn described(file: &FileChange) -> String {
    let place = if file.place == PlaceId::root() {
        String::new()
    } else {
        format!(" on {}", file.place)
    };
    let path = &file.path;
    match (&file.before, &file.after) {
        (None, Some(after)) => format!("{path}{place}: new, {} bytes", after.size),
        (Some(_), None) => format!("{path}{place}: removed"),
        (Some(before), Some(after)) => {
            format!(
                "{path}{place}: {} bytes, {} before",
                after.size, before.size
            )
        }
        (None, None) => format!("{path}{place}"),
    }
}

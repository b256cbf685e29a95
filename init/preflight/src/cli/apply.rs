use std::borrow::Cow;
use std::cell::RefCell;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use apply::{Applied, ApplyError, Event, Receipt, Unended};
use clap::ValueEnum;
use plan::{Plan, Tree, diff};
use storage::DataPlace;

mod document;
mod question;
mod result;
mod words;

use super::dialogue::{choose, wants_rom};
use super::plan::on_the_disks;
use super::undo::words_of_unended;
use super::wish::{Seen, Wish};
use crate::apply::{
    Order, Outcome, Rehearsed, Targets, ToolFailed, must_be_whole, new_id, opened_for_writing,
    rehearse,
};
use crate::options;
use crate::pages::wrapped;
use crate::systems::{OneSystem, Which, installed_uses};
use document::End;
use words::{asked, is_name, printable};

/// Arguments of `preflight apply`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The system on the disks: auto, or auto:N for the one with that number in 'preflight systems'
    #[arg(long, value_name = "auto", value_parser = which)]
    root: Which,
    #[command(flatten)]
    wish: Wish,
    /// A plan that 'preflight plan --format json' made of this system, instead of a device
    #[arg(long, value_name = "FILE", conflicts_with_all = ["device", "from", "vm", "rom", "set"])]
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

/// How often a change is worked out anew because the disks changed in between.
const TRIES: usize = 3;

/// Rehearses, shows, asks, writes, and reads again. 0 done, 1 refused or not as planned, 2 an error.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if arguments.plan.is_some() && !arguments.wish.accepts_nothing_but(plan::UNVERIFIED) {
        bail!("a plan has its own accepted refusals; make it again with --accept");
    }
    let run = Run {
        arguments,
        data: options::parse(&command_line).0.data,
        given: arguments.plan.as_ref().map(given).transpose()?,
        presented: RefCell::default(),
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
    /// What the next question will be about.
    presented: RefCell<String>,
}

fn given(path: &PathBuf) -> Result<Plan> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    let plan: Plan = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no plan of this version", path.display()))?;
    if let Some(change) = plan
        .changes
        .iter()
        .find(|change| change.tree == Tree::Stick && !is_name(&change.path))
    {
        bail!(
            "{}: '{}' is no name of a file on the stick",
            path.display(),
            change.path
        );
    }
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
        if self.given.is_none() && !self.can_ask() {
            self.arguments.wish.must_name_a_card()?;
        }
        let seen = match &self.given {
            Some(plan) => {
                if !plan.device_ids.is_empty() {
                    let seen = self.arguments.wish.seen()?;
                    seen.must_have_the_devices_of(plan)?;
                }
                None
            }
            None => Some(self.arguments.wish.seen()?),
        };
        self.say("Looking at the disks");
        let system = on_the_disks(self.arguments.root)?;
        let plan = match (&self.given, &seen) {
            (Some(plan), _) => plan.clone(),
            (None, Some(seen)) => match self.wish(seen, &system)? {
                Some(wish) => wish.plan(seen, &system)?,
                None => return ended(1),
            },
            (None, None) => bail!("there is nothing to plan"),
        };
        self.presented.take();
        self.present(&diff(&plan));
        if plan.is_refused() {
            self.print_document(&plan, &End::default())?;
            self.say("Nothing was changed: see what stands against it, above.");
            return ended(1);
        }
        let is_empty = plan.changes.is_empty()
            && plan.needs.initramfs.is_empty()
            && plan.needs.boot_files.is_empty();
        if is_empty {
            self.print_document(&plan, &End::default())?;
            self.say("Nothing has to be changed.");
            return ended(0);
        }
        let root = system.root().context("the system is not on the disks")?;
        must_be_whole(&system, root).context("nothing was written")?;
        let out_of_reach = plan::out_of_reach(&plan, system.installation()?);
        if let Some(why) = self.objection(&out_of_reach) {
            let wrong = &out_of_reach;
            let end = End {
                wrong,
                ..End::default()
            };
            self.print_document(&plan, &end)?;
            self.say(&format!("Nothing was written: {why}."));
            return ended(1);
        }
        let order = Order {
            root,
            installation: system.installation()?,
            plan: &plan,
            data: &self.data,
            native: self.arguments.native,
            limit: Duration::from_secs(self.arguments.tool_limit),
            id: new_id()?,
        };
        let rehearsed = match self.rehearsed(order)? {
            Some(Outcome::Done(rehearsed)) => *rehearsed,
            Some(Outcome::Begun(begun, targets)) => {
                return self.end_what_was_begun(&plan, &begun, &targets);
            }
            None => return ended(1),
        };
        self.show(&rehearsed);
        let id = &rehearsed.set.id;
        if let Some(why) = self.objection(&rehearsed.wrong) {
            self.finish(&plan, id, &End::of(&rehearsed))?;
            self.say(&format!("Nothing was written: on the overlays {why}."));
            return ended(1);
        }
        if rehearsed.set.is_nothing() {
            self.finish(&plan, id, &End::of(&rehearsed))?;
            self.say("Nothing has to be changed on the disks: they are as planned.");
            return ended(0);
        }
        if !self.may_write("Write this to the disks?")? {
            self.print_document(&plan, &End::of(&rehearsed))?;
            self.say("Nothing was written.");
            return ended(1);
        }
        // From here on an error, or the power, can end it: whoever finds the system half-way needs this then.
        self.keep(&plan, id, &End::of(&rehearsed))
            .context("nothing was written")?;
        let receipt = match self.write(&rehearsed)? {
            Written::Done(receipt) => receipt,
            Written::Again(why) => return Ok(Done::Again(why)),
        };
        let name = id.to_string();
        self.read_again(&plan, &rehearsed, receipt.as_ref())
            .with_context(|| {
                format!(
                    "everything was written, as {name}; '{}' takes it back",
                    self.way_back(&name)
                )
            })
    }

    /// With the system's own tools, and where those fail without them, if that is wanted; else there is none.
    fn rehearsed(&self, order: Order) -> Result<Option<Outcome>> {
        let say = &mut |text: &str| self.say(text);
        let error = match rehearse(&order, say) {
            Ok(outcome) => return Ok(Some(outcome)),
            Err(error) => error,
        };
        let Some(failed) = error.downcast_ref::<ToolFailed>() else {
            return Err(error);
        };
        let printed = serde_json::to_vec_pretty(&failed.told)?;
        self.save(&order.id, vec![("tools.json".to_owned(), printed)]);
        if !self.can_ask() {
            return Err(error);
        }
        self.say(&format!("{error:#}"));
        if !self.may_write("Try it without the system's own tools?")? {
            let told = &failed.told;
            let end = End {
                told,
                ..End::default()
            };
            self.print_document(order.plan, &end)?;
            self.say("Nothing was written.");
            return Ok(None);
        }
        let native = true;
        rehearse(&Order { native, ..order }, say).map(Some)
    }

    /// As it was given, or what somebody chooses now who named no card.
    fn wish(&self, seen: &Seen, system: &OneSystem) -> Result<Option<Wish>> {
        let wish = &self.arguments.wish;
        if wish.names_a_card() {
            return Ok(Some(wish.clone()));
        }
        let mut ask = |question: &str| Ok(asked(&wrapped(&printable(question)))?);
        // Who chooses wants to know what is on the disks behind a card.
        let judged = seen.judged_with(installed_uses(&system.found));
        let chosen = choose(&judged.assessment, system.installation()?, &mut ask)?;
        let Some(chosen) = chosen else {
            self.say("Nothing was chosen, and nothing changed.");
            return Ok(None);
        };
        let wish = wish.with(chosen);
        Ok(Some(match wish.advised_rom(seen, &judged)? {
            Some(why) if wants_rom(&why, &mut ask)? => wish.with_rom_as_read(),
            _ => wish,
        }))
    }

    fn end_what_was_begun(
        &self,
        plan: &Plan,
        begun: &[Unended],
        targets: &Targets,
    ) -> Result<Done> {
        let refused = || {
            self.print_document(plan, &End::default())?;
            Ok(Done::Ended(ExitCode::from(1)))
        };
        let names: Vec<&str> = begun.iter().map(|one| one.id.as_str()).collect();
        let names = names.join(", ");
        self.say(&format!(
            "An earlier change was begun and not ended: {names}."
        ));
        begun
            .iter()
            .for_each(|one| self.print(&words_of_unended(one)));
        let changed: Vec<String> = begun
            .iter()
            .flat_map(|one| &one.changed)
            .map(ToString::to_string)
            .collect();
        if !changed.is_empty() {
            self.say(&format!(
                "Somebody changed these since: {}. 'preflight undo --root {} --overwrite --yes' ends it over them. Nothing was \
                 written.",
                changed.join("; "),
                self.arguments.root
            ));
            return refused();
        }
        if !self.may_write("End it now?")? {
            self.say("Nothing was written.");
            return refused();
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

    fn shown(&self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Doing { act, number, of } => self.say(&format!("{}/{of}: {act}", number + 1)),
            Event::Verifying => self.say("Reading the changed files again"),
            Event::Saving { .. } | Event::Written { .. } => {}
        }
        ControlFlow::Continue(())
    }

    /// Words for a person, which are no part of a document.
    fn print(&self, text: &str) {
        let text = printable(text);
        let text = match self.can_ask() {
            true => Cow::Owned(wrapped(&text)),
            false => text,
        };
        match self.arguments.format {
            Format::Text => println!("{text}"),
            Format::Json => eprintln!("{text}"),
        }
    }

    /// Progress.
    fn say(&self, text: &str) {
        self.print(text);
    }
}

enum Written {
    Done(Option<Receipt>),
    Again(String),
}

use hardware::Reading;
use proxmox::system::kernel::{KernelFacts, Presence};

use super::binding::{built_in, own};
use super::command_line::{is_passed, words};
use crate::draft::Draft;
use crate::edit::{WordEdit, modprobe};
use crate::plan::Tree;

/// A parameter of a module that is on or off, and is off by itself.
pub(super) struct Switch {
    /// The option that it follows, yes or no.
    pub(super) option: &'static str,
    pub(super) module: &'static str,
    pub(super) parameter: &'static str,
    /// Whether a kernel has the module built in.
    pub(super) presence: fn(&KernelFacts) -> &Reading<Presence>,
}

/// How people write a parameter of type bool (Linux, lib/kstrtox.c, kstrtobool: the first letter counts, and the
/// second of on and off).
const ON: [&str; 6] = ["1", "y", "Y", "yes", "on", "true"];
const OFF: [&str; 6] = ["0", "n", "N", "no", "off", "false"];

const MODPROBE: &str = "/etc/modprobe.d/";

impl Switch {
    pub(super) fn on(&self, draft: &mut Draft, reason: &str) {
        self.set(draft, "1", reason);
    }

    /// Off where somebody wants it so or something needs it; else it stays as the host has it, and that is said.
    pub(super) fn off(&self, draft: &mut Draft, needed: Option<&str>) {
        let places = self.places(draft);
        if places.is_empty() {
            return;
        }
        let asked = (draft.ctx.asked(self.option) == Some("no")).then_some("asked for");
        let (parameter, option) = (self.parameter, self.option);
        match needed.or(asked) {
            Some(why) => self.set(draft, "0", &format!("{parameter}=0: {why}.")),
            None => draft.warnings.push(format!(
                "{parameter} is on in {}, and stays so: {option}=no is the default and takes nothing back; --set {option}=no does.",
                places.join(" and ")
            )),
        }
    }

    /// As the kernel command line has it.
    fn name(&self) -> String {
        format!("{}.{}", self.module, self.parameter)
    }

    /// The file whose value holds for modprobe: it reads them in the order of their names, and the last one wins.
    fn holder(&self, draft: &Draft) -> Option<(String, String)> {
        draft.paths(MODPROBE).into_iter().rev().find_map(|path| {
            let content = draft.content(Tree::Root, &path)?;
            let value = modprobe::option(&content, self.module, self.parameter)?;
            Some((path, value))
        })
    }

    /// Where it is on.
    fn places(&self, draft: &Draft) -> Vec<String> {
        let held = self.holder(draft);
        let held = held.filter(|(_, value)| ON.contains(&value.as_str()));
        let passed = ON
            .iter()
            .any(|on| is_passed(draft, &self.name(), Some(on)))
            .then(|| "the kernel command line".to_owned());
        held.map(|(path, _)| path)
            .into_iter()
            .chain(passed)
            .collect()
    }

    /// In the file that has it, else in ours, and where modprobe.d has no say or not the last word on the command line.
    fn set(&self, draft: &mut Draft, value: &str, reason: &str) {
        let path = self.holder(draft).map(|(path, _)| path);
        let path = path.unwrap_or_else(|| modprobe::OWN.to_owned());
        own(draft, &path, reason, |file| {
            modprobe::set_option(file, self.module, self.parameter, value)
        });
        let name = self.name();
        let built_in = built_in(draft.ctx, self.presence);
        let why = if !built_in.is_empty() {
            let kernels = built_in.join(", ");
            format!(
                "{name}: {} is built into {kernels}, where modprobe.d has no say.",
                self.module
            )
        } else if is_passed(draft, &name, None) {
            // modprobe puts what the command line says behind its files (kmod, libkmod-config.c, kmod_config_new).
            format!("{name}: the command line has it, which holds against modprobe.d.")
        } else {
            return;
        };
        let others = ON.into_iter().chain(OFF).filter(|other| *other != value);
        let others: Vec<&str> = others.collect();
        words(
            draft,
            &[WordEdit::item_instead(&name, value, &others)],
            &why,
        );
    }
}

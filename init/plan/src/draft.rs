use std::collections::BTreeMap;

use crate::choice::RomFile;
use crate::context::Context;
use crate::edit::{EditError, WordEdit};
use crate::plan::{Body, Change, Content, Needs, OptionUsed, Plan, Refusal, SCHEMA, Tree, sha256};

/// A plan while its steps fill it.
pub(crate) struct Draft<'a> {
    pub(crate) ctx: &'a Context<'a>,
    pub(crate) options: Vec<OptionUsed>,
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) command_line: Vec<WordEdit>,
    refusals: Vec<Refusal>,
    files: BTreeMap<(Tree, String), Edited>,
    copies: Vec<Change>,
}

struct Edited {
    before: Option<Vec<u8>>,
    after: Vec<u8>,
    mode: Option<u32>,
    reasons: Vec<String>,
}

/// Begins a file that is ours.
pub(crate) const HEADER: &str = "# Written by Preflight.\n";

impl<'a> Draft<'a> {
    pub(crate) fn new(ctx: &'a Context<'a>) -> Self {
        Self {
            ctx,
            options: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            command_line: Vec::new(),
            refusals: Vec::new(),
            files: BTreeMap::new(),
            copies: Vec::new(),
        }
    }

    /// The value of an option: what was asked, else the default with its reason.
    pub(crate) fn option(&mut self, name: &str, default: (&str, &str)) -> String {
        let asked = self.ctx.asked(name);
        let value = asked.unwrap_or(default.0).to_owned();
        let reason = match asked {
            Some(asked) if asked != default.0 => {
                format!(
                    "asked for; without that it would be {}: {}",
                    default.0, default.1
                )
            }
            _ => default.1.to_owned(),
        };
        let used = OptionUsed {
            option: name.to_owned(),
            value: value.clone(),
            asked: asked.is_some(),
            reason,
        };
        // Some are asked for once for each device.
        if !self.options.contains(&used) {
            self.options.push(used);
        }
        value
    }

    pub(crate) fn refuse(
        &mut self,
        id: &str,
        can_be_accepted: bool,
        summary: &str,
        evidence: Vec<String>,
    ) {
        let accepted = can_be_accepted && self.ctx.choice.accepted.contains(id);
        self.refusals.push(Refusal {
            id: id.to_owned(),
            summary: summary.to_owned(),
            evidence,
            can_be_accepted,
            accepted,
        });
    }

    /// A file as it will be; none where it is not there and nothing made it.
    pub(crate) fn content(&self, tree: Tree, path: &str) -> Option<Vec<u8>> {
        let edited = self.files.get(&(tree, path.to_owned()));
        edited
            .map(|edited| edited.after.clone())
            .or_else(|| self.original(tree, path))
    }

    fn original(&self, tree: Tree, path: &str) -> Option<Vec<u8>> {
        let files = self.ctx.files();
        match tree {
            Tree::Root => files.root.get(path).cloned(),
            Tree::Pve => files.pve.known()?.get(path).cloned(),
            Tree::Stick => None,
        }
    }

    /// Paths of the root that begin so, those included that the plan makes.
    pub(crate) fn paths(&self, folder: &str) -> Vec<String> {
        let there = self.ctx.files().root.keys().cloned();
        let made = self.files.keys().filter(|(tree, _)| *tree == Tree::Root);
        let mut paths: Vec<String> = there.chain(made.map(|(_, path)| path.clone())).collect();
        paths.retain(|path| path.starts_with(folder));
        paths.sort();
        paths.dedup();
        paths
    }

    /// Edits one file. What the editor refuses becomes a refusal of the plan, and the file stays as it is.
    pub(crate) fn edit(
        &mut self,
        tree: Tree,
        path: &str,
        reason: &str,
        edit: impl FnOnce(&[u8]) -> Result<Vec<u8>, EditError>,
    ) {
        if tree == Tree::Root && !self.is_read(path) {
            return;
        }
        let now = self.content(tree, path);
        match edit(now.as_deref().unwrap_or_default()) {
            Ok(after) => self.put(tree, path, after, None, reason),
            Err(error) => self.not_understood(path, &error.to_string()),
        }
    }

    /// Whether everything that is there and whose path begins so could be read, and the folder that it is in. If
    /// not, the plan is refused: what was not read could speak against the change.
    pub(crate) fn is_read(&mut self, path: &str) -> bool {
        let unread = self.ctx.files().unread.iter().filter(|(unread, _)| {
            let below = path.strip_prefix(unread.as_str());
            unread.starts_with(path) || below.is_some_and(|rest| rest.starts_with('/'))
        });
        let mut whole = true;
        for (path, why) in unread {
            whole = false;
            let summary = format!(
                "{path} is there and could not be read, so nothing that it may speak of is changed."
            );
            if !self
                .refusals
                .iter()
                .any(|refusal| refusal.summary == summary)
            {
                self.refuse("file-unread", false, &summary, vec![why.clone()]);
            }
        }
        whole
    }

    pub(crate) fn not_understood(&mut self, path: &str, why: &str) {
        self.refuse(
            "file-not-understood",
            false,
            &format!("{path} is not understood, so it is not changed."),
            vec![format!("{path}: {why}")],
        );
    }

    /// Gives a file these bytes.
    pub(crate) fn put(
        &mut self,
        tree: Tree,
        path: &str,
        after: Vec<u8>,
        mode: Option<u32>,
        reason: &str,
    ) {
        if self.content(tree, path).as_ref() == Some(&after)
            || (after.is_empty() && self.content(tree, path).is_none())
        {
            return;
        }
        let before = self.original(tree, path);
        let edited = self
            .files
            .entry((tree, path.to_owned()))
            .or_insert_with(|| Edited {
                before,
                after: Vec::new(),
                mode,
                reasons: Vec::new(),
            });
        edited.after = after;
        if !edited.reasons.iter().any(|known| known == reason) {
            edited.reasons.push(reason.to_owned());
        }
    }

    /// The same for several reasons at once.
    pub(crate) fn put_for(&mut self, tree: Tree, path: &str, after: Vec<u8>, reasons: &[String]) {
        let Some((first, rest)) = reasons.split_first() else {
            return;
        };
        self.put(tree, path, after, None, first);
        if let Some(edited) = self.files.get_mut(&(tree, path.to_owned())) {
            edited.reasons.extend(rest.iter().cloned());
        }
    }

    /// A copy of the person's ROM. A file of that name with other bytes stays: it may be QEMU's own firmware, or the
    /// ROM of another guest.
    pub(crate) fn copy(&mut self, path: &str, rom: &RomFile, reason: &str) {
        if !self.is_read(path) {
            return;
        }
        if let Some(bytes) = self.original(Tree::Root, path) {
            let there = sha256(&bytes);
            if there != rom.sha256 {
                let evidence = vec![
                    format!("{path}: {} bytes, SHA-256 {there}", bytes.len()),
                    format!("{}: {} bytes, SHA-256 {}", rom.path, rom.length, rom.sha256),
                ];
                self.refuse(
                    "rom-name-taken",
                    false,
                    "The host has another file of the ROM's name; give the ROM file a name of its own.",
                    evidence,
                );
            }
            return;
        }
        self.copies.push(Change {
            tree: Tree::Root,
            path: path.to_owned(),
            before: None,
            after: Content {
                sha256: rom.sha256.clone(),
                length: rom.length,
                body: Body::File(rom.path.clone()),
            },
            mode: None,
            reasons: vec![reason.to_owned()],
        });
    }

    pub(crate) fn finish(self, system: String) -> Plan {
        let mut changes = self.copies;
        for ((tree, path), edited) in self.files {
            if edited.before.as_ref() == Some(&edited.after) {
                continue;
            }
            changes.push(Change {
                tree,
                path,
                before: edited.before.as_deref().map(Content::of),
                after: Content::of(&edited.after),
                mode: edited.mode,
                reasons: edited.reasons,
            });
        }
        let ctx = self.ctx;
        let needs = needs(ctx, &changes);
        let mut warnings = self.warnings;
        if !needs.initramfs.is_empty() {
            let kernels = ctx.system().kernels.iter().filter(|kernel| !kernel.in_boot);
            warnings.extend(kernels.map(|kernel| {
                format!(
                    "{} is only on an ESP, not in /boot: its initrd stays as it is, and the card is not bound when it starts.",
                    kernel.version
                )
            }));
        }
        Plan {
            schema: SCHEMA.to_owned(),
            system,
            devices: ctx.given.iter().map(|function| function.address).collect(),
            device_ids: ctx
                .given
                .iter()
                .map(|function| (function.address, function.id))
                .collect(),
            guest: ctx.choice.guest,
            options: self.options,
            command_line: self.command_line,
            needs,
            changes,
            notes: self.notes,
            warnings,
            refusals: self.refusals,
        }
    }
}

/// Files that are copied into the initrd.
const IN_INITRD: [&str; 3] = [
    "/etc/modprobe.d/",
    "/etc/initramfs-tools/",
    "/etc/dracut.conf.d/",
];
/// Files that the boot loader's own are made from.
const IN_BOOT_FILES: [&str; 2] = ["/etc/default/grub", "/etc/kernel/cmdline"];

fn needs(ctx: &Context, changes: &[Change]) -> Needs {
    let touches = |folders: &[&str]| {
        changes.iter().any(|change| {
            change.tree == Tree::Root
                && folders.iter().any(|folder| change.path.starts_with(folder))
        })
    };
    let initramfs = touches(&IN_INITRD);
    let command_line = touches(&IN_BOOT_FILES);
    // Where the ESP has the kernels, it has the initrds too.
    let methods = ctx
        .methods()
        .into_iter()
        .filter(|method| command_line || initramfs && method.has_kernels_on_esp());
    let kernels = ctx.system().kernels.iter();
    let kernels = kernels
        .filter(|kernel| initramfs && kernel.in_boot)
        .map(|kernel| kernel.version.clone())
        .collect();
    Needs {
        initramfs: kernels,
        boot_files: methods.collect(),
    }
}

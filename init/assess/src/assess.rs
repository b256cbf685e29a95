use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use hardware::{Machine, RomReading};
use pci::Address;

use crate::card::CardFunctions;
use crate::context::Context;
use crate::rules::RULES;
use crate::{Assessment, Card, Finding, Naming, Options, Severity, Verdict, summary};

/// The name and version of the JSON document.
const SCHEMA: &str = "preflight.assessment/1";

/// Judges a machine as it is. `roms` is none when nobody read ROMs (a live host, a capture).
pub fn assess(machine: &Machine, roms: Option<&[RomReading]>, names: &dyn Naming) -> Assessment {
    assess_with(machine, roms, names, &Options::default())
}

/// Judges a machine as it is, or as it would be.
pub fn assess_with(
    machine: &Machine,
    roms: Option<&[RomReading]>,
    names: &dyn Naming,
    options: &Options,
) -> Assessment {
    let ctx = Context::new(machine, roms, names, options);
    let findings = findings(&ctx);
    let about = by_function(&findings);
    Assessment {
        schema: SCHEMA.to_owned(),
        machine: summary::machine(&ctx),
        kernel: summary::kernel(&ctx),
        acs_override: options.acs_override.to_string(),
        judged_by: ctx.groups.source,
        prediction_model: ctx.groups.prediction.model.to_owned(),
        groups: ctx.groups.first(),
        groups_predicted: ctx.groups.second(),
        cards: ctx
            .cards
            .iter()
            .map(|card| judged(&ctx, card, &about))
            .collect(),
        functions: ctx
            .functions()
            .map(|function| summary::function(&ctx, function))
            .collect(),
        findings,
        iommu: ctx.iommu.summary,
    }
}

/// All findings: those of the machine first, then by function; the worst first.
fn findings(ctx: &Context) -> Vec<Finding> {
    let judged: Vec<_> = RULES.iter().map(|rule| (rule.judge)(ctx)).collect();
    let mut findings = Vec::with_capacity(judged.iter().map(Vec::len).sum());
    findings.extend(judged.into_iter().flatten());
    findings.sort_by_key(|finding| (finding.function, Reverse(weight(finding))));
    findings
}

/// What weighs more stands further up; of two cautions the one that leaves a verdict open.
fn weight(finding: &Finding) -> (Severity, bool) {
    (finding.severity, finding.unknown)
}

/// Findings about each function, and under none those about the machine.
type ByFunction<'a> = BTreeMap<Option<Address>, Vec<&'a Finding>>;

fn by_function(findings: &[Finding]) -> ByFunction<'_> {
    let mut about = ByFunction::new();
    // What is only worth knowing about the whole machine says nothing about a card.
    let weighs = |finding: &&Finding| {
        finding.function.is_some() || finding.severity > Severity::Note || finding.unknown
    };
    for finding in findings.iter().filter(weighs) {
        about.entry(finding.function).or_default().push(finding);
    }
    about
}

fn judged(ctx: &Context, card: &CardFunctions, findings: &ByFunction) -> Card {
    let own = card.functions.iter().map(|function| Some(function.address));
    let about: Vec<_> = [None]
        .into_iter()
        .chain(own)
        .filter_map(|function| findings.get(&function))
        .flatten()
        .copied()
        .collect();
    let mut ids: Vec<Cow<'static, str>> = Vec::new();
    for finding in &about {
        if !ids.contains(&finding.id) {
            ids.push(finding.id.clone());
        }
    }
    Card {
        slot: card
            .functions
            .iter()
            .find_map(|function| function.slot.known().cloned()),
        port: ctx.port_above(card.lead),
        functions: card
            .functions
            .iter()
            .map(|function| function.address)
            .collect(),
        verdict: verdict(&about),
        findings: ids,
    }
}

/// The worst that the findings say: blocked over unknown over caution over ready.
fn verdict(findings: &[&Finding]) -> Verdict {
    let each = findings.iter().map(|finding| match finding.severity {
        Severity::Blocks => Verdict::Blocked,
        _ if finding.unknown => Verdict::Unknown,
        Severity::Caution => Verdict::Caution,
        Severity::Note => Verdict::Ready,
    });
    each.max().unwrap_or(Verdict::Ready)
}

#[cfg(test)]
mod lab;
#[cfg(test)]
mod properties;

use std::cmp::Reverse;

use hardware::{Machine, RomReading};

use crate::card::CardFunctions;
use crate::context::Context;
use crate::rules::RULES;
use crate::{Assessment, Card, Finding, Naming, Severity, Verdict, summary};

/// The name and version of the JSON document.
const SCHEMA: &str = "preflight.assessment/1";

/// Judges a machine. `roms` is none when nobody read ROMs (a live host, a capture).
pub fn assess(machine: &Machine, roms: Option<&[RomReading]>, names: &dyn Naming) -> Assessment {
    let ctx = Context::new(machine, roms, names);
    let findings = findings(&ctx);
    Assessment {
        schema: SCHEMA.to_owned(),
        machine: summary::machine(&ctx),
        kernel: summary::kernel(&ctx),
        groups: summary::groups(&ctx),
        groups_predicted: summary::groups_predicted(&ctx),
        cards: ctx
            .cards
            .iter()
            .map(|card| judged(&ctx, card, &findings))
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
    let mut findings: Vec<_> = RULES.iter().flat_map(|rule| (rule.judge)(ctx)).collect();
    findings.sort_by_key(|finding| (finding.function, Reverse(weight(finding))));
    findings
}

/// What weighs more stands further up; of two cautions the one that leaves a verdict open.
fn weight(finding: &Finding) -> (Severity, bool) {
    (finding.severity, finding.unknown)
}

fn judged(ctx: &Context, card: &CardFunctions, findings: &[Finding]) -> Card {
    let about: Vec<_> = findings
        .iter()
        .filter(|finding| finding.function.is_none_or(|address| card.has(address)))
        .collect();
    let mut ids: Vec<String> = Vec::new();
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

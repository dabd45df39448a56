//! From what the buildpacks of a group offer and ask for to a plan that satisfies all (CNB buildpack
//! spec, "Phase #1: Detection").
//!
//! Every buildpack has alternatives; combinations are tried leftmost first. In one trial each
//! dependency asked for must be offered by the same or an earlier buildpack, and each one offered must
//! be asked for by the same or a later one. An optional buildpack that breaks this is left out and
//! the trial starts over; a required one ends it. An optional buildpack is optional only by its last
//! alternative, as upstream has it, so that its others are tried with it taking part.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::files::plan::{Alternative, BuildPlan, Plan, PlanEntry, Provider, Require};
use crate::builder::ModuleId;

/// More combinations than any group has that a person has written.
const TRIAL_LIMIT: usize = 20_000;

/// How many different reasons a failed resolution tells.
const REASON_LIMIT: usize = 16;

/// A buildpack of a group, with what its detect wrote.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The buildpack.
    pub module: &'a ModuleId,
    /// Whether the group passes without it.
    pub optional: bool,
    /// What it offers and asks for.
    pub plan: &'a BuildPlan,
}

/// Who takes part, and for what.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    /// The buildpacks that are left, in group order.
    pub group: Vec<ModuleId>,
    /// The dependencies, sorted by name.
    pub plan: Plan,
}

/// Why a trial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nobody before it offers what it asks for.
    Unmet {
        /// Who asks.
        module: ModuleId,
        /// The dependency.
        name: String,
    },
    /// Nobody after it asks for what it offers.
    Unused {
        /// Who offers.
        module: ModuleId,
        /// The dependency.
        name: String,
    },
    /// Every buildpack was optional and none could stay.
    NobodyLeft,
    /// The alternatives have more combinations than are tried.
    TooManyTrials,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmet { module, name } => write!(formatter, "`{module}` requires `{name}`, which no buildpack before it provides"),
            Self::Unused { module, name } => write!(formatter, "`{module}` provides `{name}`, which no buildpack requires"),
            Self::NobodyLeft => write!(formatter, "no buildpack of the group is needed"),
            Self::TooManyTrials => write!(formatter, "the plans have more than {TRIAL_LIMIT} combinations"),
        }
    }
}

/// Finds the first combination of alternatives that satisfies all, or tells why each failed.
pub fn resolve(candidates: &[Candidate<'_>]) -> Result<Resolved, Vec<Reason>> {
    let mut reasons: Vec<Reason> = Vec::new();
    let mut choice = vec![0; candidates.len()];
    for _ in 0..TRIAL_LIMIT {
        match trial(candidates, &choice) {
            Ok(resolved) => return Ok(resolved),
            Err(new) => note(&mut reasons, new),
        }
        if !advance(&mut choice, candidates) {
            return Err(reasons);
        }
    }
    reasons.push(Reason::TooManyTrials);
    Err(reasons)
}

fn note(reasons: &mut Vec<Reason>, new: Vec<Reason>) {
    for reason in new {
        if reasons.len() < REASON_LIMIT && !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
}

/// The next combination, the rightmost alternative changing first; `false` after the last.
fn advance(choice: &mut [usize], candidates: &[Candidate<'_>]) -> bool {
    for (index, candidate) in choice.iter_mut().zip(candidates).rev() {
        *index += 1;
        if *index < candidate.plan.alternatives.len() {
            return true;
        }
        *index = 0;
    }
    false
}

/// A buildpack with the alternative that a trial has chosen.
#[derive(Clone, Copy)]
struct Member<'a> {
    module: &'a ModuleId,
    optional: bool,
    alternative: &'a Alternative,
}

fn trial(candidates: &[Candidate<'_>], choice: &[usize]) -> Result<Resolved, Vec<Reason>> {
    let mut members: Vec<Member<'_>> = candidates
        .iter()
        .zip(choice)
        .filter_map(|(candidate, index)| {
            let last = index + 1 == candidate.plan.alternatives.len();
            let alternative = candidate.plan.alternatives.get(*index)?;
            Some(Member { module: candidate.module, optional: candidate.optional && last, alternative })
        })
        .collect();
    loop {
        let ledger = Ledger::of(&members);
        let faults = ledger.faults();
        let required: Vec<&Fault<'_>> = faults.iter().filter(|fault| !fault.member.optional).collect();
        if !required.is_empty() {
            return Err(required.into_iter().map(|fault| fault.reason.clone()).collect());
        }
        if faults.is_empty() {
            return ledger.finish(&members);
        }
        let dropped: BTreeSet<&ModuleId> = faults.iter().map(|fault| fault.member.module).collect();
        members.retain(|member| !dropped.contains(member.module));
    }
}

/// For every dependency who offers it and who asks for it.
#[derive(Default)]
struct Ledger<'a>(BTreeMap<&'a str, Account<'a>>);

#[derive(Default)]
struct Account<'a> {
    providers: Vec<Member<'a>>,
    /// Offered, and not asked for since.
    unused: Vec<Member<'a>>,
    requires: Vec<&'a Require>,
    /// Asked for when nobody had offered it.
    unmet: Vec<Member<'a>>,
}

struct Fault<'a> {
    member: Member<'a>,
    reason: Reason,
}

impl<'a> Ledger<'a> {
    fn of(members: &[Member<'a>]) -> Self {
        let mut ledger = Self::default();
        for member in members {
            for name in &member.alternative.provides {
                ledger.0.entry(name).or_default().unused.push(*member);
            }
            for require in &member.alternative.requires {
                ledger.0.entry(&require.name).or_default().require(*member, require);
            }
        }
        ledger
    }

    fn faults(&self) -> Vec<Fault<'a>> {
        let mut faults = Vec::new();
        for (name, account) in &self.0 {
            let named = |member: &Member<'_>| (member.module.clone(), (*name).to_owned());
            faults.extend(account.unmet.iter().map(|member| {
                let (module, name) = named(member);
                Fault { member: *member, reason: Reason::Unmet { module, name } }
            }));
            faults.extend(account.unused.iter().map(|member| {
                let (module, name) = named(member);
                Fault { member: *member, reason: Reason::Unused { module, name } }
            }));
        }
        faults
    }

    fn finish(self, members: &[Member<'a>]) -> Result<Resolved, Vec<Reason>> {
        if members.is_empty() {
            return Err(vec![Reason::NobodyLeft]);
        }
        let entries = self.0.into_values().map(|account| PlanEntry {
            providers: account.providers.iter().map(Member::provider).collect(),
            requires: account.requires.into_iter().cloned().collect(),
        });
        let group = members.iter().map(|member| member.module.clone()).collect();
        Ok(Resolved { group, plan: Plan { entries: entries.collect() } })
    }
}

impl<'a> Account<'a> {
    fn require(&mut self, member: Member<'a>, require: &'a Require) {
        self.providers.append(&mut self.unused);
        if self.providers.is_empty() {
            self.unmet.push(member);
        } else {
            self.requires.push(require);
        }
    }
}

impl Member<'_> {
    fn provider(&self) -> Provider {
        Provider { id: self.module.id.clone(), version: self.module.version.clone(), extension: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a?: +x -y / -z` is the optional buildpack `a` that provides x and requires y, or requires z.
    fn resolve(text: &str) -> Result<String, String> {
        let parsed: Vec<(ModuleId, bool, BuildPlan)> = text
            .split(';')
            .map(|part| {
                let (name, plan) = part.trim().split_once(':').unwrap();
                let plan = BuildPlan { alternatives: plan.split('/').map(alternative).collect() };
                (ModuleId::new(name.trim_end_matches('?'), "1"), name.ends_with('?'), plan)
            })
            .collect();
        let candidates: Vec<Candidate<'_>> =
            parsed.iter().map(|(module, optional, plan)| Candidate { module, optional: *optional, plan }).collect();
        let resolved = super::resolve(&candidates)
            .map_err(|reasons| reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ").replace("@1", ""))?;
        let group = resolved.group.iter().map(|module| module.id.as_str()).collect::<Vec<_>>().join(" ");
        let entry = |entry: &PlanEntry| {
            let providers = entry.providers.iter().map(|provider| provider.id.as_str()).collect::<Vec<_>>().join("+");
            format!("{}*{} by {providers}", entry.requires[0].name, entry.requires.len())
        };
        let plan = resolved.plan.entries.iter().map(entry).collect::<Vec<_>>().join(", ");
        Ok(format!("{group} | {plan}"))
    }

    fn alternative(text: &str) -> Alternative {
        let named = |sign: char| text.split_whitespace().filter_map(move |word| word.strip_prefix(sign)).map(str::to_owned);
        let requires = named('-').map(|name| Require { name, ..Require::default() }).collect();
        Alternative { provides: named('+').collect(), requires }
    }

    #[test]
    fn satisfied_groups() {
        for (text, expected) in [
            ("a:", "a | "),
            ("a: +x; b: -x", "a b | x*1 by a"),
            ("a: +x -x", "a | x*1 by a"),
            ("b: +y +x; a: -x -y; c: -x", "b a c | x*2 by b, y*1 by b"),
            ("a: +x; b: +x; c: -x", "a b c | x*1 by a+b"),
            ("a: +x; b: -x; c: +x -x", "a b c | x*2 by a+c"),
            ("a: +x; b: -x; c?: +x", "a b | x*1 by a"),
            ("a?: -z; b:", "b | "),
            ("a?: +x; b?: -x -z; c:", "c | "),
            ("a: +x / +y; b: -y", "a b | y*1 by a"),
            ("a: +x /; b:", "a b | "),
            ("a?: -z /; b:", "a b | "),
            ("a?: -z / -z; b:", "b | "),
            ("a?: +x / +y; b: -x / -y", "a b | x*1 by a"),
        ] {
            assert_eq!(resolve(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn failed_groups_tell_why() {
        for (text, expected) in [
            ("a: -x", "`a` requires `x`, which no buildpack before it provides"),
            ("a: -x; b: +x", "`a` requires `x`, which no buildpack before it provides; `b` provides `x`, which no buildpack requires"),
            ("a: +x", "`a` provides `x`, which no buildpack requires"),
            ("a?: +x; b?: -y", "no buildpack of the group is needed"),
            ("a?: +x; b: -x -y", "`b` requires `y`, which no buildpack before it provides"),
            (
                "a: -x / -x / -y",
                "`a` requires `x`, which no buildpack before it provides; `a` requires `y`, which no buildpack before it provides",
            ),
        ] {
            assert_eq!(resolve(text).as_ref().map_err(String::as_str), Err(expected), "{text}");
        }
    }

    #[test]
    fn combinations_are_limited() {
        let text = (0..20).map(|n| format!("b{n}: -x / -y")).collect::<Vec<_>>().join("; ");
        let reason = resolve(&text).unwrap_err();
        assert!(reason.ends_with("the plans have more than 20000 combinations"), "{reason}");
    }
}

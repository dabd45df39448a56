//! Which dependencies a buildpack is asked for (CNB buildpack spec, "Buildpack Plan").

use std::collections::BTreeSet;

use super::outputs::OutputError;
use crate::lifecycle::files::plan::{BuildpackPlan, Plan, PlanEntry};

/// The dependencies that no buildpack has provided yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unprovided {
    entries: Vec<PlanEntry>,
}

impl Unprovided {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { entries: plan.entries.clone() }
    }

    /// What the buildpack `id` is asked for: all that it offered and that no earlier one provided.
    pub(super) fn of(&self, id: &str) -> BuildpackPlan {
        let offered = |entry: &&PlanEntry| entry.providers.iter().any(|provider| !provider.extension && provider.id == id);
        BuildpackPlan { entries: self.entries.iter().filter(offered).flat_map(|entry| entry.requires.clone()).collect() }
    }

    /// Takes out what a buildpack was asked for, but not what it left unmet.
    pub(super) fn settle(&mut self, asked: &BuildpackPlan, unmet: &[String]) -> Result<(), OutputError> {
        let mut provided: BTreeSet<&str> = asked.entries.iter().map(|require| require.name.as_str()).collect();
        for name in unmet {
            if !asked.entries.iter().any(|require| require.name == *name) {
                return Err(OutputError::UnmetUnknown { name: name.clone() });
            }
            provided.remove(name.as_str());
        }
        self.entries.retain(|entry| !entry.requires.iter().any(|require| provided.contains(require.name.as_str())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::files::plan::{Provider, Require};

    fn plan() -> Plan {
        let provider = |id: &&str| Provider { id: (*id).to_owned(), version: "1".into(), extension: false };
        let require = |name: &str| Require { name: name.to_owned(), ..Require::default() };
        let entry = |name: &str, providers: &[&str]| PlanEntry {
            providers: providers.iter().map(provider).collect(),
            requires: vec![require(name), require(name)],
        };
        Plan { entries: vec![entry("go", &["a", "b"]), entry("java", &["b"])] }
    }

    fn names(plan: &BuildpackPlan) -> Vec<&str> {
        plan.entries.iter().map(|require| require.name.as_str()).collect()
    }

    #[test]
    fn first_provider_is_asked_and_unmet_goes_to_the_next() {
        let mut unprovided = Unprovided::new(&plan());
        let for_a = unprovided.of("a");
        assert_eq!(names(&for_a), ["go", "go"]);
        assert_eq!(names(&unprovided.of("c")), [""; 0]);

        let mut left = unprovided.clone();
        left.settle(&for_a, &["go".to_owned()]).unwrap();
        assert_eq!(names(&left.of("b")), ["go", "go", "java", "java"]);

        unprovided.settle(&for_a, &[]).unwrap();
        assert_eq!(names(&unprovided.of("b")), ["java", "java"]);
    }

    #[test]
    fn unmet_must_have_been_asked_for() {
        let mut unprovided = Unprovided::new(&plan());
        let asked = unprovided.of("a");
        let error = unprovided.settle(&asked, &["java".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "build.toml leaves `java` unmet, which the buildpack was not asked for");
    }
}

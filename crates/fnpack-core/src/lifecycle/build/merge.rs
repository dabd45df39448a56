//! What all buildpacks of a group say together (CNB buildpack spec, "Launch"; platform spec,
//! "Builder").

use std::collections::BTreeMap;

use super::outputs::Outputs;
use crate::builder::ModuleId;
use crate::lifecycle::buildpacks::Buildpack;
use crate::lifecycle::built::{Built, BuiltBuildpack};
use crate::lifecycle::files::launch::{BomEntry, Process};

/// The sum of what the buildpacks left so far.
#[derive(Debug, Default)]
pub(super) struct Merged {
    built: Built,
    processes: BTreeMap<String, Process>,
    pub(super) launch_bom: Vec<(ModuleId, BomEntry)>,
    pub(super) build_bom: Vec<(ModuleId, BomEntry)>,
}

impl Merged {
    pub(super) fn add(&mut self, buildpack: &Buildpack, outputs: Outputs) {
        let Outputs { layers, launch, build, store } = outputs;
        let module = &buildpack.module;
        if launch.ignored_working_dir {
            let api = buildpack.api;
            self.built.warnings.push(format!("`{module}` sets the working folder of a process, which Buildpack API {api} does not have"));
        }
        self.add_processes(module, launch.processes, launch.default_process);
        self.built.labels.extend(launch.labels);
        self.built.slices.extend(launch.slices);
        self.launch_bom.extend(launch.bom.into_iter().map(|entry| (module.clone(), entry)));
        self.build_bom.extend(build.bom.into_iter().map(|entry| (module.clone(), entry)));
        self.built.buildpacks.push(BuiltBuildpack {
            id: module.id.clone(),
            version: module.version.clone(),
            api: buildpack.api.to_string(),
            homepage: buildpack.toml.homepage.clone(),
            layers,
            store,
        });
    }

    /// A later process replaces an earlier one of its type. It must claim the default anew, if the
    /// earlier one had it.
    fn add_processes(&mut self, module: &ModuleId, processes: Vec<Process>, default: Option<String>) {
        for process in processes {
            let kind = &process.process_type;
            if self.built.default_process.as_ref() == Some(kind) && default.as_ref() != Some(kind) {
                self.built.warnings.push(format!("`{module}` replaces the default process `{kind}` by one that is not marked as default"));
                self.built.default_process = None;
            }
            self.processes.insert(kind.clone(), process);
        }
        if default.is_some() {
            self.built.default_process = default;
        }
    }

    pub(super) fn into_built(self) -> Built {
        Built { processes: self.processes.into_values().collect(), ..self.built }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Buildpacks separated by `|`, process types by blanks, `!` for default.
    fn merge(text: &str) -> (Vec<String>, Option<String>, usize) {
        let mut merged = Merged::default();
        for (number, buildpack) in text.split('|').enumerate() {
            let module = ModuleId::new(number.to_string(), "1");
            let process = |kind: &str| Process {
                process_type: kind.trim_end_matches('!').to_owned(),
                buildpack_id: module.id.clone(),
                ..Process::default()
            };
            let default = buildpack.split_whitespace().find_map(|kind| kind.strip_suffix('!')).map(str::to_owned);
            merged.add_processes(&module, buildpack.split_whitespace().map(process).collect(), default);
        }
        let built = merged.into_built();
        let processes = built.processes.iter().map(|process| format!("{}@{}", process.process_type, process.buildpack_id)).collect();
        (processes, built.default_process, built.warnings.len())
    }

    #[test]
    fn later_processes_win() {
        for (text, processes, default, warnings) in [
            ("web", vec!["web@0"], None, 0),
            ("web! a", vec!["a@0", "web@0"], Some("web"), 0),
            ("web! | web", vec!["web@1"], None, 1),
            ("web! | web!", vec!["web@1"], Some("web"), 0),
            ("web! | web | web!", vec!["web@2"], Some("web"), 1),
            ("web! | task!", vec!["task@1", "web@0"], Some("task"), 0),
            ("web! | task", vec!["task@1", "web@0"], Some("web"), 0),
            ("web! | web task!", vec!["task@1", "web@1"], Some("task"), 1),
        ] {
            let expected = (processes.into_iter().map(str::to_owned).collect(), default.map(str::to_owned), warnings);
            assert_eq!(merge(text), expected, "{text}");
        }
    }
}

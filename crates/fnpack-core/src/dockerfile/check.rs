//! A look at a Dockerfile without building it: `fnpack image build --lint`.

use super::engine::stages::{named, stage_of};
use super::expand::expand;
use super::parse::ast::{Copy, Dockerfile, Instruction, Step};
use super::parse::{Problem, parse_all, text_of};
use crate::reference::Reference;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A build would stop here.
    Error,
    /// Allowed and probably not meant.
    Warning,
}

/// Something found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line, counted from 1.
    pub line: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, one clause.
    pub message: String,
}

/// All that is wrong with a file, in the order of its lines. Unlike a build, it does not end at the
/// first mistake. What depends on build arguments or on files is not looked at.
pub fn check(bytes: &[u8]) -> Vec<Finding> {
    let text = match text_of(bytes) {
        Ok(text) => text,
        Err(mistake) => return vec![error(mistake.line, mistake.problem.to_string())],
    };
    let (dockerfile, mistakes) = parse_all(text);
    let mut findings: Vec<Finding> = mistakes.into_iter().map(|mistake| error(mistake.line, mistake.problem.to_string())).collect();
    findings.extend(dockerfile.warnings.iter().map(|remark| warning(remark.line, remark.message.clone())));
    expansions(&dockerfile, &mut findings);
    sources(&dockerfile, &mut findings);
    repetitions(&dockerfile, &mut findings);
    findings.sort_by_key(|finding| (finding.line, finding.severity));
    findings
}

fn error(line: usize, message: String) -> Finding {
    Finding { line, severity: Severity::Error, message }
}

fn warning(line: usize, message: String) -> Finding {
    Finding { line, severity: Severity::Warning, message }
}

/// Quotes and braces that are not closed. Every variable is taken as set, since its value is not known.
fn expansions(dockerfile: &Dockerfile, findings: &mut Vec<Finding>) {
    let escape = dockerfile.directives.escape;
    let mut words: Vec<(usize, &str)> = Vec::new();
    for step in &dockerfile.arguments {
        words.extend(step.arguments.iter().filter_map(|argument| argument.default.as_deref()).map(|word| (step.position.line, word)));
    }
    for stage in &dockerfile.stages {
        let from = [Some(&stage.from.image), stage.from.platform.as_ref()];
        words.extend(from.into_iter().flatten().map(|word| (stage.position.line, word.as_str())));
        for step in &stage.steps {
            words.extend(expandable(step).into_iter().map(|word| (step.position.line, word)));
        }
    }
    for (line, word) in words {
        if let Err(problem) = expand(word, escape, &|_| Some("value".to_owned())) {
            findings.push(error(line, Problem::from(problem).to_string()));
        }
    }
}

fn expandable(step: &Step) -> Vec<&str> {
    match &step.instruction {
        Instruction::Arg(arguments) => arguments.iter().filter_map(|argument| argument.default.as_deref()).collect(),
        Instruction::Env(pairs) | Instruction::Label(pairs) => {
            pairs.iter().flat_map(|pair| [pair.name.as_str(), pair.value.as_str()]).collect()
        }
        Instruction::User(word) | Instruction::Workdir(word) => vec![word],
        Instruction::Copy(copy) => {
            let flags = copy.chown.iter().chain(&copy.chmod);
            flags.chain(&copy.sources).chain([&copy.destination]).map(String::as_str).collect()
        }
        Instruction::Run(_) | Instruction::Entrypoint(_) | Instruction::Cmd(_) => Vec::new(),
    }
}

/// What `FROM` and `--from` name, where it does not depend on a variable.
fn sources(dockerfile: &Dockerfile, findings: &mut Vec<Finding>) {
    let stages = &dockerfile.stages;
    for (index, stage) in stages.iter().enumerate() {
        let image = stage.from.image.as_str();
        let is_stage = named(stages, image).is_some_and(|found| found < index);
        if image != "scratch" && !is_stage && !image.contains(['$', '"', '\'', dockerfile.directives.escape]) {
            findings.extend(image_name(stage.position.line, image));
        }
        for step in &stage.steps {
            let Instruction::Copy(Copy { from: Some(from), .. }) = &step.instruction else { continue };
            match stage_of(stages, from) {
                None => findings.extend(image_name(step.position.line, from)),
                Some(found) if found < index => {}
                Some(_) => findings.push(error(step.position.line, format!("`--from={from}` is not an earlier stage"))),
            }
        }
    }
}

fn image_name(line: usize, name: &str) -> Option<Finding> {
    name.parse::<Reference>().err().map(|wrong| error(line, wrong.to_string()))
}

/// A second `CMD` or `ENTRYPOINT` of a stage makes the first one useless.
fn repetitions(dockerfile: &Dockerfile, findings: &mut Vec<Finding>) {
    for stage in &dockerfile.stages {
        let commands = stage.steps.iter().filter(|step| matches!(step.instruction, Instruction::Cmd(_)));
        let entrypoints = stage.steps.iter().filter(|step| matches!(step.instruction, Instruction::Entrypoint(_)));
        for (name, steps) in [("CMD", commands.collect::<Vec<_>>()), ("ENTRYPOINT", entrypoints.collect())] {
            if let [useless @ .., last] = steps.as_slice() {
                for step in useless {
                    let message = format!("this `{name}` has no effect: line {} replaces it", last.position.line);
                    findings.push(warning(step.position.line, message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8]) -> Vec<String> {
        let line = |finding: Finding| format!("{} {:?} {}", finding.line, finding.severity, finding.message);
        check(text).into_iter().map(line).collect()
    }

    #[test]
    fn check_gives_all_findings_in_order() {
        let text = b"FROM a\nCMD x\nVOLUME /x\nENV b c\nRUNN y\nCOPY \"${d /e\nCMD z\nWORKDIR ${}\n";
        assert_eq!(
            shown(text),
            [
                "2 Warning this `CMD` has no effect: line 7 replaces it",
                "3 Error `VOLUME` is not supported yet (supported are ARG, CMD, COPY, ENTRYPOINT, ENV, FROM, LABEL, RUN, USER, WORKDIR)",
                "4 Warning `ENV b value` is the old form: write `ENV b=value`",
                "5 Error `RUNN` is not an instruction (did you mean `RUN`?)",
                "6 Error the `${` in `\"${d` is not closed",
                "8 Error the `${` in `${}` is not followed by a name",
            ]
        );
    }

    #[test]
    fn check_finds_nothing_in_a_good_file() {
        let text =
            b"# syntax=docker/dockerfile:1\nARG B=a\nFROM $B AS b\nRUN x\nFROM b\nCOPY --from=b /x /y\nENTRYPOINT [\"/y\"]\nCMD [\"z\"]\n";
        assert_eq!(shown(text), [] as [&str; 0]);
    }

    #[test]
    fn check_looks_at_names() {
        assert_eq!(
            shown(b"FROM Base\nFROM scratch AS a\nFROM A\nFROM $X\nCOPY --from=a b c\nCOPY --from=3 b c\nCOPY --from=B b c\nCOPY --from=img b c"),
            [
                "1 Error invalid image reference `Base`: a repository name is lower case",
                "6 Error `--from=3` is not an earlier stage",
                "7 Error invalid image reference `B`: a repository name is lower case",
            ]
        );
    }

    #[test]
    fn check_finds_nothing_in_the_stacks_of_this_repository() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stack");
        let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "Dockerfile")).collect();
        assert!(!files.is_empty());
        for file in files {
            assert_eq!(shown(&fs_err::read(&file).unwrap()), [] as [&str; 0], "{}", file.display());
        }
    }

    #[test]
    fn check_blames_a_broken_from_once() {
        assert_eq!(shown(b"FROM\nRUN x\nCMD y"), ["1 Error `FROM` needs an image, or `image AS stage`"]);
        assert_eq!(shown(b"\xff"), ["1 Error the line is not text in UTF-8"]);
    }
}

//! `RUN`.

use std::ffi::OsString;
use std::path::PathBuf;

use super::output::Output;
use super::scope::is_proxy;
use super::stage::{Current, Ground, StageBuild};
use super::writer::modified;
use crate::dockerfile::error::DockerfileError;
use crate::dockerfile::host::{HostError, Workspace};
use crate::dockerfile::parse::ast::{CommandLine, Run};
use crate::dockerfile::parse::is_whole_document;
use crate::executor::{Command, Network, Privilege};
use crate::root::RootError;

/// Where a here-document that names its own interpreter lies while it runs.
const SCRIPT: &str = "/.fnpack-run";

/// What is started for a `RUN`.
struct Program {
    arguments: Vec<String>,
    /// A script to lay down first, at [`SCRIPT`].
    script: Option<String>,
}

impl StageBuild<'_> {
    pub(super) fn run(&mut self, run: &Run, current: &Current<'_>) -> Result<(), DockerfileError> {
        let program = self.program(run);
        let environment = self.arguments.environment(self.config());
        let mut key = self.key("RUN");
        key.add_all(program.arguments.iter()).add(program.script.as_deref().unwrap_or_default());
        key.add_all(environment.iter().map(|(name, value)| format!("{name}={value}")));
        key.add(self.working_folder()).add(&self.config().user).add(match self.build.plan.network {
            Network::Host => "host",
            Network::None => "none",
        });
        let delta = self.delta(current, (&key.digest(), Ground::Stage), |workspace| self.run_in(workspace, &program, run, current))?;
        let shown = self.arguments.shown(self.config());
        let count = if shown.is_empty() { None } else { Some(format!("|{}", shown.len())) };
        let words: Vec<String> = ["RUN".to_owned()].into_iter().chain(count).chain(shown).chain(program.arguments).collect();
        self.apply(delta, words.join(" "));
        Ok(())
    }

    /// A line goes to the shell. With here-documents the shell gets them as they stand in the file; a
    /// line that is nothing but one is a script, for the shell or for the interpreter it names.
    fn program(&self, run: &Run) -> Program {
        let shell = |line: String| Program { arguments: self.words(&CommandLine::Shell(line)), script: None };
        match (&run.command, run.documents.as_slice()) {
            (CommandLine::Exec(words), _) => Program { arguments: words.clone(), script: None },
            (CommandLine::Shell(line), []) => shell(line.clone()),
            (CommandLine::Shell(line), [document]) if is_whole_document(line) => {
                let text = document.text();
                if text.starts_with("#!") { Program { arguments: vec![SCRIPT.to_owned()], script: Some(text) } } else { shell(text) }
            }
            (CommandLine::Shell(line), documents) => {
                let documents = documents.iter().map(|document| format!("\n{}{}", document.content, document.name));
                shell(line.clone() + &documents.collect::<String>())
            }
        }
    }

    fn run_in(
        &self,
        workspace: &mut (dyn Workspace + '_),
        program: &Program,
        run: &Run,
        current: &Current<'_>,
    ) -> Result<(), DockerfileError> {
        let place = || current.place.clone();
        let written = written(&run.command);
        let command = self.command(workspace, program, current)?;
        let prepare = |source: RootError| {
            let source: HostError = Box::new(source);
            DockerfileError::Prepare { place: place(), path: SCRIPT.to_owned(), source }
        };
        let above = workspace.root().metadata("/").map_err(prepare)?;
        if let Some(script) = &program.script {
            workspace.root().write(SCRIPT, script.as_bytes(), 0o755).map_err(prepare)?;
        }
        let mut output = Output::new(self.build.host, current.info);
        let status = workspace.run(&command, &mut output).map_err(|source| DockerfileError::Run {
            place: place(),
            command: written.clone(),
            source,
        })?;
        if program.script.is_some() {
            workspace.root().remove_all(SCRIPT).and_then(|()| workspace.root().set_times("/", modified(&above))).map_err(prepare)?;
        }
        if !status.success() {
            return Err(DockerfileError::RunFailed { place: place(), command: written, status });
        }
        match output.unreachable() {
            Some(hosts) => Err(DockerfileError::PackageLists { place: place(), command: written, hosts }),
            None => Ok(()),
        }
    }

    fn command(&self, workspace: &dyn Workspace, program: &Program, current: &Current<'_>) -> Result<Command, DockerfileError> {
        let folder = self.working_folder();
        self.make_folder(workspace, &folder, current)?;
        let account = self.account(workspace, &current.place)?;
        let mut environment = self.arguments.environment(self.config());
        environment.entry("HOME".to_owned()).or_insert(account.home);
        for (name, value) in self.build.plan.build_args.iter().filter(|(name, _)| is_proxy(name)) {
            environment.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Ok(Command {
            arguments: program.arguments.iter().map(OsString::from).collect(),
            environment: environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            working_folder: PathBuf::from(folder),
            user: account.user,
            network: self.build.plan.network,
            privilege: Privilege::Container,
        })
    }
}

/// A command as the file has it, for messages: blanks that a continuation left are one, and no more
/// than a line of it.
fn written(command: &CommandLine) -> String {
    const LONGEST: usize = 120;
    let text = match command {
        CommandLine::Shell(line) => line.clone(),
        CommandLine::Exec(words) => words.join(" "),
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((index, _)) => text.get(..index).unwrap_or_default().to_owned() + "…",
        None => text,
    }
}

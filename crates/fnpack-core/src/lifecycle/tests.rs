//! A builder on disk, and buildpacks that are closures, for the tests of the phases.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::api::PlatformApi;
use super::context::{Context, Place, Places, RunTarget};
use super::files::order::OrderToml;
use crate::builder::Distro;
use crate::executor::{Command, Executor, ExecutorError, ExitStatus, Network, User};
use crate::root::Root;

const FOLDERS: [&str; 6] = ["workspace", "layers", "platform/env", "cnb/buildpacks", "cnb/build-config/env", "scratch"];

/// Folders as a build has them, below a temporary one.
pub(super) struct Fixture {
    folder: tempfile::TempDir,
    pub(super) api: PlatformApi,
    /// Whether commands see the real paths, as those of a real executor must.
    real_paths: bool,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in FOLDERS {
            fs_err::create_dir_all(folder.path().join(name)).unwrap();
        }
        Self { folder, api: PlatformApi::NEWEST, real_paths: false }
    }

    /// For buildpacks that are real programs.
    pub(super) fn with_real_paths() -> Self {
        Self { real_paths: true, ..Self::new() }
    }

    /// Where a path that commands see is.
    pub(super) fn host(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.folder.path().join(path.strip_prefix("/").unwrap_or(path))
    }

    pub(super) fn write(&self, path: &str, contents: &str) {
        let path = self.host(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, contents).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.host(path)).unwrap()
    }

    pub(super) fn buildpack(&self, id: &str, version: &str, keys: &str) {
        self.buildpack_with_api("0.10", id, version, keys);
    }

    pub(super) fn buildpack_with_api(&self, api: &str, id: &str, version: &str, keys: &str) {
        let folder = format!("/cnb/buildpacks/{}/{version}", id.replace('/', "_"));
        self.write(
            &format!("{folder}/buildpack.toml"),
            &format!("api = '{api}'\n[buildpack]\nid = '{id}'\nversion = '{version}'\n{keys}\n"),
        );
        self.write(&format!("{folder}/bin/build"), "");
    }

    pub(super) fn composite(&self, id: &str, version: &str, order: &str) {
        let text = format!("api = '0.10'\n[buildpack]\nid = '{id}'\nversion = '{version}'\n{order}\n");
        self.write(&format!("/cnb/buildpacks/{id}/{version}/buildpack.toml"), &text);
    }

    /// A program of a buildpack that is there already.
    pub(super) fn script(&self, path: &str, text: &str) {
        self.write(path, text);
        fs_err::set_permissions(self.host(path), PermissionsExt::from_mode(0o755)).unwrap();
    }

    pub(super) fn context(&self) -> Context {
        let place = |path: &str| Place { path: self.shown(path), root: Root::open(self.host(path)).unwrap() };
        let places = Places {
            app: self.shown("/workspace"),
            layers: place("/layers"),
            platform: place("/platform"),
            buildpacks: place("/cnb/buildpacks"),
            build_config: Some(place("/cnb/build-config")),
            scratch: place("/scratch"),
            owner: None,
        };
        let distro = Distro { name: "debian".into(), version: "13".into() };
        Context {
            api: self.api,
            places,
            run_target: RunTarget { target: "linux/amd64".parse().unwrap(), distro: Some(distro) },
            execution_environment: "production".into(),
            environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into()), ("CNB_REGISTRY_AUTH".into(), "secret".into())]),
            user: if self.real_paths { ourselves() } else { User { uid: 10000, gid: 10001, groups: Vec::new() } },
            network: Network::Host,
        }
    }

    fn shown(&self, path: &str) -> PathBuf {
        if self.real_paths { self.host(path) } else { path.into() }
    }
}

/// So that real programs can write where the test can.
fn ourselves() -> User {
    User { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw(), groups: Vec::new() }
}

/// Groups separated by `|`, members by blanks, `?` for optional; all of version 1.
pub(super) fn order(text: &str) -> OrderToml {
    let member =
        |member: &str| format!("{{ id = '{}', version = '1', optional = {} }}", member.trim_end_matches('?'), member.ends_with('?'));
    let group = |group: &str| {
        let members: Vec<String> = group.split_whitespace().map(member).collect();
        format!("[[order]]\ngroup = [{}]\n", members.join(", "))
    };
    super::files::order::parse(&text.split('|').map(group).collect::<String>()).unwrap()
}

type Program<'a> = Box<dyn Fn(&Command, &mut dyn Write) -> io::Result<i32> + Sync + 'a>;

/// Runs closures in the place of buildpacks' programs, and remembers the commands.
#[derive(Default)]
pub(super) struct Fake<'a> {
    programs: BTreeMap<String, Program<'a>>,
    commands: Mutex<Vec<Command>>,
}

impl<'a> Fake<'a> {
    /// `name` is `<id>/detect` or `<id>/build`. The closure gives the exit status, or why it does not start.
    pub(super) fn on(mut self, name: &str, program: impl Fn(&Command, &mut dyn Write) -> io::Result<i32> + Sync + 'a) -> Self {
        self.programs.insert(name.to_owned(), Box::new(program));
        self
    }

    /// A detect that writes this plan and passes.
    pub(super) fn passes(self, fixture: &'a Fixture, id: &str, plan: &'a str) -> Self {
        self.on(&format!("{id}/detect"), move |command, _| {
            fs_err::write(fixture.host(argument(command, 2)), plan)?;
            Ok(0)
        })
    }

    /// The commands so far, of one program.
    pub(super) fn commands(&self, name: &str) -> Vec<Command> {
        self.commands.lock().unwrap().iter().filter(|command| program_name(command) == name).cloned().collect()
    }
}

impl Executor for Fake<'_> {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn run(&self, command: &Command, output: &mut (dyn Write + Send)) -> Result<ExitStatus, ExecutorError> {
        self.commands.lock().unwrap().push(command.clone());
        let name = program_name(command);
        let result = match self.programs.get(&name) {
            Some(program) => program(command, output),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        result.map(ExitStatus::Code).map_err(|source| ExecutorError::CannotStart { program: name, source })
    }
}

pub(super) fn argument(command: &Command, index: usize) -> &Path {
    Path::new(&command.arguments[index])
}

/// `<id>/<program>` of `/cnb/buildpacks/<id>/<version>/bin/<program>`.
fn program_name(command: &Command) -> String {
    let names: Vec<&str> = command.arguments[0].to_str().unwrap().rsplit('/').collect();
    format!("{}/{}", names[3], names[0])
}

//! What this machine says of registries: logins, mirrors, certificates. `docs/registries.md` has the order.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use fnpack_core::pipeline::ConnectError;
use fnpack_core::registry::credentials::{AuthHeaders, CredentialChain, Credentials, HelperPrograms, LoginFile, Secret};
use fnpack_core::registry::{
    Progress, Registries, RegistriesError, RegistryClient, RegistryError, Settings as RegistrySettings, TrustedRoots, read_certificates,
};

use crate::settings::Settings;

/// Where things are, each list in the order in which it is looked at. Nothing of it needs to be there.
#[derive(Debug, Clone, Default)]
pub(crate) struct RegistryFiles {
    /// The value of `CNB_REGISTRY_AUTH`.
    headers: Option<Secret>,
    logins: Vec<PathBuf>,
    /// Rules of later files take the place of those of earlier ones.
    rules: Vec<PathBuf>,
    /// Folders with further files of rules, each in the order of their names.
    further_rules: Vec<PathBuf>,
    certificates: Vec<PathBuf>,
    /// The file of `--registry-ca`.
    pub(crate) authority: Option<PathBuf>,
}

impl RegistryFiles {
    /// Finds the places by the variables of an environment.
    pub(crate) fn locate(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME");
        let in_home = |folder: &str| home.as_ref().map(|home| home.join(folder));
        let configuration = path("XDG_CONFIG_HOME").or_else(|| in_home(".config")).map(|folder| folder.join("containers"));
        let system = PathBuf::from("/etc/containers");
        let logins = [
            path("REGISTRY_AUTH_FILE"),
            path("DOCKER_CONFIG").or_else(|| in_home(".docker")).map(|folder| folder.join("config.json")),
            path("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
            configuration.as_ref().map(|folder| folder.join("auth.json")),
        ];
        let folders: Vec<PathBuf> = [system].into_iter().chain(configuration).collect();
        let (rules, further_rules) = match path("CONTAINERS_REGISTRIES_CONF") {
            Some(file) => (vec![file], Vec::new()),
            None => (
                folders.iter().map(|folder| folder.join("registries.conf")).rfind(|file| file.exists()).into_iter().collect(),
                folders.iter().map(|folder| folder.join("registries.conf.d")).collect(),
            ),
        };
        let mut certificates: Vec<PathBuf> = folders.iter().rev().map(|folder| folder.join("certs.d")).collect();
        certificates.push("/etc/docker/certs.d".into());
        Self {
            headers: variable("CNB_REGISTRY_AUTH")
                .and_then(|value| value.into_string().ok())
                .filter(|text| !text.is_empty())
                .map(Secret::new),
            logins: logins.into_iter().flatten().collect(),
            rules,
            further_rules,
            certificates,
            authority: None,
        }
    }

    /// The file that `fnpack login` writes: the first that is looked at.
    pub(crate) fn login_file(&self) -> Option<LoginFile> {
        self.logins.first().map(login_file)
    }

    /// All files with logins.
    pub(crate) fn login_files(&self) -> impl Iterator<Item = LoginFile> {
        self.logins.iter().map(login_file)
    }

    fn credentials(&self) -> Result<CredentialChain, ConnectError> {
        let headers = self.headers.as_ref().map(|headers| AuthHeaders::parse(headers.reveal())).transpose()?;
        let headers = headers.map(|headers| Arc::new(headers) as Arc<dyn Credentials>);
        let files = self.login_files().map(|file| Arc::new(file) as Arc<dyn Credentials>);
        Ok(CredentialChain(headers.into_iter().chain(files).collect()))
    }

    fn registries(&self) -> Result<Registries, RegistriesError> {
        let mut files = self.rules.clone();
        for folder in &self.further_rules {
            // A folder that is not there or closed to us has no rules for us.
            let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
            found.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
            found.sort();
            files.extend(found);
        }
        files.into_iter().try_fold(Registries::default(), |rules, path| match fs_err::read_to_string(&path) {
            Ok(text) => Ok(rules.overridden_by(Registries::parse(&text, &path.display().to_string())?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(rules),
            Err(source) => Err(RegistriesError::Unreadable { path, source }),
        })
    }
}

/// Those of the system, read when they are needed, and that of the command line, which must be right in any case.
fn roots(settings: &Settings) -> Result<TrustedRoots, RegistryError> {
    let own = settings.registries.authority.as_deref().map(read_certificates).transpose()?.unwrap_or_default();
    let settings = settings.clone();
    Ok(Arc::new(move || Ok([settings.trusted_roots()?, own.clone()].concat())))
}

fn login_file(path: &PathBuf) -> LoginFile {
    LoginFile::new(path).with_helper(Arc::new(HelperPrograms::default()))
}

/// A client with all logins of this machine.
pub(crate) fn connect(settings: &Settings, progress: Arc<dyn Progress>) -> Result<RegistryClient, ConnectError> {
    let credentials = Arc::new(settings.registries.credentials()?);
    connect_as(settings, credentials, progress)
}

/// A client with a login of its own.
pub(crate) fn connect_as(
    settings: &Settings,
    credentials: Arc<dyn Credentials>,
    progress: Arc<dyn Progress>,
) -> Result<RegistryClient, ConnectError> {
    let files = &settings.registries;
    Ok(RegistryClient::new(RegistrySettings {
        roots: roots(settings)?,
        credentials,
        certificate_folders: files.certificates.clone(),
        registries: files.registries()?,
        proxy: settings.registry_proxy(),
        progress,
        ..RegistrySettings::default()
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(variables: &[(&str, &str)]) -> RegistryFiles {
        RegistryFiles::locate(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn logins_are_looked_for_in_order() {
        let home = located(&[("HOME", "/h")]);
        assert_eq!(home.logins, [PathBuf::from("/h/.docker/config.json"), "/h/.config/containers/auth.json".into()]);
        let all = located(&[
            ("HOME", "/h"),
            ("REGISTRY_AUTH_FILE", "/a.json"),
            ("DOCKER_CONFIG", "/d"),
            ("XDG_RUNTIME_DIR", "/r"),
            ("XDG_CONFIG_HOME", "/c"),
        ]);
        let expected = ["/a.json", "/d/config.json", "/r/containers/auth.json", "/c/containers/auth.json"];
        assert_eq!(all.logins, expected.map(PathBuf::from));
        assert!(located(&[("REGISTRY_AUTH_FILE", "")]).login_file().is_none());
        assert!(!format!("{:?}", located(&[("CNB_REGISTRY_AUTH", "word")])).contains("word"));
    }

    #[test]
    fn certificates_of_the_user_come_first() {
        let folders = located(&[("HOME", "/h")]).certificates;
        assert_eq!(folders, ["/h/.config/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from));
    }

    #[test]
    fn rules_are_read_file_by_file() {
        let folder = tempfile::tempdir().unwrap();
        let user = folder.path().join("containers/registries.conf.d");
        fs_err::create_dir_all(&user).unwrap();
        let place = folder.path().display().to_string();
        let read = || located(&[("XDG_CONFIG_HOME", &place)]).registries().map_err(|error| error.to_string());
        fs_err::write(user.join("a.txt"), "[[").unwrap();
        read().unwrap();
        fs_err::write(user.join("b.conf"), "[[").unwrap();
        assert!(read().unwrap_err().contains("registries.conf.d/b.conf"));
        let missing = located(&[("XDG_CONFIG_HOME", &place), ("CONTAINERS_REGISTRIES_CONF", "/none/there")]);
        missing.registries().unwrap();
    }
}

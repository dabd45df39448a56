//! Whether a buildpack is made for the run image (CNB buildpack spec, "Targets").

use super::buildpacks::Buildpack;
use super::context::RunTarget;
use crate::builder::{Distro, ModuleTarget};

/// The only stack whose meaning as a target is known to everybody.
const BIONIC: &str = "io.buildpacks.stacks.bionic";

/// Whether one of the buildpack's targets is the run image's.
pub fn is_made_for(buildpack: &Buildpack, image: &RunTarget) -> bool {
    targets(buildpack).iter().any(|target| target.matches(&image.target, image.distro.as_ref()))
}

/// The targets that a buildpack declares, or what stands for them in one of the old style.
pub fn targets(buildpack: &Buildpack) -> Vec<ModuleTarget> {
    let declared = &buildpack.toml.targets;
    if !declared.is_empty() {
        return declared.clone();
    }
    let stacks = &buildpack.toml.stacks;
    if stacks.iter().any(|stack| stack.id == "*") {
        return vec![ModuleTarget::default()];
    }
    let is_bionic = stacks.iter().any(|stack| stack.id == BIONIC);
    if is_bionic && (buildpack.api.has_targets() || stacks.len() == 1) {
        let distro = Distro { name: "ubuntu".into(), version: "18.04".into() };
        return vec![ModuleTarget { os: "linux".into(), arch: "amd64".into(), distros: vec![distro], ..ModuleTarget::default() }];
    }
    if buildpack.has_build {
        return vec![ModuleTarget { os: "linux".into(), ..ModuleTarget::default() }];
    }
    Vec::new()
}

/// The distribution that `/etc/os-release` names, for run images without labels that tell it.
pub fn distro_of_os_release(text: &str) -> Option<Distro> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches(['"', '\'']).to_owned()).unwrap_or_default()
    };
    let distro = Distro { name: value("ID"), version: value("VERSION_ID") };
    (!distro.name.is_empty()).then_some(distro)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{BuildpackToml, ModuleId};

    fn buildpack(api: &str, rest: &str, has_build: bool) -> Buildpack {
        let text = format!("api = '{api}'\n[buildpack]\nid = 'a'\nversion = '1'\n{rest}");
        let toml = BuildpackToml::parse("buildpack.toml", &text).unwrap();
        Buildpack { module: ModuleId::new("a", "1"), api: api.parse().unwrap(), toml, folder: "a/1".into(), has_build }
    }

    fn image(target: &str, distro: Option<(&str, &str)>) -> RunTarget {
        let distro = distro.map(|(name, version)| Distro { name: name.into(), version: version.into() });
        RunTarget { target: target.parse().unwrap(), distro }
    }

    #[test]
    fn one_target_must_match() {
        let debian = Some(("debian", "13"));
        let bionic = "[[stacks]]\nid = 'io.buildpacks.stacks.bionic'\n";
        for (api, rest, has_build, target, distro, expected) in [
            ("0.10", "[[targets]]\nos = 'linux'\narch = 'arm64'\n[[targets]]\narch = 'amd64'", true, "linux/amd64", debian, true),
            ("0.10", "[[targets]]\nos = 'windows'", true, "linux/amd64", debian, false),
            ("0.10", "[[targets]]\n[[targets.distros]]\nname = 'debian'\nversion = '12'", true, "linux/amd64", debian, false),
            ("0.10", "[[targets]]\n[[targets.distros]]\nname = 'debian'", true, "linux/amd64", debian, true),
            ("0.10", "[[targets]]\nvariant = 'v7'", true, "linux/arm/v6", None, false),
            ("0.10", "[[stacks]]\nid = '*'", false, "windows/amd64", None, true),
            ("0.10", bionic, true, "linux/amd64", Some(("ubuntu", "18.04")), true),
            ("0.10", bionic, true, "linux/amd64", debian, false),
            ("0.9", &format!("{bionic}[[stacks]]\nid = 'other'"), true, "linux/arm64", debian, true),
            ("0.10", "[[stacks]]\nid = 'other'", true, "linux/arm64", debian, true),
            ("0.10", "", true, "windows/amd64", None, false),
            ("0.10", "", false, "linux/amd64", None, false),
        ] {
            assert_eq!(is_made_for(&buildpack(api, rest, has_build), &image(target, distro)), expected, "{api} {rest} {target}");
        }
    }

    #[test]
    fn os_release_names_the_distro() {
        let distro = distro_of_os_release("NAME=\"Debian\"\nVERSION_ID=\"13\"\nID=debian\nID_LIKE=x\n").unwrap();
        assert_eq!((distro.name.as_str(), distro.version.as_str()), ("debian", "13"));
        assert_eq!(distro_of_os_release("ID=''\n"), None);
        assert_eq!(distro_of_os_release("VERSION_ID=13\n"), None);
    }
}

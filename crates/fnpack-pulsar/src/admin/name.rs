//! Names of functions and packages. Clusters check them badly: blanks and `@` are taken and cannot be used
//! afterwards, and `/` or `..` would address something else. So they are checked here.

use std::fmt;
use std::str::FromStr;

use super::AdminError;

/// `tenant/namespace/name` of a function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionName {
    tenant: String,
    namespace: String,
    name: String,
}

/// `function://tenant/namespace/name@version` of a package.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackageName {
    kind: String,
    tenant: String,
    namespace: String,
    name: String,
    version: String,
}

impl FunctionName {
    /// Checks the parts.
    pub fn new(tenant: &str, namespace: &str, name: &str) -> Result<Self, AdminError> {
        let [tenant, namespace, name] = checked([("tenant", tenant), ("namespace", namespace), ("name of a function", name)])?;
        Ok(Self { tenant, namespace, name })
    }

    /// The tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The namespace, without tenant.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name alone.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self) -> String {
        format!("/admin/v3/functions/{self}")
    }

    /// The package that a worker makes of uploaded code.
    pub(super) fn package(&self, version: &str) -> PackageName {
        let Self { tenant, namespace, name } = self.clone();
        PackageName { kind: "function".to_owned(), tenant, namespace, name, version: version.to_owned() }
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.tenant, self.namespace, self.name)
    }
}

impl PackageName {
    /// The version.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.versions_path(), self.version)
    }

    pub(super) fn versions_path(&self) -> String {
        format!("/admin/v3/packages/{}/{}/{}/{}", self.kind, self.tenant, self.namespace, self.name)
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, tenant, namespace, name, version } = self;
        write!(formatter, "{kind}://{tenant}/{namespace}/{name}@{version}")
    }
}

impl FromStr for PackageName {
    type Err = AdminError;

    fn from_str(text: &str) -> Result<Self, AdminError> {
        let refused = || AdminError::Name { what: "name of a package (`function://tenant/namespace/name@version`)", name: text.to_owned() };
        let (kind, rest) =
            text.split_once("://").filter(|(kind, _)| matches!(*kind, "function" | "sink" | "source")).ok_or_else(refused)?;
        let mut parts = rest.splitn(3, '/');
        let (Some(tenant), Some(namespace), Some(last)) = (parts.next(), parts.next(), parts.next()) else { return Err(refused()) };
        let (name, version) = last.split_once('@').unwrap_or((last, "latest"));
        let parts = [("tenant", tenant), ("namespace", namespace), ("name of a package", name), ("version of a package", version)];
        let [tenant, namespace, name, version] = checked(parts)?;
        Ok(Self { kind: kind.to_owned(), tenant, namespace, name, version })
    }
}

/// A part of an address, checked.
pub(super) fn part<'a>(what: &'static str, name: &'a str) -> Result<&'a str, AdminError> {
    checked([(what, name)]).map(|_| name)
}

fn checked<const COUNT: usize>(parts: [(&'static str, &str); COUNT]) -> Result<[String; COUNT], AdminError> {
    for (what, name) in parts {
        let clean = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:=+~".contains(&byte));
        if !clean || name.is_empty() || name.bytes().all(|byte| byte == b'.') {
            return Err(AdminError::Name { what, name: name.to_owned() });
        }
    }
    Ok(parts.map(|(_, name)| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_name_round_trips() {
        for (text, path) in [
            ("function://public/default/excl@1.0", "/admin/v3/packages/function/public/default/excl/1.0"),
            ("sink://t/n/s@sha256-abc", "/admin/v3/packages/sink/t/n/s/sha256-abc"),
        ] {
            let name: PackageName = text.parse().unwrap();
            assert_eq!((name.to_string(), name.path()), (text.to_owned(), path.to_owned()));
        }
        assert_eq!("function://t/n/f".parse::<PackageName>().unwrap().version(), "latest");
    }

    #[test]
    fn name_that_would_address_something_else_is_refused() {
        for name in [
            "",
            "functions://t/n/f@1",
            "function://t/n",
            "function://t/n/../x@1",
            "function://t/n/f@a/b",
            "function://t/n/f x@1",
            "function://t/n/f@1@2",
            "function://t/n/..@1",
            "function://t/n/f%2e@1",
            "function://t/n/f?x@1",
        ] {
            assert!(matches!(name.parse::<PackageName>(), Err(AdminError::Name { .. })), "{name}");
        }
        for name in ["", "..", "a/b", "a b", "a@b", "a?b", "é"] {
            assert!(FunctionName::new("t", "n", name).is_err(), "{name}");
        }
    }
}

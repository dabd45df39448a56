//! Which Go files belong to a build: file name suffixes and `//go:build` lines (Go command, "Build constraints").

use std::collections::BTreeSet;
use std::ffi::OsStr;

use fnpack_buildpack::Variables;

/// Go's own list; a name outside it is no constraint.
const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];

const ARCHITECTURES: &[&str] = &[
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

/// Nesting beyond this is no honest constraint.
const DEPTH_LIMIT: usize = 64;

/// The tags that are set in a build.
#[derive(Debug, Clone)]
pub(crate) struct BuildTags {
    system: String,
    architecture: String,
    /// From `-tags` in `GOFLAGS`.
    extra: BTreeSet<String>,
}

impl BuildTags {
    pub(crate) fn new(system: &str, architecture: &str, variables: &Variables) -> Self {
        let flags = variables.get(OsStr::new("GOFLAGS")).map(|flags| flags.to_string_lossy()).unwrap_or_default();
        let lists = flags.split_whitespace().filter_map(|flag| flag.trim_start_matches('-').strip_prefix("tags="));
        let extra = lists.flat_map(|list| list.split(',')).map(str::to_owned).collect();
        Self { system: system.to_owned(), architecture: architecture.to_owned(), extra }
    }

    /// Whether a file is compiled, by its name and what it says. A constraint that cannot be understood is left for
    /// Go to complain about.
    pub(crate) fn select(&self, file_name: &str, source: &str) -> bool {
        self.selects_name(file_name) && constraint(source).is_none_or(|constraint| self.evaluate(constraint).unwrap_or(true))
    }

    /// `*_GOOS`, `*_GOARCH` and `*_GOOS_GOARCH`, none of them at the start of the name.
    fn selects_name(&self, file_name: &str) -> bool {
        let stem = file_name.strip_suffix(".go").unwrap_or(file_name);
        let Some((_, suffixes)) = stem.split_once('_') else { return true };
        let mut words = suffixes.rsplit('_');
        let (last, before) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if ARCHITECTURES.contains(&last) {
            return last == self.architecture && (!SYSTEMS.contains(&before) || before == self.system);
        }
        !SYSTEMS.contains(&last) || last == self.system
    }

    fn is_set(&self, tag: &str) -> bool {
        // Which releases count is for the toolchain to say; the newest is what it will be.
        tag == self.system
            || tag == self.architecture
            || tag == "gc"
            || tag.starts_with("go1.")
            || self.is_unix(tag)
            || self.extra.contains(tag)
    }

    fn is_unix(&self, tag: &str) -> bool {
        tag == "unix" && !["js", "nacl", "plan9", "wasip1", "windows", "zos"].contains(&self.system.as_str())
    }

    fn evaluate(&self, constraint: &str) -> Option<bool> {
        let mut rest = constraint.trim();
        let value = self.alternatives(&mut rest, 0)?;
        rest.is_empty().then_some(value)
    }

    fn alternatives(&self, rest: &mut &str, depth: usize) -> Option<bool> {
        let mut value = self.conjunction(rest, depth)?;
        while take(rest, "||") {
            value |= self.conjunction(rest, depth)?;
        }
        Some(value)
    }

    fn conjunction(&self, rest: &mut &str, depth: usize) -> Option<bool> {
        let mut value = self.term(rest, depth)?;
        while take(rest, "&&") {
            value &= self.term(rest, depth)?;
        }
        Some(value)
    }

    fn term(&self, rest: &mut &str, depth: usize) -> Option<bool> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        if take(rest, "!") {
            return self.term(rest, depth + 1).map(|value| !value);
        }
        if take(rest, "(") {
            let value = self.alternatives(rest, depth + 1)?;
            return take(rest, ")").then_some(value);
        }
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '.').unwrap_or(rest.len());
        let (tag, after) = rest.split_at(end);
        *rest = after.trim_start();
        (!tag.is_empty()).then(|| self.is_set(tag))
    }
}

fn take(rest: &mut &str, token: &str) -> bool {
    let Some(after) = rest.strip_prefix(token) else { return false };
    *rest = after.trim_start();
    true
}

/// The expression of the first `//go:build` line; only blank lines and comments may come before it.
fn constraint(source: &str) -> Option<&str> {
    let mut in_comment = false;
    for line in source.lines().map(str::trim) {
        if in_comment {
            in_comment = !line.contains("*/");
        } else if let Some(expression) = line.strip_prefix("//go:build").filter(|rest| rest.starts_with([' ', '\t'])) {
            return Some(expression);
        } else if line.starts_with("/*") {
            in_comment = !line.contains("*/");
        } else if !line.is_empty() && !line.starts_with("//") {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(flags: &str) -> BuildTags {
        BuildTags::new("linux", "amd64", &[("GOFLAGS".into(), flags.into())].into())
    }

    #[test]
    fn build_tags_select_by_name() {
        for (name, selected) in [
            ("main.go", true),
            ("linux.go", true),
            ("windows.go", true),
            ("main_linux.go", true),
            ("main_windows.go", false),
            ("main_arm64.go", false),
            ("main_linux_amd64.go", true),
            ("main_windows_amd64.go", false),
            ("main_linux_arm64.go", false),
            ("windows_amd64.go", true),
            ("main_orders_amd64.go", true),
            ("main_orders.go", true),
        ] {
            assert_eq!(tags("").select(name, "package main"), selected, "{name}");
        }
    }

    #[test]
    fn build_tags_select_by_line() {
        for (line, selected) in [
            ("//go:build ignore", false),
            ("//go:build linux", true),
            ("//go:build unix && !cgo", true),
            ("//go:build cgo", false),
            ("//go:build (windows || linux) && go1.21", true),
            ("//go:build !(linux)", false),
            ("//go:build special", true),
            ("//go:build windows || darwin", false),
            ("//go:build !!linux", true),
            // Not understood: for Go to complain about.
            ("//go:build &&", true),
            ("//go:build (linux", true),
            ("//go:build ignore ignore", true),
            ("//go:buildignore", true),
            ("// go:build ignore", true),
            ("//  \n\n/* a\n b */\n\n//go:build ignore", false),
            ("package x\n//go:build ignore", true),
        ] {
            assert_eq!(tags("-v -tags=special,other").select("a.go", &format!("{line}\n\npackage main\n")), selected, "{line}");
        }
    }

    #[test]
    fn build_tags_nesting_is_bounded() {
        let line = format!("//go:build {}ignore", "!(".repeat(100_000));
        assert!(tags("").select("a.go", &line));
    }
}

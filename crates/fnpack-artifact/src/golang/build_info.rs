//! What the Go linker writes into every program of which modules it was made (Go, package `debug/buildinfo`).
//!
//! The form of Go 1.18 and later is read: a header of 32 bytes, then two strings with their lengths before them. Older
//! programs only point to their strings, and count as programs that say nothing.

/// What the header begins with.
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Headers lie at multiples of this.
const ALIGNMENT: usize = 16;
const HEADER: usize = 32;
const FLAGS: usize = 15;
/// The flag of strings that follow the header.
const INLINE: u8 = 2;
/// How many bytes mark either end of the module text.
const MARK: usize = 16;

/// The module that makes a program a Pulsar function.
pub const FUNCTION_MODULE: &str = "github.com/apache/pulsar/pulsar-function-go";

/// What a program was made with and of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// Such as `1.25.0`.
    pub go_version: String,
    /// The import path of its main package.
    pub package: String,
    /// Of the module [`FUNCTION_MODULE`] as it was compiled in: a version, `(devel)` for a folder; `None` if it is not in.
    pub function_version: Option<String>,
    /// The system that it was built for, in Go's words.
    pub system: Option<String>,
}

impl BuildInfo {
    /// Looks for the information in the bytes of a program's data.
    pub fn find(data: &[u8]) -> Option<Self> {
        let place = (0..data.len()).step_by(ALIGNMENT).find(|place| data.get(*place..).is_some_and(|rest| rest.starts_with(MAGIC)))?;
        let header = data.get(place..place + HEADER)?;
        if header.get(FLAGS)? & INLINE == 0 {
            return None;
        }
        let (go_version, rest) = string(data.get(place + HEADER..)?)?;
        let (modules, _) = string(rest)?;
        let go_version = String::from_utf8_lossy(go_version);
        let mut info = Self { go_version: go_version.strip_prefix("go").unwrap_or(&go_version).to_owned(), ..Self::default() };
        info.read_modules(&String::from_utf8_lossy(without_marks(modules)));
        Some(info)
    }

    fn read_modules(&mut self, text: &str) {
        let mut in_function_module = false;
        for line in text.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            match words.as_slice() {
                ["path", package] => (*package).clone_into(&mut self.package),
                ["mod" | "dep", module, version, ..] => {
                    in_function_module = *module == FUNCTION_MODULE;
                    if in_function_module {
                        self.function_version = Some((*version).to_owned());
                    }
                }
                // What is compiled in is the replacement.
                ["=>", _, version, ..] if in_function_module => self.function_version = Some((*version).to_owned()),
                ["build", setting] => {
                    if let Some(system) = setting.strip_prefix("GOOS=") {
                        self.system = Some(system.to_owned());
                    }
                }
                _ => {}
            }
        }
    }
}

/// A string with its length before it, and what follows it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(9) {
        length |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return bytes.get(place + 1..)?.split_at_checked(usize::try_from(length).ok()?);
        }
    }
    None
}

fn without_marks(modules: &[u8]) -> &[u8] {
    modules.get(MARK..modules.len().saturating_sub(MARK)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use testkit::golang::build_info;

    use super::*;

    #[test]
    fn build_info_function_version() {
        let dep = |rest: &str| format!("dep\t{FUNCTION_MODULE}\t{rest}");
        for (lines, expected) in [
            (dep("v0.0.0-2025-abc\th1:x="), Some("v0.0.0-2025-abc")),
            (dep("v0.0.0\n=>\t./pulsar-function-go\t(devel)\t"), Some("(devel)")),
            (dep("v0.0.0\n=>\texample.com/fork\tv1.2.0\th1:y="), Some("v1.2.0")),
            (format!("mod\t{FUNCTION_MODULE}\t(devel)\t"), Some("(devel)")),
            ("dep\texample.com/a\tv1\n=>\texample.com/b\tv2".to_owned(), None),
            (String::new(), None),
        ] {
            let info = BuildInfo::find(&build_info("go1.26.8", &format!("path\texample.com/x\n{lines}\nbuild\tGOOS=linux\n"))).unwrap();
            assert_eq!(info.function_version.as_deref(), expected, "{lines}");
            assert_eq!(
                (info.go_version.as_str(), info.package.as_str(), info.system.as_deref()),
                ("1.26.8", "example.com/x", Some("linux"))
            );
        }
    }

    #[test]
    fn build_info_is_found_at_multiples_of_sixteen() {
        let info = build_info("go1.18", "path\tx\n");
        assert!(BuildInfo::find(&[&[0; 48], info.as_slice()].concat()).is_some());
        assert!(BuildInfo::find(&[&[0; 47], info.as_slice()].concat()).is_none());
    }

    #[test]
    fn build_info_of_old_or_damaged_programs_is_none() {
        let whole = build_info("go1.26.8", "path\tx\n");
        let mut old = whole.clone();
        old[FLAGS] = 0;
        assert_eq!(BuildInfo::find(&old), None);
        let mut endless = whole.clone();
        endless[HEADER..HEADER + 10].fill(0xff);
        assert_eq!(BuildInfo::find(&endless), None);
        for length in 0..whole.len() {
            assert_eq!(BuildInfo::find(&whole[..length]), None, "{length}");
        }
    }
}

//! How a start fails, with a script in place of Java.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A Java of version 17 that does something else.
fn options(folder: &Path, script: &str) -> StandaloneOptions {
    let cache = folder.join("cache");
    let home = cache.join(format!("pulsar-{}", crate::distribution::VERSION));
    fs_err::create_dir_all(home.join("conf")).unwrap();
    for name in ["conf/standalone.conf", "conf/functions_worker.yml", "complete"] {
        fs_err::write(home.join(name), "").unwrap();
    }
    let java = folder.join("java");
    let head = "#!/bin/sh\nif [ \"$1\" = -version ]; then echo 'openjdk version \"17.0.1\"' >&2; exit; fi\n";
    fs_err::write(&java, format!("{head}{script}\n")).unwrap();
    fs_err::set_permissions(&java, std::fs::Permissions::from_mode(0o755)).unwrap();
    let distribution = Distribution::find(&cache).unwrap();
    StandaloneOptions { java, timeout: Duration::from_millis(300), ..StandaloneOptions::new(distribution, folder) }
}

fn failure(script: &str) -> (StandaloneError, usize) {
    let folder = tempfile::tempdir().unwrap();
    let error = Standalone::start(&options(folder.path(), script), &|| false).err().unwrap();
    let names: Vec<_> = fs_err::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("pulsar-")), "{names:?}");
    let starts = fs_err::read_to_string(folder.path().join("starts")).map_or(0, |text| text.lines().count());
    (error, starts)
}

#[test]
fn server_that_ends_is_reported_with_its_log() {
    let (error, _) = failure("echo 'ERROR no memory'; exit 1");
    let StandaloneError::Ended { log } = error else { panic!("{error}") };
    assert_eq!(log.to_string(), "ERROR no memory");
}

#[test]
fn server_that_hangs_is_given_up_on() {
    let (error, _) = failure("echo starting; sleep 1000");
    let StandaloneError::NotReady { log, .. } = error else { panic!("{error}") };
    assert_eq!(log.to_string(), "starting");
}

#[test]
fn start_is_given_up_when_nobody_wants_it_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let options = StandaloneOptions { timeout: Duration::from_hours(1), ..options(folder.path(), "sleep 1000") };
    let looks = std::cell::Cell::new(0);
    let error = Standalone::start(&options, &|| looks.replace(looks.get() + 1) > 1).err().unwrap();
    assert!(matches!(error, StandaloneError::Interrupted), "{error}");
}

#[test]
fn other_ports_are_tried_when_one_is_taken() {
    let (error, starts) = failure("echo x >> ../starts; echo 'java.net.BindException: Address already in use'; exit 1");
    assert!(matches!(error, StandaloneError::Ended { .. }));
    assert_eq!(starts, usize::try_from(MOST_TRIES).unwrap());
}

#[test]
fn command_is_the_documented_one() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), "");
    let ports = Ports { service: 1, web: 2 };
    let site = Site::prepare(&folder.path().join("site"), &options, ports).unwrap();
    let arguments = |options: &StandaloneOptions| {
        let command = command::of(options, &site, &Preparation::default());
        command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let broker = arguments(&options);
    assert!(broker.ends_with(&["--advertised-address", "127.0.0.1", "-nss", "-nfw"].map(str::to_owned)));
    assert!(broker.contains(&"-Xmx512m".to_owned()));
    let worker = arguments(&StandaloneOptions { functions_worker: true, ..options });
    assert_eq!(worker.last().unwrap(), "-nss");
    let broker = fs_err::read_to_string(site.broker_file()).unwrap();
    assert!(broker.contains("bindAddress=127.0.0.1\n") && broker.contains("webServicePort=2\n"), "{broker}");
}

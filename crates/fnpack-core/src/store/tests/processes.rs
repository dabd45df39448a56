//! Several users of one store at once, and processes killed while they use it.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

const STORE_OF_THE_CHILD: &str = "FNPACK_TEST_STORE";

fn shared() -> Image {
    let text = "0123456789abcdef".repeat(20_000);
    image(&[&[("a", &text), ("dir/", "755"), ("dir/b", "2")]])
}

fn own(number: usize) -> Image {
    image(&[&[("own", &number.to_string())]])
}

/// Puts, unpacks, removes and collects; what was put is readable until it is removed.
#[expect(clippy::panic_in_result_fn, reason = "what it promises is asserted between the calls that may fail")]
fn use_store(store: &Store, number: usize) -> Result<()> {
    let (reference, built) = (format!("own:{number}"), own(number));
    store.put_image(&shared(), Some(&name("shared:1")))?;
    store.put_image(&built, Some(&name(&reference)))?;
    let snapshot = store.snapshot(&shared(), &quiet)?;
    store.gc(&GcOptions::default())?;
    assert!(is_readable(store, "shared:1") && is_readable(store, &reference));
    assert_eq!(fs_err::read_to_string(snapshot.lowers()[0].join("dir/b")).unwrap(), "2");
    store.remember("kind", "same for all", reference.as_bytes(), &[Keep::Image(built.digest())])?;
    store.remove(&name(&reference))
}

#[test]
fn threads_put_unpack_and_collect_at_once() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let home = &home;
            scope.spawn(move || {
                for round in 0..6 {
                    // Each opens a store of its own, so each has a lease as a process has.
                    use_store(&home.open(), number * 10 + round).unwrap();
                }
            });
        }
    });
    assert!(is_readable(&home.open(), "shared:1"));
    assert!(home.faults().is_empty(), "{:?}", home.faults());
    home.open().gc(&GcOptions::default()).unwrap();
    assert_eq!(names_in(home.path().join("blobs/sha256")).len(), 6, "the shared image and what the one record keeps");
    assert_eq!(names_in(home.path().join("snapshots")).len(), 1);
}

#[test]
fn threads_share_one_store() {
    let home = Home::new();
    let store = home.open();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let store = &store;
            scope.spawn(move || (0..6).for_each(|round| use_store(store, number * 10 + round).unwrap()));
        }
    });
    drop(store);
    assert!(home.faults().is_empty(), "{:?}", home.faults());
}

#[test]
fn threads_make_the_same_store_at_once() {
    for _ in 0..20 {
        let home = Home::in_memory();
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| home.open().scratch().unwrap()))));
        assert!(home.faults().is_empty(), "{:?}", home.faults());
    }
}

/// Run by the tests below in processes of their own.
#[test]
#[ignore = "the other side of the tests that kill processes"]
#[expect(clippy::disallowed_methods, reason = "how a test tells a process of its own where to work")]
fn child_uses_the_store_until_it_is_killed() {
    let Some(path) = std::env::var_os(STORE_OF_THE_CHILD) else { return };
    for round in 0.. {
        let store = Store::open(&path, options()).unwrap();
        use_store(&store, 1_000 + usize::try_from(std::process::id()).unwrap() * 1_000 + round).unwrap();
    }
}

#[test]
fn killed_processes_leave_the_store_whole() {
    let home = Home::new();
    home.open().put_image(&own(0), Some(&name("keep:1"))).unwrap();
    let start = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "store::tests::processes::child_uses_the_store_until_it_is_killed"]);
        command.env(STORE_OF_THE_CHILD, home.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for round in 0..6_u64 {
        let children = [start(), start(), start()];
        std::thread::sleep(Duration::from_millis(60 + 37 * round));
        for mut child in children {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), None, "{}", String::from_utf8_lossy(&output.stderr));
        }
        let faults = home.faults();
        let harmless = |fault: &String| fault.contains("left behind") || fault.contains("out of date");
        assert!(faults.iter().all(harmless), "round {round}: {faults:?}");
        let store = home.open();
        for listed in store.references().unwrap() {
            assert!(is_readable(&store, &listed.reference.to_string()), "round {round}: {}", listed.reference);
        }
        assert!(is_readable(&store, "keep:1"));
        store.snapshot(&shared(), &quiet).unwrap();
        store.tag(&name("keep:1"), &name("again:1")).unwrap();
        drop(store);
        assert!(home.faults().is_empty(), "round {round}: {:?}", home.faults());
    }
}

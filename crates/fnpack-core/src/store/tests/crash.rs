//! Stops every operation before each change that it makes, and looks at what is left.

use super::*;

fn base() -> Image {
    image(&[&[("base", "1")]])
}

fn large() -> Image {
    image(&[&[("base", "1")], &[("file", "x")]])
}

/// All that a store is asked to do, once.
fn work(store: &Store) -> Result<()> {
    let random: String =
        (0_u32..400_000).map(|number| char::from_u32(32 + number.wrapping_mul(2_654_435_761) % 90).unwrap_or(' ')).collect();
    let big = image(&[&[("random", &random)]]);
    store.put_images([(&large(), Some(&name("new:1"))), (&big, Some(&name("new:2")))], PutOptions::default())?;
    store.snapshot(&base(), &quiet)?;
    store.snapshot(&big, &quiet)?;
    let scratch = store.scratch()?;
    fs_err::create_dir(scratch.path().join("cache")).unwrap();
    fs_err::create_dir(scratch.path().join("more")).unwrap();
    let folders = store.commit_folders(&scratch, &["cache", "more"])?;
    store.remember("build", "app", b"value", &[Keep::Folder(folders[0].clone()), Keep::Image(large().digest())])?;
    store.tag(&name("new:1"), &name("old:1"))?;
    store.remove(&name("new:1"))?;
    store.forget("build", "app")?;
    store.publish_index()?;
    store.gc(&GcOptions::default()).map(|_| ())
}

#[test]
fn every_step_may_be_the_last() {
    let mut steps = 0;
    loop {
        let home = Home::in_memory();
        let store = home.open();
        store.put_image(&base(), Some(&name("keep:1"))).unwrap();
        store.put_image(&base(), Some(&name("old:1"))).unwrap();
        drop(store);
        let (point, store) = home.dying(steps);
        let outcome = store.and_then(|store| work(&store));
        if !point.died() {
            outcome.unwrap();
            break;
        }
        assert_whole(&home, steps);
        steps += 1;
    }
    assert!(steps > 60, "the work has {steps} steps, so some are not asked about");
}

fn assert_whole(home: &Home, step: i64) {
    let harmless = |fault: &String| fault.contains("left behind") || fault.contains("out of date");
    let faults = home.faults();
    assert!(faults.iter().all(harmless), "step {step}: {faults:?}");
    let store = home.open();
    assert!(is_readable(&store, "keep:1") && is_readable(&store, "old:1"), "step {step}");
    for listed in store.references().unwrap() {
        assert!(is_readable(&store, &listed.reference.to_string()), "step {step}: {}", listed.reference);
    }
    work(&store).unwrap_or_else(|error| panic!("step {step}: {error}"));
    drop(store);
    assert!(home.faults().is_empty(), "step {step}: {:?}", home.faults());
    home.open().gc(&GcOptions::default()).unwrap();
    assert_eq!(names_in(home.path().join("refs")).len(), 3, "step {step}: keep:1, old:1, new:2");
    assert_eq!(names_in(home.path().join("blobs/sha256")).len(), 3 + 3 + 3, "step {step}");
}

#[test]
fn the_making_of_a_store_may_stop_anywhere() {
    for steps in 0.. {
        let home = Home::in_memory();
        let (point, store) = home.dying(steps);
        drop(store);
        let died = point.died();
        home.open().put_image(&base(), Some(&name("app"))).unwrap();
        assert!(is_readable(&home.open(), "app"), "step {steps}");
        assert!(home.faults().is_empty(), "step {steps}: {:?}", home.faults());
        if !died {
            assert!(steps > 10);
            return;
        }
    }
}

#[test]
fn needs_root_layers_over_layers_may_stop_anywhere() {
    if !can_mount() {
        return;
    }
    for steps in 0.. {
        let home = Home::in_memory();
        home.open().put_image(&large(), Some(&name("app"))).unwrap();
        let (point, store) = home.dying(steps);
        let outcome = store.and_then(|store| store.snapshot(&large(), &quiet));
        if !point.died() {
            outcome.unwrap();
            return assert!(steps > 10);
        }
        drop(outcome);
        let store = home.open();
        let snapshot = store.snapshot(&large(), &quiet).unwrap();
        assert_eq!(fs_err::read_to_string(snapshot.lowers()[0].join("file")).unwrap(), "x", "step {steps}");
        assert_eq!(fs_err::read_to_string(snapshot.lowers()[1].join("base")).unwrap(), "1", "step {steps}");
        drop((snapshot, store));
        assert!(home.faults().is_empty(), "step {steps}: {:?}", home.faults());
    }
}

use std::time::Duration;

use super::*;

fn gc(home: &Home) -> GcReport {
    home.open().gc(&GcOptions::default()).unwrap()
}

#[test]
fn what_nothing_names_is_removed_with_all_that_it_had() {
    let home = Home::new();
    let store = home.open();
    let (kept, dropped) = (image(&[&[("shared", "1")]]), image(&[&[("shared", "1")], &[("own", "2")]]));
    store.put_image(&kept, Some(&name("kept"))).unwrap();
    store.put_image(&dropped, Some(&name("dropped"))).unwrap();
    store.snapshot(&kept, &quiet).unwrap();
    store.remove(&name("dropped")).unwrap();
    assert_eq!(store.gc(&GcOptions::default()).unwrap(), GcReport::default(), "the process that put it still runs");
    drop((store, dropped));
    let announced = home.open().gc(&GcOptions { dry_run: true, keep_records: None }).unwrap();
    assert_eq!((announced.blobs.len(), announced.snapshots.len()), (3, 0));
    assert_eq!(gc(&home), announced);
    assert!(is_readable(&home.open(), "kept"));
    home.open().remove(&name("kept")).unwrap();
    let report = gc(&home);
    assert_eq!((report.blobs.len(), report.snapshots.len()), (3, 1));
    assert!(
        report.bytes > 0 && names_in(home.path().join("blobs/sha256")).is_empty() && names_in(home.path().join("snapshots")).is_empty()
    );
    assert!(home.faults().is_empty());
}

#[test]
fn snapshots_of_every_mapping_live_as_long_as_the_image() {
    let home = Home::new();
    let built = image(&[&[("a", "1")]]);
    home.open().put_image(&built, Some(&name("app"))).unwrap();
    for mapping in ["root", "range-1"] {
        Store::open(home.path(), StoreOptions { mapping_key: mapping.into(), ..options() }).unwrap().snapshot(&built, &quiet).unwrap();
    }
    assert_eq!(gc(&home), GcReport::default());
    assert_eq!(names_in(home.path().join("snapshots")).len(), 2);
}

#[test]
fn what_a_living_process_uses_stays() {
    let home = Home::new();
    let user = home.open();
    let built = image(&[&[("a", "1")]]);
    user.put_image(&built, None).unwrap();
    let snapshot = user.snapshot(&built, &quiet).unwrap();
    let scratch = user.scratch().unwrap();
    assert_eq!(gc(&home), GcReport::default());
    assert!(snapshot.lowers()[0].exists() && scratch.path().exists());
    drop((user, scratch));
    assert_eq!(gc(&home), GcReport::default(), "a snapshot in use holds the lease");
    drop(snapshot);
    let report = gc(&home);
    assert_eq!((report.blobs.len(), report.snapshots.len()), (3, 1));
}

#[test]
fn an_image_read_stays_though_its_name_goes() {
    let home = Home::new();
    let built = image(&[&[("a", "1")]]);
    home.open().put_image(&built, Some(&name("app"))).unwrap();
    let reader = home.open();
    let read = reader.image(&name("app"), &target()).unwrap().unwrap();
    home.open().remove(&name("app")).unwrap();
    assert_eq!(gc(&home), GcReport::default());
    assert!(bytes(&read.layers()[0].blob).is_ok());
}

#[test]
fn records_keep_things_alive_until_they_are_old_or_forgotten() {
    let home = Home::new();
    let store = home.open();
    let built = image(&[&[("a", "1")]]);
    let digest = store.put_image(&built, None).unwrap();
    let scratch = store.scratch().unwrap();
    scratch.root().unwrap().create_dir("cache", 0o755).unwrap();
    scratch.root().unwrap().write("cache/file", b"12345", 0o644).unwrap();
    let folder = store.commit_folder(&scratch, "cache").unwrap();
    store.remember("build", "app", b"1", &[Keep::Image(digest), Keep::Folder(folder.clone())]).unwrap();
    drop((scratch, store));
    assert_eq!(gc(&home), GcReport::default());
    assert!(home.open().image_by_digest(&digest, &target()).unwrap().is_some());

    let record = home.path().join("records/build").join(&names_in(home.path().join("records/build"))[0]);
    let long_ago = std::time::SystemTime::now() - Duration::from_hours(24 * 40);
    let month = GcOptions { dry_run: false, keep_records: Some(Duration::from_hours(24 * 30)) };
    fs_err::File::open(&record).unwrap().file().set_modified(long_ago).unwrap();
    assert!(home.open().record("build", "app").is_some(), "reading renews");
    assert_eq!(home.open().gc(&month).unwrap(), GcReport::default());
    fs_err::File::open(&record).unwrap().file().set_modified(long_ago).unwrap();
    let report = home.open().gc(&month).unwrap();
    assert_eq!((report.records, report.blobs.len(), report.folders, report.bytes > 5), (1, 3, vec![folder], true));
    assert_eq!(home.open().record("build", "app"), None);
}

#[test]
fn scratch_of_the_dead_goes_with_the_next_lease() {
    let home = Home::new();
    drop(home.open());
    let (point, dying) = home.dying(100);
    let dying = dying.unwrap();
    let scratch = dying.scratch().unwrap();
    scratch.root().unwrap().create_dir_all("a/b", 0o755).unwrap();
    scratch.root().unwrap().chmod("a", 0o500).unwrap();
    point.left.store(0, Ordering::SeqCst);
    drop((scratch, dying));
    assert!(!names_in(home.path().join("scratch")).is_empty());
    let faults = home.faults();
    assert!(matches!(faults.as_slice(), [left] if left.contains("left behind")), "{faults:?}");
    home.open().scratch().unwrap();
    assert!(names_in(home.path().join("scratch")).is_empty() && names_in(home.path().join("leases")).is_empty());
}

#[test]
fn unreadable_reference_stops_collection_before_it_removes_anything() {
    let home = Home::new();
    home.open().put_image(&image(&[&[("a", "1")]]), Some(&name("app"))).unwrap();
    let path = home.path().join("refs").join(&names_in(home.path().join("refs"))[0]);
    fs_err::write(&path, "{").unwrap();
    let before = names_in(home.path().join("blobs/sha256"));
    assert!(matches!(home.open().gc(&GcOptions::default()), Err(StoreError::Unreadable { .. })));
    assert_eq!(names_in(home.path().join("blobs/sha256")), before);
    assert!(matches!(home.open().check(&CheckOptions::default()).unwrap().as_slice(), [Fault::Reference { .. }, ..]));
}

#[test]
fn repair_takes_away_what_is_nobodys() {
    let home = Home::new();
    home.open().put_image(&image(&[&[("a", "1")]]), Some(&name("app"))).unwrap();
    fs_err::write(home.path().join("blobs/sha256/half"), "").unwrap();
    fs_err::create_dir(home.path().join("snapshots/NOT A NAME")).unwrap();
    fs_err::create_dir_all(home.path().join("scratch/nobody/deep")).unwrap();
    fs_err::create_dir(home.path().join("records/kind")).unwrap();
    fs_err::write(home.path().join("records/kind/torn"), "").unwrap();
    fs_err::write(home.path().join("index.json"), "").unwrap();
    assert_eq!(home.faults().len(), 5, "{:?}", home.faults());
    home.open().check(&CheckOptions { deep: true, repair: true }).unwrap();
    assert!(home.faults().is_empty(), "{:?}", home.faults());
    assert!(is_readable(&home.open(), "app"));
}

#[test]
fn report_counts_what_there_was() {
    let digest = Digest::of("a");
    let report = GcReport { blobs: vec![digest, digest], records: 1, scratch: 2, ..GcReport::default() };
    assert_eq!(report.to_string(), "2 blobs, 1 record, 2 folders left behind");
    assert_eq!(GcReport::default().to_string(), "nothing");
}

//! From a registry: what is asked for again when something breaks.

use super::*;

#[test]
fn body_that_breaks_is_asked_for_again() {
    for bytes in [0, 10] {
        let (registry, reference) = stocked();
        let break_once = || registry.fault(Fault::truncate("GET", "/blobs/", bytes).times(1));
        break_once();
        let image = client().pull(&reference, &target()).unwrap();
        break_once();
        assert_eq!(fetch(&client(), &image.layers()[0]).unwrap(), LAYER.as_bytes());
        let blobs = registry.request_lines().iter().filter(|line| line.contains("/blobs/")).count();
        assert_eq!(blobs, 4, "config and layer, each twice");
    }
}

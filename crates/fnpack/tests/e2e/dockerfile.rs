//! `fnpack image build`.

use super::environment::Environment;

#[test]
fn copy_of_a_binary_makes_a_function_image() {
    let Some(environment) = Environment::with_base() else { return };
    environment.script("context/function", "#!/bin/sh\necho from the package\n");
    environment.write(
        "context/Dockerfile",
        "ARG RUNNER=test/run\nFROM ${RUNNER}\nCOPY --chown=10000:10001 --chmod=755 function /pulsar/function/function\nENTRYPOINT [\"/pulsar/function/function\"]\n",
    );
    let first = environment.call("image build -t docker/function context").success();
    assert_eq!(environment.call("run --raw docker/function").success(), "from the package");
    let owner = environment.call("run --raw docker/function --entrypoint stat -- -c %u:%g:%a /pulsar/function/function").success();
    assert_eq!(owner, "10000:10001:755");
    let again = environment.call("image build -t docker/function context").success();
    assert_eq!(first, again);
    let fresh = environment.call("image build --no-cache -t docker/function context").success();
    assert_eq!(first, fresh, "the cache changes nothing but the time");
}

#[test]
fn unchanged_steps_are_not_run_again() {
    let Some(environment) = Environment::with_base() else { return };
    // The store outlives the test run, and knows the steps of earlier ones.
    let run = format!("{:?}", std::time::SystemTime::now());
    environment.write("context/file", &run);
    environment.write(
        "context/Dockerfile",
        "FROM test/run\nUSER root\nRUN echo ran-first > /first\nCOPY file /file\nRUN echo ran-second > /second\n",
    );
    environment.call("image build -t docker/steps context").success();
    environment.write("context/file", &format!("{run} changed"));
    let outcome = environment.call("-v image build -t docker/steps context");
    let log = outcome.stderr.clone();
    outcome.success();
    let is_cached = |part: &str| {
        let mut lines = log.lines().skip_while(|line| !line.contains(part));
        assert!(lines.next().is_some(), "{part} in\n{log}");
        lines.next().is_some_and(|line| line.trim() == "cached")
    };
    assert!(is_cached("ran-first"), "{log}");
    assert!(!is_cached("ran-second"), "{log}");
}

#[test]
fn failures_name_file_and_line() {
    let Some(environment) = Environment::with_base() else { return };
    for (dockerfile, code, expected) in [
        ("FROM test/run\nHEALTHCHECK NONE\n", 3, vec!["Dockerfile", "2", "HEALTHCHECK"]),
        ("FROM test/run\nCOPPY a b\n", 3, vec!["COPPY", "COPY"]),
        ("FROM test/run\nUSER root\nRUN exit 9\n", 1, vec!["3", "exit 9", "9"]),
        ("FROM test/run\nCOPY nosuch.zip /\n", 3, vec!["nosuch.zip", "2"]),
    ] {
        environment.write("context/Dockerfile", dockerfile);
        let error = environment.call("image build -t docker/bad context").failure(code);
        for part in expected {
            assert!(error.contains(part), "`{part}` in\n{error}");
        }
    }
}

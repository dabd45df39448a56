use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::{OverlayXattr, Upper};

fn plan() -> SandboxPlan {
    let overlay = Overlay {
        lowers: vec!["/l2".into(), "/l1".into()],
        upper: Some(Upper { folder: "/u".into(), work: "/w".into() }),
        xattr: OverlayXattr::User,
    };
    let mut plan = SandboxPlan::new(RootPlan::Overlay(overlay.clone()), ["sh", "-c", "true"]);
    plan.environment = BTreeMap::from([("PATH".into(), "/bin".into()), ("ODD".into(), OsString::from_vec(vec![0xff, b'x']))]);
    plan.mounts = vec![
        Mount::Bind { source: PathBuf::from(OsString::from_vec(b"/caf\xe9".to_vec())), target: "/mnt".into(), read_only: true },
        Mount::Overlay { overlay, target: "/layers/x".into() },
        Mount::Tmpfs { target: "/platform".into(), size: Some(4096), mode: 0o755, uid: 1, gid: 2 },
        Mount::File { target: "/run/secret".into(), contents: vec![0, 159, 146], mode: 0o400, uid: 10_000, gid: 10_001 },
    ];
    plan
}

#[test]
fn plan_survives_json_also_with_names_that_are_not_utf8() {
    let text = serde_json::to_string(&plan()).unwrap();
    assert_eq!(serde_json::from_str::<SandboxPlan>(&text).unwrap(), plan());
    assert!(text.contains(r#""arguments":["sh","-c","true"]"#), "{text}");
    assert!(text.contains(r#"["PATH","/bin"]"#), "{text}");
}

#[test]
fn plan_starts_strict() {
    let plan = SandboxPlan::new(RootPlan::Folder("/".into()), ["true"]);
    assert_eq!(plan.capabilities, Capabilities::None);
    assert_eq!(plan.seccomp, Seccomp::Container);
    assert_eq!(plan.network, Network::None);
    assert!(plan.environment.is_empty());
    plan.check().unwrap();
}

#[test]
fn plan_that_cannot_be_meant_is_refused() {
    type Spoil = fn(&mut SandboxPlan);
    let cases: [(&str, Spoil); 4] = [
        ("no command", |plan| plan.arguments.clear()),
        ("no command", |plan| plan.arguments = vec![OsString::new()]),
        ("working folder `here` is not absolute", |plan| plan.working_folder = "here".into()),
        ("mount point `there` is not absolute", |plan| {
            plan.mounts.push(Mount::Bind { source: "/".into(), target: "there".into(), read_only: true });
        }),
    ];
    for (reason, spoil) in cases {
        let mut plan = plan();
        spoil(&mut plan);
        assert!(plan.check().unwrap_err().to_string().contains(reason), "{reason}");
    }
}

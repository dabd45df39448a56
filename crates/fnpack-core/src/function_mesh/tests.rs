//! What is written here is what the operator wrote.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use fnpack_artifact::Language;
use serde_json::{Value, json};

use super::*;

/// A case: its name, what is run, what the operator wrote, what that becomes in a shell.
struct Case {
    name: &'static str,
    instance: Instance,
    command: &'static str,
    argv: &'static str,
}

macro_rules! case {
    ($name:literal, $instance:expr) => {
        Case {
            name: $name,
            instance: $instance,
            command: include_str!(concat!("../../../fnpack/tests/fixtures/function-mesh/", $name, ".command")),
            argv: include_str!(concat!("../../../fnpack/tests/fixtures/function-mesh/", $name, ".argv.json")),
        }
    };
}

fn instance(language: Language, name: &str, artifact: &str, class_name: &str) -> Instance {
    Instance {
        language,
        artifact: artifact.to_owned(),
        class_name: Some(class_name.to_owned()).filter(|class| !class.is_empty()),
        tenant: "public".to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
        cluster: "kubernetes".to_owned(),
        uid: "00000000-0000-4000-8000-000000000001".to_owned(),
        inputs: vec!["persistent://public/default/in".to_owned()],
        output: Some("persistent://public/default/out".to_owned()),
        input_type: Some("java.lang.String".to_owned()),
        output_type: Some("java.lang.String".to_owned()),
        subscription: None,
        user_config: Map::new(),
        window: None,
        parallelism: 1,
        shard: 3,
        resources: Resources::default(),
        ports: Ports::default(),
        log_level: LogLevel::Unset,
        broker: Broker {
            service: "pulsar://broker.example:6650".to_owned(),
            web: "http://broker.example:8080".to_owned(),
            authentication: None,
            trust: None,
        },
    }
}

fn java() -> Instance {
    instance(Language::Java, "orders", "/pulsar/function/orders.jar", "com.example.Orders")
}

fn python(artifact: &str) -> Instance {
    instance(Language::Python, "orders-py", artifact, "orders.Orders")
}

fn golang() -> Instance {
    instance(Language::Go, "orders-go", "/pulsar/function/function", "")
}

fn java_of_another_tenant() -> Instance {
    Instance {
        tenant: "acme".to_owned(),
        namespace: "prod".to_owned(),
        name: "orders-v2".to_owned(),
        cluster: "eu-west".to_owned(),
        inputs: vec!["persistent://acme/prod/in".to_owned()],
        output: Some("persistent://acme/prod/out".to_owned()),
        subscription: Some("orders-sub".to_owned()),
        ..java()
    }
}

fn cases() -> Vec<Case> {
    vec![
        case!("java", java()),
        case!("java-window", Instance { window: Some(Window { length: 10, slide: 5 }), ..java() }),
        case!("java-tenant", java_of_another_tenant()),
        case!("python-zip", python("/pulsar/function/orders.zip")),
        case!("python-file", python("/pulsar/function/orders.py")),
        case!("python-wheel", python("/pulsar/function/orders-1.0.0-py3-none-any.whl")),
        case!("go", golang()),
    ]
}

fn script(instance: &Instance) -> String {
    let [shell, flag, script] = <[String; 3]>::try_from(instance.container().unwrap().command).unwrap();
    assert_eq!([shell, flag], ["bash", "-c"]);
    script
}

/// The text without its `--function_details '…'`, and the document in it with its nested document read.
fn apart(text: &str) -> (String, Option<Value>) {
    const FLAG: &str = "--function_details '";
    let Some((before, rest)) = text.split_once(FLAG) else { return (text.trim_end().to_owned(), None) };
    let (document, after) = rest.split_once('\'').unwrap();
    (format!("{before}{FLAG}'{}", after.trim_end()), Some(details_value(document)))
}

fn details_value(document: &str) -> Value {
    let mut value: Value = serde_json::from_str(document).unwrap();
    if let Some(user_config) = value.get_mut("userConfig").filter(|text| *text != "") {
        *user_config = serde_json::from_str(user_config.as_str().unwrap()).unwrap();
    }
    value
}

#[test]
fn command_is_the_operators_to_the_letter() {
    for case in cases() {
        let (ours, our_details) = apart(&script(&case.instance));
        let (theirs, their_details) = apart(case.command);
        assert_eq!(ours, theirs, "{}", case.name);
        assert_eq!(our_details, their_details, "{}", case.name);
    }
}

/// Runs a command with everything below `/pulsar/` in `root` instead, and programs that only say how they were called.
fn argv(root: &Path, case: &Case) -> Vec<String> {
    let stub = "#!/bin/sh\nprintf '%s\\0' \"${0##*/}\" \"$@\" > \"$CALL\"\n";
    let lib = root.join("pulsar/lib");
    for folder in ["bin", "pulsar/function", "pulsar/instances/python-instance"] {
        fs_err::create_dir_all(root.join(folder)).unwrap();
    }
    fs_err::create_dir_all(&lib).unwrap();
    for jar in ["com.fasterxml.jackson.dataformat-jackson-dataformat-yaml-2.17.2.jar", "org.yaml-snakeyaml-2.0.jar"] {
        fs_err::write(lib.join(jar), "").unwrap();
    }
    fs_err::write(root.join("pulsar/instances/python-instance/log.py"), "").unwrap();
    for program in ["bin/java", "bin/python", "pulsar/function/function"] {
        fs_err::write(root.join(program), stub).unwrap();
        fs_err::set_permissions(root.join(program), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let pulsar = format!("{}/pulsar/", root.display());
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", root.join("bin").display());
    let mut command = Command::new("bash");
    command.args(["-c", &script(&case.instance).replace("/pulsar/", &pulsar)]).env_clear().env("PATH", path).current_dir(root);
    command.envs(case.instance.container().unwrap().environment).env("CALL", root.join("call"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}: {}", case.name, String::from_utf8_lossy(&output.stderr));
    let call = fs_err::read_to_string(root.join("call")).unwrap().replace(&pulsar, "/pulsar/");
    call.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn shell_makes_the_same_words_of_it() {
    for case in cases() {
        let folder = tempfile::tempdir().unwrap();
        let readable = |words: Vec<String>| -> Vec<Value> {
            let word = |word: String| if word.starts_with('{') { details_value(&word) } else { json!(word) };
            words.into_iter().map(word).collect()
        };
        let theirs: Vec<String> = serde_json::from_str(case.argv).unwrap();
        assert_eq!(readable(argv(folder.path(), &case)), readable(theirs), "{}", case.name);
    }
}

#[test]
fn details_survive_the_shell_whatever_is_in_them() {
    let text = "it's \"$HOME\" `id` \\ $(id) & ; \n ä";
    let instance = Instance { user_config: Map::from_iter([("text".to_owned(), json!(text))]), ..python("/pulsar/function/function.py") };
    let folder = tempfile::tempdir().unwrap();
    let words = argv(folder.path(), &Case { name: "quotes", instance, command: "", argv: "" });
    let details = words.iter().skip_while(|word| *word != "--function_details").nth(1).unwrap();
    assert_eq!(details_value(details)["userConfig"]["text"], text);
}

#[test]
fn environment_has_what_the_command_reads() {
    let named = |instance: &Instance| -> Vec<String> {
        instance.container().unwrap().environment.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    };
    assert_eq!(
        named(&java()),
        ["POD_NAME=orders-function-3", "brokerServiceURL=pulsar://broker.example:6650", "webServiceURL=http://broker.example:8080"]
    );
    assert!(named(&golang()).contains(&"LOGGING_LEVEL=info".to_owned()));
    assert!(named(&Instance { log_level: LogLevel::Warning, ..golang() }).contains(&"LOGGING_LEVEL=warn".to_owned()));
    let authentication = Some(Authentication { plugin: "org.example.Token".to_owned(), parameters: "token:secret".to_owned() });
    let known = Instance { broker: Broker { authentication, ..java().broker }, ..java() };
    assert!(named(&known).contains(&"clientAuthenticationParameters=token:secret".to_owned()));
    assert!(!format!("{known:?}{:?}", known.container().unwrap().command).contains("secret"));
    assert!(
        script(&known)
            .contains(" --client_auth_plugin $clientAuthenticationPlugin --client_auth_params $clientAuthenticationParameters --use_tls")
    );
}

#[test]
fn encrypted_connections_are_checked() {
    let trust = Some("/etc/tls/pulsar-functions/ca.crt".to_owned());
    let safe = Instance { broker: Broker { trust, ..java().broker }, ..java() };
    let expected = " --use_tls true --tls_allow_insecure false --hostname_verification_enabled true \
        --tls_trust_cert_path /etc/tls/pulsar-functions/ca.crt --pending_async_requests 1000";
    assert!(script(&safe).ends_with(expected), "{}", script(&safe));
    let golang = Instance { broker: safe.broker, ..golang() };
    assert_eq!(golang.container().unwrap().caveats, [Caveat::GoSecurity]);
}

#[test]
fn log_level_is_said_where_each_instance_looks() {
    let level = LogLevel::Warning;
    let java = script(&Instance { log_level: level, ..java() });
    assert!(
        java.contains(" -Dpulsar.log.level=WARN -Dbk.log.level=WARN -XX:MaxRAMPercentage") && java.contains("<value>WARN</value>"),
        "{java}"
    );
    let python = script(&Instance { log_level: level, ..python("/pulsar/function/orders.zip") });
    assert!(
        python.contains("\nlevel=WARNING\n") && python.contains("&& sed -i.bak 's/^level=.*/level=WARNING/g' /pulsar/conf/"),
        "{python}"
    );
}

#[test]
fn values_that_a_shell_would_take_apart_are_refused() {
    type Change = fn(&mut Instance, String);
    let changes: [(&str, Change); 4] = [
        ("name", |instance, value| instance.name = value),
        ("cluster name", |instance, value| instance.cluster = value),
        ("path", |instance, value| instance.artifact = value),
        ("broker URL", |instance, value| instance.broker.service = value),
    ];
    for (expected, change) in changes {
        for character in " ;$`'\"\\&|<>(){}*?#~!\n\0ä".chars() {
            let mut instance = java();
            change(&mut instance, format!("/a{character}b"));
            match instance.container() {
                Err(InstanceError::Unsafe { what, character: found, .. }) => assert_eq!((what, found), (expected, character)),
                other => panic!("{expected} with {character:?}: {other:?}"),
            }
        }
        let mut instance = java();
        change(&mut instance, String::new());
        assert_eq!(instance.container(), Err(InstanceError::Missing { what: expected }));
    }
}

#[test]
fn topics_go_through_a_shell_only_for_go() {
    let topics = vec!["persistent://public/default/in out".to_owned()];
    java_accepts(&Instance { inputs: topics.clone(), ..java() });
    assert!(matches!(Instance { inputs: topics, ..golang() }.container(), Err(InstanceError::Unsafe { what: "input topic", .. })));
    assert_eq!(Instance { inputs: Vec::new(), ..golang() }.container(), Err(InstanceError::Missing { what: "input topic" }));
}

fn java_accepts(instance: &Instance) {
    assert!(instance.container().is_ok(), "{instance:?}");
}

#[test]
fn class_name_is_needed_where_instances_need_it() {
    for language in [Language::Java, Language::Python] {
        let nameless = instance(language, "orders", "/pulsar/function/orders", "");
        assert_eq!(nameless.container(), Err(InstanceError::Missing { what: "class name" }));
    }
    assert!(golang().container().unwrap().caveats.is_empty());
}

#[test]
fn what_function_mesh_breaks_is_said() {
    let user_config = Map::from_iter([("k".to_owned(), json!("v"))]);
    assert!(Instance { user_config: user_config.clone(), ..java() }.container().unwrap().caveats.is_empty());
    let container = Instance { user_config, inputs: vec!["one".to_owned(), "two".to_owned()], ..golang() }.container().unwrap();
    assert_eq!(container.caveats, [Caveat::GoUserConfig, Caveat::GoTopics]);
}

#[test]
fn repaired_go_function_gets_what_function_mesh_loses() {
    let user_config = Map::from_iter([("k".to_owned(), json!("it's \"v\""))]);
    let authentication = Some(Authentication { plugin: "org.example.Token".to_owned(), parameters: "token:secret".to_owned() });
    let broker = Broker { authentication, trust: Some("/ca.crt".to_owned()), ..golang().broker };
    let container = Instance { user_config: user_config.clone(), broker, ..golang() }.repaired_container().unwrap();
    assert!(container.caveats.is_empty());
    assert_eq!(container.command[..2], ["/pulsar/function/function", "-instance-conf"]);
    let document: Value = serde_json::from_str(&container.command[2]).unwrap();
    assert_eq!(serde_json::from_str::<Value>(document["userConfig"].as_str().unwrap()).unwrap(), Value::Object(user_config));
    assert_eq!(document["clientAuthenticationParameters"], "token:secret");
    assert_eq!(document["tlsTrustCertsFilePath"], "/ca.crt");
}

#[test]
fn repaired_go_function_is_told_the_same_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let by_shell = argv(folder.path(), &Case { name: "go", instance: golang(), command: "", argv: "" });
    let mut direct: Value = serde_json::from_str(&golang().repaired_container().unwrap().command[2]).unwrap();
    direct.as_object_mut().unwrap().remove("pulsarWebServiceUrl").unwrap();
    assert_eq!(direct, serde_json::from_str::<Value>(&by_shell[2]).unwrap());
    assert_eq!(java().repaired_container(), java().container());
}

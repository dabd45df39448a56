//! What `fnpack build` says of a source that is no function, or not one that it can see: what was looked for, what was
//! found instead. Nothing is built, so the buildpacks run on a build image without any toolchain.

use super::environment::{Environment, repository};

const BUILDPACKS: [&str; 3] = ["golang", "java", "python"];

/// A builder with the one buildpack.
fn builder(environment: &Environment, name: &str) {
    let toml = format!(
        "[[buildpacks]]\nuri = \"{}\"\n[[order]]\n[[order.group]]\nid = \"fnpack/{name}\"\n\
         [build]\nimage = \"test/build\"\n[[run.images]]\nimage = \"test/run\"\n",
        repository().join("buildpacks").join(name).display()
    );
    environment.write("builder.toml", &toml);
    environment.call(&format!("builder create looked/{name} -c builder.toml")).success();
}

const GO: &str = "package main\nimport \"github.com/apache/pulsar/pulsar-function-go/pf\"\nfunc main() { pf.Start(nil) }\n";
const JAVA: &str = "import org.apache.pulsar.functions.api.Function;\npublic class F {}\n";
const PYTHON: &str = "from pulsar import Function\nclass F(Function):\n    def process(self, input, context):\n        return input\n";

/// A buildpack, the files of a source, and what is said of them.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);

#[test]
fn every_language_says_what_it_looked_for() {
    let Some(environment) = Environment::with_base() else { return };
    for name in BUILDPACKS {
        builder(&environment, name);
    }
    let cases: &[Case] = &[
        ("golang", &[("main.go", GO)], "looked for go.mod: not found (found main.go)"),
        ("golang", &[("Go.mod", "module a\n"), ("main.go", GO)], "looked for go.mod: not found (found Go.mod"),
        ("golang", &[("go.mo", "module a\n")], "looked for go.mod: not found (found go.mo"),
        ("golang", &[("go.mod", "module a\n")], "looked for a main package that calls pf.Start"),
        ("golang", &[("README.md", "")], "looked for go.mod: not found"),
        ("golang", &[("orders/go.mod", "module a\n"), ("orders/main.go", GO)], "found orders/go.mod"),
        ("java", &[("F.java", JAVA)], "looked for pom.xml or build.gradle: not found (found F.java)"),
        ("java", &[("Pom.xml", "<project/>")], "looked for pom.xml or build.gradle: not found (found Pom.xml)"),
        ("java", &[("pom.xml", ""), ("src/main/java/F.java", JAVA)], "pom.xml is empty"),
        ("java", &[("pom.xml", "<project/>")], "found pom.xml, but no source of Java"),
        ("java", &[("pom.xml", "<project/>"), ("src/main/java/F.java", "class F {}")], "none of 1 source files mentions org.apache.pulsar"),
        ("java", &[("README.md", "")], "looked for pom.xml or build.gradle: not found"),
        ("java", &[("orders/pom.xml", "<project/>"), ("orders/src/main/java/F.java", JAVA)], "found orders/pom.xml"),
        ("python", &[("pyproject.toml", "[project]\nname = \"a\"\nversion = \"1\"\n")], "looked for"),
        ("python", &[("function.py", "")], "looked for"),
        ("python", &[("function.py", "x = 1\n")], "looked for"),
        ("python", &[("README.md", "")], "looked for"),
        ("python", &[("FUNCTION.PY", PYTHON)], "not found (no .py file)"),
    ];
    for (number, (language, files, line)) in cases.iter().enumerate() {
        for (file, text) in *files {
            environment.write(&format!("{number}/{file}"), text);
        }
        let error = environment.call(&format!("build looked/none {number} -B looked/{language}")).failure(1);
        let told = error.lines().find(|text| text.contains(&format!("fnpack/{language}"))).unwrap_or_default();
        assert!(told.contains(" declined: ") && told.contains(line), "{language} {files:?}: {line}\nin\n{error}");
        assert!(error.contains("hint: "), "{error}");
    }
}
